/** Transactions, their limits and conflicts through the endpoint: rows of the coverage table. */
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestEndpoint, told } from '../../support/dsql-endpoint.ts';

let test: TestEndpoint;
let one: pg.Client;
let other: pg.Client;

beforeAll(async () => {
  test = await TestEndpoint.start();
  one = await test.connect();
  other = await test.connect();
  await one.query('CREATE TABLE t (id int PRIMARY KEY, v int, x text)');
  await one.query('CREATE TABLE p (id int PRIMARY KEY, note text)');
  await one.query('CREATE TABLE k (id int PRIMARY KEY, p_id int REFERENCES p)');
});

afterAll(async () => {
  await test?.stop();
});

beforeEach(async () => {
  for (const table of ['k', 'p', 't']) await one.query(`DELETE FROM ${table}`);
  await one.query("INSERT INTO t SELECT n, 0, '' FROM generate_series(1, 10) AS n");
  await one.query('INSERT INTO p VALUES (1), (2)');
});

const conflict = {
  code: '40001',
  severity: 'ERROR',
  message: 'change conflicts with another transaction (OC000)',
};
const changed = {
  code: '40001',
  severity: 'ERROR',
  message: 'schema has been updated by another transaction (OC001)',
};

/** Both begin and read, each does its part, the first commits, the second is told what. */
async function race(first: string, second: string): Promise<unknown> {
  await one.query('BEGIN');
  await other.query('BEGIN');
  await one.query('SELECT 1 FROM t, p, k LIMIT 1');
  await other.query('SELECT 1 FROM t, p, k LIMIT 1');
  await one.query(first);
  await other.query(second);
  await one.query('COMMIT');
  try {
    return (await other.query('COMMIT')).command;
  } catch (error) {
    return error;
  }
}

describe('two transactions', () => {
  it.each([
    // dsql §6.2, §6.6
    ['UPDATE t SET v = 1 WHERE id = 1', 'UPDATE t SET v = 2 WHERE id = 1'],
    // dsql §6.4
    ['UPDATE t SET v = 1 WHERE id = 1', 'SELECT v FROM t WHERE id = 1 FOR UPDATE'],
    ['SELECT v FROM t WHERE id = 1 FOR UPDATE', 'UPDATE t SET v = 2 WHERE id = 1'],
    ['SELECT v FROM t WHERE id = 1 FOR UPDATE', 'SELECT v FROM t WHERE id = 1 FOR UPDATE'],
    // dsql §6.5
    ['DELETE FROM p WHERE id = 1', 'INSERT INTO k VALUES (1, 1)'],
    ['INSERT INTO k VALUES (1, 1)', 'DELETE FROM p WHERE id = 1'],
    ['SELECT 1 FROM p WHERE id = 1 FOR KEY SHARE', 'DELETE FROM p WHERE id = 1'],
    ["INSERT INTO t VALUES (11, 1, '')", "INSERT INTO t VALUES (11, 2, '')"],
  ])('conflict at COMMIT: %s; %s', async (first, second) => {
    expect(await race(first, second)).toMatchObject(conflict);
  });

  it.each([
    ['UPDATE t SET v = 1 WHERE id = 1', 'UPDATE t SET v = 2 WHERE id = 2'],
    // dsql §6.5
    ["UPDATE p SET note = 'x' WHERE id = 1", 'INSERT INTO k VALUES (1, 1)'],
    // dsql §6.3
    // A write skew: each has read what the other writes.
    ['UPDATE t SET v = 1 WHERE id = 3', 'UPDATE t SET v = 1 WHERE id = 4'],
    ['UPDATE t SET v = 1 WHERE id = 1', 'SELECT v FROM t WHERE id = 1'],
  ])('do not conflict: %s; %s', async (first, second) => {
    expect(await race(first, second)).toBe('COMMIT');
  });
});

describe('a change of the schema', () => {
  it.each([
    // dsql §6.7
    'CREATE TABLE n1 (id int PRIMARY KEY)',
    'ALTER TABLE p ADD COLUMN n2 int',
    'CREATE ROLE n3',
    // dsql §3.10
    'GRANT SELECT ON t TO n3',
    'REVOKE SELECT ON t FROM n3',
  ])('is told to whoever reads within a transaction, and at COMMIT: %s', async (text) => {
    await one.query('BEGIN');
    await one.query('SELECT v FROM t');
    await other.query(text);
    expect(await told(one.query('SELECT v FROM t'))).toMatchObject(changed);
    await one.query('ROLLBACK');
    expect((await one.query('SELECT v FROM t')).rowCount).toBe(10);
  });

  // dsql §3.10, §6.9
  it.each(['GRANT SELECT ON t TO n4', 'COMMENT ON TABLE t IS NULL', 'CREATE VIEW n5 AS SELECT 1'])(
    'is the only one of its transaction: %s',
    async (text) => {
      await one.query('BEGIN');
      await one.query('ALTER TABLE p ADD COLUMN IF NOT EXISTS n6 int');
      expect(await told(one.query(text))).toMatchObject({
        code: '0A000',
        message: 'multiple ddl statements not supported in a transaction',
      });
      await one.query('ROLLBACK');
    },
  );
});

describe('limits', () => {
  // dsql §6.11
  it('are 3,000 rows in a block, told by the statement', async () => {
    const insert = (first: number, last: number) =>
      one.query(`INSERT INTO t SELECT n, 0 FROM generate_series(${first}, ${last}) AS n`);
    await one.query('BEGIN');
    await insert(100, 2_099);
    await insert(2_100, 3_099);
    expect(await told(one.query('DELETE FROM t WHERE id = 1'))).toMatchObject({
      code: '54000',
      severity: 'ERROR',
      message: 'transaction row limit exceeded',
    });
    await one.query('ROLLBACK');
  });

  // dsql §6.12
  it('are 10 MiB, told by COMMIT', async () => {
    await one.query('BEGIN');
    await one.query(
      "INSERT INTO t SELECT n, 0, repeat('x', 900000) FROM generate_series(20, 31) n",
    );
    const answer = (await one.query('COMMIT').catch((error) => error)) as pg.DatabaseError;
    expect(answer).toMatchObject({
      code: '54000',
      message: 'transaction size limit 10mb exceeded',
      detail: expect.stringMatching(/^Current transaction size \d+mb > 10mb$/),
    });
    expect((await one.query('SELECT 1 FROM t WHERE id = 20')).rows).toEqual([]);
  });

  // dsql §6.18
  it('of a key are 8 columns', async () => {
    const names = [...'abcdefghi'];
    const columns = names.map((name) => `${name} int`).join(', ');
    const answer = await told(one.query(`CREATE TABLE n (${columns}, PRIMARY KEY (${names}))`));
    expect(answer).toMatchObject({
      code: '54011',
      message: 'more than 8 column keys in an index are not supported',
    });
  });

  // dsql §6.20
  it('of a table are 24 indexes, that of its key among them', async () => {
    const unique = Array.from({ length: 22 }, (_, at) => `UNIQUE (a, c${at})`).join(', ');
    const columns = Array.from({ length: 22 }, (_, at) => `c${at} int`).join(', ');
    await one.query(`CREATE TABLE n24 (a int PRIMARY KEY, ${columns}, ${unique})`);
    const { rows } = await one.query('CREATE INDEX ASYNC last ON n24 USING btree_index (c1)');
    await one.query(`CALL sys.wait_for_job('${rows[0]?.job_id}')`);
    expect(await told(one.query('CREATE INDEX ASYNC ON n24 (c2)'))).toMatchObject({
      code: '54000',
      message: 'more than 24 indexes per table are not allowed',
    });
    await one.query('CREATE INDEX ASYNC IF NOT EXISTS last ON n24 (c1)');
    await one.query('DROP INDEX last');
    await one.query('CREATE INDEX ASYNC ON n24 (c2)');
  });

  // dsql §6.19
  it('of a table are 255 columns', async () => {
    const columns = (count: number) =>
      Array.from({ length: count }, (_, at) => `c${at} int`).join(', ');
    expect(await told(one.query(`CREATE TABLE n (${columns(256)})`))).toMatchObject({
      code: '54011',
    });
    await one.query(`CREATE TABLE n255 (${columns(255)})`);
  });
});

describe('an error', () => {
  it.each([
    // dsql §6.15, §6.22
    ["INSERT INTO t VALUES (1, 1, '')", '23505'],
    ['INSERT INTO k VALUES (1, 99)', '23503'],
    ['SELECT * FROM nothing', '42P01'],
  ])('of PostgreSQL is told at once: %s', async (text, code) => {
    await one.query('BEGIN');
    expect(await told(one.query(text))).toMatchObject({ code });
    expect((await one.query('COMMIT')).command).toBe('ROLLBACK');
  });
});
