import { Owed, SWALLOW } from '../ledger.ts';
import type { Link } from '../link.ts';
import { bodyAgain, Description } from './result-type.ts';
import { HeldParse } from './statement-changes.ts';
import { sendDescribe, sendParse } from './statement-messages.ts';
import type { LinkStatement, Statement } from './statements.ts';

/** What a message that uses a prepared statement finds on the link. */
export const Readiness = {
  /** What it needs, or nothing for the server to refuse. */
  Ready: 0,
  /** Not what it needs: that must be prepared, and waited for. */
  Missing: 1,
  /** The server is being asked what the statement returns. */
  Awaited: 2,
  /** Prepared again it returns something else: the message must be refused. */
  Changed: 3,
} as const;
export type Readiness = (typeof Readiness)[keyof typeof Readiness];

/** What a client's statements need of the configuration. */
export type StatementSource = {
  readonly catalogueEpoch: number;
  /** The statement with the same text under other settings; see {@link Statement.signature}. */
  restate(statement: Statement, signature: string): Statement;
  onResultTypeChanged(): void;
};

/** Prepares a client's statements again on links that do not have them. */
export class Preparations {
  readonly #source: StatementSource;
  /** Made while nobody knew the settings, from statements that the link at hand did not have. */
  readonly #copies = new Map<Statement, Statement>();
  /** What the message at hand was found to mean: the same until it is sent, whatever is heard. */
  #restated: { of: Statement; signature: string; statement: Statement } | null = null;
  /** What was prepared last, for a message that waits to be looked at again. */
  #last: LinkStatement | null = null;

  constructor(source: StatementSource) {
    this.#source = source;
  }

  /** On another link, and in another transaction, copies made for the one before mean nothing. */
  forgetCopies(): void {
    this.#copies.clear();
  }

  /**
   * The statement as the link will have it when the message at hand arrives.
   * @param unit number of the unit that the client sends
   */
  find(
    original: Statement,
    link: Link,
    unit: number,
    signature: string | null,
  ): LinkStatement | undefined {
    const known = link.statements.use(original);
    const own = known !== undefined && isCertain(known, unit) ? known : undefined;
    if (own !== undefined && fits(original, own)) return own;
    // Prepared again where other settings hold now, it is another statement to whoever comes next.
    const statement = this.#under(original, signature);
    const other = statement === original ? undefined : link.statements.use(statement);
    return other !== undefined && isCertain(other, unit) ? other : own;
  }

  readiness(original: Statement, link: Link, unit: number, signature: string | null): Readiness {
    this.#restated = null;
    const held = this.find(original, link, unit, signature);
    if (held === undefined) return Readiness.Missing;
    if (held.isDescribing) return Readiness.Awaited;
    const isLast = held === this.#last && held.unit === unit;
    this.#last = null;
    if (fits(original, held)) return Readiness.Ready;
    // What it returned when the link got it says nothing about now.
    return isLast ? Readiness.Changed : Readiness.Missing;
  }

  /** Prepares the statement, and asks what it returns. */
  send(original: Statement, link: Link, unit: number, signature: string | null): LinkStatement {
    const statement = this.#under(original, signature);
    const held = link.statements.add(statement, unit);
    this.#last = held;
    link.ledger.push(Owed.Parse, SWALLOW, new HeldParse(held, link));
    sendParse(link.port, held.name, bodyAgain(statement.body, original.described));
    describe(held, link, (described) => {
      original.described ??= described;
    });
    return held;
  }

  #under(original: Statement, signature: string | null): Statement {
    if (original.signature === null || original.signature === signature) return original;
    if (signature !== null) return this.#restate(original, signature);
    let copy = this.#copies.get(original);
    if (copy === undefined) {
      copy = { ...original, signature: null, described: null };
      this.#copies.set(original, copy);
    }
    return copy;
  }

  #restate(of: Statement, signature: string): Statement {
    const known = this.#restated;
    if (known?.of === of && known.signature === signature) return known.statement;
    const statement = this.#source.restate(of, signature);
    this.#restated = { of, signature, statement };
    return statement;
  }
}

/** Whether the link's statement is what the client was told, if it was told anything. */
export function fits({ described }: Statement, held: LinkStatement): boolean {
  return described === null || described === held.described;
}

/** Whether the link will have the statement when the message at hand arrives. */
export function isCertain(held: LinkStatement, unit: number): boolean {
  return held.isReady || held.unit === unit;
}

/** Asks what a statement returns whose Parse has just been sent. */
export function describe(
  held: LinkStatement,
  link: Link,
  onTold: (described: string) => void,
): void {
  // That of an EXECUTE is another one's, and PostgreSQL holds it to nothing.
  if (held.statement.facts.executes.length > 0) return;
  held.isDescribing = true;
  const description = new Description((described) => {
    held.isDescribing = false;
    if (described === null) return;
    const { statement } = held;
    statement.described ??= described;
    // One copy of a long text, and a quick comparison.
    held.described = statement.described === described ? statement.described : described;
    onTold(held.described);
  });
  link.ledger.push(Owed.DescribeStatement, SWALLOW, description);
  sendDescribe(link.port, held.name);
}
