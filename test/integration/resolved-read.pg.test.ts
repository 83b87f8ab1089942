import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ResolvedRead, resolveRead } from '../../src/origin/resolved-read.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(`
    CREATE TYPE mood AS ENUM ('sad', 'happy');
    CREATE TABLE t (id int PRIMARY KEY, name text, d date, at timestamptz, n numeric, a int[],
      j jsonb, m mood);
    CREATE TABLE ":relid 7" ("{CONST" int, ":funcid 9" int);
    CREATE UNLOGGED TABLE u (id int);
    CREATE TABLE secured (id int);
    ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
    CREATE TABLE parent (id int) PARTITION BY RANGE (id);
    CREATE TABLE low PARTITION OF parent FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
    CREATE TABLE lowest PARTITION OF low FOR VALUES FROM (0) TO (5);
    CREATE TABLE base (id int);
    CREATE TABLE heir (extra int) INHERITS (base);
    CREATE VIEW plain AS SELECT id, name FROM t WHERE id > 3;
    CREATE VIEW of_view AS SELECT p.id FROM plain p JOIN u USING (id);
    CREATE VIEW timely AS SELECT id, now() AS seen FROM t;
    CREATE VIEW of_timely AS SELECT id FROM timely;
    CREATE MATERIALIZED VIEW kept AS SELECT count(*) AS n FROM t;
    CREATE FUNCTION fixed(x int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1';
    CREATE FUNCTION loose(x int) RETURNS int VOLATILE LANGUAGE sql AS 'SELECT $1 + 1';
    CREATE FUNCTION overloaded(x int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION overloaded(x text) RETURNS int STABLE LANGUAGE sql AS 'SELECT 2';
    CREATE FUNCTION compare(a t, b t) RETURNS bool STABLE LANGUAGE sql AS 'SELECT true';
    CREATE OPERATOR === (LEFTARG = t, RIGHTARG = t, FUNCTION = compare);
    CREATE TYPE number AS (n int);
    CREATE TABLE cast_from (x number);
    CREATE FUNCTION to_int(m number) RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';
    CREATE CAST (number AS int) WITH FUNCTION to_int(number) AS IMPLICIT;
    CREATE AGGREGATE odd (int) (SFUNC = int4pl, STYPE = int, FINALFUNC = loose);
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE SCHEMA hidden;
    CREATE FUNCTION hidden.lower(text) RETURNS text VOLATILE LANGUAGE sql AS 'SELECT $1';
    CREATE EXTENSION IF NOT EXISTS plpgsql;
  `);
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

const run = async (sql: string): Promise<(string | null)[][]> => {
  const result = await client.query<(string | null)[]>({ text: sql, rowMode: 'array' });
  return result.rows;
};

const resolve = (text: string, types: readonly number[] = []): Promise<ResolvedRead> =>
  resolveRead(run, text, types);

async function relationNames(read: ResolvedRead): Promise<string[]> {
  if (!read.isCacheable) throw new Error(`${read.status}: ${read.reason}`);
  const rows = await run(
    `SELECT relname FROM pg_class WHERE oid = ANY ('{${read.relations.join(',')}}') ORDER BY 1`,
  );
  return rows.map(([name]) => name ?? '');
}

describe('a read that can be kept', () => {
  it.each([
    ['SELECT 1', []],
    ['SELECT * FROM t WHERE id = NULL::int', ['t']],
    ['SELECT id, id, lower(name), lower(name) FROM t ORDER BY 1 -- both', ['t']],
    ['TABLE t', ['t']],
    ['VALUES (1), (2)', []],
    ['WITH x AS (SELECT * FROM t), y AS (TABLE u) SELECT * FROM x JOIN y USING (id)', ['t', 'u']],
    ['SELECT (SELECT max(id) FROM u), EXISTS (SELECT FROM t)', ['t', 'u']],
    ['SELECT id FROM t UNION ALL SELECT id FROM u', ['t', 'u']],
    [
      'SELECT count(*), sum(n), array_agg(id ORDER BY id) FROM t GROUP BY GROUPING SETS (name, ())',
      ['t'],
    ],
    ['SELECT rank() OVER (PARTITION BY name ORDER BY id) FROM t', ['t']],
    [
      'SELECT CASE WHEN id > 1 THEN name ELSE coalesce(name, NULLIF(name, $$x$$)) END FROM t',
      ['t'],
    ],
    [
      "SELECT j->>'x', a[1], ROW(id, name) = ROW(1, 'x'), id IN (1, 2), greatest(id, 3) FROM t",
      ['t'],
    ],
    ['SELECT id::text, n::int, name::int FROM t', ['t']],
    ["SELECT m FROM t WHERE m = 'sad'", ['t']],
    ["SELECT * FROM t WHERE d = '2024-01-01' AND at > '2024-01-01T00:00:00Z'", ['t']],
    ['SELECT g FROM generate_series(1, 10) AS g', []],
    ['SELECT * FROM t TABLESAMPLE_IS_AN_ALIAS', ['t']],
    ['WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9) TABLE r', []],
    ['SELECT fixed(id) FROM t', ['t']],
    ['SELECT overloaded(1)', []],
    ['SELECT * FROM of_view', ['t', 'u']],
    ['SELECT * FROM parent', ['low', 'lowest', 'parent']],
    ['SELECT * FROM base', ['base', 'heir']],
    ['SELECT * FROM kept', ['kept']],
    ['SELECT ":funcid 9" AS ":commandType 3" FROM ":relid 7" AS "{X} (\\"', [':relid 7']],
  ])('%s', async (text, names) => {
    expect(await relationNames(await resolve(text))).toEqual(names);
  });
});

describe('parameters', () => {
  it('have the types that were given, or that PostgreSQL finds', async () => {
    expect(await relationNames(await resolve('SELECT name FROM t WHERE id = $1'))).toEqual(['t']);
    const text = 'SELECT overloaded($1)';
    expect(await resolve(text, [23])).toMatchObject({ isCacheable: true });
    expect(await resolve(text, [25])).toMatchObject({ status: 'volatile' });
    expect(await resolve('SELECT $2 || $1', [25])).toMatchObject({ isCacheable: true });
    expect(await resolve('SELECT $1', [1266])).toMatchObject({ status: 'volatile' });
    expect(await resolve('SELECT $1::timetz')).toMatchObject({ status: 'volatile' });
    expect(await resolve("SELECT name || '$2' FROM t LIMIT $1;;")).toMatchObject({
      isCacheable: true,
    });
  });
});

describe('a read that cannot be kept', () => {
  it.each([
    ['SELECT now()', 'volatile'],
    ['SELECT current_date', 'uncacheable'],
    ['SELECT random()', 'volatile'],
    ['SELECT current_user', 'uncacheable'],
    ['SELECT loose(1)', 'volatile'],
    ["SELECT overloaded('x')", 'volatile'],
    ['SELECT odd(id) FROM t', 'volatile'],
    ['SELECT x === y FROM t x, t y', 'volatile'],
    ['SELECT 1 FROM t JOIN cast_from ON id = x', 'volatile'],
    ['SELECT name::date FROM t', 'volatile'],
    ['SELECT at::text FROM t', 'volatile'],
    ['SELECT at::date FROM t', 'volatile'],
    ["SELECT to_char(at, 'YYYY') FROM t", 'volatile'],
    ['SELECT * FROM timely', 'volatile'],
    ['SELECT * FROM of_timely', 'volatile'],
    ["SELECT 't'::regclass", 'uncacheable'],
    ['SELECT * FROM t FOR UPDATE', 'uncacheable'],
    ['SELECT * FROM (SELECT * FROM t FOR SHARE) s', 'uncacheable'],
    ['SELECT * FROM secured', 'uncacheable'],
    ['SELECT * FROM pg_class', 'uncacheable'],
    ['SELECT * FROM information_schema.tables', 'uncacheable'],
    ['SELECT * FROM t TABLESAMPLE system (10)', 'uncacheable'],
    ['SELECT 1::positive', 'uncacheable'],
    ["SELECT * FROM xmltable('/a' PASSING '<a/>' COLUMNS x int)", 'uncacheable'],
  ])('%s', async (text, status) => {
    expect(await resolve(text)).toMatchObject({ isCacheable: false, status });
  });

  it('because PostgreSQL refuses it', async () => {
    expect(await resolve('SELECT nonsense')).toMatchObject({ status: 'uncacheable' });
    expect(await resolve('SELECT $1 + $2::nonsense')).toMatchObject({ status: 'uncacheable' });
    expect(await run('SELECT name FROM pg_prepared_statements')).toEqual([]);
    expect(await resolve('TABLE t')).toMatchObject({ isCacheable: true });
  });

  it('because of a function that search_path puts in front', async () => {
    await run('SET search_path = hidden, pg_catalog, public');
    expect(await resolve('SELECT lower(name) FROM t')).toMatchObject({ status: 'volatile' });
    await run('RESET search_path');
    expect(await resolve('SELECT lower(name) FROM t')).toMatchObject({ isCacheable: true });
  });

  it('because of a temporary table, and a foreign one below a partitioned one', async () => {
    await run('CREATE TEMP TABLE mine (id int)');
    expect(await resolve('SELECT * FROM mine')).toMatchObject({ status: 'uncacheable' });
    await run('DROP TABLE mine');
    await run('CREATE FOREIGN DATA WRAPPER w');
    await run('CREATE SERVER s FOREIGN DATA WRAPPER w');
    await run('CREATE TABLE top (id int) PARTITION BY LIST (id)');
    await run('CREATE FOREIGN TABLE far PARTITION OF top FOR VALUES IN (1) SERVER s');
    expect(await resolve('SELECT * FROM top')).toMatchObject({ status: 'uncacheable' });
  });
});

it('leaves nothing behind', async () => {
  await resolve('SELECT 1');
  const rows = await run("SELECT relname FROM pg_class WHERE relname = 'millrace_read'");
  expect(rows).toEqual([]);
});
