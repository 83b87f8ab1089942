/** The embedded PostgreSQL of a cluster dies without warning under clients of the DSQL endpoint. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { ClusterServer, removeServerData } from '../../src/dsql/clusters/cluster-server.ts';
import { DSQL_LIMITS } from '../../src/dsql/login/connection-quota.ts';
import { TestEndpoint, told } from '../support/dsql-endpoint.ts';

const BACK_MS_MAX = 30_000;

let server: ClusterServer;
let test: TestEndpoint;
let dir: string;
let downs = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'millrace-dsql-'));
  // An ephemeral one does not wait for its disk, and may lose what it acknowledged last.
  server = await ClusterServer.start({
    dataDir: join(dir, 'cluster'),
    isEphemeral: false,
    password: randomBytes(12).toString('hex'),
    settings: {},
    log: silentLog,
    onDown: () => downs++,
    onUp: () => {},
  });
  const stop = async () => {
    await server.stop();
    await removeServerData(join(dir, 'cluster'), silentLog);
    await rm(dir, { recursive: true, force: true });
  };
  const own = { url: () => server.url, stop };
  test = await TestEndpoint.start(DSQL_LIMITS, own);
});

afterAll(async () => {
  if (test !== undefined) await test.stop();
  else await server?.stop();
});

/** Until a write of this client is acknowledged again. */
async function untilBack(client: pg.Client, n: number): Promise<string[]> {
  const errors: string[] = [];
  const write = () =>
    client.query('INSERT INTO t VALUES ($1)', [n]).then(
      () => true,
      ({ code, message }: pg.DatabaseError) => {
        errors.push(`${code} ${message}`);
        return false;
      },
    );
  await expect.poll(write, { timeout: BACK_MS_MAX }).toBe(true);
  return errors;
}

describe('the embedded PostgreSQL of a cluster, killed', () => {
  it('comes back with all that was acknowledged, and no client has lost its connection', async () => {
    const one = await test.connect();
    const other = await test.connect();
    let ended = 0;
    for (const client of [one, other]) client.on('end', () => ended++);
    await one.query('CREATE TABLE t (n int PRIMARY KEY)');
    for (const round of [1, 2]) {
      const written = round * 100;
      await one.query('INSERT INTO t VALUES ($1)', [written]);
      await one.query('BEGIN');
      await one.query('INSERT INTO t VALUES ($1)', [written + 1]);
      // With a link that is there: one that is still to be opened waits for the server.
      await other.query('SELECT 1');
      const slow = told(other.query('SELECT pg_sleep(60)'));
      await expect.poll(() => test.cluster.linkCounts.open - test.cluster.linkCounts.idle).toBe(2);
      process.kill(server.processId, 'SIGKILL');
      expect(await slow).toMatchObject({ code: 'XX000', message: 'server unavailable' });
      expect(await told(one.query('COMMIT'))).toMatchObject({
        code: 'XX000',
        message: 'server unavailable',
        severity: 'ERROR',
      });
      const errors = await untilBack(other, written + 2);
      expect(errors.filter((text) => text !== 'XX000 server unavailable')).toEqual([]);
      const { rows } = await one.query('SELECT n FROM t WHERE n >= $1 ORDER BY n', [written]);
      expect(rows).toEqual([{ n: written }, { n: written + 2 }]);
      // New clients are let in as before.
      const late = await test.connect();
      expect((await late.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
      await late.end();
    }
    expect(downs).toBe(2);
    expect(ended).toBe(0);
  });
});
