/** What is judged without PostgreSQL is never laxer than what PostgreSQL says itself. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadParser } from '../../src/origin/parser.ts';
import { resolvePlainRead } from '../../src/origin/plain-read.ts';
import { type ResolvedRead, resolveRead } from '../../src/origin/resolved-read.ts';
import type { SqlParser } from '../../src/sql/facts/parser.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';

let database: TestDatabase;
let client: pg.Client;
let parser: SqlParser;

const run = async (sql: string): Promise<(string | null)[][]> => {
  const result = await client.query<(string | null)[]>({ text: sql, rowMode: 'array' });
  return result.rows;
};

beforeAll(async () => {
  parser = await loadParser();
  database = await createDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(`
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE TABLE t (id int PRIMARY KEY, big bigint, name text, code varchar(9), pad char(4), d date,
      ts timestamp, at timestamptz, n numeric, f float8, ok boolean, key uuid, j jsonb, p positive);
    CREATE TABLE u (id int, t_id int, label text, at timestamptz);
    CREATE TABLE zoned (id int, z timetz);
    CREATE TABLE heirs (id int); CREATE TABLE heir () INHERITS (heirs);
    CREATE VIEW seen AS SELECT id FROM t;
    CREATE TABLE secured (id int); ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
    CREATE SCHEMA other; CREATE TABLE other.t (id int);
    CREATE FUNCTION avg(text, text) RETURNS text VOLATILE LANGUAGE sql AS 'SELECT $1'`);
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

const plainly = (text: string, types: readonly number[] = []): Promise<ResolvedRead> =>
  resolvePlainRead(run, parser, text, types);

const VALUES = `1|-7|3000000000|2.5|'x'|'2020-02-02'|true|NULL|$1|'7'::int8|'2020-01-01'::date|
  '2020-01-01 10:00'::timestamp|'2020-01-01 10:00+01'::timestamptz|$1::int|
  'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`.split(/\|\s*/);
const COLUMNS = 'id big name code pad d ts at n f ok key j p'.split(' ');

describe('a plain read', () => {
  it.each([
    ['SELECT * FROM t', []],
    ['SELECT id, name FROM t WHERE id = $1', [0]],
    ['SELECT id, name FROM t WHERE id = $1', [23]],
    ['SELECT id FROM t WHERE code = $1 AND name LIKE $2 ORDER BY at DESC LIMIT $3 OFFSET 1', []],
    ['SELECT id FROM t WHERE at BETWEEN $1 AND $2 OR d >= $3 AND NOT ok', []],
    ["SELECT id FROM t WHERE name IN ('a', 'b') AND big IN (1, 3000000000)", []],
    ['SELECT name FROM t WHERE id = ANY ($1)', []],
    ['SELECT name FROM t WHERE id = ANY ($1)', [1007]],
    ['SELECT count(*), max(at), sum(n), min(d) FROM t GROUP BY ok HAVING count(*) > 3', []],
    ['SELECT t.name, x.label FROM t JOIN u AS x ON x.t_id = t.id WHERE x.label IS NOT NULL', []],
    ['SELECT DISTINCT t.name FROM t LEFT JOIN u USING (id)', []],
    ['SELECT DISTINCT ON (name) name, id FROM t ORDER BY name, 2', []],
    ['SELECT id FROM other.t', []],
    ["SELECT id FROM t WHERE d = '2020-01-01'::date AND key = $1::uuid;", []],
    ['SELECT p FROM t', []],
  ] as [string, number[]][])(
    '%s %o is cacheable, with the tables that PostgreSQL says',
    async (text, types) => {
      const found = await plainly(text, types);
      expect(found).toMatchObject({ isCacheable: true });
      expect(await resolveRead(run, text, types)).toEqual(found);
    },
  );

  it.each([
    'SELECT now()',
    'SELECT lower(name) FROM t',
    'SELECT id FROM t WHERE d = at',
    'SELECT id FROM t WHERE d + 1 > d',
    "SELECT id FROM t WHERE at > '2020-01-01'::date",
    'SELECT id FROM t WHERE name::date = d',
    'SELECT at::date FROM t',
    'SELECT id FROM t WHERE p = 1',
    'SELECT z FROM zoned',
    'SELECT id FROM heirs',
    'SELECT id FROM seen',
    'SELECT id FROM secured',
    'SELECT relname FROM pg_class',
    'SELECT ctid FROM t',
    'SELECT t FROM t',
    'SELECT t.lower FROM t',
    'SELECT id FROM nowhere',
    'SELECT id FROM t FOR UPDATE',
    'SELECT id FROM t UNION SELECT id FROM u',
    'WITH w AS (SELECT 1) SELECT * FROM w',
    'SELECT (SELECT 1)',
    'SELECT id FROM t NATURAL JOIN u',
    'SELECT id FROM t a, t a',
    'SELECT random() FROM t',
    'SELECT avg(n) FROM t',
    'SELECT id FROM t ORDER BY id USING >',
    'SELECT id FROM t WHERE id OPERATOR(pg_catalog.=) 1',
    'SELECT id FROM t TABLESAMPLE system (10)',
    'SELECT 1; SELECT 2',
    'SELEC 1',
  ])('more than that is not cacheable: %s', async (text) => {
    expect((await plainly(text)).isCacheable).toBe(false);
  });

  it('is never cacheable where PostgreSQL says otherwise, whatever is compared with what', async () => {
    const operands = [...COLUMNS, ...VALUES];
    const cacheable: string[] = [];
    for (const left of COLUMNS) {
      for (const right of operands) {
        for (const operator of COLUMNS.includes(right) ? ['='] : ['=', '<']) {
          const text = `SELECT id FROM t WHERE ${left} ${operator} ${right}`;
          const found = await plainly(text);
          if (!found.isCacheable) continue;
          cacheable.push(text);
          const truth = await resolveRead(run, text);
          // What PostgreSQL refuses is an error, and so never kept.
          const isError = !truth.isCacheable && truth.isError === true;
          expect([text, isError || truth.isCacheable]).toEqual([text, true]);
        }
      }
    }
    expect(cacheable.length).toBeGreaterThan(100);
  });
});
