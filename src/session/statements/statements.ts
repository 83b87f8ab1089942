import { byteString, readUint16, readUint32 } from '../../base/bytes.ts';
import type { Facts } from '../../sql/facts/facts.ts';

/**
 * Prepared statements. A client's name stands for a {@link Statement} (text, parameter types and
 * the settings that decide what the text means); every link holds statements under names of its
 * own, numbered and never derived from the text, made when first needed.
 */

/** One text with its parameter types. Shared by all clients that prepared the same. */
export type Statement = {
  /** Identity in the table: {@link statementKey}. */
  readonly key: string;
  /**
   * {@link Settings.parseSignature} of the client that parsed it. Null when nobody knows what the
   * settings were, or when its text means something else each time: it then belongs to one client.
   */
  readonly signature: string | null;
  /** The Parse message's bytes from the zero that ends the name: zero, text, zero, types. Owned. */
  readonly body: Uint8Array;
  readonly facts: Facts;
  /**
   * What it takes and returned when it was first prepared, see {@link Description}; null as long
   * as nobody knows. Whoever was told must not get anything else.
   */
  described: string | null;
};

/**
 * Statements are the same when text, types and the settings that decide the text's meaning are.
 * `body` begins with a zero and a signature never does, so no two can be confused.
 */
export function statementKey(signature: string, body: string): string {
  return signature === '' ? body : signature + body;
}

/** Bounds of a {@link StatementTable}. */
export type StatementTableLimits = {
  readonly statementsMax: number;
  readonly bytesMax: number;
};

/**
 * All statements that clients prepared lately, by text. Losing one is
 * harmless: whoever holds it keeps it, and the next client to prepare the text makes a new one.
 */
export class StatementTable {
  readonly #limits: StatementTableLimits;
  readonly #statements = new Map<string, Statement>();
  #bytes = 0;

  constructor(limits: StatementTableLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#statements.size;
  }

  find(key: string): Statement | undefined {
    return this.#statements.get(key);
  }

  /** From now on texts mean other statements, which may return something else. */
  clear(): void {
    this.#statements.clear();
    this.#bytes = 0;
  }

  add(statement: Statement): void {
    this.#statements.set(statement.key, statement);
    this.#bytes += weight(statement);
    for (const [key, oldest] of this.#statements) {
      if (
        this.#statements.size <= this.#limits.statementsMax &&
        this.#bytes <= this.#limits.bytesMax
      ) {
        break;
      }
      this.#statements.delete(key);
      this.#bytes -= weight(oldest);
    }
  }
}

/** Key and body both hold the text. */
function weight(statement: Statement): number {
  return statement.key.length + statement.body.length;
}

/** Names that the gateway gives begin with this, and no client may reach one by guessing it. */
export const RESERVED_PREFIX = 'millrace_';

/** Behind a client's name that could be one of the gateway's, so that it is none. */
export const EVASION = ' ';

/** What DEALLOCATE removes in place of the client's statement, which others may share. */
export const STAND_IN = `${RESERVED_PREFIX}gone`;
export const STAND_IN_NAME = Buffer.from(STAND_IN, 'latin1');

/** Whether a client's name could be taken for one of the gateway's. */
export function isReservedName(name: string): boolean {
  return name.startsWith(RESERVED_PREFIX);
}

/** So many statements that a link no longer holds can still be told in errors. */
const RECENT_MAX = 64;

/** A statement as one link holds it. */
export type LinkStatement = {
  statement: Statement;
  /** Name on the link, as bytes without the terminating zero. */
  readonly name: Uint8Array;
  /** Whether the server has answered ParseComplete. */
  isReady: boolean;
  /** The like on this link; null when nobody knows. */
  described: string | null;
  /** The server is being asked what it returns. */
  isDescribing: boolean;
  /** When it was parsed for whoever shares the link; long ago when it was for one client. */
  sharedSinceMs: number;
  /** How many unnamed statements have run by it. */
  unnamedRuns: number;
  /** Whether a lane's Parse of it brought a notice, which all who parse the text must read. */
  hasNotice: boolean;
  /** Number of the unit, of the client that has the link, in which the Parse was sent. */
  readonly unit: number;
  /** What the client calls it in the message that is answered next, or was answered last. */
  clientName: string;
  /** Messages that may yet change the name above: it is not that of what is sent now. */
  namesPending: number;
};

/** A statement that lies on one link under its client's own name, for SQL to find. */
export type PlantedStatement = {
  /** As a byte string. */
  readonly name: string;
  readonly statement: Statement;
  /** What it returns there, see {@link Statement.described}. */
  described: string | null;
  /** Answers are due before anybody can count upon it. */
  isAwaited: boolean;
};

const NONE: readonly Uint8Array[] = [];

/** The named statements of one link, least recently used first. */
export class LinkStatements {
  readonly #statements = new Map<Statement, LinkStatement>();
  /** Prepared on the server, but no longer to be used: to be closed when nobody can mind. */
  #discarded: LinkStatement[] = [];
  #lastNumber = 0;
  readonly #planted = new Map<string, PlantedStatement>();
  /** Those that came last, whatever became of them: the server may still name them in errors. */
  readonly #recent: LinkStatement[] = [];

  get size(): number {
    return this.#statements.size;
  }

  /** How many were prepared under names of the link's and not closed yet. */
  get heldCount(): number {
    return this.#statements.size + this.#discarded.length;
  }

  /** How many there are on the server for certain. */
  get preparedCount(): number {
    let count = 0;
    for (const { isAwaited } of this.#planted.values()) if (!isAwaited) count++;
    for (const { isReady } of this.#statements.values()) if (isReady) count++;
    return count;
  }

  /** The statement on this link, which becomes the most recently used one. */
  use(statement: Statement): LinkStatement | undefined {
    const held = this.#statements.get(statement);
    if (held === undefined) return undefined;
    this.#statements.delete(statement);
    this.#statements.set(statement, held);
    return held;
  }

  /** The client's name for one of the link's, or null when it is not known any more. */
  clientNameOf(linkName: string): string | null {
    for (const held of [...this.#statements.values(), ...this.#recent]) {
      if (byteString(held.name, 0, held.name.length) === linkName) return held.clientName;
    }
    return null;
  }

  /** Whether the fields of an error name one that should be there. */
  hasName(fields: string): boolean {
    for (const { isReady, name } of this.#statements.values()) {
      if (isReady && fields.includes(`"${byteString(name, 0, name.length)}"`)) return true;
    }
    return false;
  }

  /** A new name for the statement; an older one of the same statement is to be closed. */
  add(statement: Statement, unit: number): LinkStatement {
    const older = this.#statements.get(statement);
    if (older !== undefined) this.discard(older);
    const name = Buffer.from(`${RESERVED_PREFIX}s${++this.#lastNumber}`, 'latin1');
    const held: LinkStatement = {
      statement,
      name,
      isReady: false,
      described: null,
      isDescribing: false,
      sharedSinceMs: Number.NEGATIVE_INFINITY,
      unnamedRuns: 0,
      hasNotice: false,
      unit,
      clientName: '',
      namesPending: 0,
    };
    this.#statements.set(statement, held);
    this.#recent.push(held);
    if (this.#recent.length > RECENT_MAX) this.#recent.shift();
    return held;
  }

  planted(name: string): PlantedStatement | undefined {
    return this.#planted.get(name);
  }

  plant(name: string, statement: Statement): PlantedStatement {
    const planted = { name, statement, described: null, isAwaited: true };
    this.#planted.set(name, planted);
    return planted;
  }

  /** It is not there, or not any more. */
  uproot(planted: PlantedStatement): void {
    if (this.#planted.get(planted.name) === planted) this.#planted.delete(planted.name);
  }

  /** It is there after all. */
  replant(planted: PlantedStatement): void {
    this.#planted.set(planted.name, planted);
  }

  /** It is another statement than was thought. */
  restate(held: LinkStatement, statement: Statement): void {
    if (this.#statements.get(held.statement) !== held) return;
    this.#statements.delete(held.statement);
    held.statement = statement;
    this.#statements.set(statement, held);
  }

  /** Its Parse did not happen: the name does not exist on the server. */
  forget(held: LinkStatement): void {
    if (this.#statements.get(held.statement) === held) this.#statements.delete(held.statement);
    this.#discarded = this.#discarded.filter((other) => other !== held);
  }

  /** It exists on the server, but must not be used again. */
  discard(held: LinkStatement): void {
    if (this.#statements.get(held.statement) !== held) return;
    this.#statements.delete(held.statement);
    this.#discarded.push(held);
  }

  /** The server forgot all of them. */
  clear(): void {
    this.#statements.clear();
    this.#planted.clear();
    this.#discarded = [];
  }

  /**
   * Names of what is to be closed so that at most `statementsMax` remain. Only to be asked while no
   * portal is open on the link, since closing a statement may close its portals.
   */
  takeExcess(statementsMax: number): readonly Uint8Array[] {
    if (this.#statements.size > statementsMax) {
      for (const held of this.#statements.values()) {
        if (this.#statements.size <= statementsMax) break;
        this.discard(held);
      }
    }
    if (this.#discarded.length === 0) return NONE;
    const excess = this.#discarded.map(({ name }) => name);
    this.#discarded = [];
    return excess;
  }

  /** Client's names of statements, all to be closed likewise. */
  takePlanted(): readonly Uint8Array[] {
    if (this.#planted.size === 0) return NONE;
    const names = [...this.#planted.keys()].map((name) => Buffer.from(name, 'latin1'));
    this.#planted.clear();
    return names;
  }
}

/** Types of the parameters in a {@link Statement.body}; null when it is malformed. */
export function parameterTypes(body: Uint8Array): number[] | null {
  const textEnd = body.indexOf(0, 1);
  if (textEnd < 0 || textEnd + 3 > body.length) return null;
  const count = readUint16(body, textEnd + 1);
  if (textEnd + 3 + count * 4 !== body.length) return null;
  return Array.from({ length: count }, (_, n) => readUint32(body, textEnd + 3 + n * 4));
}
