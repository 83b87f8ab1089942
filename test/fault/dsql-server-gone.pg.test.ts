/** Links of the DSQL endpoint to PostgreSQL end at every step of a transaction, and at any byte. */
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DSQL_LIMITS } from '../../src/dsql/login/connection-quota.ts';
import { TestEndpoint, told } from '../support/dsql-endpoint.ts';
import { FaultProxy, type Pair } from '../support/fault-proxy.ts';
import { startOwnServer } from '../support/own-server.ts';

/** Bytes between one cut and the next one of the sweep. */
const STEP = 37;
const TRANSACTION_MS_MAX = 20_000;

let test: TestEndpoint;
let proxy: FaultProxy;
let superuser: pg.Client;
let client: pg.Client;

beforeAll(async () => {
  const server = await startOwnServer();
  const { hostname: host, port } = new URL(server.url());
  proxy = await FaultProxy.start({ host, port: Number(port) });
  const through = new URL(server.url());
  through.port = String(proxy.at.port);
  test = await TestEndpoint.start(DSQL_LIMITS, server, [through.href]);
  superuser = new pg.Client({ connectionString: server.url() });
  await superuser.connect();
  client = await test.connect();
  await client.query('CREATE TABLE t (id int PRIMARY KEY, v int)');
  await client.query('INSERT INTO t VALUES (1, 0)');
});

afterEach(() => {
  proxy.onPair = () => {};
});

afterAll(async () => {
  await superuser?.end();
  await test?.stop();
  await proxy?.stop();
});

const unavailable = { code: 'XX000', message: 'server unavailable', severity: 'ERROR' };

async function stored(): Promise<number> {
  return (await superuser.query('SELECT v FROM t WHERE id = 1')).rows[0].v;
}

/** PostgreSQL ends every link of the role, as when it is shut down. */
async function endLinks(): Promise<void> {
  const others = "FROM pg_stat_activity WHERE usename = 'admin'";
  await superuser.query(`SELECT pg_terminate_backend(pid) ${others}`);
  const count = async () => (await superuser.query(`SELECT pid ${others}`)).rowCount;
  await expect.poll(count).toBe(0);
}

const atRest = async (): Promise<void> => {
  const open = () => {
    const { open: all, idle, waiting } = test.cluster.linkCounts;
    return all - idle + waiting;
  };
  await expect.poll(open).toBe(0);
  const busy = "SELECT query FROM pg_stat_activity WHERE usename = 'admin' AND state <> 'idle'";
  await expect.poll(async () => (await superuser.query(busy)).rows).toEqual([]);
};

describe('a link that ends', () => {
  it('between transactions is nothing that a client hears of', async () => {
    for (let turn = 0; turn < 5; turn++) {
      await endLinks();
      expect((await client.query('SELECT v FROM t')).rowCount).toBe(1);
    }
  });

  // dsql §1.46
  it('behind BEGIN, or behind a statement, ends the transaction with an error', async () => {
    for (const steps of [['BEGIN'], ['BEGIN', 'UPDATE t SET v = v + 1']]) {
      const before = await stored();
      for (const step of steps) await client.query(step);
      await endLinks();
      expect(await told(client.query('UPDATE t SET v = v + 1'))).toMatchObject(unavailable);
      expect(await told(client.query('SELECT 1'))).toMatchObject({ code: '25P02' });
      await client.query('ROLLBACK');
      expect(await stored()).toBe(before);
      expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    }
  });

  // dsql §1.46
  it('before COMMIT makes COMMIT an error', async () => {
    const before = await stored();
    await client.query('BEGIN');
    await client.query('UPDATE t SET v = v + 1');
    await endLinks();
    expect(await told(client.query('COMMIT'))).toMatchObject(unavailable);
    expect(await stored()).toBe(before);
    expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  });

  it('while a statement runs ends that, and a client that waits is told', async () => {
    const slow = told(client.query('SELECT pg_sleep(30)'));
    const runs =
      "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()";
    await expect.poll(async () => (await superuser.query(runs)).rowCount).toBeGreaterThan(0);
    await endLinks();
    expect(await slow).toMatchObject(unavailable);
    await atRest();
  });

  it.each(['up', 'down'] as const)(
    'at any byte %s leaves a transaction whole, and never says COMMIT for one that is not',
    async (direction) => {
      let acknowledged = 0;
      let isThrough = false;
      for (let bytes = 0; !isThrough; bytes += STEP) {
        await endLinks();
        await atRest();
        const before = await stored();
        const cut: Pair[] = [];
        const arm = (pair: Pair): void => {
          pair[direction].bytesLeft = bytes;
          cut.push(pair);
        };
        // A link that is there already, so that the cut is in the transaction and not in the login.
        await client.query('SELECT 1');
        for (const pair of proxy.open) arm(pair);
        const sinceMs = performance.now();
        const outcome = await transact();
        expect(performance.now() - sinceMs).toBeLessThan(TRANSACTION_MS_MAX);
        isThrough = cut.every((pair) => pair[direction].bytesLeft > 0);
        for (const pair of cut) pair[direction].bytesLeft = Number.POSITIVE_INFINITY;
        await expect.poll(() => client.query('SELECT 1').then(() => 'ok', String)).toBe('ok');
        await atRest();
        const after = await stored();
        if (outcome === 'COMMIT') {
          acknowledged++;
          expect(after, `cut after ${bytes} bytes`).toBe(before + 2);
        } else {
          expect(outcome).toBe('XX000 server unavailable');
          expect([before, before + 2], `cut after ${bytes} bytes`).toContain(after);
        }
      }
      expect(acknowledged).toBeGreaterThan(0);
    },
  );
});

/** @returns what came of it: the tag, or the error */
async function transact(): Promise<string> {
  try {
    await client.query('BEGIN');
    await client.query('UPDATE t SET v = v + 1 WHERE id = $1', [1]);
    await client.query('UPDATE t SET v = v + 1 WHERE id = 1');
    return (await client.query('COMMIT')).command;
  } catch (error) {
    const { code, message } = error as pg.DatabaseError;
    await client.query('ROLLBACK');
    return `${code} ${message}`;
  }
}
