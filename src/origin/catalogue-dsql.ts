/**
 * The catalogue of Aurora DSQL, as far as it can be read. It has no triggers, policies, rules,
 * extensions, event triggers or procedural languages, and no function of its own that leaves
 * anything in a session but what sequences tell; so less is to be known. Only catalogues are asked
 * that its user guide lists, and `pg_proc`, which was seen to work. What views do is not found out:
 * a statement that names one goes alone, and is looked at.
 */
import { Effect } from '../sql/facts/facts.ts';
import { CASTS, DEPENDENCIES, EDGES, OPERATORS, RELATIONS, row, TYPES } from './catalogue-query.ts';
import { anyOf, CONCAT, EQ, type RunCatalogueQuery, text, USER } from './catalogue-sql.ts';

const SQL_LANGUAGE = '14::pg_catalog.oid';

/**
 * A definition as it is parsed here: what is written in it counts, not what it takes and returns.
 * A body that was parsed when it was made is not there as text.
 */
const DEFINITION = `CASE WHEN p.prolang ${EQ} ${SQL_LANGUAGE} AND p.prosqlbody IS NULL
  AND p.prokind ${EQ} 'f'::"char" THEN 'CREATE FUNCTION f() RETURNS void LANGUAGE sql AS '
  ${CONCAT} pg_catalog.quote_literal(p.prosrc) END`;

const FUNCTIONS = row(
  'function',
  [
    'p.oid',
    'n.nspname',
    'p.proname',
    `CASE WHEN p.prokind ${EQ} 'a'::"char" THEN '' WHEN p.prolang ${EQ} ${SQL_LANGUAGE} THEN 'sql'
      ELSE 'unknown' END`,
    'p.pronargs OPERATOR(pg_catalog.<>) 0::pg_catalog.int2',
    DEFINITION,
  ],
  `FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid ${EQ} p.pronamespace
  WHERE p.oid ${USER}`,
);

const VIEWS = `FROM pg_catalog.pg_class c WHERE c.oid ${USER}
  AND ${text('c.relkind')} ${anyOf(['v', 'm'])}`;

const ROWS = [
  FUNCTIONS,
  RELATIONS,
  TYPES,
  OPERATORS,
  CASTS,
  ...EDGES,
  row('unsafe', ["'R'", "'r'", 'c.oid', String(Effect.Session), 'false'], VIEWS),
  row('use', ["'r'", 'c.oid', "''", 'true'], VIEWS),
];

/** Rows as those of `catalogueQuery`. */
export const DSQL_CATALOGUE_QUERY = `WITH dependency AS MATERIALIZED (${DEPENDENCIES})
  ${ROWS.join(' UNION ALL ')}`;

const NONE = 'true';

/** Columns of what is not the server's own that decide what a read may see, and what it means. */
const PARTS: readonly (readonly [catalogue: string, columns: string, condition: string])[] = [
  ['pg_class', 'oid, relname, relnamespace, relkind, relowner, relacl', `oid ${USER}`],
  [
    'pg_attribute',
    'attrelid, attnum, attname, atttypid, atttypmod, attisdropped, attacl',
    `attrelid ${USER}`,
  ],
  [
    'pg_proc',
    'oid, proname, pronamespace, proargtypes, provolatile, prosrc, proacl, proconfig',
    `oid ${USER}`,
  ],
  ['pg_type', 'oid, typname, typnamespace, typbasetype', `oid ${USER}`],
  ['pg_constraint', 'oid, conrelid, confrelid, confupdtype, confdeltype', `oid ${USER}`],
  ['pg_inherits', 'inhrelid, inhparent', NONE],
  ['pg_operator', 'oid', `oid ${USER}`],
  ['pg_cast', 'oid, castsource, casttarget', `oid ${USER}`],
  ['pg_namespace', 'oid, nspname, nspowner, nspacl', NONE],
  ['pg_auth_members', 'roleid, member', NONE],
  ['pg_db_role_setting', 'setdatabase, setrole, setconfig', NONE],
];

const FINGERPRINT = `SELECT ${PARTS.map(
  ([catalogue, columns, condition]) =>
    `(SELECT pg_catalog.md5(pg_catalog.string_agg(line, ',' ORDER BY line)) FROM (
      SELECT pg_catalog.md5(pg_catalog.concat_ws(' ', ${columns})) AS line
      FROM pg_catalog.${catalogue} WHERE ${condition}) of_${catalogue})`,
).join(', ')}`;

/**
 * Equal as long as nobody has changed the catalogue for others to see. Rows are compared by what is
 * in them: it is not known that those of Aurora DSQL have the number of who wrote them.
 */
export async function dsqlFingerprint(run: RunCatalogueQuery): Promise<string> {
  const [line = []] = await run(FINGERPRINT);
  return line.join('\n');
}
