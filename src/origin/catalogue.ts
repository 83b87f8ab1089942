import { CatalogueSnapshot } from '../sql/catalogue/catalogue.ts';
import type {
  CatalogueEdge,
  CatalogueFunction,
  CatalogueImplied,
  CatalogueNamed,
  CatalogueRelation,
  CatalogueRows,
  CatalogueUnsafe,
  CatalogueUse,
  EdgeMode,
  ObjectClass,
} from '../sql/catalogue/catalogue-rows.ts';
import { FunctionReader } from '../sql/catalogue/function-facts.ts';
import type { SqlParser } from '../sql/facts/parser.ts';
import { DSQL_CATALOGUE_QUERY } from './catalogue-dsql.ts';
import { catalogueQuery, SYSTEM_NAMES_QUERY } from './catalogue-query.ts';
import type { RunCatalogueQuery } from './catalogue-sql.ts';

/** What was read of functions before is kept for as long as the parser that read them. */
const readers = new WeakMap<SqlParser, FunctionReader>();

function readerOf(parser: SqlParser): FunctionReader {
  let reader = readers.get(parser);
  if (reader === undefined) {
    reader = new FunctionReader(parser);
    readers.set(parser, reader);
  }
  return reader;
}

/**
 * Reads the catalogue of the database that `run` is connected to, in two statements. Functions
 * of users are read with `parser`, once for each definition.
 * @param hasAll false for Aurora DSQL: see {@link DSQL_CATALOGUE_QUERY}
 * @throws what `run` throws
 */
export async function readCatalogue(
  run: RunCatalogueQuery,
  parser: SqlParser,
  hasAll = true,
): Promise<CatalogueSnapshot> {
  const [system = []] = await run(SYSTEM_NAMES_QUERY);
  const [functions, volatiles, relations, types, operators] = [0, 1, 2, 3, 4].map(
    (index) => new Set((system[index] ?? '').split(' ')),
  ) as [Set<string>, Set<string>, Set<string>, Set<string>, Set<string>];
  const query = hasAll ? catalogueQuery(volatiles) : DSQL_CATALOGUE_QUERY;
  const collected = collect(await run(query));
  const reader = readerOf(parser);
  await readAhead(collected, reader);
  return CatalogueSnapshot.of(
    {
      ...collected,
      systemFunctions: functions,
      systemVolatile: volatiles,
      systemRelations: relations,
      systemTypes: types,
      systemOperators: operators,
    },
    reader,
  );
}

/** Functions are read for so long at a time, while sessions wait. */
const READ_SLICE_MS = 4;

/** Reading a function takes about a millisecond, so others get their turn in between. */
async function readAhead(rows: UserRows, reader: FunctionReader): Promise<void> {
  let sliceEndMs = performance.now() + READ_SLICE_MS;
  for (const fn of rows.functions) {
    if (fn.definition === null || rows.trusted.has(`f${fn.oid}`)) continue;
    reader.read(fn);
    if (performance.now() < sliceEndMs) continue;
    await new Promise((resolve) => setImmediate(resolve));
    sliceEndMs = performance.now() + READ_SLICE_MS;
  }
}

type UserRows = Omit<
  CatalogueRows,
  'systemFunctions' | 'systemVolatile' | 'systemRelations' | 'systemTypes' | 'systemOperators'
>;

/** Sorts the rows of the query by their kind. */
function collect(rows: readonly (string | null)[][]): UserRows {
  const functions: CatalogueFunction[] = [];
  const relations: CatalogueRelation[] = [];
  const types: CatalogueNamed[] = [];
  const implied: CatalogueImplied[] = [];
  const edges: CatalogueEdge[] = [];
  const unsafe: CatalogueUnsafe[] = [];
  const uses: CatalogueUse[] = [];
  const eventTriggers: string[] = [];
  const trusted = new Set<string>();
  for (const row of rows) {
    const [kind, a, b, c, d, e, f] = row.map((column) => column ?? '') as string[] &
      [string, string, string, string, string, string, string];
    if (kind === 'function') functions.push(functionRow(row));
    else if (kind === 'relation') relations.push({ oid: a, schema: b, name: c, kind: d });
    else if (kind === 'type') types.push({ oid: a, schema: b, name: c });
    else if (kind === 'implied') {
      const impliedKind = a as CatalogueImplied['kind'];
      implied.push({ kind: impliedKind, oid: b, schema: c, name: d, leftType: e, rightType: f });
    } else if (kind === 'edge') {
      const [ownerClass, refClass] = [b, d] as [ObjectClass, ObjectClass];
      edges.push({ mode: a as EdgeMode, ownerClass, owner: c, refClass, ref: e });
    } else if (kind === 'unsafe') {
      const mode = a as 'R' | 'W';
      const readsSequences = e === 'true';
      const ownerClass = b as ObjectClass;
      unsafe.push({ mode, ownerClass, owner: c, effects: Number(d), readsSequences });
    } else if (kind === 'use') {
      const functions = c.split(' ').filter((name) => name !== '');
      uses.push({ ownerClass: a as ObjectClass, owner: b, functions, isMore: d === 'true' });
    } else if (kind === 'event') eventTriggers.push(a);
    else if (kind === 'trusted') trusted.add(a);
  }
  return { functions, relations, types, implied, edges, unsafe, uses, eventTriggers, trusted };
}

function functionRow(row: readonly (string | null)[]): CatalogueFunction {
  return {
    oid: row[1] ?? '',
    schema: row[2] ?? '',
    name: row[3] ?? '',
    language: row[4] ?? '',
    takesArgument: row[5] === 'true',
    definition: row[6] ?? null,
  };
}
