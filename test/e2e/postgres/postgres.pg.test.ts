import { pipeline } from 'node:stream/promises';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { POOL_MODES, type Serve, startServe } from '../support/millrace.ts';

const cases = POOL_MODES.flatMap((poolMode) =>
  [true, false].map((prepare) => ({ poolMode, prepare })),
);

describe.each(cases)('postgres.js, $poolMode mode, prepare: $prepare', ({ poolMode, prepare }) => {
  let database: TestDatabase;
  let serve: Serve;
  const opened: postgres.Sql[] = [];

  beforeAll(async () => {
    database = await createDatabase();
    serve = await startServe({ originUrl: database.url, poolMode, links: 4 });
    await open()`CREATE TABLE item (id int PRIMARY KEY, body text NOT NULL)`;
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((sql) => sql.end({ timeout: 5 })));
  });

  afterAll(async () => {
    await Promise.all(opened.splice(0).map((sql) => sql.end({ timeout: 5 })));
    await serve?.stop();
    await database?.drop();
  });

  function open(options: postgres.Options<Record<string, never>> = {}): postgres.Sql {
    const sql = postgres(serve.url, { prepare, max: 2, onnotice: () => {}, ...options });
    opened.push(sql);
    return sql;
  }

  it('reads and writes many types', async () => {
    const sql = open();
    const at = new Date('2026-02-03T04:05:06.789Z');
    const bytes = Buffer.from([0, 1, 90, 255]);
    const rows = await sql`SELECT ${7}::int AS i, ${'☂ \\'}::text AS t, ${at}::timestamptz AS at,
      ${sql.json({ a: 1 })}::jsonb AS j, ${bytes}::bytea AS b, ${[1, 2]}::int[] AS a,
      ${null}::text AS n`;
    expect([...rows]).toEqual([{ i: 7, t: '☂ \\', at, j: { a: 1 }, b: bytes, a: [1, 2], n: null }]);
  });

  it('pipelines on one connection, and an error strikes its own query only', async () => {
    const sql = open({ max: 1 });
    const all = await Promise.allSettled(
      Array.from({ length: 200 }, (_, n) =>
        n % 20 === 13 ? sql`SELECT 1 / ${n - n}::int AS n` : sql`SELECT ${n}::int AS n`,
      ),
    );
    for (const [n, outcome] of all.entries()) {
      if (n % 20 === 13) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: '22012' } });
      } else {
        expect(outcome).toMatchObject({ status: 'fulfilled', value: [{ n }] });
      }
    }
  });

  it('keeps transactions and savepoints', async () => {
    const sql = open();
    await sql.begin(async (tx) => {
      await tx`INSERT INTO item VALUES (1, 'kept')`;
      const inner = tx.savepoint(async (sp) => {
        await sp`INSERT INTO item VALUES (2, 'lost')`;
        await sp`INSERT INTO item VALUES (1, 'again')`;
      });
      await expect(inner).rejects.toMatchObject({ code: '23505', constraint_name: 'item_pkey' });
      await tx`INSERT INTO item VALUES (3, 'kept')`;
    });
    const failed = sql.begin(async (tx) => {
      await tx`INSERT INTO item VALUES (4, 'lost')`;
      throw new Error('on purpose');
    });
    await expect(failed).rejects.toThrow('on purpose');
    expect([...(await sql`SELECT id FROM item ORDER BY id`)]).toEqual([{ id: 1 }, { id: 3 }]);
    const piped = await sql.begin((tx) => [tx`SELECT 1 AS n`, tx`SELECT ${2}::int AS n`]);
    expect(piped.map((rows) => [...rows])).toEqual([[{ n: 1 }], [{ n: 2 }]]);
  });

  it('passes a value of 10 MB in both directions, and 100,000 rows', async () => {
    const sql = open();
    const big = 'ZECK'.repeat(2_500_000);
    const [row] = await sql`SELECT ${big}::text AS t`;
    expect(row?.['t'] === big).toBe(true);
    const rows =
      await sql`SELECT i, repeat('x', i % 100) AS t FROM generate_series(1, 100000) AS i`;
    expect(rows).toHaveLength(100_000);
    expect(rows.every((each, at) => each['i'] === at + 1)).toBe(true);
  });

  it('reads by a cursor, in portions', async () => {
    const sql = open();
    const sizes: number[] = [];
    let sum = 0;
    await sql`SELECT i FROM generate_series(1, 1000) AS i`.cursor(300, (rows) => {
      sizes.push(rows.length);
      for (const { i } of rows) sum += i;
    });
    expect([sizes, sum]).toEqual([[300, 300, 300, 100], 500_500]);
  });

  it('copies in and out', async () => {
    const sql = open();
    await sql`CREATE TABLE copied (n int, t text)`;
    const lines = Array.from({ length: 20_000 }, (_, n) => `${n}\trow ${n}\n`);
    await pipeline(lines, await sql`COPY copied FROM STDIN`.writable());
    expect([...(await sql`SELECT count(*)::int AS n FROM copied`)]).toEqual([{ n: 20_000 }]);
    // With or without a gateway the driver may leave its socket paused after it: on its own one.
    const reading = open({ max: 1 });
    const out: Buffer[] = [];
    const copied = await reading`COPY (TABLE copied ORDER BY n) TO STDOUT`.readable();
    for await (const chunk of copied) out.push(chunk as Buffer);
    expect(Buffer.concat(out).toString() === lines.join('')).toBe(true);
    await reading.end({ timeout: 0 });
    await sql`DROP TABLE copied`;
  });

  it('hears notifications', async () => {
    const listening = open();
    const speaking = open();
    const heard: string[] = [];
    const { unlisten } = await listening.listen('news', (payload) => heard.push(payload));
    await speaking.notify('news', 'first');
    await speaking.begin((tx) => tx`SELECT pg_notify('news', 'second')`);
    await expect.poll(() => heard).toEqual(['first', 'second']);
    await unlisten();
    await speaking.notify('news', 'third');
    expect([...(await listening`SELECT 1 AS n`)]).toEqual([{ n: 1 }]);
    expect(heard).toEqual(['first', 'second']);
  });

  it('cancels its own statement', async () => {
    const sql = open({ max: 1 });
    await sql`SELECT 1`;
    const sleeping = sql`SELECT pg_sleep(30)`;
    setTimeout(() => sleeping.cancel(), 300);
    const beganMs = performance.now();
    await expect(sleeping).rejects.toMatchObject({ code: '57014' });
    expect(performance.now() - beganMs).toBeLessThan(10_000);
    expect([...(await sql`SELECT 1 AS n`)]).toEqual([{ n: 1 }]);
  });

  it.runIf(poolMode === 'transaction')(
    'serves 60 connections of 12 instances over 4 links, each its own answers',
    async () => {
      const instances = Array.from({ length: 12 }, () => open({ max: 5 }));
      const work = instances.flatMap((sql, who) =>
        Array.from({ length: 100 }, async (_, round) => {
          if (round % 10 !== 0) {
            const rows = await sql`SELECT ${who}::int AS who, ${round}::int AS round`;
            expect([...rows]).toEqual([{ who, round }]);
            return;
          }
          await sql.begin(async (tx) => {
            await tx`SELECT set_config('e2e.who', ${`${who}/${round}`}, true)`;
            const [row] = await tx`SELECT current_setting('e2e.who') AS s`;
            expect(row?.['s']).toBe(`${who}/${round}`);
          });
        }),
      );
      await Promise.all(work);
    },
  );
});
