import type { RunCatalogueQuery } from './catalogue-sql.ts';

/** Of relations that not only their own session sees. */
const SHARED = `ANY (SELECT oid FROM pg_catalog.pg_class
  WHERE relpersistence OPERATOR(pg_catalog.<>) 't')`;

/**
 * What decides which rows a read of users' relations may see, and what its names mean. Rows change
 * their `xmin` when they are written, so grants, policies and definitions are all in it. What
 * sessions make for themselves is left out, and so is what only PostgreSQL's own packages hold.
 */
const PARTS: readonly (readonly [catalogue: string, condition: string])[] = [
  [
    'pg_class',
    "relpersistence OPERATOR(pg_catalog.<>) 't' AND relkind OPERATOR(pg_catalog.<>) 't'",
  ],
  ['pg_attribute', `attrelid OPERATOR(pg_catalog.=) ${SHARED}`],
  ['pg_rewrite', `ev_class OPERATOR(pg_catalog.=) ${SHARED}`],
  ['pg_proc', ''],
  ['pg_operator', ''],
  ['pg_opclass', ''],
  ['pg_cast', ''],
  ['pg_aggregate', ''],
  ['pg_enum', ''],
  ['pg_inherits', ''],
  ['pg_policy', ''],
  ['pg_trigger', ''],
  ['pg_namespace', "nspname OPERATOR(pg_catalog.!~) '^pg_(toast_)?temp_'"],
  ['pg_auth_members', ''],
  ['pg_db_role_setting', ''],
  ['pg_collation', ''],
];

const QUERY = `SELECT ${PARTS.map(
  ([catalogue, condition]) =>
    `(SELECT pg_catalog.count(*) OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||) ` +
    `pg_catalog.sum(xmin::pg_catalog.text::pg_catalog.int8) FROM pg_catalog.${catalogue}` +
    `${condition === '' ? '' : ` WHERE ${condition}`})`,
).join(', ')}`;

/** Equal as long as nobody has changed the catalogue for others to see. */
export async function catalogueFingerprint(run: RunCatalogueQuery): Promise<string> {
  const [row = []] = await run(QUERY);
  return row.join('\n');
}
