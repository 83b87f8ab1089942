/**
 * Failovers of databases that tell nothing of each other, where a name moves from one server to the
 * next: RDS with a standby, a Multi-AZ cluster of RDS, a blue/green switchover. The old server is
 * there still, and only reads.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { OriginConfig } from '../../src/config/model.ts';
import type { AuroraCluster } from '../../src/embedded/aurora/aurora-cluster.ts';
import { askInstance, startCluster, startGateway } from '../support/aurora.ts';
import type { TestGateway } from '../support/gateway.ts';
import { nap } from '../support/stage.ts';
import type { WireClient } from '../support/wire.ts';
import { errorsOf } from '../support/wire.ts';

/** The name goes on leading to the old server for so long. */
const DNS_MS = 2_000;
/** Links of the gateway that lead to a server, but for the one that asks who writes. */
const LINKS = `SELECT pid FROM pg_stat_activity WHERE usename = 'app'
  AND application_name <> 'Millrace topology'`;

const endings: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
}, 30_000);

type Stage = { readonly cluster: AuroraCluster; readonly gateway: TestGateway };

/** Two servers without the functions of Aurora, behind one name. */
async function stage(name: string, origin: Partial<OriginConfig>, links = 4): Promise<Stage> {
  const cluster = await startCluster({
    instances: 2,
    name,
    settings: { 'rds.extensions': 'rds_tools' },
    delays: { dnsMs: DNS_MS, promotionMs: 0, repointMs: 0 },
  });
  endings.push(() => cluster.stop());
  await askInstance(cluster, cluster.writer, 'CREATE TABLE told (n int); GRANT ALL ON told TO app');
  const gateway = await startGateway(cluster, { origin, links });
  endings.push(() => gateway.stop());
  return { cluster, gateway };
}

/** What a write left on its link is looked at behind its answer: until then a client has the link. */
async function restOf({ gateway }: TestGateway): Promise<void> {
  const checkedOut = () => gateway.status().reduce((sum, { links }) => sum + links.checkedOut, 0);
  await expect.poll(checkedOut).toBe(0);
}

/** Writes until that works, and says what went wrong before. */
async function writeAtLast(client: WireClient, n: number): Promise<string[]> {
  const seen: string[] = [];
  const untilMs = Date.now() + 15_000;
  while (Date.now() < untilMs) {
    const errors = errorsOf(await client.ask(`INSERT INTO told VALUES (${n})`));
    if (errors.length === 0) return seen;
    seen.push(...errors);
    await nap(50);
  }
  throw new Error(`nothing was written: ${seen.at(-1)}`);
}

describe('an instance of RDS whose name moves', () => {
  it('is written to by clients that stay, as soon as its name leads there', async () => {
    const plain = { kind: 'rds', instanceHostPattern: null } as const;
    const { cluster, gateway } = await stage('plain', plain);
    const old = cluster.writer;
    const clients = await Promise.all([1, 2, 3].map(() => gateway.connect()));
    for (const client of clients) await client.rows('INSERT INTO told VALUES (0)');
    await restOf(gateway);
    await cluster.failover();
    expect(cluster.writer.name).not.toBe(old.name);
    const all = await Promise.all(clients.map((client, n) => writeAtLast(client, n + 1)));
    // The old server says that it only reads; it is left by each link of which it has said so.
    for (const error of all.flat()) expect(error).toContain('25006');
    expect(await askInstance(cluster, cluster.writer, 'SELECT n FROM told ORDER BY n')).toEqual(
      [0, 0, 0, 1, 2, 3].map((n) => ({ n })),
    );
    for (let n = 4; n < 8; n++) await writeAtLast(clients[n % 3] as WireClient, n);
    for (const client of clients) await client.end();
  }, 60_000);

  it('costs a client one link, and nobody else any, when it has ruled out itself to write', async () => {
    const plain = { kind: 'rds', instanceHostPattern: null } as const;
    const { cluster, gateway } = await stage('ruled', plain, 1);
    const client = await gateway.connect();
    const pids = async (): Promise<unknown> => askInstance(cluster, cluster.writer, LINKS);
    await client.rows('SELECT n FROM told');
    const before = await pids();
    await client.ask('BEGIN READ ONLY');
    expect(errorsOf(await client.ask('INSERT INTO told VALUES (1)'))[0]).toContain('25006');
    await client.ask('ROLLBACK');
    expect(await client.rows('SELECT n FROM told')).toEqual([]);
    // That costs the link, and nothing else; its process takes a moment to end.
    await expect.poll(pids).not.toEqual(before);
    await expect.poll(pids).toHaveLength(1);
    await client.end();
  }, 60_000);
});

describe('a Multi-AZ cluster of RDS, of which only the endpoint is known', () => {
  it('is followed to its new writer, and nobody is told by the old one that it only reads', async () => {
    const { cluster, gateway } = await stage('multi', {});
    const old = cluster.writer;
    const clients = await Promise.all([1, 2, 3].map(() => gateway.connect()));
    for (const client of clients) await client.rows('INSERT INTO told VALUES (0)');
    await restOf(gateway);
    await cluster.failover();
    // They wait until the name leads to the new writer.
    const all = await Promise.all(clients.map((client, n) => writeAtLast(client, n + 1)));
    expect(all.flat()).toEqual([]);
    expect(await askInstance(cluster, cluster.writer, 'SELECT n FROM told ORDER BY n')).toEqual(
      [0, 0, 0, 1, 2, 3].map((n) => ({ n })),
    );
    expect(await askInstance(cluster, old, LINKS)).toEqual([]);
    for (const client of clients) await client.end();
  }, 60_000);
});
