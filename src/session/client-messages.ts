import { byteString, indexOfZero, readUint32 } from '../base/bytes.ts';
import { GatewayError } from '../base/errors.ts';
import { ClientCode } from '../protocol/codes.ts';
import { type FrameHandler, PREFIX_BYTES, Take } from '../protocol/framer.ts';
import { isHarmlessFunction } from './large-objects.ts';
import { Owed } from './ledger.ts';
import type { Link } from './link.ts';
import type { Session } from './session.ts';
import { bindNames, sendBind, sendDescribe } from './statement-messages.ts';
import { StatementNotes } from './statement-notes.ts';

/** Texts above this size are passed on without being read; what they did is then not known. */
export const INSPECTED_TEXT_BYTES_MAX = 1_048_576;
/** PostgreSQL's own limit on a message. */
const MESSAGE_BYTES_MAX = 0x3fffffff;
/** Describe, Execute, Close and the like hold names only. */
const SMALL_MESSAGE_BYTES_MAX = 65_536;
const TOO_LARGE_TO_READ = 'a statement too large to examine';
const STATEMENT = 0x53;

/** Reads a client's messages and passes them on to its link, in the link's own names. */
export class MessageReader implements FrameHandler {
  readonly #session: Session;
  readonly #notes: StatementNotes;

  constructor(session: Session) {
    this.#session = session;
    this.#notes = new StatementNotes(session);
  }

  onHeader(code: number, size: number): Take {
    const session = this.#session;
    if (session.isClosed) return Take.Stop;
    if (size < 5 || size > MESSAGE_BYTES_MAX)
      return this.#refuse(`a message of length ${size - 1}`);
    if (session.isDropping && code !== ClientCode.Terminate) return this.#drop(code);
    switch (code) {
      case ClientCode.CopyDone:
      case ClientCode.CopyFail:
        session.link?.ledger.noteCopyEnd();
        return session.link === null ? Take.Swallow : Take.Forward;
      case ClientCode.CopyData:
        // Without a COPY, as behind an error, it is noise, which the server would have ignored.
        return session.link === null ? Take.Swallow : Take.Forward;
      case ClientCode.Query:
      case ClientCode.Parse:
        return size <= INSPECTED_TEXT_BYTES_MAX ? Take.Hold : this.#onUnreadText(code);
      case ClientCode.Bind:
        return size <= PREFIX_BYTES ? Take.Hold : Take.HoldPrefix;
      case ClientCode.FunctionCall:
        return size <= PREFIX_BYTES ? Take.Hold : Take.HoldPrefix;
      case ClientCode.Close:
      case ClientCode.Describe:
      case ClientCode.Execute:
      case ClientCode.Flush:
      case ClientCode.Sync:
      case ClientCode.Terminate:
        return size <= SMALL_MESSAGE_BYTES_MAX
          ? Take.Hold
          : this.#refuse(`a message of ${size} bytes`);
      default:
        return this.#refuse(`invalid frontend message type ${code}`);
    }
  }

  onWhole(code: number, chunk: Uint8Array, start: number, end: number): Take {
    const session = this.#session;
    if (code === ClientCode.Terminate) {
      session.endInput();
      return Take.Stop;
    }
    if (session.isDropping) return this.#drop(code);
    if (session.link === null && !session.isUnsynced) {
      // Nothing is owed, so there is nothing to ask a server for.
      if (code === ClientCode.Flush) return Take.Swallow;
      if (code === ClientCode.Sync) {
        session.answerReady();
        return Take.Swallow;
      }
    }
    if (!session.acquire()) return Take.Stop;
    return this.#pass(code, chunk, start, end, end - start);
  }

  onPrefix(code: number, size: number, chunk: Uint8Array, start: number, end: number): Take {
    const session = this.#session;
    if (session.isDropping) return this.#drop(code);
    if (!session.acquire()) return Take.Stop;
    const take = this.#pass(code, chunk, start, end, size);
    if (take === Take.Forward) (session.link as Link).port.send(chunk, start, end);
    return session.isClosed ? Take.Stop : Take.Forward;
  }

  onRun(chunk: Uint8Array, start: number, end: number): void {
    this.#session.link?.port.send(chunk, start, end);
  }

  /** Passes a message on, all of it or its beginning, the link being there. */
  #pass(code: number, chunk: Uint8Array, start: number, end: number, size: number): Take {
    const session = this.#session;
    const link = session.link as Link;
    session.hasOpenUnit = session.isUnsynced;
    switch (code) {
      case ClientCode.Query:
        return this.#onQuery(link, chunk, start, end);
      case ClientCode.Sync:
        session.isUnsynced = false;
        link.ledger.push(Owed.Sync, 0, null);
        return Take.Forward;
      case ClientCode.Flush:
        if (link.ledger.headIsSynthetic) {
          session.framer.flushRun();
          link.answerSynthetic();
        }
        return Take.Forward;
      case ClientCode.Execute:
        session.isUnsynced = true;
        link.ledger.push(Owed.Execute, 0, null);
        return Take.Forward;
      case ClientCode.FunctionCall:
        return this.#onFunctionCall(link, chunk, start, end);
      default:
        session.isUnsynced = true;
        if (session.isSessionMode) return this.#passAsItIs(link, code, chunk, start);
        return this.#passNamed(link, code, chunk, start, end, size);
    }
  }

  #passNamed(
    link: Link,
    code: number,
    chunk: Uint8Array,
    start: number,
    end: number,
    size: number,
  ): Take {
    switch (code) {
      case ClientCode.Parse:
        return this.#onParse(link, chunk, start, end);
      case ClientCode.Bind:
        return this.#onBind(link, chunk, start, end, size);
      case ClientCode.Describe:
        return this.#onDescribe(link, chunk, start, end);
      default:
        return this.#onClose(link, chunk, start, end);
    }
  }

  /** In session mode the names on the link are the client's. */
  #passAsItIs(link: Link, code: number, chunk: Uint8Array, start: number): Take {
    if (code === ClientCode.Parse) link.ledger.push(Owed.Parse, 0, null);
    else if (code === ClientCode.Bind) link.ledger.push(Owed.Bind, 0, null);
    else if (code === ClientCode.Close) link.ledger.push(Owed.Close, 0, null);
    else {
      const isStatement = chunk[start + 5] === STATEMENT;
      link.ledger.push(isStatement ? Owed.DescribeStatement : Owed.DescribePortal, 0, null);
    }
    return Take.Forward;
  }

  #onQuery(link: Link, chunk: Uint8Array, start: number, end: number): Take {
    const session = this.#session;
    if (session.isSessionMode) {
      link.ledger.push(Owed.Query, 0, null);
      return Take.Forward;
    }
    const textEnd = end - 1;
    if (chunk[textEnd] !== 0) return this.#refuse('a Query without its terminating zero');
    const facts = session.host.factsOf(chunk, start + 5, textEnd, session.settings);
    this.#notes.noteStatement(facts);
    if (session.isUnsynced) {
      // PostgreSQL allows it, but is then left in a state in which later statements can fail.
      link.unfit = 'a simple Query inside a unit of the extended protocol';
    }
    if (facts.millraceShow !== null && session.isProbing) {
      // What is shown is about to change.
      session.stallForProbe();
      return Take.Stop;
    }
    const text = this.#notes.textFor(facts, link, true);
    link.ledger.push(Owed.Query, 0, session.statements.dropUnnamed(link));
    if (text === null) return Take.Forward;
    return this.#replace(link, ClientCode.Query, Buffer.from(`${text}\0`, 'latin1'));
  }

  #onParse(link: Link, chunk: Uint8Array, start: number, end: number): Take {
    const session = this.#session;
    const nameEnd = indexOfZero(chunk, start + 5, end);
    if (nameEnd < 0) return this.#refuse('a malformed Parse');
    const statement = session.host.statementOf(chunk, nameEnd, end, session.settings);
    this.#notes.noteParse(statement);
    if (nameEnd === start + 5) {
      const text = this.#notes.textFor(statement.facts, link, false);
      session.statements.parseUnnamed(statement, link);
      if (text === null) return Take.Forward;
      return this.#replace(link, ClientCode.Parse, Buffer.from(`\0${text}\0\0\0`, 'latin1'));
    }
    session.framer.flushRun();
    const name = byteString(chunk, start + 5, nameEnd);
    session.statements.parseNamed(name, statement, link);
    return Take.Swallow;
  }

  #onBind(link: Link, chunk: Uint8Array, start: number, end: number, size: number): Take {
    const session = this.#session;
    const names = bindNames(chunk, start, end);
    if (names === null) return this.#refuse('a malformed Bind');
    const { portalEnd, nameEnd } = names;
    const name = nameEnd === portalEnd + 1 ? '' : byteString(chunk, portalEnd + 1, nameEnd);
    const statement = session.statements.find(name);
    if (statement !== undefined) {
      this.#notes.noteBind(statement, chunk, nameEnd + 1, end, size === end - start);
    }
    session.framer.flushRun();
    const linkName = session.statements.nameFor(name, link, session.settings.parseSignature);
    link.ledger.push(Owed.Bind, 0, null);
    if (linkName === null) return Take.Forward;
    sendBind(link.port, linkName, chunk, start, end, size, portalEnd, nameEnd);
    return Take.Swallow;
  }

  #onDescribe(link: Link, chunk: Uint8Array, start: number, end: number): Take {
    const session = this.#session;
    if (chunk[start + 5] !== STATEMENT) {
      link.ledger.push(Owed.DescribePortal, 0, null);
      return Take.Forward;
    }
    session.framer.flushRun();
    const name = byteString(chunk, start + 6, end - 1);
    const linkName = session.statements.nameFor(name, link, session.settings.parseSignature);
    link.ledger.push(Owed.DescribeStatement, 0, null);
    if (linkName === null) return Take.Forward;
    sendDescribe(link.port, linkName);
    return Take.Swallow;
  }

  #onClose(link: Link, chunk: Uint8Array, start: number, end: number): Take {
    const session = this.#session;
    if (chunk[start + 5] !== STATEMENT) {
      link.ledger.push(Owed.Close, 0, null);
      return Take.Forward;
    }
    const name = byteString(chunk, start + 6, end - 1);
    if (name === '') {
      session.statements.closeUnnamed(link);
      return Take.Forward;
    }
    session.statements.closeNamed(name, link);
    return Take.Swallow;
  }

  #onFunctionCall(link: Link, chunk: Uint8Array, start: number, end: number): Take {
    const session = this.#session;
    if (end - start < 9) return this.#refuse('a malformed FunctionCall');
    if (!isHarmlessFunction(readUint32(chunk, start + 5))) {
      session.residue.notePermanent('a function call by number');
    }
    link.ledger.push(Owed.FunctionCall, 0, null);
    return Take.Forward;
  }

  /** A text that is too long to be looked at: the link stays with the client for good. */
  #onUnreadText(code: number): Take {
    const session = this.#session;
    if (!session.acquire()) return Take.Stop;
    const link = session.link as Link;
    if (!session.isSessionMode) session.residue.notePermanent(TOO_LARGE_TO_READ);
    if (code === ClientCode.Parse) session.isUnsynced = true;
    const owed = code === ClientCode.Parse ? Owed.Parse : Owed.Query;
    link.ledger.push(owed, 0, session.statements.dropUnnamed(link));
    return Take.Forward;
  }

  #replace(link: Link, code: number, body: Uint8Array): Take {
    this.#session.framer.flushRun();
    const head = Buffer.allocUnsafe(5);
    head[0] = code;
    head.writeUInt32BE(4 + body.length, 1);
    link.port.send(head, 0, head.length);
    link.port.send(body, 0, body.length);
    return Take.Swallow;
  }

  /** Drops what belongs to a unit that was cancelled before it reached a link. */
  #drop(code: number): Take {
    const endsUnit =
      code === ClientCode.Sync || code === ClientCode.Query || code === ClientCode.FunctionCall;
    if (endsUnit) this.#session.endDropped();
    return Take.Swallow;
  }

  #refuse(what: string): Take {
    this.#session.fail(new GatewayError('MR_PROTOCOL_VIOLATION', { subject: what }));
    return Take.Stop;
  }
}
