/** Rows that a transaction has locked or written, by what PostgreSQL notes on them. */
import type { Rows } from '../server/server-link.ts';
import { quoteRelation } from '../sql-text.ts';
import type { RelationName } from '../statements/judgement.ts';
import { arrayLiteral } from './insert-capture.ts';

export type Run = (text: string, parameters?: readonly (string | null)[]) => Promise<Rows>;

/** Numbers of this transaction and of what is open below it. */
const OWN_TRANSACTIONS = `(SELECT l.transactionid FROM pg_catalog.pg_locks l
  WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'transactionid'
    AND l.mode = 'ExclusiveLock' AND l.granted)`;

const QUALIFIED = "pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)";

/** The table of `$1`, and a column that can be set to itself: best one that no index has. */
const TOUCH_QUERY = `SELECT ${QUALIFIED},
    pg_catalog.quote_ident(a.attname)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.oid = pg_catalog.to_regclass($1) AND c.relkind = 'r'
    AND a.attgenerated = '' AND a.attidentity <> 'a'
    AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'UPDATE')
  ORDER BY EXISTS (SELECT FROM pg_catalog.pg_index i
      WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey)), a.attlen < 0, a.attnum
  LIMIT 1`;

/**
 * Writes the rows that the transaction has locked, without changing them: a lock leaves nothing
 * behind, but who has an older snapshot must meet with it after the COMMIT.
 */
export async function touchLocked(run: Run, relations: readonly RelationName[]): Promise<void> {
  for (const name of distinct(relations)) {
    const { rows } = await run(TOUCH_QUERY, [name]);
    const [table, column] = rows[0] ?? [];
    // A view, or a table of which no column can be written: see SPEC.md.
    if (table == null || column == null) continue;
    await run(`UPDATE ONLY ${table} SET ${column} = ${column} WHERE xmax IN ${OWN_TRANSACTIONS}`);
  }
}

const READABLE_QUERY = `SELECT ${QUALIFIED}
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = pg_catalog.to_regclass($1) AND c.relkind = 'r'
    AND pg_catalog.has_table_privilege(c.oid, 'SELECT')`;

/** The size, as text, of the rows that the transaction has written. */
export async function writtenBytes(run: Run, relations: readonly RelationName[]): Promise<number> {
  let bytes = 0;
  for (const name of distinct(relations)) {
    const { rows } = await run(READABLE_QUERY, [name]);
    const table = rows[0]?.[0];
    if (table == null) continue;
    const sum = await run(`SELECT COALESCE(pg_catalog.sum(pg_catalog.octet_length(
      (t.*)::pg_catalog.text)), 0) FROM ONLY ${table} t WHERE t.xmin IN ${OWN_TRANSACTIONS}`);
    bytes += Number(sum.rows[0]?.[0] ?? 0);
  }
  return bytes;
}

/** Rows written in this transaction so far, also by what a statement's tag does not count. */
export async function writtenRowCount(
  run: Run,
  relations: readonly RelationName[],
): Promise<number> {
  const { rows } = await run(
    `SELECT COALESCE(pg_catalog.sum(pg_catalog.pg_stat_get_xact_tuples_inserted(r)
        + pg_catalog.pg_stat_get_xact_tuples_updated(r)
        + pg_catalog.pg_stat_get_xact_tuples_deleted(r)), 0)
      FROM pg_catalog.unnest($1::pg_catalog.text[]) AS n(name),
        pg_catalog.to_regclass(n.name) AS r WHERE r IS NOT NULL`,
    [arrayLiteral(distinct(relations))],
  );
  return Number(rows[0]?.[0] ?? 0);
}

/** Rows written in this transaction so far, in whatever table of clients. */
export async function allWrittenRowCount(run: Run): Promise<number> {
  const { rows } = await run(
    `SELECT COALESCE(pg_catalog.sum(pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid)
        + pg_catalog.pg_stat_get_xact_tuples_updated(c.oid)
        + pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid)), 0)
      FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'sys')`,
  );
  return Number(rows[0]?.[0] ?? 0);
}

const distinct = (relations: readonly RelationName[]): string[] => [
  ...new Set(relations.map(quoteRelation)),
];
