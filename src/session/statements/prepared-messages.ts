import { byteString, indexOfZero } from '../../base/bytes.ts';
import { GatewayError } from '../../base/errors.ts';
import { ClientCode, TransactionStatus } from '../../protocol/codes.ts';
import { Take } from '../../protocol/framer.ts';
import { NO_DATA } from '../../protocol/messages.ts';
import type { Facts } from '../../sql/facts/facts.ts';
import { Owed, SWALLOW } from '../ledger.ts';
import type { Link } from '../link.ts';
import type { Session } from '../session.ts';
import { type Deallocations, isRemembered } from './deallocations.ts';
import { Readiness } from './preparations.ts';
import { parameterDescription, returnsNoRows } from './result-type.ts';
import { Provision, type SqlStatements } from './sql-statements.ts';
import { both } from './statement-changes.ts';
import { bindNames, sendBind, sendDescribe, sendParse } from './statement-messages.ts';
import { type StatementNotes, UNREAD } from './statement-notes.ts';
import type { Statement } from './statements.ts';

/** A Bind with longer names is refused: it is held as a whole. */
const NAME_BYTES_MAX = 1_048_576;
const STATEMENT = 0x53;
const UNNAMED = new Uint8Array(0);

/** Parse, Bind, Describe, Execute and Close, passed on in the link's own names of statements. */
export class PreparedMessages {
  readonly #session: Session;
  readonly #notes: StatementNotes;
  readonly #deallocations: Deallocations;
  readonly #sql: SqlStatements;

  constructor(
    session: Session,
    notes: StatementNotes,
    deallocations: Deallocations,
    sql: SqlStatements,
  ) {
    this.#sql = sql;
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

  /** See {@link ClientUnnamed.isFresh}. */
  describeUnnamed(link: Link): void {
    const { statements, framer } = this.#session;
    if (link.ledger.isCopyIn) return;
    framer.flushRun();
    statements.unnamed.describe(link);
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
    if (this.#isAwaited(statement, link)) return Take.Stop;
    if (name !== '' && session.statements.isUndecided(name, link, statement)) return this.#stall();
    this.#notes.noteParse(statement);
    const parsed = this.#notes.parseable(statement);
    if (name === '' && parsed === statement) {
      session.statements.unnamed.parse(statement, link, session.statements.unit);
      return Take.Forward;
    }
    session.framer.flushRun();
    if (name !== '' && this.#sql.parse(name, parsed, link)) return Take.Swallow;
    if (name !== '') {
      session.statements.parseNamed(name, parsed, link, session.tenure.parseSignature);
    } else {
      session.statements.unnamed.parse(parsed, link, session.statements.unit);
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
    if (session.statements.unnamed.isFresh && name !== '') this.describeUnnamed(link);
    if (session.statements.isUndecided(name, link)) return this.#stall();
    const statement = session.statements.find(name);
    if (this.#isAwaited(statement, link)) return Take.Stop;
    // Before the statement's own effects are noted, which come after it was understood.
    const signature = session.tenure.parseSignature;
    const readiness = session.statements.readiness(name, link, signature);
    if (this.#mustWait(readiness, name, link, signature)) return Take.Stop;
    if (readiness === Readiness.Changed) {
      session.framer.flushRun();
      const { statements } = session;
      if (size > end - start) {
        const changed = statements.changedName(link, Owed.Bind);
        sendBind(link.port, changed, chunk, start, end, size, portalEnd, nameEnd);
        return Take.Swallow;
      }
      // What else is wrong with it PostgreSQL finds first.
      const linkName = statements.preparedName(name, link, signature);
      link.ledger.push(Owed.Bind, SWALLOW, null);
      sendBind(link.port, linkName, chunk, start, end, size, portalEnd, nameEnd);
      sendDescribe(link.port, statements.changedName(link, Owed.DescribeStatement));
      return Take.Swallow;
    }
    // What a PREPARE leaves that is followed is noted when it runs.
    if (statement !== undefined && this.#sql.preparedByStatement(statement) === null) {
      this.#notes.noteBind(statement, chunk, nameEnd + 1, end, size === end - start);
    } else session.host.noteWrites(link, null);
    const matters = statement !== undefined && isRemembered(statement.facts);
    if (matters || this.#deallocations.hasPortals) {
      this.#deallocations.noteBind(byteString(chunk, start + 5, portalEnd), statement);
    }
    session.framer.flushRun();
    const linkName = session.statements.nameFor(name, link, signature, Owed.Bind);
    if (linkName === null) return Take.Forward;
    sendBind(link.port, linkName, chunk, start, end, size, portalEnd, nameEnd);
    return Take.Swallow;
  }

  #onExecute(link: Link, chunk: Uint8Array, start: number, end: number): Take {
    const nameEnd = this.#deallocations.hasPortals ? indexOfZero(chunk, start + 5, end) : -1;
    const portal = nameEnd < 0 ? '' : byteString(chunk, start + 5, nameEnd);
    const statement = nameEnd < 0 ? undefined : this.#deallocations.statementOf(portal);
    if (statement === undefined) {
      link.ledger.push(Owed.Execute, 0, null);
      return Take.Forward;
    }
    const { facts } = statement;
    const prepared = this.#sql.preparedByStatement(statement);
    if (prepared !== null) return this.#onExecutePrepare(link, facts, prepared);
    if (this.#deallocations.isUndecided(facts, link)) return this.#stall();
    this.#session.framer.flushRun();
    const removal = this.#deallocations.consequenceOf(facts, link, false);
    const copy = facts.copiesIn ? this.#session.copyIn.begin() : null;
    link.ledger.push(Owed.Execute, 0, both(removal, copy));
    return Take.Forward;
  }

  /** A portal of a PREPARE. */
  #onExecutePrepare(link: Link, facts: Facts, prepared: Statement): Take {
    if (this.#sql.provideTaken(facts, link, false) === Provision.Awaited) return Take.Stop;
    this.#session.framer.flushRun();
    link.ledger.push(Owed.Execute, 0, this.#sql.prepare(facts, prepared, link));
    this.#sql.describe(facts, prepared, link, false);
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
    const { statements } = session;
    const { parseSignature } = session.tenure;
    if (this.#isAwaited(statements.find(name), link)) return Take.Stop;
    const readiness = statements.readiness(name, link, parseSignature);
    const described = statements.describedOf(name);
    // A failed transaction refuses to prepare what returns no rows, but not to tell of it.
    const isKnown = described !== null && returnsNoRows(described);
    if (readiness === Readiness.Missing && isKnown) {
      if (link.ledger.owesReady) return this.#stall();
      if (link.status === TransactionStatus.Failed) return this.#describeAway(link, described);
    }
    if (this.#mustWait(readiness, name, link, parseSignature)) return Take.Stop;
    session.framer.flushRun();
    if (readiness === Readiness.Changed) {
      // Nothing is owed: the preparation was waited for.
      const parameters = parameterDescription(described as string);
      session.port.send(parameters, 0, parameters.length);
      sendDescribe(link.port, statements.changedName(link, Owed.DescribeStatement));
      return Take.Swallow;
    }
    const linkName = statements.nameFor(name, link, parseSignature, Owed.DescribeStatement);
    if (linkName === null) return Take.Forward;
    sendDescribe(link.port, linkName);
    return Take.Swallow;
  }

  /** Tells of a statement without rows that the link does not have, behind all that is owed. */
  #describeAway(link: Link, described: string): Take {
    if (link.ledger.size > 0) return this.#stall();
    const { port } = this.#session;
    port.send(parameterDescription(described), 0, 5 + described.length);
    port.send(NO_DATA, 0, NO_DATA.length);
    return Take.Swallow;
  }

  #onClose(link: Link, chunk: Uint8Array, start: number, end: number): Take {
    const { framer, statements } = this.#session;
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
    framer.flushRun();
    return statements.closeNamed(name, link) ? Take.Swallow : Take.Forward;
  }

  /** Whether the message must wait until the server has what it needs, and sees to it. */
  #mustWait(readiness: Readiness, name: string, link: Link, signature: string | null): boolean {
    if (readiness === Readiness.Ready || readiness === Readiness.Changed) return false;
    const session = this.#session;
    if (readiness === Readiness.Missing) {
      const statement = session.statements.find(name);
      if (statement !== undefined) this.#notes.noteParse(statement);
      session.framer.flushRun();
      session.statements.prepare(name, link, signature);
      session.isUnsynced = true;
    }
    session.stallForAnswers();
    return true;
  }

  /** Whether what the statement runs by name, being an EXECUTE, is not there yet. */
  #isAwaited(statement: Statement | undefined, link: Link): boolean {
    if (statement === undefined || statement.facts.executes.length === 0) return false;
    return this.#sql.provide(statement.facts, link, false) === Provision.Awaited;
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
