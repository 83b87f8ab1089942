/** Clients that go away without a word, in the middle of something. */
import type { Socket } from 'node:net';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestEndpoint } from '../../support/dsql-endpoint.ts';

/** More than the buffers on the way take. */
const LARGE = "SELECT repeat('x', 1000) FROM generate_series(1, 300000)";

let test: TestEndpoint;
let one: pg.Client;
let other: pg.Client;

beforeAll(async () => {
  test = await TestEndpoint.start();
  const admin = await test.connect();
  await admin.query('CREATE TABLE t (id int PRIMARY KEY, v int)');
  await admin.query('INSERT INTO t VALUES (1, 0)');
});

afterAll(async () => {
  await test?.stop();
});

beforeEach(async () => {
  one = await test.connect();
  other = await test.connect();
});

describe('a client that goes away', () => {
  it.each([
    ['while a statement runs', 'SELECT pg_sleep(60)'],
    ['while a COPY of which it reads nothing runs', `COPY (${LARGE}) TO STDOUT`],
    ['while it does not read what it has asked for', LARGE],
  ])('%s has that ended, and leaves no link behind', async (_, statement) => {
    await one.query('BEGIN');
    await one.query('UPDATE t SET v = 1 WHERE id = 1');
    const { stream } = (one as unknown as { connection: { stream: Socket } }).connection;
    void one.query(statement).catch(() => {});
    stream.pause();
    const mark = statement.slice(0, 20);
    const running = async (): Promise<number> => {
      const count = `SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE starts_with(query, $1) AND state = 'active'`;
      return (await other.query(count, [mark])).rows[0].n;
    };
    await expect.poll(running).toBe(1);
    stream.destroy();
    await expect.poll(running, { timeout: 5_000 }).toBe(0);
    expect((await other.query('UPDATE t SET v = 2 WHERE id = 1')).rowCount).toBe(1);
  });
});
