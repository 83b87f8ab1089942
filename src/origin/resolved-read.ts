/**
 * Lets PostgreSQL itself resolve a read: which relations it reaches, and whether every function,
 * operator and cast in it is immutable. The statement becomes a temporary view in a transaction
 * that is rolled back; what PostgreSQL made of it is read from the catalogue, and so on for the
 * views in it. Nothing of the statement is executed, and any role that may make temporary tables
 * can do it.
 */
import { type RuleTree, readRuleTree } from '../sql/resolved/rule-tree.ts';
import {
  COMMENT_MARK,
  textWithParameters,
  visitParts,
  withoutBlanks,
} from '../sql/shape/text-parts.ts';
import { EQ, type RunCatalogueQuery, SYSTEM } from './catalogue-sql.ts';

/** What may be said of a read before it is asked for in the cache. */
export type ResolvedRead =
  | {
      readonly isCacheable: true;
      /** Ordered, without repetition: tables, materialized views, and their descendants. */
      readonly relations: readonly number[];
    }
  | {
      readonly isCacheable: false;
      /** `volatile` for a function that is not immutable, else `uncacheable`. */
      readonly status: 'volatile' | 'uncacheable';
      /** For people. */
      readonly reason: string;
      /** PostgreSQL refused the statement, perhaps for the value of a literal. */
      readonly isError?: true;
    };

/** Views may be made of views to this depth. */
const VIEW_DEPTH_MAX = 20;
const VIEW = 'millrace_read';
const PREPARED = 'millrace_read';
/** timetz and its array. */
const DATED_TYPES: readonly number[] = [1266, 1270];

const oids = (ids: Iterable<number>): string => `'{${[...ids].join(',')}}'::pg_catalog.oid[]`;

const refused = (status: 'volatile' | 'uncacheable', reason: string): ResolvedRead => ({
  isCacheable: false,
  status,
  reason,
});

/**
 * Resolves a read under the settings of the connection that `run` uses, which is outside of a
 * transaction, and is so again afterwards.
 *
 * @param given one SELECT, VALUES, TABLE or WITH without comments
 * @param types of its parameters, 0 for those that PostgreSQL is to find out
 * @throws what `run` throws when the connection is lost
 */
export async function resolveRead(
  run: RunCatalogueQuery,
  given: string,
  types: readonly number[] = [],
): Promise<ResolvedRead> {
  const text = withoutBlanks(given.replaceAll(COMMENT_MARK, ' '), ';');
  // Times of day with a zone depend on the date of today.
  if (types.some((type) => DATED_TYPES.includes(type))) return refused('volatile', 'timetz');
  try {
    await run('BEGIN READ WRITE');
    const typed = await withTypedParameters(run, text, types);
    // Names of columns may repeat in a query, but not in a view.
    await run(`CREATE TEMPORARY VIEW ${VIEW} AS SELECT FROM (\n${typed}\n) AS q`);
    const [own = []] = await run(
      `SELECT 'pg_temp.${VIEW}'::pg_catalog.regclass::pg_catalog.oid::pg_catalog.text`,
    );
    const resolved = await resolveView(run, Number(own[0]));
    await run('ROLLBACK');
    return resolved;
  } catch {
    await run('ROLLBACK');
    const left = await run(
      `SELECT FROM pg_catalog.pg_prepared_statements WHERE name ${EQ} '${PREPARED}'`,
    );
    if (left.length > 0) await run(`DEALLOCATE ${PREPARED}`);
    const reason = 'PostgreSQL does not make a view of it';
    return { isCacheable: false, status: 'uncacheable', reason, isError: true };
  }
}

/** The text with a NULL of the same type in place of each parameter. */
async function withTypedParameters(
  run: RunCatalogueQuery,
  text: string,
  types: readonly number[],
): Promise<string> {
  const bytes = Buffer.from(text);
  let count = 0;
  const nothing = (): void => {};
  const parameter = (_from: number, _to: number, number: number): void => {
    count = Math.max(count, number);
  };
  visitParts(bytes, 0, bytes.length, { plain: nothing, comment: nothing, parameter });
  if (count === 0) return text;
  const given = await run(
    `SELECT CASE WHEN t.oid ${EQ} ANY ('{0,705}'::pg_catalog.oid[]) THEN 'unknown'
      ELSE pg_catalog.format_type(t.oid, NULL) END
    FROM pg_catalog.unnest(${oids(types)}) WITH ORDINALITY AS t(oid, n) ORDER BY n`,
  );
  const list = given.length === 0 ? '' : `(${given.map(([name]) => name).join(',')})`;
  await run(`PREPARE ${PREPARED} ${list} AS\n${text}`);
  const found = await run(
    `SELECT t::pg_catalog.text FROM pg_catalog.pg_prepared_statements,
      pg_catalog.unnest(parameter_types) WITH ORDINALITY AS p(t, n)
    WHERE name ${EQ} '${PREPARED}' ORDER BY n`,
  );
  await run(`DEALLOCATE ${PREPARED}`);
  const typed = textWithParameters(bytes, 0, bytes.length, (number) => {
    const name = Buffer.from(found[number - 1]?.[0] ?? 'unknown').toString('latin1');
    return `(NULL::${name})`;
  });
  return typed === null ? text : Buffer.from(typed, 'latin1').toString();
}

/** Everything that the views at hand reach. */
class Reach {
  readonly views = new Set<number>();
  readonly relations = new Set<number>();
  readonly functions = new Set<number>();
  readonly operators = new Set<number>();
  readonly types = new Set<number>();
  convertsByText = false;

  add(tree: RuleTree): void {
    for (const id of tree.relations) this.relations.add(id);
    for (const id of tree.functions) this.functions.add(id);
    for (const id of tree.operators) this.operators.add(id);
    for (const id of tree.types) this.types.add(id);
    this.convertsByText ||= tree.convertsByText;
  }
}

async function resolveView(run: RunCatalogueQuery, view: number): Promise<ResolvedRead> {
  const reach = new Reach();
  let next = [view];
  for (let depth = 0; next.length > 0; depth++) {
    if (depth > VIEW_DEPTH_MAX) return refused('uncacheable', 'views of views without end');
    const rules = await run(viewRulesQuery(next));
    for (const id of next) reach.views.add(id);
    for (const [rule] of rules) {
      const tree = readRuleTree(rule ?? '');
      if (tree === null) return refused('uncacheable', 'something whose value may change');
      reach.add(tree);
    }
    const views = await run(viewsAmongQuery(reach.relations));
    next = views.map(([id]) => Number(id)).filter((id) => !reach.views.has(id));
  }
  if (DATED_TYPES.some((type) => reach.types.has(type))) return refused('volatile', 'timetz');
  for (const id of reach.views) reach.relations.delete(id);
  for (const [id] of await run(descendantsQuery(reach.relations))) reach.relations.add(Number(id));
  const [objection] = await run(objectionsQuery(reach));
  if (objection !== undefined) {
    const status = objection[0] === 'volatile' ? 'volatile' : 'uncacheable';
    return refused(status, objection[1] ?? '');
  }
  return { isCacheable: true, relations: [...reach.relations].sort((a, b) => a - b) };
}

function viewRulesQuery(views: readonly number[]): string {
  return `SELECT r.ev_action::pg_catalog.text FROM pg_catalog.pg_rewrite r
    WHERE r.ev_class ${EQ} ANY (${oids(views)}) AND r.ev_type ${EQ} '1'::"char"`;
}

function viewsAmongQuery(relations: Iterable<number>): string {
  return `SELECT c.oid::pg_catalog.text FROM pg_catalog.pg_class c
    WHERE c.oid ${EQ} ANY (${oids(relations)}) AND c.relkind ${EQ} 'v'::"char"`;
}

/** Rows `status, reason`, one at most, the gravest: what forbids that the answer is kept. */
function objectionsQuery(reach: Reach): string {
  const functions = `SELECT p.oid, p.proname, p.provolatile FROM pg_catalog.pg_proc p
    WHERE p.oid ${EQ} ANY (${oids(reach.functions)}) OR p.oid ${EQ} ANY (
      SELECT o.oprcode::pg_catalog.oid FROM pg_catalog.pg_operator o
      WHERE o.oid ${EQ} ANY (${oids(reach.operators)})
      UNION SELECT step::pg_catalog.oid FROM pg_catalog.pg_aggregate a,
        LATERAL (VALUES (a.aggtransfn), (a.aggfinalfn), (a.aggcombinefn), (a.aggserialfn),
          (a.aggdeserialfn), (a.aggmtransfn), (a.aggminvtransfn), (a.aggmfinalfn)) AS steps(step)
      WHERE a.aggfnoid::pg_catalog.oid ${EQ} ANY (${oids(reach.functions)}))`;
  const conversions = reach.convertsByText
    ? `UNION ALL SELECT 'volatile', 'a conversion of ' || t.typname, 1
      FROM pg_catalog.pg_type t, pg_catalog.pg_proc p
      WHERE t.oid ${EQ} ANY (${oids(reach.types)})
        AND (p.oid ${EQ} t.typinput::pg_catalog.oid OR p.oid ${EQ} t.typoutput::pg_catalog.oid)
        AND p.provolatile OPERATOR(pg_catalog.<>) 'i'::"char"`
    : '';
  return `SELECT status, reason FROM (
    SELECT 'volatile'::pg_catalog.text AS status, f.proname::pg_catalog.text AS reason, 1 AS grade
      FROM (${functions}) f WHERE f.provolatile OPERATOR(pg_catalog.<>) 'i'::"char"
    ${conversions.replaceAll(' || ', ' OPERATOR(pg_catalog.||) ')}
    UNION ALL SELECT 'uncacheable', 'the type ' OPERATOR(pg_catalog.||) t.typname, 2
      FROM pg_catalog.pg_type t JOIN pg_catalog.pg_proc p ON p.oid ${EQ} t.typoutput::pg_catalog.oid
      WHERE t.oid ${EQ} ANY (${oids(reach.types)})
        AND (p.provolatile ${EQ} 'v'::"char" OR t.oid ${SYSTEM}
          AND t.typname::pg_catalog.text OPERATOR(pg_catalog.~~) 'reg%')
    UNION ALL SELECT 'uncacheable', 'the relation ' OPERATOR(pg_catalog.||) c.relname, 2
      FROM pg_catalog.pg_class c WHERE c.oid ${EQ} ANY (${oids(reach.relations)})
        AND (c.relkind ${EQ} ANY ('{f,S,t,c,i,I}'::"char"[])
          OR c.relpersistence ${EQ} 't'::"char" OR c.relrowsecurity OR c.oid ${SYSTEM})
    ) objections ORDER BY grade USING OPERATOR(pg_catalog.>) LIMIT 1`;
}

/** A partition or child can be written without a word of its parents. */
function descendantsQuery(relations: Iterable<number>): string {
  return `WITH RECURSIVE below(oid) AS (
      SELECT i.inhrelid FROM pg_catalog.pg_inherits i
        WHERE i.inhparent ${EQ} ANY (${oids(relations)})
      UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i
        JOIN below b ON i.inhparent ${EQ} b.oid)
    SELECT oid::pg_catalog.text FROM below`;
}
