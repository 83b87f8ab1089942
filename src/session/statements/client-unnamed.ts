import { ClientCode } from '../../protocol/codes.ts';
import { type Consequence, Owed, SWALLOW } from '../ledger.ts';
import { type Link, UNKNOWN_STATEMENT } from '../link.ts';
import { Readiness } from './preparations.ts';
import { bodyAgain, Description } from './result-type.ts';
import { UnnamedStatement } from './statement-changes.ts';
import { sendDescribe, sendParse } from './statement-messages.ts';
import type { Statement } from './statements.ts';

const UNNAMED = new Uint8Array(0);
const CLOSE_UNNAMED = Buffer.from([ClientCode.Close, 0, 0, 0, 6, 0x53, 0]);

/** A client's unnamed statement, which is prepared again on a link that does not have it. */
export class ClientUnnamed {
  /**
   * The last message was a Parse of it. When its Bind follows, as is usual, that was most likely
   * its only use; else it may be used on another link, and what it returns matters.
   */
  isFresh = false;
  #last: UnnamedStatement | null = null;

  /** What the last message made of it that was not skipped, as far as is known. */
  get current(): UnnamedStatement | null {
    while (this.#last?.isVoid) this.#last = this.#last.older;
    return this.#last;
  }

  /** Whether it hangs on an answer to an earlier unit than the one of the number. */
  isUndecided(unit: number): boolean {
    const { current } = this;
    return current !== null && !current.isSettled && current.unit !== unit;
  }

  /** Parse is about to be sent. */
  parse(statement: Statement, link: Link, unit: number): void {
    link.ledger.push(Owed.Parse, 0, this.#set(statement, link, unit, false));
    this.isFresh = true;
  }

  /**
   * What a unit on a shared link has made of it, which has come to its end: that link has it under
   * a name of its own.
   */
  settle(statement: Statement | null, described: string | null, link: Link, unit: number): void {
    this.isFresh = false;
    if (statement === null && this.current === null) return;
    const made = new UnnamedStatement(statement, unit, null, link, false);
    made.described = described;
    made.commit();
    this.#last = statement === null ? null : made;
  }

  /** It was settled without a server: a Parse of it, or null for a simple Query. */
  adopt(statement: Statement | null, unit: number, told: string | null = null): void {
    const { current } = this;
    if (statement === null && (current === null || current.statement === null)) return;
    this.isFresh = false;
    this.#last = new UnnamedStatement(statement, unit, null, null, false);
    this.#last.isSettled = true;
    this.#last.described = told;
  }

  /** A simple Query, or a Close, is about to take it away; the answer is to be noted with that. */
  drop(link: Link, unit: number): Consequence | null {
    const { current } = this;
    const hasNone = current === null || (current.statement === null && current.isSettled);
    if (hasNone && link.unnamed === null) return null;
    return this.#set(null, link, unit, false);
  }

  /** Asks what it returns, while it {@link isFresh}. */
  describe(link: Link): void {
    this.isFresh = false;
    const { current } = this;
    if (current === null || link.unnamed !== current) return;
    if (current.statement !== null && current.statement.facts.executes.length > 0) return;
    this.#ask(link, (described) => {
      current.described ??= described;
    });
  }

  /** Whether the link has what a Bind or Describe needs. */
  readiness(link: Link): Readiness {
    const { current } = this;
    if (current === null || current.statement === null) return Readiness.Ready;
    if (link.unnamed !== current) {
      return current.described === null ? Readiness.Ready : Readiness.Missing;
    }
    if (current.isDescribing) return Readiness.Awaited;
    if (current.found === null || current.found === current.described) return Readiness.Ready;
    current.found = null;
    link.unnamed = UNKNOWN_STATEMENT;
    return Readiness.Changed;
  }

  /** Prepares what is {@link Readiness.Missing}. */
  prepare(link: Link, unit: number): void {
    const { statement, described } = this.current as UnnamedStatement;
    const made = this.#set(statement, link, unit, true);
    made.described = described;
    made.isDescribing = true;
    link.ledger.push(Owed.Parse, SWALLOW, made);
    sendParse(link.port, UNNAMED, bodyAgain((statement as Statement).body, described));
    this.#ask(link, (found) => {
      made.isDescribing = false;
      made.found = found;
    });
  }

  /** Bind or Describe is about to be sent: the link has the client's own then, or none. */
  ensure(link: Link, unit: number): void {
    this.isFresh = false;
    const { current } = this;
    if (current !== null && link.unnamed === current) return;
    const statement = current?.statement ?? null;
    if (statement !== null) {
      link.ledger.push(Owed.Parse, SWALLOW, this.#set(statement, link, unit, true));
      sendParse(link.port, UNNAMED, statement.body);
    } else if (link.unnamed !== null) {
      // The client has none: it must not reach what somebody else left there.
      link.ledger.push(Owed.Close, SWALLOW, this.drop(link, unit));
      link.port.send(CLOSE_UNNAMED, 0, CLOSE_UNNAMED.length);
    }
  }

  #ask(link: Link, onTold: (described: string | null) => void): void {
    link.ledger.push(Owed.DescribeStatement, SWALLOW, new Description(onTold));
    sendDescribe(link.port, UNNAMED);
  }

  #set(statement: Statement | null, link: Link, unit: number, isAgain: boolean): UnnamedStatement {
    const made = new UnnamedStatement(statement, unit, this.current, link, isAgain);
    this.#last = made;
    link.unnamed = made;
    return made;
  }
}
