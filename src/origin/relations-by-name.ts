import { EQ, type RunCatalogueQuery } from './catalogue-sql.ts';

/** A name without quotes, or in double quotes, which stand for themselves when doubled. */
const PART = /"(?:[^"]|"")+"|[^\s".,]+/u;
const NAME = new RegExp(`^(?:(${PART.source})\\.)?(${PART.source})$`, 'u');

/** A name as in SQL, `schema.table` or `table`; null when it is none. */
export function relationName(
  text: string,
): { readonly schema: string | null; readonly name: string } | null {
  const parts = text.includes('\0') ? null : NAME.exec(text.trim());
  if (parts?.[2] === undefined) return null;
  return { schema: parts[1] === undefined ? null : unquoted(parts[1]), name: unquoted(parts[2]) };
}

function unquoted(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part.toLowerCase();
}

const UNDER_VIEWS = `UNION SELECT d.refobjid FROM reached
  JOIN pg_catalog.pg_class c ON c.oid ${EQ} reached.oid AND c.relkind ${EQ} 'v'::"char"
  JOIN pg_catalog.pg_rewrite r ON r.ev_class ${EQ} c.oid
  JOIN pg_catalog.pg_depend d ON d.objid ${EQ} r.oid
    AND d.classid ${EQ} 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    AND d.refclassid ${EQ} 'pg_catalog.pg_class'::pg_catalog.regclass`;

/**
 * Object ids of the tables and materialized views of the name, in any schema unless one is given;
 * for a view, of those that it reads. Empty when there is none.
 *
 * @param looksThrough whether views are looked through: where they are not cached they need not be
 * @throws what `run` throws when the connection is lost
 */
export async function relationsByName(
  run: RunCatalogueQuery,
  { schema, name }: { readonly schema: string | null; readonly name: string },
  looksThrough: boolean,
): Promise<number[]> {
  const inSchema = schema === null ? '' : `AND n.nspname::pg_catalog.text ${EQ} ${literal(schema)}`;
  const rows = await run(
    `WITH RECURSIVE reached(oid) AS (
      SELECT c.oid FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid ${EQ} c.relnamespace
        WHERE c.relname::pg_catalog.text ${EQ} ${literal(name)} ${inSchema}
          AND c.relkind ${EQ} ANY ('{r,p,m,v,f}'::"char"[])
      ${looksThrough ? UNDER_VIEWS : ''})
    SELECT oid::pg_catalog.text FROM reached`,
  );
  return rows.map(([id]) => Number(id));
}

/** In a form that does not depend on `standard_conforming_strings`. */
export function literal(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
