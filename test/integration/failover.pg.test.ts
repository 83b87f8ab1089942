/**
 * Failovers of an Aurora cluster, as clients of the gateway see them: nothing that was acknowledged
 * is lost, nothing is done twice, and nobody who had nothing under way hears of it.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AuroraCluster } from '../../src/embedded/aurora/aurora-cluster.ts';
import { askInstance, startCluster, startGateway } from '../support/aurora.ts';
import { FailoverLoad, missingOf } from '../support/failover-load.ts';
import { type GatewayOptions, TestGateway } from '../support/gateway.ts';
import { nap } from '../support/stage.ts';
import { rowsOf } from '../support/wire.ts';
import { query } from '../support/wire-messages.ts';

const WHO = 'SELECT pg_catalog.aurora_db_instance_identifier(), pg_is_in_recovery()';

/** After a client's first statement its link is looked at, and the catalogue is read. */
const CALM_MS = 1_000;

let cluster: AuroraCluster;
const endings: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  cluster = await startCluster();
  await askInstance(cluster, cluster.writer, 'CREATE TABLE told (n int); GRANT ALL ON told TO app');
}, 60_000);

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
  await cluster.settled();
  await askInstance(cluster, cluster.writer, 'TRUNCATE told');
}, 30_000);

afterAll(() => cluster?.stop(), 60_000);

async function start(options: GatewayOptions = {}, of = cluster): Promise<TestGateway> {
  const gateway = await startGateway(of, options);
  endings.push(() => gateway.stop());
  return gateway;
}

/** The writer hangs until the end of the test, unless it is thawed before. */
async function freezeWriter(): Promise<() => Promise<void>> {
  const { name } = cluster.writer;
  await cluster.freeze(name);
  const thaw = (): Promise<void> => cluster.thaw(name);
  endings.push(thaw);
  return thaw;
}

/** Makes the cluster lose its writer while clients write, and looks at what they were told. */
async function writeThrough(of: AuroraCluster, happen: () => Promise<unknown>): Promise<void> {
  const gateway = await start({}, of);
  const load = new FailoverLoad(gateway);
  await load.nextWrite();
  await happen();
  await of.settled();
  await load.nextWrite();
  const { acknowledged, errors } = await load.stop();
  expect(await missingOf(of, acknowledged)).toEqual([]);
  expect(new Set(acknowledged).size).toBe(acknowledged.length);
  // A write that a reader was asked for would have been refused with 25006.
  for (const error of errors)
    expect(error).toMatch(/^(08006|57P0[123]|58000|the connection has ended)/);
}

describe('writes go on, and none is lost', () => {
  it('when the writer crashes', () =>
    writeThrough(cluster, () => cluster.crash(cluster.writer.name)));

  it('when a reader is promoted in its place', () =>
    writeThrough(cluster, () => cluster.failover()));

  it('when the writer hangs, and its connections with it', async () => {
    await writeThrough(cluster, async () => {
      await freezeWriter();
      await cluster.failover();
    });
  });

  it('when the only other instance takes over', async () => {
    const two = await startCluster({ instances: 2, name: 'two' });
    endings.push(() => two.stop());
    await askInstance(two, two.writer, 'CREATE TABLE told (n int); GRANT ALL ON told TO app');
    const { name } = two.writer;
    await writeThrough(two, () => two.crash(name));
    expect(two.writer.name).not.toBe(name);
  }, 60_000);

  it('when the only instance of all starts again', async () => {
    const one = await startCluster({ instances: 1, name: 'one' });
    endings.push(() => one.stop());
    await askInstance(one, one.writer, 'CREATE TABLE told (n int); GRANT ALL ON told TO app');
    await writeThrough(one, () => one.crash(one.writer.name));
  }, 60_000);
});

describe('where nobody says the truth yet', () => {
  it('the endpoint and the readers still lead to the old writer, and the new one is found', async () => {
    const slow = await startCluster({ name: 'slow', delays: { dnsMs: 60_000, repointMs: 5_000 } });
    endings.push(() => slow.stop());
    const old = slow.writer;
    const before = await start({}, slow);
    const client = await before.connect();
    await client.rows(WHO);
    await nap(CALM_MS);
    await slow.failover();
    expect(slow.writer.name).not.toBe(old.name);
    expect(await client.rows(WHO)).toEqual([[slow.writer.name, 'f']]);
    // Who comes only now is led to the old writer, which takes connections again, as a reader.
    const after = await start({}, slow);
    const newcomer = await after.connect();
    expect(await newcomer.rows(WHO)).toEqual([[slow.writer.name, 'f']]);
    await client.end();
    await newcomer.end();
  }, 60_000);

  it('a writer that only reads by now loses its links, though none of them was cut', async () => {
    const gateway = await start();
    const client = await gateway.connect();
    await client.rows(WHO);
    const sql = (as: string): string =>
      `CREATE OR REPLACE FUNCTION pg_catalog.pg_is_in_recovery() RETURNS bool ${as}`;
    const links = "SELECT pid FROM pg_stat_activity WHERE usename = 'app'";
    const [before] = await askInstance(cluster, cluster.writer, links);
    await askInstance(cluster, cluster.writer, sql("LANGUAGE sql AS 'SELECT true'"));
    const waiting = client.rows('SELECT 1');
    await expect
      .poll(() => askInstance(cluster, cluster.writer, links), { timeout: 5_000 })
      .not.toContainEqual(before);
    const restored = sql("LANGUAGE internal STRICT AS 'pg_is_in_recovery'");
    await askInstance(cluster, cluster.writer, restored);
    await waiting.catch(() => {});
    const later = await gateway.connect();
    expect(await later.rows('SELECT 1')).toEqual([['1']]);
    for (const one of [client, later]) await one.end();
  }, 30_000);
});

describe('a false alarm', () => {
  const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'Millrace topology'`;

  it('ends nothing: the writer is found again, and is the same', async () => {
    const gateway = await start();
    const client = await gateway.connect();
    await client.rows('BEGIN');
    await client.rows('INSERT INTO told VALUES (1)');
    expect(await askInstance(cluster, cluster.writer, cut)).not.toEqual([]);
    await nap(CALM_MS);
    await client.rows('COMMIT');
    expect(await client.rows('SELECT count(*) FROM told')).toEqual([['1']]);
    await client.end();
  });

  it('nor does it where the functions of Aurora are missing, as in a cluster of RDS', async () => {
    const gateway = await TestGateway.start({
      origin: { kind: 'aurora', instanceHostPattern: '?.nowhere.invalid' },
    });
    endings.push(() => gateway.stop());
    const client = await gateway.connect();
    await client.rows('BEGIN');
    await client.rows('CREATE TABLE held (n int)');
    const direct = await gateway.connectDirect();
    expect(await direct.rows(cut)).not.toEqual([]);
    await nap(CALM_MS);
    await client.rows('COMMIT');
    expect(await direct.rows('SELECT count(*) FROM held')).toEqual([['0']]);
    for (const one of [client, direct]) await one.end();
  });
});

describe('a client', () => {
  it('with a transaction hears that it is lost, and nothing of it is done again', async () => {
    const gateway = await start();
    const client = await gateway.connect();
    await client.rows('BEGIN');
    await client.rows('INSERT INTO told VALUES (1)');
    await cluster.crash(cluster.writer.name);
    await expect(client.rows('COMMIT')).rejects.toThrow();
    await client.end();
    const other = await gateway.connect();
    expect(await other.rows('SELECT count(*) FROM told')).toEqual([['0']]);
    await other.end();
  }, 30_000);

  it('with nothing under way hears nothing, and keeps its settings and statements', async () => {
    const gateway = await start();
    const client = await gateway.connect();
    await client.rows("SET TimeZone = 'Asia/Tokyo'");
    await client.rows('PREPARE told AS SELECT count(*) FROM told');
    const { name } = cluster.writer;
    await cluster.crash(name);
    expect(await client.rows('EXECUTE told')).toEqual([['0']]);
    expect(await client.rows('SHOW TimeZone')).toEqual([['Asia/Tokyo']]);
    await cluster.settled();
    expect(await client.rows(WHO)).toEqual([[cluster.writer.name, 'f']]);
    expect(cluster.writer.name).not.toBe(name);
    await client.end();
  }, 30_000);

  it('that waits for a writer waits no longer than its limit', async () => {
    const timeouts = { waitTimeoutMs: 1_000, connectTimeoutMs: 1_000 };
    const gateway = await start({ timeouts, links: 1 });
    const [one, other] = [await gateway.connect(), await gateway.connect()];
    // The only link is this client's, and not the gateway's own for a moment.
    await one.rows('BEGIN');
    const thaw = await freezeWriter();
    one.send(query('INSERT INTO told VALUES (1)'));
    await expect(other.rows('INSERT INTO told VALUES (2)')).rejects.toThrow('58000');
    // What was sent before it hung goes on with it.
    await thaw();
    expect((await one.readReady()).map(({ code }) => code)).toContain('C');
    await one.rows('ROLLBACK');
    for (const client of [one, other]) await client.end();
  }, 30_000);

  it('that has asked before is answered from memory while there is no writer', async () => {
    const gateway = await start({ caching: {} });
    const client = await gateway.connect();
    const asked = 'SELECT count(*) FROM told';
    const status = async (): Promise<string | null | undefined> =>
      (await client.rows('SHOW millrace.last_cache_status'))[0]?.[0];
    await expect
      .poll(async () => [await client.rows(asked), await status()], { timeout: 15_000 })
      .toEqual([[['0']], 'hit']);
    await freezeWriter();
    expect(await client.rows(asked)).toEqual([['0']]);
    expect(await status()).toBe('hit');
    await client.end();
  }, 30_000);

  it('that cancels reaches the node that its statement runs on', async () => {
    const gateway = await start();
    const client = await gateway.connect();
    await client.rows(WHO);
    await nap(CALM_MS);
    await cluster.failover();
    client.send(query('SELECT pg_sleep(20)'));
    await nap(300);
    await client.cancel();
    const replies = await client.readReady();
    expect(replies.map(({ code }) => code)).toContain('E');
    expect(rowsOf(replies)).toEqual([]);
    await client.end();
  }, 30_000);

  it('of a transaction that reads only is refused to write, and nobody else hears of it', async () => {
    const gateway = await start();
    const [client, other] = [await gateway.connect(), await gateway.connect()];
    await other.rows('BEGIN');
    await client.rows('BEGIN READ ONLY');
    await expect(client.rows('INSERT INTO told VALUES (1)')).rejects.toThrow('25006');
    await client.rows('ROLLBACK');
    await nap(200);
    expect(await other.rows(WHO)).toEqual([[cluster.writer.name, 'f']]);
    await other.rows('COMMIT');
    for (const one of [client, other]) await one.end();
  });
});
