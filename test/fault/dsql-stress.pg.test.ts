/** Many clients at once through the DSQL endpoint, all of whose acknowledged work must be there. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestEndpoint } from '../support/dsql-endpoint.ts';

const CLIENTS = 24;
const ROUNDS = 8;
const ACCOUNTS = 6;
const RETRIES_MAX = 500;

let test: TestEndpoint;
let superuser: pg.Client;

beforeAll(async () => {
  test = await TestEndpoint.start();
  superuser = new pg.Client({ connectionString: test.server.url() });
  await superuser.connect();
  const client = await test.connect();
  await client.query('CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL)');
  await client.query('INSERT INTO counters SELECT n, 0 FROM generate_series(1, 4) AS n');
  await client.query('CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)');
  await client.query(`INSERT INTO accounts SELECT n, 100 FROM generate_series(1, ${ACCOUNTS}) n`);
  await client.query('CREATE TABLE moves (id uuid PRIMARY KEY, a int, b int, amount int)');
  await client.end();
});

afterAll(async () => {
  await superuser?.end();
  await test?.stop();
});

let conflicts = 0;

/** Runs it again for as long as it meets conflicts; anything else is thrown. */
async function transact(client: pg.Client, work: () => Promise<void>): Promise<void> {
  for (let left = RETRIES_MAX; ; left--) {
    try {
      await client.query('BEGIN');
      await work();
      const { command } = await client.query('COMMIT');
      if (command !== 'COMMIT') throw new Error('acknowledged as something else');
      return;
    } catch (error) {
      const { code } = error as pg.DatabaseError;
      await client.query('ROLLBACK');
      if (code !== '40001' || left === 0) throw error;
      conflicts++;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 40));
    }
  }
}

const pick = (count: number): number => 1 + Math.floor(Math.random() * count);

/** One client each, all at once, to their ends. */
async function together(work: (client: pg.Client, who: number) => Promise<void>): Promise<void> {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => test.connect()));
  await Promise.all(clients.map(work));
  await Promise.all(clients.map((client) => client.end()));
}

async function atRest(): Promise<void> {
  await expect.poll(() => test.cluster.sessionCount).toBe(0);
  await expect.poll(() => test.cluster.quota.open).toBe(0);
  const counts = () => test.cluster.linkCounts;
  await expect.poll(() => counts().open - counts().idle + counts().waiting).toBe(0);
  const held = `SELECT locktype, mode FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE usename = 'admin'`;
  await expect.poll(async () => (await superuser.query(held)).rows).toEqual([]);
}

describe('many clients of the endpoint', () => {
  // dsql §8.5
  it('lose no increment, whether they read first or not', async () => {
    conflicts = 0;
    await together(async (client, who) => {
      const id = 1 + (who % 4);
      for (let round = 0; round < ROUNDS; round++) {
        await transact(client, async () => {
          if (round % 2 === 0) {
            await client.query('UPDATE counters SET n = n + 1 WHERE id = $1', [id]);
            return;
          }
          const { rows } = await client.query('SELECT n FROM counters WHERE id = $1', [id]);
          await client.query('UPDATE counters SET n = $2 WHERE id = $1', [id, rows[0].n + 1]);
        });
      }
    });
    const { rows } = await superuser.query('SELECT sum(n)::int AS sum FROM counters');
    expect(rows).toEqual([{ sum: CLIENTS * ROUNDS }]);
    // Else they were never in each other's way.
    expect(conflicts).toBeGreaterThan(CLIENTS);
    await atRest();
  });

  // dsql §8.5
  it('move money about, and none is made or lost', async () => {
    conflicts = 0;
    await together(async (client) => {
      for (let round = 0; round < ROUNDS; round++) {
        const from = pick(ACCOUNTS);
        const to = 1 + (from % ACCOUNTS);
        await transact(client, async () => {
          const { rows } = await client.query('SELECT balance FROM accounts WHERE id = $1', [from]);
          const amount = Math.min(pick(20), rows[0].balance);
          const pay = 'UPDATE accounts SET balance = balance + $2 WHERE id = $1';
          await client.query(pay, [from, -amount]);
          await client.query(pay, [to, amount]);
          const note = 'INSERT INTO moves VALUES (gen_random_uuid(), $1, $2, $3)';
          await client.query(note, [from, to, amount]);
        });
        const { rows } = await client.query('SELECT sum(balance)::int AS sum FROM accounts');
        expect(rows).toEqual([{ sum: 100 * ACCOUNTS }]);
      }
    });
    const { rows } = await superuser.query(`SELECT
      (SELECT count(*) FROM moves)::int AS moves,
      (SELECT min(balance) >= 0 FROM accounts) AS solvent,
      (SELECT count(*) FROM accounts WHERE balance <> 100
        + coalesce((SELECT sum(amount) FROM moves WHERE b = accounts.id), 0)
        - coalesce((SELECT sum(amount) FROM moves WHERE a = accounts.id), 0))::int AS wrong`);
    expect(rows).toEqual([{ moves: CLIENTS * ROUNDS, solvent: true, wrong: 0 }]);
    expect(conflicts).toBeGreaterThan(CLIENTS);
    await atRest();
  });
});
