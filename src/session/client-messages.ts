import { readUint32 } from '../base/bytes.ts';
import { GatewayError } from '../base/errors.ts';
import { ClientCode } from '../protocol/codes.ts';
import { type FrameHandler, PREFIX_BYTES, Take } from '../protocol/framer.ts';
import type { Facts } from '../sql/facts/facts.ts';
import { isHarmlessFunction } from './large-objects.ts';
import { Owed } from './ledger.ts';
import type { Link } from './link.ts';
import { LoadedLibrary } from './residue.ts';
import type { Session } from './session.ts';
import { SessionModeMessages } from './session-mode.ts';
import { Deallocations } from './statements/deallocations.ts';
import { PreparedMessages } from './statements/prepared-messages.ts';
import { Provision, SqlStatements } from './statements/sql-statements.ts';
import { both } from './statements/statement-changes.ts';
import { readsTheSame, StatementNotes, UNREAD } from './statements/statement-notes.ts';
import type { Statement } from './statements/statements.ts';

/** Texts above this size are passed on without being read; what they did is then not known. */
export const INSPECTED_TEXT_BYTES_MAX = 1_048_576;
/** PostgreSQL's own limit on a message. */
const MESSAGE_BYTES_MAX = 0x3fffffff;
/** Describe, Execute, Close and the like hold names only. PostgreSQL allows them 10,000 bytes. */
const SMALL_MESSAGE_BYTES_MAX = 65_536;
const SYNC_BYTES = 5;
/** A longer text is no `SHOW millrace.…`. */
const SHOW_BYTES_MAX = 64;
const SMALL_S = 0x73;

/** Reads a client's messages and passes them on to its link, in the link's own names. */
export class MessageReader implements FrameHandler {
  readonly #session: Session;
  readonly #notes: StatementNotes;
  readonly #deallocations: Deallocations;
  readonly #prepared: PreparedMessages;
  /** Null in transaction mode. */
  readonly #sessionMode: SessionModeMessages | null;
  readonly #sql: SqlStatements;

  constructor(session: Session) {
    this.#session = session;
    this.#notes = new StatementNotes(session);
    this.#deallocations = new Deallocations(session.statements);
    this.#sql = new SqlStatements(session);
    this.#prepared = new PreparedMessages(session, this.#notes, this.#deallocations, this.#sql);
    this.#sessionMode = session.isSessionMode ? new SessionModeMessages(session) : null;
  }

  onHeader(code: number, size: number): Take {
    const session = this.#session;
    if (session.isClosed) return Take.Stop;
    if (size < 5 || size > MESSAGE_BYTES_MAX)
      return this.#refuse(`a message of length ${size - 1}`);
    if (session.isDropping && code !== ClientCode.Terminate) return this.#drop(code);
    if (session.copyIn.takeConsumed()) return Take.Swallow;
    switch (code) {
      case ClientCode.CopyDone:
      case ClientCode.CopyFail:
        session.copyIn.end();
        session.link?.ledger.noteCopyEnd();
        return session.link === null ? Take.Swallow : Take.Forward;
      case ClientCode.CopyData:
        // Without a COPY, as behind an error, it is noise, which the server would have ignored.
        return session.link === null ? Take.Swallow : Take.Forward;
      case ClientCode.Query:
        return size <= INSPECTED_TEXT_BYTES_MAX ? Take.Hold : this.#onUnreadQuery();
      case ClientCode.Parse:
        return size <= INSPECTED_TEXT_BYTES_MAX ? Take.Hold : Take.HoldPrefix;
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
    if (session.copyIn.takeConsumed()) return Take.Swallow;
    if (session.link === null && !session.isUnsynced) {
      // Nothing is owed, so there is nothing to ask a server for.
      if (code === ClientCode.Flush) return Take.Swallow;
      if (code === ClientCode.Sync && end - start === SYNC_BYTES) {
        session.answerReady();
        return Take.Swallow;
      }
      if (code === ClientCode.Query && this.#answerShow(chunk, start, end)) return Take.Swallow;
    }
    if (!session.acquire()) return Take.Stop;
    return this.#pass(code, chunk, start, end, end - start);
  }

  onPrefix(code: number, size: number, chunk: Uint8Array, start: number, end: number): Take {
    const session = this.#session;
    if (session.isDropping) return this.#drop(code);
    if (session.copyIn.takeConsumed()) return Take.Swallow;
    if (!session.acquire()) return Take.Stop;
    const take = this.#pass(code, chunk, start, end, size);
    if (take === Take.Stop || take === Take.Hold) return take;
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
    if (this.#isHeldUp(link, code)) return this.#stall();
    // The end of a COPY that was open when its unit ended.
    if (session.resets !== null && !session.isUnsynced) this.#restore();
    session.hasOpenUnit = session.isUnsynced;
    if (session.statements.unnamed.isFresh && code !== ClientCode.Bind) {
      this.#prepared.describeUnnamed(link);
    }
    switch (code) {
      case ClientCode.Query:
        return this.#onQuery(link, chunk, start, end);
      case ClientCode.Sync:
        session.isUnsynced = false;
        link.ledger.push(Owed.Sync, 0, null);
        session.statements.unit++;
        this.#sessionMode?.endUnit();
        if (session.resets !== null) this.#restoreBehind();
        return Take.Forward;
      case ClientCode.Flush:
        if (link.ledger.headIsSynthetic) {
          session.framer.flushRun();
          link.answerSynthetic();
        }
        return Take.Forward;
      case ClientCode.FunctionCall:
        return this.#onFunctionCall(link, chunk, start, end);
      default: {
        if (this.#sessionMode !== null) {
          this.#sessionMode.pass(link, code, chunk, start, end);
          session.isUnsynced = true;
          return Take.Forward;
        }
        const take = this.#prepared.pass(link, code, chunk, start, end, size);
        session.isUnsynced ||= take !== Take.Stop && take !== Take.Hold;
        return take;
      }
    }
  }

  #restore(): void {
    this.#session.framer.flushRun();
    this.#restoreStartup();
  }

  /** Behind the message at hand, of which all is there. */
  #restoreBehind(): void {
    if (this.#session.isUnsynced || this.#session.copyIn.isOpen) return;
    this.#session.framer.flushThrough();
    this.#restoreStartup();
  }

  /** What was passed on resets settings: see {@link Tenure.restoreStartup}. */
  #restoreStartup(): void {
    const session = this.#session;
    const { resets } = session;
    const isCopying = session.copyIn.isOpen || session.link?.ledger.takesCopyData === true;
    if (resets === null || session.isUnsynced || isCopying) return;
    session.resets = null;
    session.tenure.restoreStartup(resets);
  }

  /** Whether the message has no place in a COPY that may be under way: see {@link CopyIn}. */
  #isHeldUp(link: Link, code: number): boolean {
    const { copyIn, framer, isSessionMode } = this.#session;
    if (!copyIn.isOpen && !link.ledger.takesCopyData) return false;
    if (isSessionMode || code === ClientCode.Sync || code === ClientCode.Flush) return false;
    framer.flushRun();
    return copyIn.holdsUp(code, link);
  }

  /** `SHOW millrace.…` needs no link, and so works when there is none to be had. */
  #answerShow(chunk: Uint8Array, start: number, end: number): boolean {
    const session = this.#session;
    const isShow =
      ((chunk[start + 5] as number) | 0x20) === SMALL_S && end - start <= SHOW_BYTES_MAX;
    if (!isShow || session.isSessionMode || chunk.indexOf(0, start + 5) !== end - 1) return false;
    const facts = session.host.factsOf(chunk, start + 5, end - 1, session.settings);
    const answer =
      facts.millraceShow === null ? null : session.host.showAnswer(facts.millraceShow, session);
    if (answer === null) return false;
    session.port.send(answer, 0, answer.length);
    session.answerReady();
    return true;
  }

  #onQuery(link: Link, chunk: Uint8Array, start: number, end: number): Take {
    const session = this.#session;
    if (chunk.indexOf(0, start + 5) !== end - 1) {
      // A text that does not end where its message ends is the server's to refuse.
      session.host.noteWrites(link, null);
      link.ledger.push(Owed.Query, 0, null);
      return Take.Forward;
    }
    if (this.#sessionMode !== null) {
      this.#sessionMode.passQuery(link, chunk, start + 5, end - 1);
      if (session.resets !== null) this.#restoreBehind();
      return Take.Forward;
    }
    if (this.#notes.mustWaitToRead(link)) return this.#stall();
    const facts =
      session.residue.mayMisread && !readsTheSame(chunk, start + 5, end - 1)
        ? UNREAD
        : session.host.factsOf(chunk, start + 5, end - 1, session.settings);
    const isShowWhileProbing = facts.millraceShow !== null && session.tenure.isProbing;
    // What is shown, or removed, is about to change.
    if (isShowWhileProbing || this.#deallocations.isUndecided(facts, link)) return this.#stall();
    const statement = this.#sql.preparedBy(facts, chunk, start + 5, end - 1);
    const provision =
      statement === null
        ? this.#sql.provide(facts, link, true)
        : this.#sql.provideTaken(facts, link, true);
    if (provision !== Provision.Ready) {
      return provision === Provision.Awaited ? Take.Stop : this.#endAnswered();
    }
    return this.#sendQuery(link, facts, statement);
  }

  /**
   * Passes a simple Query on, and notes what it does.
   * @param statement what it prepares; see {@link SqlStatements.preparedBy}
   */
  #sendQuery(link: Link, facts: Facts, statement: Statement | null): Take {
    const session = this.#session;
    const isFirstLoad = facts.verb === 'LoadStmt' && session.residue.permanent === null;
    if (statement === null) this.#notes.noteStatement(facts);
    else this.#notes.noteParse(statement);
    this.#sql.handOver(facts, link, this.#notes);
    if (session.isUnsynced) {
      // PostgreSQL allows it, but is then left in a state in which later statements can fail.
      link.unfit = 'a simple Query inside a unit of the extended protocol';
    }
    const text = this.#notes.textFor(facts);
    if (facts.deallocates !== null) session.framer.flushRun();
    const removal = this.#deallocations.consequenceOf(facts, link, !session.isUnsynced);
    const load = isFirstLoad && facts.statements === 1 ? new LoadedLibrary(session.residue) : null;
    const copy = facts.copiesIn ? session.copyIn.begin() : null;
    const unnamed = session.statements.dropUnnamed(link);
    const prepared = statement === null ? null : this.#sql.prepare(facts, statement, link);
    const changes = both(prepared, unnamed);
    link.ledger.push(Owed.Query, 0, both(both(removal, load), both(copy, changes)));
    session.statements.unit++;
    if (statement !== null) this.#sql.describe(facts, statement, link, true);
    if (session.resets !== null) this.#restoreBehind();
    if (text === null) return Take.Forward;
    return this.#replace(link, ClientCode.Query, Buffer.from(`${text}\0`, 'latin1'));
  }

  #onFunctionCall(link: Link, chunk: Uint8Array, start: number, end: number): Take {
    const session = this.#session;
    // The server refuses one that has no number.
    if (end - start >= 9 && !isHarmlessFunction(readUint32(chunk, start + 5))) {
      session.residue.notePermanent('a function call by number');
      session.host.noteWrites(link, null);
    }
    link.ledger.push(Owed.FunctionCall, 0, null);
    session.statements.unit++;
    return Take.Forward;
  }

  /** A text too long to be looked at: whatever it does, the link is looked at and reset. */
  #onUnreadQuery(): Take {
    const session = this.#session;
    if (!session.acquire()) return Take.Stop;
    const link = session.link as Link;
    if (this.#isHeldUp(link, ClientCode.Query)) return this.#stall();
    if (session.isSessionMode) session.host.noteWrites(link, null);
    else this.#notes.noteStatement(UNREAD);
    link.ledger.push(Owed.Query, 0, session.statements.dropUnnamed(link));
    session.statements.unit++;
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
    if (endsUnit) {
      this.#session.isDropping = false;
      this.#session.answerReady();
    }
    return Take.Swallow;
  }

  /** What came before the simple Query at hand has failed, and is its answer. */
  #endAnswered(): Take {
    this.#session.statements.unit++;
    return Take.Swallow;
  }

  /** The message is looked at again when answers have come. */
  #stall(): Take {
    this.#session.stallForAnswers();
    return Take.Stop;
  }

  #refuse(what: string): Take {
    this.#session.fail(new GatewayError('MR_PROTOCOL_VIOLATION', { subject: what }));
    return Take.Stop;
  }
}
