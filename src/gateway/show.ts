import { type Column, encodeResult, INT4, INT8 } from '../protocol/result.ts';
import { quoteLiteral } from '../session/settings.ts';

/** What a `SHOW millrace.…` answers with; values are byte strings. */
export type Shown = {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
};

/** The answer to a simple Query of a client that has no link, but for its ReadyForQuery. */
export function shownAnswer({ columns, rows }: Shown): Uint8Array {
  return encodeResult(columns, rows);
}

/**
 * The query that has this answer. It is sent in place of the client's statement, so that it works
 * in both protocols and every format. A byte string.
 */
export function shownText({ columns, rows }: Shown): string {
  const nothing = columns.map((column) => `NULL::${typeOf(column)}`);
  const values = rows.map((row) =>
    row.map((value, at) => `${quoteLiteral(value)}::${typeOf(columns[at])}`),
  );
  const tuples = (rows.length > 0 ? values : [nothing]).map((tuple) => `(${tuple.join(', ')})`);
  const names = columns.map(({ name }) => `"${name}"`).join(', ');
  const all = `SELECT * FROM (VALUES ${tuples.join(', ')}) AS shown (${names})`;
  return rows.length > 0 ? all : `${all} WHERE false`;
}

function typeOf(column: Column | undefined): string {
  if (column?.type === INT4) return 'pg_catalog.int4';
  return column?.type === INT8 ? 'pg_catalog.int8' : 'pg_catalog.text';
}
