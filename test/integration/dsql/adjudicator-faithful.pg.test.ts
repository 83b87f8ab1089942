/** What a transaction stores when it runs again: what it told, and all of it. */
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestEndpoint } from '../../support/dsql-endpoint.ts';

let test: TestEndpoint;
let one: pg.Client;
let other: pg.Client;

beforeAll(async () => {
  test = await TestEndpoint.start();
  const admin = await test.connect();
  await admin.query('CREATE TABLE s (id int PRIMARY KEY, v int)');
  await admin.query('INSERT INTO s VALUES (1, 0), (2, 0)');
});

afterAll(async () => {
  await test?.stop();
});

beforeEach(async () => {
  one = await test.connect();
  other = await test.connect();
});

/** Has `one` lose its locks; it runs again what it told when it goes on. */
async function park(): Promise<void> {
  await one.query('UPDATE s SET v = v + 1 WHERE id = 1');
  await other.query('BEGIN');
  await other.query('UPDATE s SET v = v + 1 WHERE id = 1');
  await other.query('ROLLBACK');
}

describe('a row that was inserted', () => {
  beforeAll(async () => {
    const admin = await test.connect();
    await admin.query('CREATE TABLE exact (f float8, at timestamptz)');
  });

  it.each([
    ['few digits of floats', ['SET LOCAL extra_float_digits = 0']],
    [
      'abbreviations of time zones',
      ["SET LOCAL datestyle = 'SQL'", "SET LOCAL timezone = 'Asia/Manila'"],
    ],
  ])('is what it was, though its client is shown %s', async (_, settings) => {
    await one.query('DELETE FROM exact');
    await one.query('BEGIN');
    for (const set of settings) await one.query(set);
    await one.query("INSERT INTO exact VALUES (0.1::float8 + 0.2, '2026-01-01 00:00:00+00')");
    await park();
    await one.query('COMMIT');
    const isSame = "f = 0.1::float8 + 0.2 AND at = '2026-01-01 00:00:00+00'";
    const { rows } = await other.query(`SELECT ${isSame} AS same FROM exact`);
    expect(rows).toEqual([{ same: true }]);
  });
});

describe('statements prepared by SQL', () => {
  const first = 'PREPARE z AS UPDATE s SET v = 100 WHERE id = 1';
  const second = 'PREPARE y AS UPDATE s SET v = 200 WHERE id = 2';

  it('are run again, each as it was', async () => {
    await one.query('BEGIN');
    for (const sql of [first, second, 'EXECUTE z', 'EXECUTE y', 'EXECUTE z']) await one.query(sql);
    await park();
    await one.query('COMMIT');
    const { rows } = await other.query('SELECT v FROM s ORDER BY id');
    expect(rows).toEqual([{ v: 101 }, { v: 200 }]);
    await one.query('DEALLOCATE ALL');
  });

  it('may have a name again, but not in a transaction that has run the other one', async () => {
    const anew = second.replace('y', 'z');
    await one.query('BEGIN');
    for (const sql of [first, 'DEALLOCATE z', anew, 'EXECUTE z']) await one.query(sql);
    await one.query('DEALLOCATE z');
    await expect(one.query(first)).rejects.toMatchObject({ code: '0A000' });
    await one.query('ROLLBACK');
    await one.query(first);
    expect((await one.query('EXECUTE z')).rowCount).toBe(1);
  });
});

describe('what a function writes', () => {
  beforeAll(async () => {
    const admin = await test.connect();
    const statements = [
      'CREATE TABLE written (n int)',
      `CREATE FUNCTION write_down(n int) RETURNS int LANGUAGE sql
         AS 'INSERT INTO written VALUES (n) RETURNING n'`,
      `CREATE FUNCTION noted(s) RETURNS int LANGUAGE sql
         AS 'INSERT INTO written VALUES (7) RETURNING n'`,
      'CREATE VIEW writing AS SELECT write_down(7) AS n',
      'CREATE DOMAIN written_down AS int CHECK (write_down(VALUE) > 0)',
      'CREATE TABLE writes (id int, n int DEFAULT write_down(7))',
    ];
    for (const statement of statements) await admin.query(statement);
  });

  it.each([
    ['a view', 'SELECT * FROM writing'],
    ['a view that is copied out', 'COPY (SELECT * FROM writing) TO STDOUT'],
    ['a column that is none', 'SELECT s.noted FROM s WHERE id = 2'],
    ['the check of a domain', 'SELECT 7::written_down'],
    ['a parameter of EXECUTE', 'EXECUTE shown (write_down(7))'],
    ['a call', 'SELECT write_down(7)'],
    ['a default', 'INSERT INTO writes (id) VALUES (1)'],
  ])('is committed with the rest, by %s', async (_, statement) => {
    await one.query('DELETE FROM written');
    await one.query('PREPARE shown (int) AS SELECT $1');
    await one.query('BEGIN');
    await one.query(statement);
    expect((await one.query('SELECT n FROM written')).rows).toEqual([{ n: 7 }]);
    await park();
    expect((await one.query('SELECT n FROM written')).rows).toEqual([{ n: 7 }]);
    await one.query('COMMIT');
    expect((await other.query('SELECT n FROM written')).rows).toEqual([{ n: 7 }]);
  });

  it('is nothing to a transaction that has read only', async () => {
    await one.query('BEGIN');
    await one.query('SELECT * FROM written');
    await park();
    await other.query('UPDATE s SET v = -1 WHERE id = 1');
    await expect(one.query('COMMIT')).rejects.toMatchObject({ code: '40001' });
    const { rows } = await other.query('SELECT v FROM s WHERE id = 1');
    expect(rows).toEqual([{ v: -1 }]);
  });
});
