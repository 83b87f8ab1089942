/**
 * Resolves a plain read where no temporary view can be made of it, as on Aurora DSQL: by its own
 * words and by the types of the columns that they name. What is not plain is not cacheable.
 */
import type { SqlParser } from '../sql/facts/parser.ts';
import { type Operand, type PlainRead, readPlainly } from '../sql/resolved/plain-read.ts';
import { COMMENT_MARK, withoutBlanks } from '../sql/shape/text-parts.ts';
import { EQ, type RunCatalogueQuery } from './catalogue-sql.ts';
import { literal } from './relations-by-name.ts';
import type { ResolvedRead } from './resolved-read.ts';

const TEXT = 25;
const VARCHAR = 1043;
/** Below are PostgreSQL's own: FirstNormalObjectId of `transam.h`. */
const FIRST_USER_OID = 16384;
/** Among them no operator is less than immutable. */
const NUMBERS: ReadonlySet<number> = new Set([20, 21, 23, 700, 701, 1700]);
/** timetz with its array, and the names of objects: their text changes by itself. */
const RESTLESS: ReadonlySet<number> = new Set([
  24, 1266, 1270, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191,
]);

const refused = (reason: string): ResolvedRead => ({
  isCacheable: false,
  status: 'uncacheable',
  reason,
});

/** Columns by the name that the statement has for their table. */
type Columns = ReadonlyMap<string, ReadonlyMap<string, number>>;

/**
 * @param given one SELECT without comments
 * @param types of its parameters, 0 for those that the server is to find out
 * @throws what `run` throws
 */
export async function resolvePlainRead(
  run: RunCatalogueQuery,
  parser: SqlParser,
  given: string,
  types: readonly number[] = [],
): Promise<ResolvedRead> {
  const text = withoutBlanks(given.replaceAll(COMMENT_MARK, ' '), ';');
  let read: PlainRead | null;
  try {
    read = readPlainly(parser.parse(text), types);
  } catch {
    const reason = 'nobody could read it';
    return { isCacheable: false, status: 'uncacheable', reason, isError: true };
  }
  if (read === null) return refused('more than a plain read, and the origin cannot be asked');
  const columns = new Map<string, ReadonlyMap<string, number>>();
  const relations: number[] = [];
  for (const { schema, name, alias } of read.relations) {
    const found = await tableOf(run, schema, name);
    if (found === null || columns.has(alias)) return refused(`the relation ${name}`);
    relations.push(found.oid);
    columns.set(alias, found.columns);
  }
  const unknown = read.columns.find((column) => typesOf(column, columns).length === 0);
  if (unknown !== undefined) return refused(`the column ${unknown.name}`);
  const all = [...columns.values()].flatMap((one) => [...one.values()]);
  if (all.some((type) => RESTLESS.has(type))) return refused('a type that changes by itself');
  const objection = await objectionTo(run, read, columns);
  if (objection !== null) return refused(objection);
  return { isCacheable: true, relations: [...new Set(relations)].sort((a, b) => a - b) };
}

/** A table of a user's that nothing inherits from, as the name means it under `search_path`. */
async function tableOf(
  run: RunCatalogueQuery,
  schema: string | null,
  name: string,
): Promise<{ oid: number; columns: ReadonlyMap<string, number> } | null> {
  const place =
    schema === null
      ? 'pg_catalog.pg_table_is_visible(c.oid)'
      : `n.nspname::pg_catalog.text ${EQ} ${literal(schema)}`;
  const rows = await run(
    `SELECT c.oid::pg_catalog.text, a.attname::pg_catalog.text, a.atttypid::pg_catalog.text
    FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid ${EQ} c.relnamespace
      JOIN pg_catalog.pg_attribute a ON a.attrelid ${EQ} c.oid
    WHERE c.relname::pg_catalog.text ${EQ} ${literal(name)} AND ${place}
      AND c.relkind ${EQ} 'r'::"char" AND c.relpersistence ${EQ} 'p'::"char"
      AND NOT c.relrowsecurity AND NOT c.relhassubclass
      AND a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2 AND NOT a.attisdropped`,
  );
  const oid = Number(rows[0]?.[0] ?? 0);
  if (oid < FIRST_USER_OID || rows.some((row) => Number(row[0]) !== oid)) return null;
  return { oid, columns: new Map(rows.map(([, column, type]) => [column ?? '', Number(type)])) };
}

/** All that a column of that name may be of. */
function typesOf(operand: Operand, columns: Columns): readonly number[] {
  if (operand.kind === 'value') return [operand.type];
  const tables = operand.of === null ? [...columns.values()] : [columns.get(operand.of)];
  return tables
    .map((table) => table?.get(operand.name))
    .filter((type): type is number => type !== undefined);
}

/** What the server's own names stand for, and why that forbids that the answer is kept. */
async function objectionTo(
  run: RunCatalogueQuery,
  read: PlainRead,
  columns: Columns,
): Promise<string | null> {
  const anyOf = (names: Iterable<string>): string =>
    `${EQ} ANY (ARRAY[${[...new Set(names)].map(literal).join(',')}]::pg_catalog.text[])`;
  const { aggregates, operators, types } = read;
  const users = [
    ['pg_proc', 'proname', aggregates],
    ['pg_type', 'typname', types],
  ] as const;
  for (const [table, column, names] of users) {
    if (names.length === 0) continue;
    const found = await run(
      `SELECT FROM pg_catalog.${table} WHERE ${column}::pg_catalog.text ${anyOf(names)}
        AND oid OPERATOR(pg_catalog.>=) ${FIRST_USER_OID}::pg_catalog.oid`,
    );
    if (found.length > 0) return `a name that a user has used too: ${names.join(', ')}`;
  }
  if (operators.length === 0) return null;
  const rows = await run(
    `SELECT o.oprname::pg_catalog.text, o.oprleft::pg_catalog.text, o.oprright::pg_catalog.text,
      (p.provolatile ${EQ} 'i'::"char" AND o.oid OPERATOR(pg_catalog.<) ${FIRST_USER_OID})
        ::pg_catalog.text
    FROM pg_catalog.pg_operator o
      JOIN pg_catalog.pg_proc p ON p.oid ${EQ} o.oprcode::pg_catalog.oid
    WHERE o.oprname::pg_catalog.text ${anyOf(operators.map(({ name }) => name))}`,
  );
  const known = new Map(rows.map(([name, left, right, is]) => [`${name} ${left} ${right}`, is]));
  for (const { name, left, right } of operators) {
    for (const leftType of typesOf(left, columns)) {
      for (const rightType of typesOf(right, columns)) {
        if (!isImmutable(name, leftType, rightType, known)) return `the operator ${name}`;
      }
    }
  }
  return null;
}

/**
 * By the first rule of PostgreSQL's that applies: a value without a type has that of the other
 * side, if there is such an operator. What needs further rules is left alone.
 */
function isImmutable(
  name: string,
  left: number,
  right: number,
  known: ReadonlyMap<string, string | null | undefined>,
): boolean {
  const [leftType, rightType] = [left === 0 ? right : left, right === 0 ? left : right].map(
    (type) => (type === VARCHAR || type === 0 ? TEXT : type),
  ) as [number, number];
  const exact = known.get(`${name} ${leftType} ${rightType}`);
  if (exact !== undefined) return exact === 'true';
  return (
    NUMBERS.has(leftType) &&
    NUMBERS.has(rightType) &&
    [...known.keys()].some((key) => key.startsWith(`${name} `))
  );
}
