import { ClientCode } from '../protocol/codes.ts';
import { type Consequence, OWN, Owed, SWALLOW } from './ledger.ts';
import { type Link, UNKNOWN_STATEMENT } from './link.ts';
import { sendParse } from './statement-messages.ts';
import { LINK_STATEMENT_PREFIX, type LinkStatement, type Statement } from './statements.ts';

const EMPTY = new Uint8Array(0);
const CLOSE_UNNAMED = Buffer.from([ClientCode.Close, 0, 0, 0, 6, 0x53, 0]);

const LINK_STATEMENT_QUOTED = new RegExp(`"(${LINK_STATEMENT_PREFIX}[^"]*)"`, 'g');

/** Behind a client's name that could be one of the link's, so that it is none. */
const EVASION = ' ';

/** The statement with the same text under other settings; see {@link Statement.signature}. */
export type Restate = (statement: Statement, signature: string) => Statement;

/**
 * A client's prepared statements, and how its messages about them read on a link. Names of the
 * client's are byte strings. What PostgreSQL would refuse is sent on in a form that PostgreSQL
 * refuses too, so that the error, and what it does to the transaction, are the server's own.
 */
export class ClientStatements {
  readonly #restate: Restate;
  readonly #named = new Map<string, Statement>();
  #unnamed: Statement | null = null;

  constructor(restate: Restate) {
    this.#restate = restate;
  }

  find(name: string): Statement | undefined {
    return name === '' ? (this.#unnamed ?? undefined) : this.#named.get(name);
  }

  /**
   * A simple Query, or a Close, takes the unnamed statement away, unless an error makes the server
   * skip it: the answer is to be noted with the message.
   */
  dropUnnamed(link: Link): Consequence | null {
    if (this.#unnamed === null && link.unnamed === null) return null;
    const dropped = new UnnamedDropped(this, this.#unnamed, link);
    this.#unnamed = null;
    link.unnamed = null;
    return dropped;
  }

  /** It was skipped: the client has its statement still, and the link has who knows what. */
  keepUnnamed(statement: Statement | null, link: Link): void {
    this.#unnamed ??= statement;
    if (link.unnamed === null) link.unnamed = UNKNOWN_STATEMENT;
  }

  /** DISCARD ALL, DEALLOCATE ALL. */
  clear(): void {
    this.#named.clear();
    this.#unnamed = null;
  }

  /** The fields of an error with the client's names for the link's; null when there are none. */
  withClientNames(fields: string, link: Link): string | null {
    if (!fields.includes(LINK_STATEMENT_PREFIX)) return null;
    return fields.replaceAll(LINK_STATEMENT_QUOTED, (quoted, linkName: string) => {
      if (linkName.endsWith(EVASION)) return `"${linkName.slice(0, -EVASION.length)}"`;
      const name = link.statements.clientNameOf(linkName);
      return name === null ? quoted : `"${name}"`;
    });
  }

  /** Parse of the unnamed statement is about to be passed on as it is. */
  parseUnnamed(statement: Statement, link: Link): void {
    const parsed = new UnnamedParse(this, statement, link, this.#unnamed);
    this.#unnamed = statement;
    link.unnamed = statement;
    link.ledger.push(Owed.Parse, 0, parsed);
  }

  /** Parse under a name: sent under the link's own name, or answered when the link has it. */
  parseNamed(name: string, statement: Statement, link: Link): void {
    const older = this.#named.get(name);
    if (older !== undefined) {
      // A name in use is an error of the server's: provoked under a name that it knows.
      const held = this.#ensure(older, link, statement.signature);
      held.clientName = name;
      const repeated = new RepeatedParse(this.#named, name, statement, link, held);
      link.ledger.push(Owed.Parse, 0, repeated);
      sendParse(link.port, held.name, statement.body);
      return;
    }
    this.#named.set(name, statement);
    const known = link.statements.use(statement);
    if (known?.isReady === true) {
      link.ledger.push(Owed.SyntheticParse, 0, new NamedParse(this.#named, name, link, null));
      return;
    }
    const held = link.statements.add(statement);
    held.clientName = name;
    link.ledger.push(Owed.Parse, 0, new NamedParse(this.#named, name, link, held));
    sendParse(link.port, held.name, statement.body);
  }

  /**
   * The name to put for the client's in Bind and Describe, which the link holds when the message
   * arrives; null when the client's own is to stay, because the server shall refuse it or because
   * it is the unnamed statement, which then is the client's.
   */
  nameFor(name: string, link: Link, signature: string): Uint8Array | null {
    if (name === '') {
      this.#ensureUnnamed(link);
      return null;
    }
    const statement = this.#named.get(name);
    if (statement === undefined) {
      return link.statements.isNameOfOurs(name) ? Buffer.from(name + EVASION, 'latin1') : null;
    }
    const held = this.#ensure(statement, link, signature);
    held.clientName = name;
    return held.name;
  }

  /** Close of a named statement never reaches the link, where others may use the same one. */
  closeNamed(name: string, link: Link): void {
    const older = this.#named.get(name);
    this.#named.delete(name);
    const restore = older === undefined ? null : new NamedClose(this.#named, name, older);
    link.ledger.push(Owed.SyntheticClose, 0, restore);
  }

  closeUnnamed(link: Link): void {
    link.ledger.push(Owed.Close, 0, this.dropUnnamed(link));
  }

  /**
   * DEALLOCATE of a name prepared by protocol: gone for the client, and taken from the link.
   * @param isUnit whether the DEALLOCATE is a simple Query, behind which no Sync will come
   */
  deallocate(name: string, link: Link, signature: string, isUnit: boolean): Uint8Array | null {
    const statement = this.#named.get(name);
    if (statement === undefined) return null;
    this.#named.delete(name);
    let held = link.statements.use(statement);
    if (held === undefined && isUnit) {
      held = link.statements.add(statement);
      link.ledger.push(Owed.Parse, OWN, null);
      sendParse(link.port, held.name, statement.body);
      link.sendOwnSync();
    }
    held ??= this.#ensure(statement, link, signature);
    held.clientName = name;
    link.statements.forget(held);
    return held.name;
  }

  /** Its Parse failed or was skipped: nobody knows what the link has; the client has `older`. */
  loseUnnamed(statement: Statement, link: Link, older: Statement | null): void {
    if (this.#unnamed === statement) this.#unnamed = older;
    if (link.unnamed === statement) link.unnamed = UNKNOWN_STATEMENT;
  }

  #ensure(original: Statement, link: Link, signature: string): LinkStatement {
    const known = link.statements.use(original);
    if (known !== undefined) return known;
    // Prepared again where other settings hold now, it is another statement to whoever comes next.
    const statement =
      original.signature === signature ? original : this.#restate(original, signature);
    const restated = statement === original ? undefined : link.statements.use(statement);
    if (restated !== undefined) return restated;
    const held = link.statements.add(statement);
    link.ledger.push(Owed.Parse, SWALLOW, new NamedParse(null, '', link, held));
    sendParse(link.port, held.name, statement.body);
    return held;
  }

  #ensureUnnamed(link: Link): void {
    if (link.unnamed === this.#unnamed) return;
    if (this.#unnamed === null) {
      // The client has none: it must not reach what somebody else left there.
      link.ledger.push(Owed.Close, SWALLOW, this.dropUnnamed(link));
      link.port.send(CLOSE_UNNAMED, 0, CLOSE_UNNAMED.length);
      return;
    }
    const statement = this.#unnamed;
    link.unnamed = statement;
    link.ledger.push(Owed.Parse, SWALLOW, new UnnamedParse(this, statement, link, statement));
    sendParse(link.port, EMPTY, statement.body);
  }
}

/** Parse of a link's name, for a client's name or for a statement that the link lost. */
class NamedParse implements Consequence {
  readonly #named: Map<string, Statement> | null;
  readonly #name: string;
  readonly #link: Link;
  readonly #held: LinkStatement | null;

  constructor(
    named: Map<string, Statement> | null,
    name: string,
    link: Link,
    held: LinkStatement | null,
  ) {
    this.#named = named;
    this.#name = name;
    this.#link = link;
    this.#held = held;
  }

  commit(): void {
    if (this.#held !== null) this.#held.isReady = true;
  }

  rollback(): void {
    this.#named?.delete(this.#name);
    if (this.#held !== null) this.#link.statements.forget(this.#held);
  }
}

/** Parse of a name in use. It succeeds when the Parse before it turns out to have failed. */
class RepeatedParse implements Consequence {
  readonly #named: Map<string, Statement>;
  readonly #name: string;
  readonly #statement: Statement;
  readonly #link: Link;
  readonly #held: LinkStatement;

  constructor(
    named: Map<string, Statement>,
    name: string,
    statement: Statement,
    link: Link,
    held: LinkStatement,
  ) {
    this.#named = named;
    this.#name = name;
    this.#statement = statement;
    this.#link = link;
    this.#held = held;
  }

  commit(): void {
    this.#named.set(this.#name, this.#statement);
    this.#link.statements.adopt(this.#statement, this.#held);
  }

  rollback(failed: boolean): void {
    // The error is about to be told: it speaks of this name, whoever shares the statement.
    if (failed) this.#held.clientName = this.#name;
  }
}

class NamedClose implements Consequence {
  readonly #named: Map<string, Statement>;
  readonly #name: string;
  readonly #older: Statement;

  constructor(named: Map<string, Statement>, name: string, older: Statement) {
    this.#named = named;
    this.#name = name;
    this.#older = older;
  }

  commit(): void {}

  rollback(): void {
    this.#named.set(this.#name, this.#older);
  }
}

class UnnamedDropped implements Consequence {
  readonly #statements: ClientStatements;
  readonly #statement: Statement | null;
  readonly #link: Link;

  constructor(statements: ClientStatements, statement: Statement | null, link: Link) {
    this.#statements = statements;
    this.#statement = statement;
    this.#link = link;
  }

  commit(): void {}

  rollback(failed: boolean): void {
    if (!failed) this.#statements.keepUnnamed(this.#statement, this.#link);
  }
}

class UnnamedParse implements Consequence {
  readonly #statements: ClientStatements;
  readonly #statement: Statement;
  readonly #link: Link;
  readonly #older: Statement | null;

  constructor(
    statements: ClientStatements,
    statement: Statement,
    link: Link,
    older: Statement | null,
  ) {
    this.#statements = statements;
    this.#statement = statement;
    this.#link = link;
    this.#older = older;
  }

  commit(): void {}

  rollback(failed: boolean): void {
    // A Parse that fails has already taken the older one away.
    this.#statements.loseUnnamed(this.#statement, this.#link, failed ? null : this.#older);
  }
}
