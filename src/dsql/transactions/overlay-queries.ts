/** What the catalogue is asked about tables that are to be copied; PostgreSQL 15 and later. */

/**
 * The tables behind the names `$1`, as they stand in a statement, that are not copies already.
 * Columns: oid, kind.
 */
export const NAMED_QUERY = `SELECT c.oid, c.relkind
  FROM pg_catalog.unnest($1::pg_catalog.text[]) AS n(name)
  JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(n.name)
  WHERE c.relnamespace <> pg_catalog.pg_my_temp_schema()`;

/**
 * What is written when the tables `$1` are: by actions of foreign keys too. With it, what is only
 * looked at for that: the tables that those refer to.
 * Columns: oid, schema, name, whether it is written, whether no other table has its plain name,
 * bytes.
 */
export const NEIGHBOURS_QUERY = `WITH RECURSIVE written(oid) AS (
    SELECT w FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS w
    UNION
    SELECT k.conrelid FROM pg_catalog.pg_constraint k JOIN written ON k.confrelid = written.oid
      WHERE k.contype = 'f'
  ), looked(oid) AS (
    SELECT k.confrelid FROM pg_catalog.pg_constraint k JOIN written ON k.conrelid = written.oid
      WHERE k.contype = 'f'
  )
  SELECT c.oid, n.nspname, c.relname, EXISTS (SELECT FROM written w WHERE w.oid = c.oid),
    COALESCE(pg_catalog.to_regclass(pg_catalog.quote_ident(c.relname)) = c.oid, true),
    pg_catalog.pg_table_size(c.oid)
  FROM (SELECT oid FROM written UNION SELECT oid FROM looked) AS o
  JOIN pg_catalog.pg_class c ON c.oid = o.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`;

/** Of the table `$1`, each column: its name, whether it can be given, whether it is an identity. */
export const TABLE_COLUMNS_QUERY = `SELECT attname, attgenerated = '', attidentity <> ''
  FROM pg_catalog.pg_attribute
  WHERE attrelid = $1::pg_catalog.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum`;

const names = (columns: string, table: string): string =>
  `(SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY u.n)
    FROM pg_catalog.unnest(${columns}) WITH ORDINALITY AS u(attnum, n)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = ${table} AND a.attnum = u.attnum)`;

const action = (column: string): string =>
  `CASE ${column} WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE'
    WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END`;

/** The foreign keys of the tables `$1`: oid, and the text that gives them to the copies. */
export const FOREIGN_KEYS_QUERY = `SELECT k.oid, pg_catalog.format(
    'ALTER TABLE pg_temp.%I ADD CONSTRAINT %I FOREIGN KEY (%s) REFERENCES pg_temp.%I (%s) '
      'MATCH %s ON UPDATE %s ON DELETE %s %s %s NOT VALID',
    c.relname, k.conname, ${names('k.conkey', 'k.conrelid')},
    p.relname, ${names('k.confkey', 'k.confrelid')},
    CASE k.confmatchtype WHEN 'f' THEN 'FULL' ELSE 'SIMPLE' END,
    ${action('k.confupdtype')}, ${action('k.confdeltype')},
    COALESCE('(' || ${names('k.confdelsetcols', 'k.conrelid')} || ')', ''),
    CASE WHEN k.condeferred THEN 'DEFERRABLE INITIALLY DEFERRED'
      WHEN k.condeferrable THEN 'DEFERRABLE' ELSE 'NOT DEFERRABLE' END)
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_class p ON p.oid = k.confrelid
  WHERE k.contype = 'f' AND k.conrelid = ANY ($1::pg_catalog.oid[])`;
