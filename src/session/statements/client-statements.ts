import { TransactionStatus } from '../../protocol/codes.ts';
import { type Consequence, OWN, Owed, SWALLOW } from '../ledger.ts';
import type { Link } from '../link.ts';
import { ClientUnnamed } from './client-unnamed.ts';
import {
  describe,
  fits,
  isCertain,
  Preparations,
  Readiness,
  type StatementSource,
} from './preparations.ts';
import { bodyAgain, CHANGED_NAME, changedTypeFields, Description } from './result-type.ts';
import {
  AllRemoved,
  both,
  FirstUse,
  HeldParse,
  NamedChange,
  NameUse,
  Planted,
  RepeatedParse,
  type StatementNames,
  Uprooted,
} from './statement-changes.ts';
import { sendClose, sendDescribe, sendParse } from './statement-messages.ts';
import {
  EVASION,
  isReservedName,
  type LinkStatement,
  type PlantedStatement,
  RESERVED_PREFIX,
  STAND_IN,
  STAND_IN_NAME,
  type Statement,
} from './statements.ts';

const EMPTY = new Uint8Array(0);
const NO_TEXT = Buffer.from([0, 0, 0, 0]);

const RESERVED_NAME_QUOTED = new RegExp(`"(${RESERVED_PREFIX}[^"]*)"`, 'g');

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
  readonly unnamed = new ClientUnnamed();
  readonly #source: StatementSource;
  readonly #preparations: Preparations;
  readonly #named = new Map<string, Statement>();
  /** The last change of each name that is not answered yet. */
  readonly #pending = new Map<string, NamedChange>();
  /** The client's name for what {@link STAND_IN} stands for. */
  #standsFor = '';
  /** DEALLOCATE ALL and the like that are not answered yet. */
  #removingAll = 0;
  /**
   * Names whose Parse never reached a server, as the link had the statement, until they were used:
   * the table may have changed before, past the gateway. Each with the catalogue's epoch.
   */
  readonly #adopted = new Map<string, number>();

  constructor(source: StatementSource) {
    this.#source = source;
    this.#preparations = new Preparations(source);
  }

  /** What the name stands for when the message at hand arrives. */
  find(name: string): Statement | undefined {
    return name === '' ? (this.unnamed.current?.statement ?? undefined) : this.#named.get(name);
  }

  /**
   * Whether what the message at hand does with the name hangs on an answer that is still due.
   * @param parsed what a Parse wants the name to stand for
   */
  isUndecided(name: string, link: Link, parsed?: Statement): boolean {
    if (name === '') return this.unnamed.isUndecided(this.unit);
    if (this.#removingAll > 0) return true;
    const change = this.#pending.get(name);
    if (change !== undefined && change.unit !== this.unit) return true;
    const statement = this.#named.get(name) ?? parsed;
    const held = statement === undefined ? undefined : link.statements.use(statement);
    return held !== undefined && !isCertain(held, this.unit);
  }

  /** See {@link Preparations.forgetCopies}. */
  forgetCopies(): void {
    this.#preparations.forgetCopies();
  }

  set(name: string, statement: Statement): void {
    this.#named.set(name, statement);
  }

  /** A Parse of a free name was answered without a server; `told` if its Describe was, too. */
  adopt(name: string, statement: Statement, told: string | null): void {
    if (name === '') this.unnamed.adopt(statement, this.unit, told);
    else {
      this.#named.set(name, statement);
      this.#adopted.set(name, this.#source.catalogueEpoch);
    }
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
    return this.unnamed.drop(link, this.unit);
  }

  /** The name was used for the first time, and its table had changed: it is understood anew. */
  renew(name: string, statement: Statement, epoch: number): void {
    const isOurs = epoch === this.#source.catalogueEpoch && this.#named.get(name) === statement;
    if (isOurs) this.#named.set(name, { ...statement, described: null });
  }

  /** A shared link has run the statement of the name. */
  noteUse(name: string): void {
    if (this.#adopted.size > 0) this.#adopted.delete(name);
  }

  /** The fields of an error with the client's names for the link's; null when there are none. */
  withClientNames(fields: string, link: Link): string | null {
    if (!fields.includes(RESERVED_PREFIX)) return null;
    const changed = changedTypeFields(fields);
    if (changed !== null) return changed;
    return fields.replaceAll(RESERVED_NAME_QUOTED, (quoted, linkName: string) => {
      if (linkName.endsWith(EVASION)) return `"${linkName.slice(0, -EVASION.length)}"`;
      if (linkName === STAND_IN) return `"${this.#standsFor}"`;
      const name = link.statements.clientNameOf(linkName);
      return name === null ? quoted : `"${name}"`;
    });
  }

  /** Parse under a name: sent under the link's own name, or answered when the link has it. */
  parseNamed(name: string, statement: Statement, link: Link, signature: string | null): void {
    const older = this.#named.get(name);
    if (older !== undefined) {
      // A name in use is an error of the server's: provoked under a name that it knows.
      const held = this.#preparations.find(older, link, this.unit, signature);
      if (held === undefined) this.#sendStandIn(link, SWALLOW);
      const refused =
        held === undefined
          ? this.#refused(name)
          : new RepeatedParse(this, name, statement, held, link);
      link.ledger.push(Owed.Parse, 0, refused);
      sendParse(link.port, held?.name ?? STAND_IN_NAME, statement.body);
      return;
    }
    const known = link.statements.use(statement);
    const isHeld = known !== undefined && isCertain(known, this.unit);
    // In a failed transaction the server refuses a Parse, unless it is of a COMMIT or the like.
    const mayBeRefused = link.status === TransactionStatus.Failed || link.ledger.owesReady;
    if (isHeld && !mayBeRefused && (known.isDescribing || fits(statement, known))) {
      link.ledger.push(Owed.SyntheticParse, 0, this.#change(name, statement, null));
      this.#adopted.set(name, this.#source.catalogueEpoch);
      return;
    }
    this.#adopted.delete(name);
    const held = link.statements.add(statement, this.unit);
    held.clientName = name;
    link.ledger.push(Owed.Parse, 0, this.#change(name, statement, new HeldParse(held, link)));
    sendParse(link.port, held.name, statement.body);
    describe(held, link, (described) => {
      if (described !== statement.described) this.#retype(name, held, link, described);
    });
  }

  /** PREPARE of the name is about to be sent. */
  prepareBySql(name: string, statement: Statement): Consequence {
    this.#adopted.delete(name);
    return this.#change(name, statement, null);
  }

  /** The name's statement is put on the link under that very name, for SQL to find. */
  plant(name: string, statement: Statement, link: Link): void {
    const planted = link.statements.plant(name, statement);
    link.ledger.push(Owed.Parse, SWALLOW, new Planted(planted, link));
    const body = bodyAgain(statement.body, statement.described);
    sendParse(link.port, Buffer.from(name, 'latin1'), body);
    this.describePlanted(planted, link, SWALLOW);
  }

  /** Asks what such a statement returns, of which the Parse or the PREPARE has just been sent. */
  describePlanted(planted: PlantedStatement, link: Link, flags: number): void {
    const description = new Description((described) => {
      planted.isAwaited = false;
      // That of an EXECUTE is another one's.
      if (planted.statement.facts.executes.length > 0) return;
      planted.described = described;
      planted.statement.described ??= described;
    });
    link.ledger.push(Owed.DescribeStatement, flags, description);
    sendDescribe(link.port, Buffer.from(planted.name, 'latin1'));
  }

  /** What SQL could find on the link under the name is closed, if there is such a thing. */
  uproot(name: string, link: Link, flags: number): boolean {
    const planted = link.statements.planted(name);
    if (planted === undefined) return false;
    link.statements.uproot(planted);
    link.ledger.push(Owed.Close, flags, new Uprooted(planted, link));
    sendClose(link.port, Buffer.from(name, 'latin1'));
    return true;
  }

  /** SQL has the name: from now on it is what the link has under it. */
  handOver(name: string): void {
    this.#named.delete(name);
  }

  /** Whether the link has what a Bind or Describe of the name needs. */
  readiness(name: string, link: Link, signature: string | null): Readiness {
    // What the server ignores needs nothing.
    if (link.ledger.isSkipping) return Readiness.Ready;
    if (name === '') return this.unnamed.readiness(link);
    const statement = this.#named.get(name);
    if (statement === undefined || this.#pending.has(name)) return Readiness.Ready;
    return this.#preparations.readiness(statement, link, this.unit, signature);
  }

  /** Prepares what is {@link Readiness.Missing}. */
  prepare(name: string, link: Link, signature: string | null): void {
    if (name === '') this.unnamed.prepare(link, this.unit);
    else this.#preparations.send(this.#named.get(name) as Statement, link, this.unit, signature);
  }

  /** What the name's first preparation told; see {@link Statement.described}. */
  describedOf(name: string): string | null {
    if (name === '') return this.unnamed.current?.described ?? null;
    return this.#named.get(name)?.described ?? null;
  }

  /** What has just been prepared for the name, and is {@link Readiness.Changed}. */
  preparedName(name: string, link: Link, signature: string | null): Uint8Array {
    const statement = this.#named.get(name);
    if (statement === undefined) return EMPTY;
    const held = this.#preparations.find(statement, link, this.unit, signature);
    if (held === undefined) return CHANGED_NAME;
    held.clientName = name;
    return held.name;
  }

  /** The name to put for one that is {@link Readiness.Changed}, for the server to refuse. */
  changedName(link: Link, owed: Owed): Uint8Array {
    this.#source.onResultTypeChanged();
    link.ledger.push(owed, 0, null);
    return CHANGED_NAME;
  }

  /**
   * The name to put for the client's in Bind and Describe, which the link holds when the message
   * arrives (see {@link readiness}); null when the client's own is to stay, because the server
   * shall refuse it or because it is the unnamed statement, which then is the client's.
   *
   * @param signature of the settings that hold when the message arrives; null when they are unknown
   * @param owed what the message owes, which is noted
   */
  nameFor(name: string, link: Link, signature: string | null, owed: Owed): Uint8Array | null {
    if (name === '') {
      this.unnamed.ensure(link, this.unit);
      link.ledger.push(owed, 0, null);
      return null;
    }
    const statement = this.#named.get(name);
    if (statement === undefined) {
      this.uproot(name, link, SWALLOW);
      link.ledger.push(owed, 0, null);
      return isReservedName(name) ? Buffer.from(name + EVASION, 'latin1') : null;
    }
    const held = this.#preparations.find(statement, link, this.unit, signature);
    if (held === undefined) {
      link.ledger.push(owed, 0, null);
      return null;
    }
    const isNamed = held.clientName === name && held.namesPending === 0;
    const use = isNamed ? null : new NameUse(held, name);
    link.ledger.push(owed, 0, both(use, this.#firstUse(name, statement, link)));
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
    this.uproot(name, link, SWALLOW);
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
    const exists = this.#named.has(name);
    const flags = isUnit ? OWN : SWALLOW;
    const isUprooted = this.uproot(name, link, flags);
    if (!exists && isUnit) {
      if (isUprooted) link.sendOwnSync();
      return null;
    }
    if (!exists) {
      this.#closeStandIn(link, flags);
      return this.#refused(name);
    }
    this.#sendStandIn(link, flags);
    if (isUnit) link.sendOwnSync();
    return this.#change(name, undefined, null);
  }

  /** One may be left of a message that was skipped. */
  #closeStandIn(link: Link, flags: number): void {
    link.ledger.push(Owed.Close, flags, null);
    sendClose(link.port, STAND_IN_NAME);
  }

  /** Without a text, so that a failed transaction does not refuse it. */
  #sendStandIn(link: Link, flags: number): void {
    this.#closeStandIn(link, flags);
    link.ledger.push(Owed.Parse, flags, null);
    sendParse(link.port, STAND_IN_NAME, NO_TEXT);
  }

  /** What the server refuses, when its turn comes, is about this name of the client's. */
  #refused(name: string): Consequence {
    const rollback = (failed: boolean) => {
      if (failed) this.#standsFor = name;
    };
    return { commit: () => {}, rollback };
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

  #firstUse(name: string, statement: Statement, link: Link): FirstUse | null {
    const epoch = this.#adopted.size === 0 ? undefined : this.#adopted.get(name);
    if (epoch === undefined) return null;
    this.#adopted.delete(name);
    return new FirstUse(this, name, statement, epoch, link);
  }

  /** Others prepared the same text before its table changed: what they have is another one. */
  #retype(name: string, held: LinkStatement, link: Link, described: string): void {
    const { statement } = held;
    const fresh = { ...statement, described };
    link.statements.restate(held, fresh);
    if (this.#named.get(name) === statement) this.#named.set(name, fresh);
    this.#source.onResultTypeChanged();
  }

  #change(name: string, statement: Statement | undefined, held: HeldParse | null): NamedChange {
    const change = new NamedChange(this, name, this.#named.get(name), this.unit, held);
    if (statement === undefined) this.#named.delete(name);
    else this.#named.set(name, statement);
    this.#pending.set(name, change);
    return change;
  }
}
