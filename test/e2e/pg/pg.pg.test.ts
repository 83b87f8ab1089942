import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { POOL_MODES, type Serve, startServe } from '../support/millrace.ts';
import { sendCancel } from '../support/raw-cancel.ts';

/** The driver keeps the pieces of a cancel key to itself. */
type KeyHolder = { readonly processID: number; readonly secretKey: number };

const isKeyHolder = (client: object): client is KeyHolder =>
  'processID' in client && 'secretKey' in client;

describe.each(POOL_MODES)('the driver pg in %s mode', (poolMode) => {
  let database: TestDatabase;
  let serve: Serve;
  const clients: pg.Client[] = [];

  beforeAll(async () => {
    database = await createDatabase();
    serve = await startServe({ originUrl: database.url, poolMode, links: 4 });
    await withClient(async (client) => {
      await client.query('CREATE TABLE item (id int PRIMARY KEY, body text NOT NULL)');
    });
  });

  afterAll(async () => {
    for (const client of clients.splice(0)) await client.end();
    await serve?.stop();
    await database?.drop();
  });

  async function withClient<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({ connectionString: serve.url });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }

  it('reads and writes parameters and values of many types', async () => {
    await withClient(async (client) => {
      const sql = `SELECT $1::int AS i, $2::text AS t, $3::timestamptz AS at, $4::jsonb AS j,
        $5::bytea AS b, $6::int[] AS a, $7::bool AS f, $8::text AS n`;
      const at = new Date('2026-02-03T04:05:06.789Z');
      const bytes = Buffer.from([0, 1, 90, 255]);
      const values = [7, "it's ☂ \\ \n", at, { a: [1, null] }, bytes, [1, 2, 3], false, null];
      const { rows } = await client.query(sql, values);
      expect(rows).toEqual([
        { i: 7, t: values[1], at, j: { a: [1, null] }, b: bytes, a: [1, 2, 3], f: false, n: null },
      ]);
    });
  });

  it('gets errors whole, and goes on after them', async () => {
    await withClient(async (client) => {
      await client.query("INSERT INTO item VALUES (1, 'one')");
      const twice = client.query('INSERT INTO item VALUES ($1, $2)', [1, 'again']);
      await expect(twice).rejects.toMatchObject({
        code: '23505',
        table: 'item',
        constraint: 'item_pkey',
        detail: 'Key (id)=(1) already exists.',
      });
      await expect(client.query('SELECT nothing')).rejects.toMatchObject({
        code: '42703',
        position: '8',
      });
      const several = client.query('SELECT 1; SELECT 1/0; SELECT 2');
      await expect(several).rejects.toMatchObject({ code: '22012' });
      expect((await client.query('SELECT 2 AS n')).rows).toEqual([{ n: 2 }]);
    });
  });

  it('keeps transactions: commit, rollback, and the failed state', async () => {
    await withClient(async (client) => {
      const count = async () =>
        (await client.query('SELECT count(*)::int AS n FROM item WHERE id >= 100')).rows[0].n;
      await client.query('BEGIN');
      await client.query("INSERT INTO item VALUES (100, 'kept')");
      await client.query('COMMIT');
      await client.query('BEGIN');
      await client.query("INSERT INTO item VALUES (101, 'lost')");
      expect(await count()).toBe(2);
      await expect(client.query('SELECT 1/0')).rejects.toMatchObject({ code: '22012' });
      await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' });
      await client.query('ROLLBACK');
      expect(await count()).toBe(1);
    });
  });

  it('keeps named statements for each client, whatever link they meet', async () => {
    const connected: pg.Client[] = [];
    for (let at = 0; at < 4; at++) {
      const client = new pg.Client({ connectionString: serve.url });
      await client.connect();
      connected.push(client);
    }
    const work = connected.map(async (client, at) => {
      // The same name means something else for each of them.
      const text = `SELECT $1::int * ${at + 1} AS n`;
      for (let round = 0; round < 50; round++) {
        const { rows } = await client.query({ name: 'times', text, values: [round] });
        expect(rows).toEqual([{ n: round * (at + 1) }]);
      }
    });
    await Promise.all(work);
    await Promise.all(connected.map((client) => client.end()));
  });

  it('passes a value of 10 MB in both directions, and 100,000 rows', async () => {
    await withClient(async (client) => {
      const big = Buffer.alloc(10_000_000, 'Z').fill('E', 5_000_000);
      const { rows } = await client.query('SELECT $1::bytea AS b, length($1) AS n', [big]);
      expect(rows[0].n).toBe(big.length);
      expect(big.equals(rows[0].b)).toBe(true);
      const many = await client.query(
        "SELECT i, repeat('x', i % 100) AS t FROM generate_series(1, 100000) AS i",
      );
      expect(many.rows).toHaveLength(100_000);
      expect(many.rows.every(({ i, t }, at) => i === at + 1 && t.length === i % 100)).toBe(true);
    });
  });

  it('hears notifications, also between transactions of others', async () => {
    await withClient(async (listener) => {
      const heard: string[] = [];
      listener.on('notification', ({ channel, payload }) => heard.push(`${channel} ${payload}`));
      await listener.query('LISTEN news');
      await withClient(async (speaker) => {
        await speaker.query("SELECT pg_notify('news', 'first')");
        await speaker.query("BEGIN; NOTIFY news, 'second'; NOTIFY other, 'never'; COMMIT");
      });
      await expect.poll(() => heard).toEqual(['news first', 'news second']);
      expect((await listener.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    });
  });

  it('loses no notification that comes right after LISTEN is answered', async () => {
    await withClient(async (speaker) => {
      for (let round = 0; round < 30; round++) {
        await withClient(async (listener) => {
          const heard: (string | undefined)[] = [];
          listener.on('notification', ({ payload }) => heard.push(payload));
          await listener.query('LISTEN soon');
          await speaker.query("SELECT pg_notify('soon', $1)", [`round ${round}`]);
          await expect.poll(() => heard, { timeout: 2000 }).toEqual([`round ${round}`]);
        });
      }
    });
  });

  it('cancels its own statement and nobody else’s', async () => {
    await withClient(async (victim) => {
      await withClient(async (neighbour) => {
        if (!isKeyHolder(victim)) throw new Error('the driver hides its cancel key');
        const sleeping = victim.query('SELECT pg_sleep(30)');
        const refused = expect(sleeping).rejects.toMatchObject({ code: '57014' });
        const other = neighbour.query('SELECT pg_sleep(1), 5 AS n');
        await new Promise((resolve) => setTimeout(resolve, 300));
        await sendCancel(serve.port, victim.processID, victim.secretKey);
        await refused;
        expect((await other).rows[0].n).toBe(5);
        expect((await victim.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
        // A cancel with the right number and a wrong secret does nothing.
        const short = victim.query('SELECT pg_sleep(0.5), 6 AS n');
        await new Promise((resolve) => setTimeout(resolve, 100));
        await sendCancel(serve.port, victim.processID, victim.secretKey ^ 1);
        expect((await short).rows[0].n).toBe(6);
      });
    });
  });

  it('keeps settings with their client', async () => {
    await withClient(async (one) => {
      await withClient(async (two) => {
        await one.query("SET statement_timeout = '7s'; SET timezone = 'Asia/Tokyo'");
        await two.query("SET statement_timeout = '9s'");
        for (let round = 0; round < 10; round++) {
          const ask = 'SELECT current_setting($1) AS s';
          const [a, b] = await Promise.all([
            one.query(ask, ['statement_timeout']),
            two.query(ask, ['statement_timeout']),
          ]);
          expect([a.rows[0].s, b.rows[0].s]).toEqual(['7s', '9s']);
        }
        expect((await one.query('SHOW timezone')).rows).toEqual([{ TimeZone: 'Asia/Tokyo' }]);
        expect((await two.query('SHOW timezone')).rows).not.toEqual([{ TimeZone: 'Asia/Tokyo' }]);
      });
    });
  });

  it.runIf(poolMode === 'transaction')(
    'serves many clients over few links, each its own rows and transactions',
    async () => {
      const pool = new pg.Pool({ connectionString: serve.url, max: 40 });
      await withClient((client) => client.query('CREATE TABLE mark (who int, round int)'));
      const one = async (who: number) => {
        const client = await pool.connect();
        try {
          for (let round = 0; round < 15; round++) {
            const { rows } = await client.query('SELECT $1::int AS who, $2::int AS round', [
              who,
              round,
            ]);
            expect(rows).toEqual([{ who, round }]);
            await client.query('BEGIN');
            await client.query('INSERT INTO mark VALUES ($1, $2)', [who, round]);
            const mine = await client.query('SELECT count(*)::int AS n FROM mark WHERE who = $1', [
              who,
            ]);
            // Even rounds are thrown away, odd ones kept.
            expect(mine.rows[0].n).toBe(Math.floor(round / 2) + 1);
            await client.query(round % 2 === 0 ? 'ROLLBACK' : 'COMMIT');
          }
        } finally {
          client.release();
        }
      };
      await Promise.all(Array.from({ length: 40 }, (_, who) => one(who)));
      const { rows } = await pool.query('SELECT count(*)::int AS n FROM mark');
      expect(rows).toEqual([{ n: 40 * 7 }]);
      await pool.end();
    },
  );
});
