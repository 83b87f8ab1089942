import { byteString, indexOfZero } from '../../base/bytes.ts';
import { GatewayError } from '../../base/errors.ts';
import { ClientCode } from '../../protocol/codes.ts';
import { Take } from '../../protocol/framer.ts';
import { Owed } from '../ledger.ts';
import type { Link } from '../link.ts';
import type { Session } from '../session.ts';
import type { Deallocations } from './deallocations.ts';
import { bindNames, sendBind, sendDescribe, sendParse } from './statement-messages.ts';
import { type StatementNotes, UNREAD } from './statement-notes.ts';

/** A Bind with longer names is refused: it is held as a whole. */
const NAME_BYTES_MAX = 1_048_576;
const STATEMENT = 0x53;
const UNNAMED = new Uint8Array(0);

/** Parse, Bind, Describe, Execute and Close, passed on in the link's own names of statements. */
export class PreparedMessages {
  readonly #session: Session;
  readonly #notes: StatementNotes;
  readonly #deallocations: Deallocations;

  constructor(session: Session, notes: StatementNotes, deallocations: Deallocations) {
    this.#session = session;
    this.#notes = notes;
    this.#deallocations = deallocations;
  }

  /** Passes a message of `size` bytes on, of which `[start, end)` are there. */
  pass(
    link: Link,
    code: number,
    chunk: Uint8Array,
    start: number,
    end: number,
    size: number,
  ): Take {
    if (this.#session.isSessionMode) return this.#passAsItIs(link, code, chunk, start);
    switch (code) {
      case ClientCode.Parse:
        return this.#onParse(link, chunk, start, end, size);
      case ClientCode.Bind:
        return this.#onBind(link, chunk, start, end, size);
      case ClientCode.Describe:
        return this.#onDescribe(link, chunk, start, end);
      case ClientCode.Execute:
        return this.#onExecute(link, chunk, start, end);
      default:
        return this.#onClose(link, chunk, start, end);
    }
  }

  /** In session mode the names on the link are the client's. */
  #passAsItIs(link: Link, code: number, chunk: Uint8Array, start: number): Take {
    if (code === ClientCode.Parse) link.ledger.push(Owed.Parse, 0, null);
    else if (code === ClientCode.Bind) link.ledger.push(Owed.Bind, 0, null);
    else if (code === ClientCode.Execute) link.ledger.push(Owed.Execute, 0, null);
    else if (code === ClientCode.Close) link.ledger.push(Owed.Close, 0, null);
    else {
      const isStatement = chunk[start + 5] === STATEMENT;
      link.ledger.push(isStatement ? Owed.DescribeStatement : Owed.DescribePortal, 0, null);
    }
    return Take.Forward;
  }

  #onParse(link: Link, chunk: Uint8Array, start: number, end: number, size: number): Take {
    const session = this.#session;
    const nameEnd = indexOfZero(chunk, start + 5, end);
    if (size > end - start) return this.#onUnreadParse(link, nameEnd === start + 5);
    const textEnd = nameEnd < 0 ? -1 : chunk.indexOf(0, nameEnd + 1);
    if (textEnd < 0 || textEnd >= end) return this.#passMalformed(Owed.Parse, link);
    if (this.#notes.mustWaitToRead(link)) return this.#stall();
    const name = nameEnd === start + 5 ? '' : byteString(chunk, start + 5, nameEnd);
    const statement = this.#notes.statementOf(chunk, nameEnd, end);
    if (name !== '' && session.statements.isUndecided(name, link, statement)) return this.#stall();
    this.#notes.noteParse(statement);
    const parsed = this.#notes.parseable(statement);
    if (name === '' && parsed === statement) {
      session.statements.parseUnnamed(statement, link);
      return Take.Forward;
    }
    session.framer.flushRun();
    if (name !== '') session.statements.parseNamed(name, parsed, link, session.parseSignature);
    else {
      session.statements.parseUnnamed(parsed, link);
      sendParse(link.port, UNNAMED, parsed.body);
    }
    return Take.Swallow;
  }

  #onBind(link: Link, chunk: Uint8Array, start: number, end: number, size: number): Take {
    const session = this.#session;
    const names = bindNames(chunk, start, end);
    if (names === null) {
      if (size === end - start) return this.#passMalformed(Owed.Bind, link);
      return size <= NAME_BYTES_MAX ? Take.Hold : this.#refuse('names that are too long');
    }
    const { portalEnd, nameEnd } = names;
    const name = nameEnd === portalEnd + 1 ? '' : byteString(chunk, portalEnd + 1, nameEnd);
    if (session.statements.isUndecided(name, link)) return this.#stall();
    const statement = session.statements.find(name);
    // Before the statement's own effects are noted, which come after it was understood.
    const signature = session.parseSignature;
    if (statement !== undefined) {
      this.#notes.noteBind(statement, chunk, nameEnd + 1, end, size === end - start);
    }
    if (this.#deallocations.hasPortals || statement?.facts.deallocates != null) {
      this.#deallocations.noteBind(byteString(chunk, start + 5, portalEnd), statement?.facts);
    }
    session.framer.flushRun();
    const linkName = session.statements.nameFor(name, link, signature, Owed.Bind);
    if (linkName === null) return Take.Forward;
    sendBind(link.port, linkName, chunk, start, end, size, portalEnd, nameEnd);
    return Take.Swallow;
  }

  #onExecute(link: Link, chunk: Uint8Array, start: number, end: number): Take {
    const nameEnd = this.#deallocations.hasPortals ? indexOfZero(chunk, start + 5, end) : -1;
    const facts =
      nameEnd < 0 ? undefined : this.#deallocations.factsOf(byteString(chunk, start + 5, nameEnd));
    if (facts === undefined) {
      link.ledger.push(Owed.Execute, 0, null);
      return Take.Forward;
    }
    if (this.#deallocations.isUndecided(facts, link)) return this.#stall();
    this.#session.framer.flushRun();
    const removal = this.#deallocations.consequenceOf(facts, link, false);
    link.ledger.push(Owed.Execute, 0, removal);
    return Take.Forward;
  }

  #onDescribe(link: Link, chunk: Uint8Array, start: number, end: number): Take {
    const session = this.#session;
    if (chunk[start + 5] !== STATEMENT || chunk[end - 1] !== 0) {
      link.ledger.push(Owed.DescribePortal, 0, null);
      return Take.Forward;
    }
    const name = byteString(chunk, start + 6, end - 1);
    if (session.statements.isUndecided(name, link)) return this.#stall();
    session.framer.flushRun();
    const { parseSignature, statements } = session;
    const linkName = statements.nameFor(name, link, parseSignature, Owed.DescribeStatement);
    if (linkName === null) return Take.Forward;
    sendDescribe(link.port, linkName);
    return Take.Swallow;
  }

  #onClose(link: Link, chunk: Uint8Array, start: number, end: number): Take {
    const { statements } = this.#session;
    if (chunk[start + 5] !== STATEMENT || chunk[end - 1] !== 0) {
      link.ledger.push(Owed.Close, 0, null);
      return Take.Forward;
    }
    const name = byteString(chunk, start + 6, end - 1);
    if (name === '') {
      statements.closeUnnamed(link);
      return Take.Forward;
    }
    if (statements.isUndecided(name, link)) return this.#stall();
    return statements.closeNamed(name, link) ? Take.Swallow : Take.Forward;
  }

  /** The message is looked at again when answers have come. */
  #stall(): Take {
    this.#session.stallForAnswers();
    return Take.Stop;
  }

  /** What the server cannot read it refuses, and nothing else comes of it. */
  #passMalformed(owed: Owed, link: Link): Take {
    link.ledger.push(owed, 0, null);
    return Take.Forward;
  }

  /** The like in a Parse. Under a name, which only this link knows, it keeps the link. */
  #onUnreadParse(link: Link, isUnnamed: boolean): Take {
    const session = this.#session;
    this.#notes.noteStatement(UNREAD);
    if (!isUnnamed) session.residue.notePermanent(UNREAD.reason);
    link.ledger.push(Owed.Parse, 0, isUnnamed ? session.statements.dropUnnamed(link) : null);
    return Take.Forward;
  }

  #refuse(what: string): Take {
    this.#session.fail(new GatewayError('MR_PROTOCOL_VIOLATION', { subject: what }));
    return Take.Stop;
  }
}
