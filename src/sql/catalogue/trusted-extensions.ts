/**
 * Extensions reviewed to leave nothing on a session: their functions, operators, types and casts
 * are taken for PostgreSQL's own. Not among them, on purpose: `dblink` and `postgres_fdw` (they
 * hold connections), `tablefunc` (`crosstab` runs SQL handed over as text), procedural languages,
 * `pg_cron`, `pg_prewarm`'s autoloading, `xml2` (`xpath_table` runs SQL), `refint` and `autoinc`.
 */
export const trustedExtensions: ReadonlySet<string> = new Set(
  `address_standardizer amcheck bloom btree_gin btree_gist citext cube dict_int dict_xsyn
  earthdistance fuzzystrmatch hll hstore intagg intarray ip4r isn lo ltree moddatetime pageinspect
  pg_buffercache pg_freespacemap pg_stat_statements pg_trgm pg_uuidv7 pg_visibility pgcrypto
  pgrowlocks pgstattuple postgis postgis_raster postgis_sfcgal prefix rum seg semver sslinfo
  tsm_system_rows tsm_system_time unaccent uuid-ossp vector`.split(/\s+/),
);
