/** Which statements only compute and look at tables: the list of built-ins, and what reaches them. */
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCatalogue } from '../../src/origin/catalogue.ts';
import { loadParser } from '../../src/origin/parser.ts';
import type { CatalogueSnapshot } from '../../src/sql/catalogue/catalogue.ts';
import { FactsCache } from '../../src/sql/facts/facts-cache.ts';
import { pureFunctions, pureOperators } from '../../src/sql/facts/pure-builtins.generated.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';
import { runner } from './catalogue-runner.ts';

const RULES = readFileSync(new URL('../../scripts/pure-builtins.sql', import.meta.url), 'utf8');

const SCHEMA = `
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE item (id int PRIMARY KEY, body text, mood mood, at timestamptz, tags int[]);
CREATE UNLOGGED TABLE unlogged (id int);
CREATE TABLE part (id int) PARTITION BY RANGE (id);
CREATE TABLE part_one PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE VIEW plain AS SELECT id, lower(body) AS body, count(*) OVER () FROM item WHERE id + 1 > 0;
CREATE VIEW over_plain AS SELECT max(id) FROM plain;
CREATE MATERIALIZED VIEW kept AS SELECT id FROM item;
CREATE VIEW locking AS SELECT id FROM item FOR UPDATE;
CREATE VIEW named AS SELECT current_setting('application_name') AS name;
CREATE VIEW over_named AS SELECT * FROM named;
CREATE VIEW drawing AS SELECT id FROM item WHERE random() < 0.5;
CREATE VIEW active AS SELECT pid FROM pg_stat_activity;
CREATE VIEW searching AS SELECT id FROM item WHERE to_tsvector('english', body) @@ 'a'::tsquery;
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE FUNCTION "of"(item) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION lower(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE VIEW doubling AS SELECT twice(id) FROM item;
CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int);
CREATE DOMAIN even AS int CHECK (twice(value) > 0);
CREATE TABLE of_even (id even);
CREATE TYPE of_even_too AS (n even, m int);
CREATE TABLE nested (pair of_even_too, pairs of_even_too[]);
CREATE DOMAIN over_pair AS of_even_too;
CREATE TABLE nested_deeper (pair over_pair);
CREATE TYPE harmless AS (n int, mood mood);
CREATE TABLE nested_harmlessly (pair harmless);
CREATE TABLE measured (id int); CREATE STATISTICS ms ON (id + 1), id FROM measured;
CREATE TABLE measured_twice (id int); CREATE STATISTICS mt ON (twice(id)), id FROM measured_twice;
CREATE TABLE measured_named (id text);
CREATE STATISTICS mn ON (id || current_setting('application_name')), id FROM measured_named;
CREATE TABLE guarded (id int); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON guarded USING (id = current_setting('app.tenant')::int);
CREATE TABLE guarded_plainly (id int); ALTER TABLE guarded_plainly ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON guarded_plainly USING (id = 1);
CREATE FUNCTION eqq(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
CREATE OPERATOR <@ (LEFTARG = int, RIGHTARG = int, FUNCTION = eqq);
CREATE EXTENSION IF NOT EXISTS file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE far (line text) SERVER files OPTIONS (filename '/dev/null');
`;

describe('what is pure', () => {
  let database: TestDatabase;
  let client: pg.Client;
  let snapshot: CatalogueSnapshot;
  let facts: FactsCache;

  const isPure = (sql: string): boolean => {
    const bytes = Buffer.from(sql);
    return snapshot.judge(facts.lookup(bytes, 0, bytes.length)).isPure;
  };

  beforeAll(async () => {
    database = await createDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(SCHEMA);
    const parser = await loadParser();
    facts = new FactsCache(parser);
    snapshot = await readCatalogue(runner(client), parser);
  });

  afterAll(async () => {
    await client?.end();
    await database?.drop();
  });

  it('is in the list when the rules find it in this server, and never when they do not', async () => {
    const { rows } = await client.query<{ kind: string; name: string; is_pure: boolean }>(RULES);
    const names = (kind: string, pure: boolean): string[] =>
      rows.filter((row) => row.kind === kind && row.is_pure === pure).map(({ name }) => name);
    expect(names('function', true).length).toBeGreaterThan(1_000);
    expect(names('operator', true).length).toBeGreaterThan(50);
    for (const [kind, list] of [
      ['function', pureFunctions],
      ['operator', pureOperators],
    ] as const) {
      expect(names(kind, false).filter((name) => list.has(name))).toEqual([]);
    }
    // Another version may know a name that is not pure there.
    const missing = names('function', true).filter((name) => !pureFunctions.has(name));
    expect(missing.length).toBeLessThan(10);
    expect(names('operator', true).filter((name) => !pureOperators.has(name))).toEqual([]);
    expect(names('cast', false)).toEqual([]);
  });

  it.each([
    'SELECT id, upper(body) FROM item WHERE id = $1',
    'SELECT count(*), max(i.at) FROM item AS i GROUP BY i.mood ORDER BY 1 LIMIT 3',
    "SELECT * FROM item WHERE mood = 'happy' AND id = ANY (tags) OR body LIKE 'a%'",
    'SELECT now(), current_user, $1::int + 1',
    'WITH a AS (SELECT 1 AS x) SELECT x FROM a JOIN item ON id = x',
    'VALUES (1), (2)',
    'TABLE unlogged',
    'SELECT id FROM part WHERE id BETWEEN 1 AND 2',
    'SELECT * FROM plain',
    'SELECT * FROM over_plain',
    'SELECT * FROM kept',
    'SELECT * FROM guarded_plainly',
    'SELECT id + 1 FROM measured GROUP BY 1',
    "SELECT coalesce(pair, '(1,sad)') FROM nested_harmlessly",
    "SELECT pg_catalog.length('x'), extract(year FROM at) FROM item",
  ])('is %s', (sql) => {
    expect(isPure(sql)).toBe(true);
  });

  it.each([
    'INSERT INTO item (id) VALUES (1)',
    'WITH a AS (DELETE FROM item RETURNING id) SELECT id FROM a',
    'SELECT id FROM item FOR UPDATE',
    'SELECT id FROM item FOR KEY SHARE',
    'SELECT * FROM (SELECT id FROM item FOR SHARE) AS x',
    'SELECT id INTO made FROM item',
    'SELECT 1; SELECT 2',
    'BEGIN',
    'SHOW application_name',
    'EXPLAIN SELECT 1',
    'EXECUTE p',
    "SELECT set_config('a.b', 'c', true)",
    'SELECT pg_advisory_lock(1)',
    'SELECT pg_advisory_xact_lock(1)',
    'SELECT pg_sleep(1)',
    "SELECT nextval('s')",
    'SELECT lastval()',
    'SELECT random()',
    'SELECT clock_timestamp()',
    'SELECT txid_current()',
    'SELECT pg_backend_pid()',
    "SELECT current_setting('application_name')",
    "SELECT pg_catalog.current_setting('application_name')",
    "SELECT query_to_xml('SELECT 1', true, true, '')",
    "SELECT table_to_xml('item', true, true, '')",
    'SELECT generate_series(1, 1000000000)',
    'SELECT * FROM pg_stat_activity',
    'SELECT * FROM pg_catalog.pg_class',
    'SELECT * FROM information_schema.tables',
    'SELECT * FROM locking',
    'SELECT * FROM named',
    'SELECT * FROM over_named',
    'SELECT * FROM drawing',
    'SELECT * FROM active',
    'SELECT * FROM searching',
    'SELECT * FROM doubling',
    'SELECT * FROM guarded',
    'SELECT * FROM of_even',
    'SELECT id FROM measured_twice',
    'SELECT id FROM measured_named',
    "SELECT coalesce(pair, '(2,4)') FROM nested",
    "SELECT coalesce(pairs, '{}') FROM nested",
    "SELECT coalesce(pair, '(2,4)') FROM nested_deeper",
    'SELECT jsonb_populate_record(nested, $1) FROM nested',
    'SELECT * FROM far',
    'SELECT * FROM pg_temp.item',
    'SELECT * FROM gone',
    'SELECT twice(1)',
    'SELECT public.twice(1)',
    'SELECT lower(id) FROM item',
    'SELECT i.of FROM item AS i',
    'SELECT i.pg_column_size FROM item AS i',
    'SELECT total(id) FROM item',
    'SELECT 1::even',
    'SELECT 1 <@ 2',
    'SELECT unheard_of(1)',
    'SELECT FROM WHERE',
    '',
  ])('is not %s', (sql) => {
    expect(isPure(sql)).toBe(false);
  });

  it('is nothing while a cast between types of PostgreSQL itself is a user’s', async () => {
    expect(isPure('SELECT 1')).toBe(true);
    await client.query(
      'CREATE FUNCTION as_bool(bigint) RETURNS bool LANGUAGE sql AS $$SELECT true$$',
    );
    await client.query('CREATE CAST (bigint AS boolean) WITH FUNCTION as_bool(bigint)');
    snapshot = await readCatalogue(runner(client), await loadParser());
    expect(isPure('SELECT 1')).toBe(false);
  });
});
