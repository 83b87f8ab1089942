/** What a transaction may be: rows, size, age, and what can be set aside. */
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OVERLAY_ROWS_MAX } from '../../../src/dsql/transactions/overlay.ts';
import { bound, TestCourt, told } from '../../support/dsql-court.ts';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';

let database: TestDatabase;
let superuser: pg.Client;
let court: TestCourt;
let nowMs = 0;

beforeAll(async () => {
  database = await createDatabase();
  superuser = new pg.Client({ connectionString: database.url });
  await superuser.connect();
});

beforeEach(async () => {
  await superuser.query(`SET client_min_messages = error; DROP TABLE IF EXISTS t, big;
    CREATE TABLE t(id int PRIMARY KEY, v int);
    CREATE TABLE big(id int PRIMARY KEY, body text, n int)`);
  nowMs = 1_000_000;
  court = new TestCourt(database.url, { nowMs: () => nowMs });
});

afterEach(() => court.close());

afterAll(async () => {
  await superuser.end();
  await database.drop();
});

const fill = (count: number): string =>
  `INSERT INTO t SELECT n, 0 FROM generate_series(1, ${count}) n`;

describe('rows', () => {
  // dsql §6.11
  it('may be 3,000, in one statement or several', async () => {
    const client = await court.begin();
    expect(await client.run(fill(2_000))).toBe('INSERT 0 2000');
    expect(await client.run('UPDATE t SET v = 1 WHERE id <= 999')).toBe('UPDATE 999');
    expect(await client.run('DELETE FROM t WHERE id = 1')).toBe('DELETE 1');
    expect(client.transaction.rowCount).toBe(3_000);
    expect(await client.commit()).toBe('COMMIT');
  });

  // dsql §6.11
  it('are too many with one more, which the statement is told', async () => {
    const client = await court.begin();
    await expect(client.run(fill(3_001))).rejects.toMatchObject({
      sqlstate: '54000',
      message: 'transaction row limit exceeded',
    });
    expect(await told(client.run('SELECT 1'))).toBe('25P02');
    expect(await client.commit()).toBe('ROLLBACK');
    const { rows } = await superuser.query('SELECT count(*)::int AS n FROM t');
    expect(rows).toEqual([{ n: 0 }]);
  });

  // dsql §6.11
  it('count once, however often they are written again', async () => {
    await superuser.query(fill(10));
    const client = await court.begin();
    expect(await client.run('UPDATE t SET v = 1')).toBe('UPDATE 10');
    const other = await court.begin();
    expect(await other.run('UPDATE t SET v = 2')).toBe('UPDATE 10');
    expect(await client.run('UPDATE t SET v = 3')).toBe('UPDATE 10');
    expect(client.transaction.rowCount).toBe(20);
    await other.rollback();
    expect(await client.commit()).toBe('COMMIT');
  });
});

describe('size', () => {
  const MEBIBYTE = 1_048_576;
  const body = 'x'.repeat(MEBIBYTE);

  // dsql §6.12
  it('may be just below 10 MiB, and is told at COMMIT above it', async () => {
    const small = await court.begin();
    for (let id = 0; id < 9; id++) {
      await small.run(bound('INSERT INTO big VALUES ($1, $2)', [String(id), body]));
    }
    expect(await small.commit()).toBe('COMMIT');
    const large = await court.begin();
    for (let id = 10; id < 20; id++) {
      await large.run(bound('INSERT INTO big VALUES ($1, $2)', [String(id), body]));
    }
    await expect(large.commit()).rejects.toMatchObject({
      sqlstate: '54000',
      message: 'transaction size limit 10mb exceeded',
      detail: 'Current transaction size 11mb > 10mb',
    });
    expect(large.link.status).toBe('I');
    const { rows } = await superuser.query('SELECT count(*)::int AS n FROM big');
    expect(rows).toEqual([{ n: 9 }]);
  });

  // dsql §6.12
  it('counts what the server made of short texts', async () => {
    const client = await court.begin();
    await client.run(
      `INSERT INTO big SELECT n, repeat('x', ${MEBIBYTE}) FROM generate_series(1, 11) n`,
    );
    expect(await told(client.commit())).toBe('54000');
  });

  it('counts the whole rows of updates, from 64 rows', async () => {
    await superuser.query(
      "INSERT INTO big SELECT n, repeat('x', 200000), 0 FROM generate_series(1, 64) n",
    );
    const client = await court.begin();
    await client.run('UPDATE big SET n = 1');
    expect(await told(client.commit())).toBe('54000');
    const few = await court.begin();
    await few.run('UPDATE big SET n = 1 WHERE id < 50');
    expect(await few.commit()).toBe('COMMIT');
  });
});

describe('age', () => {
  // dsql §6.13
  it('may be 300 s, and is told by the next statement above it', async () => {
    const client = await court.begin();
    nowMs += 300_000;
    expect(await client.run('INSERT INTO t VALUES (1, 1)')).toBe('INSERT 0 1');
    nowMs += 1_500;
    await expect(client.run('SELECT 1')).rejects.toMatchObject({
      sqlstate: '54000',
      message: 'transaction age limit of 300s exceeded',
      detail: 'Current transaction age 301s exceeds 300s',
    });
    expect(await client.commit()).toBe('ROLLBACK');
  });

  // dsql §6.13
  it('is told by COMMIT, when a statement ran for too long', async () => {
    const client = await court.begin();
    const running = client.run('INSERT INTO t SELECT 1, 1 FROM pg_sleep(0.05)');
    nowMs += 310_000;
    expect(await running).toBe('INSERT 0 1');
    await expect(client.commit()).rejects.toMatchObject({
      sqlstate: '54000',
      detail: 'Current transaction age 310s exceeds 300s',
    });
    const { rows } = await superuser.query('SELECT count(*)::int AS n FROM t');
    expect(rows).toEqual([{ n: 0 }]);
  });
});

describe('copies', () => {
  it('are not made of more than their limit: who lost is told so at once, and why', async () => {
    await superuser.query(fill(OVERLAY_ROWS_MAX + 1));
    const client = await court.begin();
    await client.run('SELECT 1');
    const other = await court.begin();
    await other.run('UPDATE t SET v = 1 WHERE id = 1');
    await other.commit();
    await expect(client.run('UPDATE t SET v = 2 WHERE id = 1')).rejects.toMatchObject({
      sqlstate: '40001',
      message: 'change conflicts with another transaction (OC000)',
      detail: expect.stringContaining(`more than ${OVERLAY_ROWS_MAX} rows`),
    });
    expect(await client.commit()).toBe('ROLLBACK');
  });

  it('are not needed when nobody has committed: an error is told as it is', async () => {
    await superuser.query(fill(OVERLAY_ROWS_MAX + 1));
    const client = await court.begin();
    expect(await told(client.run('INSERT INTO t VALUES (1, 1)'))).toBe('23505');
    expect(await client.commit()).toBe('ROLLBACK');
  });
});
