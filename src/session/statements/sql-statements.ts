import { utf8ByteString } from '../../base/bytes.ts';
import { TransactionStatus } from '../../protocol/codes.ts';
import { SYNC } from '../../protocol/messages.ts';
import type { Facts } from '../../sql/facts/facts.ts';
import { behindPrepare } from '../../sql/shape/prepared-text.ts';
import { type Consequence, OWN, Owed, SWALLOW } from '../ledger.ts';
import type { Link } from '../link.ts';
import type { Session } from '../session.ts';
import { both, Planted } from './statement-changes.ts';
import { sendDescribe, sendParse } from './statement-messages.ts';
import { NESTED_EXECUTES_MAX, type StatementNotes } from './statement-notes.ts';
import { isReservedName, type Statement } from './statements.ts';

/** What a text that runs prepared statements by name finds on its link. */
export const Provision = {
  /** All that it names, as far as it exists. */
  Ready: 0,
  /** Answers are to be waited for; then the message is to be looked at again. */
  Awaited: 1,
  /** The server has refused it already: the message has its answer. */
  Refused: 2,
} as const;
export type Provision = (typeof Provision)[keyof typeof Provision];

const ZERO = Buffer.from([0]);
const NO_TYPES = Buffer.from([0, 0]);

/**
 * PREPARE and EXECUTE in SQL, by the same names as those of the protocol. Both run as they are
 * written. Before an EXECUTE, what it names is prepared on the link under the client's own name;
 * that, and what a PREPARE has made, is closed when the link is checked out next, since the names
 * are one client's.
 */
export class SqlStatements {
  readonly #session: Session;
  /** Messages of ours lie before a simple Query which no Sync has ended yet. */
  #isOpen = false;
  /** Names that were handed over on {@link #handedOn}; some of them may be free again. */
  readonly #handedOver = new Set<string>();
  #handedOn: Link | null = null;

  constructor(session: Session) {
    this.#session = session;
  }

  /**
   * The statement that a simple Query in `[start, end)` prepares, when that is all it does and its
   * name can be followed; null otherwise. The statement belongs to this client alone.
   */
  preparedBy(facts: Facts, chunk: Uint8Array, start: number, end: number): Statement | null {
    if (this.#session.isUnsynced && !this.#isOpen) return null;
    return this.#preparedBy(facts, chunk, start, end);
  }

  /** The like of what runs in the extended protocol. */
  preparedByStatement({ facts, body }: Statement): Statement | null {
    return this.#preparedBy(facts, body, 1, body.indexOf(0, 1));
  }

  #preparedBy(facts: Facts, chunk: Uint8Array, start: number, end: number): Statement | null {
    const { isSessionMode, host, settings } = this.#session;
    if (facts.preparedAs === null || isSessionMode) return null;
    if (facts.statements !== 1 || isReservedName(facts.preparedAs)) return null;
    const textAt = behindPrepare(chunk, start, end);
    if (textAt < 0) return null;
    // Errors tell positions, in characters, of the text as it was written.
    const before = Buffer.from(chunk.subarray(start, textAt)).toString().replace(/./gsu, ' ');
    const text = chunk.subarray(textAt, end);
    const body = Buffer.concat([ZERO, Buffer.from(before), text, ZERO, NO_TYPES]);
    const statement = host.statementOf(body, 0, body.length, settings);
    return { ...statement, signature: null, described: null };
  }

  /** Sees to it that a PREPARE meets a statement of its name on the link if it must fail of it. */
  provideTaken(facts: Facts, link: Link, isSimple: boolean): Provision {
    const name = utf8ByteString(facts.preparedAs as string);
    return this.#provide(name, link, isSimple, true) ?? this.#proceed(link, isSimple);
  }

  /** The PREPARE is sent next: what hangs on its answer. */
  prepare(facts: Facts, statement: Statement, link: Link): Consequence {
    const name = utf8ByteString(facts.preparedAs as string);
    const change = this.#session.statements.prepareBySql(name, statement);
    // It is to fail of the one that is there.
    if (link.statements.planted(name) !== undefined) return change;
    return both(change, new Planted(link.statements.plant(name, statement), link)) as Consequence;
  }

  /** The PREPARE is passed on, and its statement asked for its types. */
  describe(facts: Facts, statement: Statement, link: Link, isSimple: boolean): void {
    const planted = link.statements.planted(utf8ByteString(facts.preparedAs as string));
    if (planted?.statement !== statement) return;
    this.#session.framer.flushThrough();
    this.#session.statements.describePlanted(planted, link, isSimple ? OWN : SWALLOW);
    if (isSimple) link.sendOwnSync();
  }

  /**
   * Prepares on the link what a text runs by name.
   * @param isSimple whether a simple Query is to follow, rather than a message of a unit at hand
   */
  provide(facts: Facts, link: Link, isSimple: boolean): Provision {
    const { executes, takesOver } = facts;
    if (executes.length + takesOver.length === 0 || this.#session.isSessionMode) {
      return Provision.Ready;
    }
    for (const name of this.#namesIn(facts)) {
      const provision = this.#provide(name, link, isSimple, false);
      if (provision !== null) return provision;
    }
    for (const name of takesOver) {
      if (executes.includes(name)) continue;
      const provision = this.#provide(utf8ByteString(name), link, isSimple, true);
      if (provision !== null) return provision;
    }
    return this.#proceed(link, isSimple);
  }

  /**
   * A text of several statements that makes or removes some by name is sent next. How far it gets
   * only the server knows, so its names are no longer followed: what they stand for is what the
   * link has under them, which the next look at it finds.
   */
  handOver({ takesOver }: Facts, link: Link, notes: StatementNotes): void {
    if (takesOver.length === 0) return;
    if (this.#handedOn !== link) this.#handedOver.clear();
    this.#handedOn = link;
    for (const name of takesOver.map(utf8ByteString)) {
      if (!isReservedName(name)) this.#handedOver.add(name);
      const statement = this.#session.statements.find(name);
      const planted = link.statements.planted(name);
      // What the server did not take it will skip, or refuse.
      if (statement === undefined || planted?.statement !== statement) continue;
      link.statements.uproot(planted);
      this.#session.statements.handOver(name);
      notes.noteTakenOver(statement);
    }
  }

  /**
   * A Parse of a name that was handed over: only the server knows whether the name is taken.
   * @returns false when it is none
   */
  parse(name: string, statement: Statement, link: Link): boolean {
    const { statements } = this.#session;
    if (this.#handedOn !== link || !this.#handedOver.has(name)) return false;
    if (statements.find(name) !== undefined) return false;
    if (link.statements.planted(name) !== undefined) return false;
    const change = statements.prepareBySql(name, statement);
    const planted = link.statements.plant(name, statement);
    link.ledger.push(Owed.Parse, 0, both(change, new Planted(planted, link)));
    sendParse(link.port, Buffer.from(name, 'latin1'), statement.body);
    statements.describePlanted(planted, link, SWALLOW);
    return true;
  }

  /**
   * What a text runs by name, and what that runs, as far as {@link NESTED_EXECUTES_MAX}: innermost
   * first, since what an EXECUTE returns is settled when it is prepared.
   */
  #namesIn({ executes }: Facts): readonly string[] {
    const { statements } = this.#session;
    const names = new Set(executes.map(utf8ByteString));
    let level = [...names];
    for (let depth = 1; depth < NESTED_EXECUTES_MAX && level.length > 0; depth++) {
      const inner = level.flatMap((name) => statements.find(name)?.facts.executes ?? []);
      level = inner.map(utf8ByteString).filter((name) => !names.has(name));
      for (const name of level) names.add(name);
    }
    return [...names].reverse();
  }

  /** Null when nothing is in the way of the name. */
  #provide(name: string, link: Link, isSimple: boolean, isTaken: boolean): Provision | null {
    const session = this.#session;
    const { statements } = session;
    if (link.ledger.isSkipping) return this.#refuse(link, isSimple);
    if (statements.isUndecided(name, link)) return this.#await();
    const statement = statements.find(name);
    const planted = link.statements.planted(name);
    if (planted !== undefined && planted.statement !== statement) this.#uproot(name, link);
    if (statement === undefined) return null;
    if (planted?.statement !== statement) return this.#plant(name, statement, link, isSimple);
    if (planted.isAwaited) return this.#await();
    const { described } = statement;
    if (isTaken || described === null || described === planted.described) return null;
    session.framer.flushRun();
    sendDescribe(link.port, statements.changedName(link, Owed.DescribeStatement));
    if (isSimple && !session.isUnsynced) this.#isOpen = true;
    return isSimple ? this.#refuse(link, true) : null;
  }

  #plant(name: string, statement: Statement, link: Link, isSimple: boolean): Provision | null {
    const session = this.#session;
    if (isSimple && !session.isUnsynced) {
      if (link.ledger.owesClient) return this.#await();
      // The server is to say so of the text itself.
      if (link.status === TransactionStatus.Failed) return null;
      this.#isOpen = true;
    }
    session.framer.flushRun();
    session.statements.plant(name, statement, link);
    session.isUnsynced = true;
    return this.#await();
  }

  #uproot(name: string, link: Link): void {
    const { framer, isUnsynced, statements } = this.#session;
    framer.flushRun();
    statements.uproot(name, link, isUnsynced ? SWALLOW : OWN);
    if (!isUnsynced) link.sendOwnSync();
  }

  #await(): Provision {
    this.#session.stallForAnswers();
    return Provision.Awaited;
  }

  /** The unit has failed. A simple Query is answered by what ends the unit that came before it. */
  #refuse(link: Link, isSimple: boolean): Provision {
    if (!isSimple || !this.#isOpen) return Provision.Ready;
    this.#end(link, 0);
    return Provision.Refused;
  }

  #proceed(link: Link, isSimple: boolean): Provision {
    if (isSimple && this.#isOpen) this.#end(link, OWN);
    return Provision.Ready;
  }

  #end(link: Link, flags: number): void {
    this.#isOpen = false;
    this.#session.isUnsynced = false;
    link.ledger.push(Owed.Sync, flags, null);
    link.port.send(SYNC, 0, SYNC.length);
  }
}
