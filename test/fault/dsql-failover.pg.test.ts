/** The PostgreSQL under the DSQL endpoint fails over while clients run. */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DSQL_LIMITS } from '../../src/dsql/login/connection-quota.ts';
import type { AuroraCluster } from '../../src/embedded/aurora/aurora-cluster.ts';
import { askInstance, startCluster } from '../support/aurora.ts';
import { TestEndpoint, told } from '../support/dsql-endpoint.ts';

const CLIENTS = 6;
/** From the crash until a client's write is acknowledged again, on a busy machine. */
const BACK_MS_MAX = 40_000;
const AGAIN_MS = 20;

let cluster: AuroraCluster;
let test: TestEndpoint;

beforeAll(async () => {
  cluster = await startCluster({ instances: 2 });
  const { superuser, port, instances } = cluster;
  const login = `${superuser.user}:${superuser.password}`;
  const urls = instances.map(
    ({ address }) => `postgres://${login}@${address}:${port}/demo?sslmode=disable`,
  );
  const server = { url: () => urls[0] as string, stop: () => cluster.stop() };
  test = await TestEndpoint.start(DSQL_LIMITS, server, urls);
});

afterAll(async () => {
  if (test !== undefined) await test.stop();
  else await cluster?.stop();
});

type Outcome = { readonly acknowledged: number[]; readonly errors: Set<string> };

/** Writes in transactions of two statements, on one connection, until it is told to stop. */
async function write(client: pg.Client, from: number, isOver: () => boolean): Promise<Outcome> {
  const acknowledged: number[] = [];
  const errors = new Set<string>();
  for (let n = from; !isOver(); n++) {
    try {
      await client.query('BEGIN');
      await client.query('INSERT INTO told VALUES ($1, 1)', [n]);
      await client.query('UPDATE told SET v = 2 WHERE n = $1', [n]);
      const { command } = await client.query('COMMIT');
      if (command === 'COMMIT') acknowledged.push(n);
      else errors.add('the COMMIT was a ROLLBACK');
    } catch (error) {
      const { code, message } = error as pg.DatabaseError;
      errors.add(`${code} ${message}`);
      await client.query('ROLLBACK');
      await sleep(AGAIN_MS);
    }
  }
  return { acknowledged, errors };
}

describe('a failover of the PostgreSQL under the endpoint', () => {
  // dsql §1.46, §8.2, §8.3
  it('costs open transactions, but no connection and no write that was acknowledged', async () => {
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => test.connect()));
    const lost: string[] = [];
    for (const client of clients) client.on('end', () => lost.push('a connection has ended'));
    const idle = await test.connect();
    const open = await test.connect();
    await idle.query('CREATE TABLE told (n int PRIMARY KEY, v int)');
    await idle.query("SET timezone = 'Asia/Tokyo'");
    await open.query('BEGIN');
    await open.query('INSERT INTO told VALUES (-1, 0)');

    let isOver = false;
    const loads = clients.map((client, at) => write(client, at * 1_000_000, () => isOver));
    await sleep(1_000);
    const before = cluster.writer;
    await cluster.crash(before.name);
    const crashedMs = performance.now();

    // The transaction that was open is lost, and says so; its session goes on.
    expect(await told(open.query('INSERT INTO told VALUES (-2, 0)'))).toMatchObject({
      code: 'XX000',
      message: 'server unavailable',
      severity: 'ERROR',
    });
    expect(await told(open.query('SELECT 1'))).toMatchObject({ code: '25P02' });
    expect((await open.query('COMMIT')).command).toBe('ROLLBACK');

    const again = () =>
      idle.query('INSERT INTO told VALUES (-3, 0)').then(
        () => true,
        () => false,
      );
    await expect.poll(again, { timeout: BACK_MS_MAX }).toBe(true);
    expect(performance.now() - crashedMs).toBeLessThan(BACK_MS_MAX);
    // What a session has set is with it on the other server, too.
    expect((await idle.query('SHOW timezone')).rows).toEqual([{ TimeZone: 'Asia/Tokyo' }]);
    await sleep(1_500);
    isOver = true;
    const outcomes = await Promise.all(loads);

    expect(lost).toEqual([]);
    await cluster.settled();
    expect(cluster.writer.name).not.toBe(before.name);
    const rows = await askInstance(cluster, cluster.writer, 'SELECT n, v FROM told');
    const stored = new Map(rows.map(({ n, v }) => [n as number, v as number]));
    for (const { acknowledged, errors } of outcomes) {
      expect(acknowledged.filter((n) => stored.get(n) !== 2)).toEqual([]);
      expect(acknowledged.length).toBeGreaterThan(0);
      expect([...errors].filter((text) => text !== 'XX000 server unavailable')).toEqual([]);
    }
    expect(stored.has(-1) || stored.has(-2)).toBe(false);
    // Each transaction whole: what is there has both statements.
    expect([...stored].filter(([n, v]) => n >= 0 && v !== 2)).toEqual([]);
    for (const client of [...clients, idle, open]) await client.end();
    await expect.poll(() => test.cluster.sessionCount).toBe(0);
    await expect.poll(() => test.cluster.linkCounts.waiting).toBe(0);
    const { open: linksOpen, idle: linksIdle } = test.cluster.linkCounts;
    expect(linksOpen).toBe(linksIdle);
  });
});
