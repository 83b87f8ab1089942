-- Which of PostgreSQL's own functions and operators are pure: they compute a value from their
-- arguments and leave nothing behind, wait for nobody, and tell nothing of the session that they run
-- in but its role and settings. What the catalogue calls IMMUTABLE or STABLE proves nothing, so a
-- name is pure only when all functions and operators of that name pass every rule below. Names that
-- no rule lets in are not pure. `scripts/pure-builtins.mjs` keeps the result as data.
WITH value_type(name) AS (
  -- Rule 1: arguments and results are plain values. Types that name objects, snapshots, cursors and
  -- internal state are none: functions of those look into the catalogue and the session.
  SELECT pg_catalog.unnest(pg_catalog.string_to_array(
    'any anyarray anycompatible anycompatiblearray anycompatiblemultirange anycompatiblenonarray '
    'anycompatiblerange anyelement anyenum anymultirange anynonarray anyrange bit bool box bpchar '
    'bytea char cidr circle date datemultirange daterange float4 float8 inet int2 int4 '
    'int4multirange int4range int8 int8multirange int8range interval json jsonb jsonpath line lseg '
    'macaddr macaddr8 money name numeric nummultirange numrange oid path pg_lsn point polygon record '
    'text tid time timestamp timestamptz timetz tsmultirange tsquery tsrange tstzmultirange tstzrange '
    'tsvector uuid varbit varchar xid8 xml',
    ' '))
), excluded(pattern, reason) AS (
  -- Rule 2: these take plain values and are not pure all the same.
  VALUES
    ('^pg_(?!lsn_)', 'looks at the server, the session or the catalogue'),
    ('^txid_', 'assigns or tells a transaction id'),
    ('^binary_upgrade_', 'writes to the catalogue'),
    ('^current_setting$', 'tells settings that do not follow a client to a shared link'),
    ('^(inet_client|inet_server)_', 'tells of the connection'),
    ('^(has_|row_security_active$|format_type$|oidvectortypes$)|_description$',
      'looks into the catalogue'),
    ('^(satisfies_hash_partition|postgresql_fdw_validator)$', 'opens relations, checks options'),
    ('^(cursor|database|query|schema|table)_to_xml', 'runs queries of its own'),
    ('^ts_(debug|headline|lexize|match_t[qt]|parse|rewrite|stat|token_type)',
      'runs dictionaries, which users can define, or queries'),
    ('to_ts(query|vector)$', 'runs dictionaries, which users can define'),
    ('^convert', 'runs conversions, which users can define'),
    ('^xml_is_', 'depends on how the server was built'),
    ('^lo_', 'works on large objects'),
    ('^(factorial|generate_series|lpad|repeat|rpad)$', 'does as much as its arguments say')
), judged AS (
  SELECT p.oid, p.proname::pg_catalog.text AS name,
    -- Rule 3: never what PostgreSQL itself calls volatile.
    p.provolatile <> 'v'
    -- Rule 4: written in C inside of the server, or in SQL that names such functions only.
    AND l.lanname IN ('internal', 'sql')
    -- Rule 5: functions, aggregates and window functions; neither procedures nor triggers.
    AND p.prokind IN ('f', 'a', 'w')
    AND NOT EXISTS (SELECT 1 FROM excluded e WHERE p.proname ~ e.pattern) AS is_calm,
    NOT EXISTS (
      SELECT 1 FROM pg_catalog.unnest(pg_catalog.array_append(
        COALESCE(p.proallargtypes, p.proargtypes::pg_catalog.oid[]), p.prorettype)) AS a(type)
      JOIN pg_catalog.pg_type t ON t.oid = a.type
      LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
      WHERE COALESCE(e.typname, t.typname)::pg_catalog.text NOT IN (SELECT name FROM value_type)
    ) AS is_plain
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  WHERE p.oid < 16384 AND p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
)
SELECT 'function' AS kind, name, pg_catalog.bool_and(is_calm AND is_plain) AS is_pure
FROM judged GROUP BY name
UNION ALL
-- An operator may compare what is no plain value, such as object ids, as long as its function is one
-- that only looks at them.
SELECT 'operator', o.oprname::pg_catalog.text, pg_catalog.bool_and(COALESCE(j.is_calm, false))
FROM pg_catalog.pg_operator o LEFT JOIN judged j ON j.oid = o.oprcode::pg_catalog.oid
WHERE o.oid < 16384 GROUP BY o.oprname
UNION ALL
-- What a cast between PostgreSQL's own types runs is not asked for by name: none may be impure, but
-- those that read a name as an object's.
SELECT 'cast', j.name, pg_catalog.bool_and(j.is_calm)
FROM pg_catalog.pg_cast c JOIN judged j ON j.oid = c.castfunc WHERE c.oid < 16384 GROUP BY j.name
ORDER BY 1, 2;
