import type { Consequence } from '../ledger.ts';
import { type Link, LOST_STATEMENTS } from '../link.ts';
import type { LinkStatement, PlantedStatement, Statement } from './statements.ts';

/**
 * What messages about prepared statements do, noted in the ledger with the message: it counts when
 * the server has answered, and is undone when an error made the server skip it.
 */

/** Where a client's names are kept. */
export type StatementNames = {
  /** The change has happened. */
  settle(change: NamedChange): void;
  /** The change has not happened: what the name meant before comes back. */
  undo(change: NamedChange): void;
  /** A name that was adopted is to be understood anew, unless a client has changed a table. */
  renew(name: string, statement: Statement, epoch: number): void;
  /** The name stands for the statement. */
  set(name: string, statement: Statement): void;
};

/** A client's name begins to stand for a statement, or ceases to. */
export class NamedChange implements Consequence {
  readonly name: string;
  /** What the name stood for before. */
  readonly older: Statement | undefined;
  /** Number of the client's unit that the message is part of. */
  readonly unit: number;
  readonly #names: StatementNames;
  readonly #held: HeldParse | null;

  /** @param held what the link gains by the same message */
  constructor(
    names: StatementNames,
    name: string,
    older: Statement | undefined,
    unit: number,
    held: HeldParse | null,
  ) {
    this.#names = names;
    this.name = name;
    this.older = older;
    this.unit = unit;
    this.#held = held;
  }

  commit(): void {
    this.#held?.commit();
    this.#names.settle(this);
  }

  rollback(): void {
    this.#held?.rollback();
    this.#names.undo(this);
  }
}

/** A link is given a statement. */
export class HeldParse implements Consequence {
  readonly #held: LinkStatement;
  readonly #link: Link;

  constructor(held: LinkStatement, link: Link) {
    this.#held = held;
    this.#link = link;
  }

  commit(): void {
    this.#held.isReady = true;
  }

  rollback(): void {
    this.#link.statements.forget(this.#held);
  }
}

/**
 * A message that uses a link's statement under another name of the client's than the one before it,
 * or than one that is not answered yet: from its turn on, errors speak of that name.
 */
export class NameUse implements Consequence {
  readonly #held: LinkStatement;
  readonly #name: string;

  constructor(held: LinkStatement, name: string) {
    this.#held = held;
    this.#name = name;
    held.namesPending++;
  }

  commit(): void {
    this.#held.namesPending--;
    this.#held.clientName = this.#name;
  }

  rollback(failed: boolean): void {
    this.#held.namesPending--;
    if (failed) this.#held.clientName = this.#name;
  }
}

/**
 * A name whose Parse the gateway answered by itself is used for the first time. If the table had
 * changed before, the statement of the link is older than that, and the client may try again.
 */
export class FirstUse implements Consequence {
  readonly #names: StatementNames;
  readonly #name: string;
  readonly #statement: Statement;
  readonly #epoch: number;
  readonly #link: Link;

  constructor(
    names: StatementNames,
    name: string,
    statement: Statement,
    epoch: number,
    link: Link,
  ) {
    this.#names = names;
    this.#name = name;
    this.#statement = statement;
    this.#epoch = epoch;
    this.#link = link;
  }

  commit(): void {}

  rollback(failed: boolean): void {
    if (failed && this.#link.sawChangedType) {
      this.#names.renew(this.#name, this.#statement, this.#epoch);
    }
  }
}

/** Parse of a name that is in use, which the server refuses. */
export class RepeatedParse implements Consequence {
  readonly #names: StatementNames;
  readonly #name: string;
  readonly #statement: Statement;
  readonly #held: LinkStatement;
  readonly #link: Link;

  constructor(
    names: StatementNames,
    name: string,
    statement: Statement,
    held: LinkStatement,
    link: Link,
  ) {
    this.#names = names;
    this.#name = name;
    this.#statement = statement;
    this.#held = held;
    this.#link = link;
    held.namesPending++;
  }

  /** The link had lost the older one, unknown to us: by a DEALLOCATE in a function. */
  commit(): void {
    this.#held.namesPending--;
    this.#names.set(this.#name, this.#statement);
    this.#link.statements.forget(this.#held);
    this.#link.unfit = LOST_STATEMENTS;
  }

  rollback(failed: boolean): void {
    this.#held.namesPending--;
    // The error is about to be told: it speaks of this name, whoever shares the statement.
    if (failed) this.#held.clientName = this.#name;
  }
}

/**
 * A client's unnamed statement: what a Parse made of it, or that there is none any more. Several
 * can be under way, each of which remembers the one before it until it is answered. A link notes
 * which one it has by identity, so nobody else's is ever taken for it.
 */
export class UnnamedStatement implements Consequence {
  /** Null when there is none. */
  statement: Statement | null;
  /** Number of the client's unit that the message is part of. */
  readonly unit: number;
  older: UnnamedStatement | null;
  /** Whether the server has answered, or has skipped it. */
  isSettled = false;
  /** It never came to be: the older one is still what the client has. */
  isVoid = false;
  /** See {@link Statement.described}, of when the client prepared it. */
  described: string | null = null;
  /** The like where it was prepared again; null when that is not in question. */
  found: string | null = null;
  /** The server is being asked that. */
  isDescribing = false;
  readonly #link: Link | null;
  /** What the link had before. */
  readonly #before: object | null;
  /** Whether it is the older one prepared again, on a link that lacks it. */
  readonly #isAgain: boolean;

  constructor(
    statement: Statement | null,
    unit: number,
    older: UnnamedStatement | null,
    link: Link | null,
    isAgain: boolean,
  ) {
    this.statement = statement;
    this.unit = unit;
    this.older = older;
    this.#link = link;
    this.#before = link?.unnamed ?? null;
    this.#isAgain = isAgain;
  }

  commit(): void {
    this.isSettled = true;
    this.older = null;
    const link = this.#link;
    if (this.statement === null && link?.unnamed === this) link.unnamed = null;
  }

  rollback(failed: boolean): void {
    this.isSettled = true;
    if (this.#link?.unnamed === this) this.#link.unnamed = failed ? null : this.#before;
    if (failed && !this.#isAgain) {
      // A Parse or a Query that fails has already taken the older one away.
      this.statement = null;
      this.older = null;
    } else this.isVoid = true;
  }
}

/** DEALLOCATE ALL or DISCARD ALL. */
export class AllRemoved implements Consequence {
  readonly #link: Link;
  readonly #isAlone: boolean;
  readonly #onDone: (isRemoved: boolean) => void;

  /** @param isAlone whether nothing else in the text can fail when this has already happened */
  constructor(link: Link, isAlone: boolean, onDone: (isRemoved: boolean) => void) {
    this.#link = link;
    this.#isAlone = isAlone;
    this.#onDone = onDone;
  }

  commit(): void {
    this.#link.statements.clear();
    this.#onDone(true);
  }

  rollback(failed: boolean): void {
    if (failed && !this.#isAlone) {
      this.#link.statements.clear();
      this.#link.unfit = LOST_STATEMENTS;
    }
    this.#onDone(false);
  }
}

/** A statement is prepared under its client's own name. */
export class Planted implements Consequence {
  readonly #planted: PlantedStatement;
  readonly #link: Link;

  constructor(planted: PlantedStatement, link: Link) {
    this.#planted = planted;
    this.#link = link;
  }

  commit(): void {}

  rollback(): void {
    this.#link.statements.uproot(this.#planted);
  }
}

/** Such a statement has been taken away, and is closed. */
export class Uprooted implements Consequence {
  readonly #planted: PlantedStatement;
  readonly #link: Link;

  constructor(planted: PlantedStatement, link: Link) {
    this.#planted = planted;
    this.#link = link;
  }

  commit(): void {}

  /** It was skipped: the statement is there as before, and what came in its place is gone. */
  rollback(): void {
    this.#link.statements.replant(this.#planted);
  }
}

/** Two things that hang on one message. */
export class BothOf implements Consequence {
  readonly #one: Consequence;
  readonly #other: Consequence;

  constructor(one: Consequence, other: Consequence) {
    this.#one = one;
    this.#other = other;
  }

  commit(): void {
    this.#one.commit();
    this.#other.commit();
  }

  rollback(failed: boolean): void {
    this.#other.rollback(failed);
    this.#one.rollback(failed);
  }
}

export function both(one: Consequence | null, other: Consequence | null): Consequence | null {
  if (one === null) return other;
  return other === null ? one : new BothOf(one, other);
}
