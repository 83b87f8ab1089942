import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import { RoleLinks } from '../../../src/dsql/server/role-links.ts';
import { Servers } from '../../../src/dsql/server/servers.ts';
import type { AuroraCluster } from '../../../src/embedded/aurora/aurora-cluster.ts';
import { startCluster } from '../../support/aurora.ts';
import { originOf } from '../../support/dsql-below.ts';

const clock = { nowMs: () => performance.now() };
const NONE: ReadonlyMap<string, string> = new Map();

let cluster: AuroraCluster;
let servers: Servers;
let links: RoleLinks;

beforeAll(async () => {
  cluster = await startCluster({ instances: 2 });
  const { superuser, port, instances } = cluster;
  // By the addresses of the servers themselves, as the nodes of Patroni are given.
  const origins = await Promise.all(
    instances.map(({ address }) =>
      originOf(`postgres://${superuser.user}:${superuser.password}@${address}:${port}/demo`),
    ),
  );
  servers = new Servers({ origins, waitMs: 30_000, clock, log: silentLog });
  links = new RoleLinks({
    open: () => servers.open(null),
    serial: () => servers.serial,
    linksMax: 4,
    waitersMax: 10,
    waitMs: 60_000,
    clock,
    log: silentLog,
  });
});

afterAll(async () => {
  await links.close();
  servers.close();
  await cluster.stop();
});

/** Stores a row in a transaction of its own, and says which server did. */
async function write(): Promise<string> {
  const link = await links.checkOut('owner');
  try {
    const { rows } = await link.query(
      'INSERT INTO kept DEFAULT VALUES RETURNING host(inet_server_addr())',
    );
    links.checkIn(link, NONE);
    return rows[0]?.[0] ?? '';
  } catch (error) {
    links.discard(link);
    throw error;
  }
}

describe('links to a cluster of PostgreSQL', () => {
  // dsql §8.2, §8.3
  it('lead to the server that takes writes, and follow it when it fails', async () => {
    const link = await servers.open(null);
    await link.query('CREATE TABLE kept (at timestamptz DEFAULT now())');
    link.close();
    const before = cluster.writer;
    expect(await write()).toBe(before.address);
    await cluster.crash(before.name);
    // What was on its way is lost; what comes later finds the other server.
    await expect
      .poll(() => write().catch(() => null), { timeout: 40_000 })
      .toBe(cluster.instances.find(({ name }) => name !== before.name)?.address);
    await cluster.settled();
    expect(cluster.writer.name).not.toBe(before.name);
    expect(await write()).toBe(cluster.writer.address);
  });
});
