/**
 * Where a transaction goes on that may have lost: temporary copies of the tables that it writes, in
 * its snapshot. A plain name then means the copy, so statements run as they are.
 */
import { quoteName, quoteRelation } from '../sql-text.ts';
import type { RelationName, Write } from '../statements/judgement.ts';
import { arrayLiteral } from './insert-capture.ts';
import {
  FOREIGN_KEYS_QUERY,
  NAMED_QUERY,
  NEIGHBOURS_QUERY,
  TABLE_COLUMNS_QUERY,
} from './overlay-queries.ts';
import type { Run } from './own-rows.ts';

/** Rows that one transaction may have copied, over all tables. */
export const OVERLAY_ROWS_MAX = 100_000;
/** The same in bytes, as the tables lie on disk. */
const OVERLAY_BYTES_MAX = 256 * 1_048_576;

/** It cannot go on in copies; the text says why, for DETAIL. */
export class OverlayRefusal extends Error {}

type Table = {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly isWritten: boolean;
};

type Column = { readonly name: string; readonly isGiven: boolean; readonly isIdentity: boolean };

const oids = (tables: readonly { readonly oid: string }[]): string =>
  `{${tables.map(({ oid }) => oid).join(',')}}`;

export class Overlay {
  readonly #run: Run;
  /** Names of the copies by the oid of what they are copies of. */
  readonly #copies = new Map<string, Table>();
  readonly #foreignKeys = new Set<string>();
  #rowCount = 0;
  #bytes = 0;

  constructor(run: Run) {
    this.#run = run;
  }

  /**
   * Copies what the statement writes or locks, and what must be there for it.
   * @throws OverlayRefusal | ServerError
   */
  async cover({ targets, locks }: Write): Promise<void> {
    const named = [...targets, ...locks.flatMap(({ relations }) => relations)];
    if (named.length === 0) return;
    const tables = await this.#neighbours(named);
    for (const table of tables) {
      if (!this.#copies.has(table.oid)) await this.#copy(table);
    }
    const written = tables.filter(({ isWritten }) => isWritten);
    const { rows } = await this.#run(FOREIGN_KEYS_QUERY, [oids(written)]);
    for (const [oid, text] of rows) {
      if (this.#foreignKeys.has(oid ?? '')) continue;
      await this.#run(text ?? '');
      this.#foreignKeys.add(oid ?? '');
    }
  }

  /**
   * Whether a plan, as JSON of EXPLAIN, reaches a table that has a copy, past that copy: by a name
   * with a schema, or by a view.
   */
  isBypassedBy(plan: unknown): boolean {
    const originals = new Set(
      [...this.#copies.values()].map(({ schema, name }) => JSON.stringify([schema, name])),
    );
    // A plan is as deep as its JSON, which PostgreSQL limits.
    const look = (node: unknown): boolean => {
      if (Array.isArray(node)) return node.some(look);
      if (typeof node !== 'object' || node === null) return false;
      const { Schema: schema, 'Relation Name': name } = node as Record<string, unknown>;
      if (name !== undefined && originals.has(JSON.stringify([schema, name]))) return true;
      return Object.values(node).some(look);
    };
    return look(plan);
  }

  async #neighbours(named: readonly RelationName[]): Promise<Table[]> {
    const found = await this.#run(NAMED_QUERY, [arrayLiteral(named.map(quoteRelation))]);
    if (found.rows.some(([, kind]) => kind !== 'r')) {
      throw new OverlayRefusal('what it writes is not a plain table');
    }
    const names = new Set(named.map(({ name }) => name));
    const copied = [...this.#copies.values()].filter(
      ({ isWritten, name }) => isWritten || names.has(name),
    );
    const roots = [...found.rows.map(([oid]) => ({ oid: oid ?? '' })), ...copied];
    const { rows } = await this.#run(NEIGHBOURS_QUERY, [oids(roots)]);
    const tables: Table[] = [];
    for (const [oid, schema, name, isWritten, isPlain, bytes] of rows) {
      const table = {
        oid: oid ?? '',
        schema: schema ?? '',
        name: name ?? '',
        isWritten: isWritten === 't',
      };
      tables.push(table);
      const copy = this.#copies.get(table.oid);
      if (copy !== undefined) {
        this.#copies.set(table.oid, table);
        continue;
      }
      if (isPlain !== 't') {
        throw new OverlayRefusal('its name without a schema means another table');
      }
      this.#bytes += Number(bytes);
    }
    if (this.#bytes > OVERLAY_BYTES_MAX) throw tooLarge();
    return tables;
  }

  async #copy(table: Table): Promise<void> {
    const original = quoteRelation(table);
    const left = OVERLAY_ROWS_MAX - this.#rowCount;
    const counted = await this.#run(
      `SELECT pg_catalog.count(*) FROM (SELECT FROM ONLY ${original} LIMIT ${left + 1}) AS r`,
    );
    const rowCount = Number(counted.rows[0]?.[0]);
    if (rowCount > left) throw tooLarge();
    this.#rowCount += rowCount;
    const copy = quoteRelation({ schema: 'pg_temp', name: table.name });
    const columns = await this.#columns(table);
    const given = columns.filter(({ isGiven }) => isGiven).map(({ name }) => quoteName(name));
    await this.#run(
      `CREATE TEMPORARY TABLE ${copy} (LIKE ${original} INCLUDING DEFAULTS INCLUDING CONSTRAINTS
        INCLUDING INDEXES INCLUDING GENERATED INCLUDING IDENTITY)`,
    );
    const list = given.join(', ');
    const into = given.length === 0 ? '' : `(${list}) OVERRIDING SYSTEM VALUE`;
    await this.#run(`INSERT INTO ${copy} ${into} SELECT ${list} FROM ONLY ${original}`);
    for (const { name, isIdentity } of columns) {
      if (isIdentity) await this.#restart(copy, quoteName(name));
    }
    this.#copies.set(table.oid, table);
  }

  /** The copy has a sequence of its own, which must not give what is there already. */
  async #restart(copy: string, column: string): Promise<void> {
    const { rows } = await this.#run(
      `SELECT GREATEST(COALESCE(pg_catalog.max(${column}), 0), 0) + 1 FROM ${copy}`,
    );
    const next = rows[0]?.[0] ?? '1';
    await this.#run(`ALTER TABLE ${copy} ALTER COLUMN ${column} RESTART WITH ${next}`);
  }

  async #columns({ oid }: Table): Promise<Column[]> {
    const { rows } = await this.#run(TABLE_COLUMNS_QUERY, [oid]);
    return rows.map(([name, isGiven, isIdentity]) => ({
      name: name ?? '',
      isGiven: isGiven === 't',
      isIdentity: isIdentity === 't',
    }));
  }
}

const tooLarge = (): OverlayRefusal =>
  new OverlayRefusal(
    `what it writes has more than ${OVERLAY_ROWS_MAX} rows or ` +
      `${OVERLAY_BYTES_MAX / 1_048_576} MiB, which is too much to set aside`,
  );
