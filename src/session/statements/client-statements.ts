import { ClientCode } from '../../protocol/codes.ts';
import { type Consequence, OWN, Owed, SWALLOW } from '../ledger.ts';
import type { Link } from '../link.ts';
import {
  AllRemoved,
  HeldParse,
  NamedChange,
  NameUse,
  RepeatedParse,
  type StatementNames,
  UnnamedStatement,
} from './statement-changes.ts';
import { sendClose, sendParse } from './statement-messages.ts';
import {
  isReservedName,
  type LinkStatement,
  RESERVED_PREFIX,
  type Statement,
} from './statements.ts';

const EMPTY = new Uint8Array(0);
const CLOSE_UNNAMED = Buffer.from([ClientCode.Close, 0, 0, 0, 6, 0x53, 0]);
const NO_TEXT = Buffer.from([0, 0, 0, 0]);

const RESERVED_NAME_QUOTED = new RegExp(`"(${RESERVED_PREFIX}[^"]*)"`, 'g');

/** Behind a client's name that could be one of the gateway's, so that it is none. */
export const EVASION = ' ';

/** What DEALLOCATE removes in place of the client's statement, which others may share. */
export const STAND_IN = `${RESERVED_PREFIX}gone`;
const STAND_IN_NAME = Buffer.from(STAND_IN, 'latin1');

/** The statement with the same text under other settings; see {@link Statement.signature}. */
export type Restate = (statement: Statement, signature: string) => Statement;

/**
 * A client's prepared statements, and how its messages about them read on a link. Names of the
 * client's are byte strings. What PostgreSQL would refuse is sent on in a form that PostgreSQL
 * refuses too, so that the error, and what it does to the transaction, are the server's own.
 *
 * Within a unit an error skips all that follows, so a message may build on those before it. What
 * was sent in an earlier unit and is not answered yet may or may not have happened: whoever needs
 * it waits, see {@link isUndecided}.
 */
export class ClientStatements implements StatementNames {
  /** Number of the unit that the client sends. */
  unit = 0;
  readonly #restate: Restate;
  readonly #named = new Map<string, Statement>();
  /** The last change of each name that is not answered yet. */
  readonly #pending = new Map<string, NamedChange>();
  #unnamed: UnnamedStatement | null = null;
  /** The client's name for what {@link STAND_IN} stands for. */
  #standsFor = '';
  /** DEALLOCATE ALL and the like that are not answered yet. */
  #removingAll = 0;
  /** Made while nobody knew the settings, from statements that the link at hand did not have. */
  readonly #copies = new Map<Statement, Statement>();

  constructor(restate: Restate) {
    this.#restate = restate;
  }

  /** What the name stands for when the message at hand arrives. */
  find(name: string): Statement | undefined {
    return name === '' ? (this.#current()?.statement ?? undefined) : this.#named.get(name);
  }

  /**
   * Whether what the message at hand does with the name hangs on an answer that is still due.
   * @param parsed what a Parse wants the name to stand for
   */
  isUndecided(name: string, link: Link, parsed?: Statement): boolean {
    if (name === '') {
      const unnamed = this.#current();
      return unnamed !== null && !unnamed.isSettled && unnamed.unit !== this.unit;
    }
    if (this.#removingAll > 0) return true;
    const change = this.#pending.get(name);
    if (change !== undefined && change.unit !== this.unit) return true;
    const statement = this.#named.get(name) ?? parsed;
    const held = statement === undefined ? undefined : link.statements.use(statement);
    return held !== undefined && !this.#isCertain(held);
  }

  /** On another link, and in another transaction, copies made for the one before mean nothing. */
  forgetCopies(): void {
    this.#copies.clear();
  }

  set(name: string, statement: Statement): void {
    this.#named.set(name, statement);
  }

  settle(change: NamedChange): void {
    if (this.#pending.get(change.name) === change) this.#pending.delete(change.name);
  }

  undo(change: NamedChange): void {
    if (change.older === undefined) this.#named.delete(change.name);
    else this.#named.set(change.name, change.older);
    this.settle(change);
  }

  /**
   * A simple Query, or a Close, takes the unnamed statement away, unless an error makes the server
   * skip it: the answer is to be noted with the message.
   */
  dropUnnamed(link: Link): Consequence | null {
    const current = this.#current();
    const hasNone = current === null || (current.statement === null && current.isSettled);
    if (hasNone && link.unnamed === null) return null;
    return this.#setUnnamed(null, link, false);
  }

  /** The fields of an error with the client's names for the link's; null when there are none. */
  withClientNames(fields: string, link: Link): string | null {
    if (!fields.includes(RESERVED_PREFIX)) return null;
    return fields.replaceAll(RESERVED_NAME_QUOTED, (quoted, linkName: string) => {
      if (linkName.endsWith(EVASION)) return `"${linkName.slice(0, -EVASION.length)}"`;
      if (linkName === STAND_IN) return `"${this.#standsFor}"`;
      const name = link.statements.clientNameOf(linkName);
      return name === null ? quoted : `"${name}"`;
    });
  }

  /** Parse of the unnamed statement is about to be sent. */
  parseUnnamed(statement: Statement, link: Link): void {
    link.ledger.push(Owed.Parse, 0, this.#setUnnamed(statement, link, false));
  }

  /** Parse under a name: sent under the link's own name, or answered when the link has it. */
  parseNamed(name: string, statement: Statement, link: Link, signature: string | null): void {
    const older = this.#named.get(name);
    if (older !== undefined) {
      // A name in use is an error of the server's: provoked under a name that it knows.
      const held = this.#ensure(older, link, signature);
      link.ledger.push(Owed.Parse, 0, new RepeatedParse(this, name, statement, held, link));
      sendParse(link.port, held.name, statement.body);
      return;
    }
    const known = link.statements.use(statement);
    if (known !== undefined && this.#isCertain(known)) {
      link.ledger.push(Owed.SyntheticParse, 0, this.#change(name, statement, null));
      return;
    }
    const held = link.statements.add(statement, this.unit);
    held.clientName = held.lastName = name;
    link.ledger.push(Owed.Parse, 0, this.#change(name, statement, new HeldParse(held, link)));
    sendParse(link.port, held.name, statement.body);
  }

  /**
   * The name to put for the client's in Bind and Describe, which the link holds when the message
   * arrives; null when the client's own is to stay, because the server shall refuse it or because
   * it is the unnamed statement, which then is the client's.
   *
   * @param signature of the settings that hold when the message arrives; null when they are unknown
   * @param owed what the message owes, which is noted
   */
  nameFor(name: string, link: Link, signature: string | null, owed: Owed): Uint8Array | null {
    if (name === '') {
      this.#ensureUnnamed(link);
      link.ledger.push(owed, 0, null);
      return null;
    }
    const statement = this.#named.get(name);
    if (statement === undefined) {
      link.ledger.push(owed, 0, null);
      return isReservedName(name) ? Buffer.from(name + EVASION, 'latin1') : null;
    }
    const held = this.#ensure(statement, link, signature);
    link.ledger.push(owed, 0, held.lastName === name ? null : new NameUse(held, name));
    return held.name;
  }

  /**
   * Close of a named statement never reaches the link, where others may use the same one.
   * @returns false when the name is none of these: perhaps it is SQL's, and the server's to close
   */
  closeNamed(name: string, link: Link): boolean {
    if (!this.#named.has(name) && !isReservedName(name)) {
      link.ledger.push(Owed.Close, 0, null);
      return false;
    }
    link.ledger.push(Owed.SyntheticClose, 0, this.#change(name, undefined, null));
    return true;
  }

  closeUnnamed(link: Link): void {
    link.ledger.push(Owed.Close, 0, this.dropUnnamed(link));
  }

  /**
   * DEALLOCATE of a name prepared by protocol, to be sent next as DEALLOCATE of {@link STAND_IN},
   * which is prepared for it. Null when there is no such name.
   *
   * @param isUnit whether the DEALLOCATE begins a unit of its own, being a simple Query
   */
  remove(name: string, link: Link, isUnit: boolean): Consequence | null {
    this.#standsFor = name;
    const exists = this.#named.has(name);
    if (!exists && isUnit) return null;
    const flags = isUnit ? OWN : SWALLOW;
    // One may be left of a DEALLOCATE that was skipped.
    link.ledger.push(Owed.Close, flags, null);
    sendClose(link.port, STAND_IN_NAME);
    if (!exists) return null;
    link.ledger.push(Owed.Parse, flags, null);
    sendParse(link.port, STAND_IN_NAME, NO_TEXT);
    if (isUnit) link.sendOwnSync();
    return this.#change(name, undefined, null);
  }

  /**
   * DEALLOCATE ALL or DISCARD ALL is about to be sent.
   * @param isAlone whether nothing else is in its text
   */
  removeAll(link: Link, isAlone: boolean): Consequence {
    this.#removingAll++;
    return new AllRemoved(link, isAlone, (isRemoved) => {
      this.#removingAll--;
      if (isRemoved) this.#named.clear();
    });
  }

  #change(name: string, statement: Statement | undefined, held: HeldParse | null): NamedChange {
    const change = new NamedChange(this, name, this.#named.get(name), this.unit, held);
    if (statement === undefined) this.#named.delete(name);
    else this.#named.set(name, statement);
    this.#pending.set(name, change);
    return change;
  }

  #setUnnamed(statement: Statement | null, link: Link, isAgain: boolean): UnnamedStatement {
    const made = new UnnamedStatement(statement, this.unit, this.#current(), link, isAgain);
    this.#unnamed = made;
    link.unnamed = made;
    return made;
  }

  #current(): UnnamedStatement | null {
    while (this.#unnamed?.isVoid) this.#unnamed = this.#unnamed.older;
    return this.#unnamed;
  }

  /** Whether the link will have the statement when the message at hand arrives. */
  #isCertain(held: LinkStatement): boolean {
    return held.isReady || held.unit === this.unit;
  }

  #ensure(original: Statement, link: Link, signature: string | null): LinkStatement {
    const known = link.statements.use(original);
    if (known !== undefined && this.#isCertain(known)) return known;
    // Prepared again where other settings hold now, it is another statement to whoever comes next.
    const statement = this.#under(original, signature);
    const other = statement === original ? undefined : link.statements.use(statement);
    if (other !== undefined && this.#isCertain(other)) return other;
    const held = link.statements.add(statement, this.unit);
    link.ledger.push(Owed.Parse, SWALLOW, new HeldParse(held, link));
    sendParse(link.port, held.name, statement.body);
    return held;
  }

  #under(original: Statement, signature: string | null): Statement {
    if (original.signature === null || original.signature === signature) return original;
    if (signature !== null) return this.#restate(original, signature);
    let copy = this.#copies.get(original);
    if (copy === undefined) {
      copy = { ...original, signature: null };
      this.#copies.set(original, copy);
    }
    return copy;
  }

  #ensureUnnamed(link: Link): void {
    const current = this.#current();
    if (current !== null && link.unnamed === current) return;
    const statement = current?.statement ?? null;
    if (statement !== null) {
      link.ledger.push(Owed.Parse, SWALLOW, this.#setUnnamed(statement, link, true));
      sendParse(link.port, EMPTY, statement.body);
    } else if (link.unnamed !== null) {
      // The client has none: it must not reach what somebody else left there.
      link.ledger.push(Owed.Close, SWALLOW, this.dropUnnamed(link));
      link.port.send(CLOSE_UNNAMED, 0, CLOSE_UNNAMED.length);
    }
  }
}
