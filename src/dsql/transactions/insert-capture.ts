/**
 * An INSERT is captured by the rows it made: a replay then gives the same values, whatever the
 * defaults are (sequences, identity, gen_random_uuid).
 */
import { visitParts } from '../../sql/shape/text-parts.ts';
import { quoteName, quoteRelation } from '../sql-text.ts';
import type { RelationName, Write } from '../statements/judgement.ts';

const isBlankOrEnd = (byte: number | undefined): boolean =>
  byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d) || byte === 0x3b;

/** The end of what is neither blank nor comment nor `;`, or -1 when something does not end. */
function endOfStatement(bytes: Buffer): number {
  let last = 0;
  const plain = (start: number, end: number): void => {
    while (end > start && isBlankOrEnd(bytes[end - 1])) end--;
    if (end > start) last = end;
  };
  const isWhole = visitParts(bytes, 0, bytes.length, {
    plain,
    comment: () => {},
    parameter: plain,
  });
  return isWhole ? last : -1;
}

/**
 * Whether a value is the same when its text is read again: not with fewer digits of floats, nor
 * with abbreviations of time zones, which have several meanings.
 */
const IS_EXACT =
  "pg_catalog.current_setting('extra_float_digits') IN ('1', '2', '3') " +
  "AND pg_catalog.starts_with(pg_catalog.current_setting('DateStyle'), 'ISO')";

/**
 * The text with the whole row, as text, behind what it returns; NULL where the text would not be
 * the row. Null when it is left alone.
 */
export function withRowReturned(text: string, insert: NonNullable<Write['insert']>): string | null {
  const bytes = Buffer.from(text);
  const end = endOfStatement(bytes);
  if (end <= 0) return null;
  const row = `(${quoteName(insert.into.name)}.*)::pg_catalog.text`;
  const column = `CASE WHEN ${IS_EXACT} THEN ${row} END`;
  const join = insert.hasReturning ? ',' : ' RETURNING';
  return `${bytes.toString('utf8', 0, end)}${join} ${column}`;
}

/**
 * Puts captured rows, `$1`, into the table again.
 * @param columns those that can be given a value
 */
export function reinsertion(into: RelationName, columns: readonly string[]): string {
  const table = quoteRelation(into);
  const names = columns.map(quoteName);
  // OFFSET 0 keeps the text of a row from being read once for each column.
  const rows =
    `SELECT t::${table} AS r FROM pg_catalog.unnest($1::pg_catalog.text[]) ` +
    'WITH ORDINALITY AS u(t, n) ORDER BY n OFFSET 0';
  const values = names.map((name) => `(q.r).${name}`).join(', ');
  return (
    `INSERT INTO ${table} (${names.join(', ')}) OVERRIDING SYSTEM VALUE ` +
    `SELECT ${values} FROM (${rows}) q`
  );
}

/** The columns of `$1` that are not generated. */
export const COLUMNS_QUERY = `SELECT attname FROM pg_catalog.pg_attribute
  WHERE attrelid = pg_catalog.to_regclass($1) AND attnum > 0 AND NOT attisdropped
    AND attgenerated = '' ORDER BY attnum`;

const quoteElement = (value: string): string =>
  `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

/** As PostgreSQL writes an array of texts. */
export const arrayLiteral = (values: readonly string[]): string =>
  `{${values.map(quoteElement).join(',')}}`;

/** The first word, in small letters. */
export function firstWord(text: string): string {
  const bytes = Buffer.from(text);
  let word = '';
  const plain = (start: number, end: number): void => {
    if (word === '') word = /^\s*([A-Za-z]*)/.exec(bytes.toString('latin1', start, end))?.[1] ?? '';
  };
  visitParts(bytes, 0, bytes.length, { plain, comment: () => {}, parameter: plain });
  return word.toLowerCase();
}
