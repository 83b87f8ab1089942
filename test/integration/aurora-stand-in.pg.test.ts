/** That the stand-in for Aurora does what Aurora does, by what clients of Aurora ask it. */
import { Resolver } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import {
  AuroraCluster,
  type AuroraEvent,
  type AuroraInstance,
  type AuroraOptions,
} from '../../src/embedded/aurora/aurora-cluster.ts';
import { Footprint } from '../e2e/support/leftovers.ts';

const OPTIONS: AuroraOptions = {
  superuser: { user: 'rdsadmin', password: 'adm1n-of-the-test' },
  demo: { user: 'app', password: 'app-of-the-test' },
  delays: { dnsMs: 0, promotionMs: 0 },
  log: silentLog,
};

/** Reference 3.8, 3.9 and 3.10, as AWS's own drivers ask. */
const IS_AURORA =
  "SELECT setting LIKE '%aurora_stat_utils%' AS yes FROM pg_settings WHERE name = 'rds.extensions'";
const WHO = `SELECT pg_catalog.aurora_db_instance_identifier() AS id,
  pg_catalog.pg_is_in_recovery() AS is_reader`;
const TOPOLOGY = `SELECT server_id, session_id = 'MASTER_SESSION_ID' AS is_writer, cpu,
    COALESCE(replica_lag_in_msec, 0) AS lag, last_update_timestamp AS seen
  FROM pg_catalog.aurora_replica_status()
  WHERE EXTRACT(EPOCH FROM (pg_catalog.now() - last_update_timestamp)) <= 300
    OR session_id = 'MASTER_SESSION_ID' OR last_update_timestamp IS NULL`;

type Row = Record<string, unknown>;

async function ask(
  cluster: AuroraCluster,
  address: string,
  sql: string,
  as: { readonly user: string; readonly password: string } | null = OPTIONS.demo ?? null,
): Promise<Row[]> {
  const { user, password } = as ?? OPTIONS.superuser;
  const { port } = cluster;
  const client = new pg.Client({
    host: address,
    port,
    user,
    password,
    database: 'demo',
    connectionTimeoutMillis: 5_000,
    query_timeout: 5_000,
  });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows as Row[];
  } finally {
    await client.end().catch(() => {});
  }
}

async function lookedUp(
  cluster: AuroraCluster,
  name: string,
): Promise<{ address: string; ttl: number } | undefined> {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  resolver.setServers([cluster.dnsServer]);
  return (await resolver.resolve4(name, { ttl: true }))[0];
}

const resolved = async (cluster: AuroraCluster, name: string): Promise<string | undefined> =>
  (await lookedUp(cluster, name))?.address;

/** Whom the instance takes for the writer. */
async function writerSaidBy(cluster: AuroraCluster, { address }: AuroraInstance): Promise<unknown> {
  const rows = await ask(cluster, address, TOPOLOGY);
  return rows.filter((row) => row['is_writer'] === true).map((row) => row['server_id']);
}

const readersOf = ({ instances }: AuroraCluster): AuroraInstance[] =>
  instances.filter(({ isWriter }) => !isWriter);

const byName = (cluster: AuroraCluster, name: string): AuroraInstance =>
  cluster.instances.find((instance) => instance.name === name) as AuroraInstance;

async function started(options: Partial<AuroraOptions>): Promise<AuroraCluster> {
  return await AuroraCluster.start({ ...OPTIONS, ...options });
}

describe('a cluster of three', () => {
  let cluster: AuroraCluster;
  const events: AuroraEvent[] = [];

  beforeAll(async () => {
    cluster = await started({});
    cluster.onEvent((event) => events.push(event));
  });

  afterAll(async () => {
    await cluster?.stop();
  });

  it('answers what drivers ask for the topology, on every instance', async () => {
    expect(cluster.instances.map(({ isWriter }) => isWriter)).toEqual([true, false, false]);
    for (const { name, address, isWriter } of cluster.instances) {
      expect(await ask(cluster, address, IS_AURORA)).toEqual([{ yes: true }]);
      expect(await ask(cluster, address, WHO)).toEqual([{ id: name, is_reader: !isWriter }]);
      const [version] = await ask(cluster, address, 'SELECT aurora_version() AS v');
      expect(version?.['v']).toMatch(/^18\.\d+/);
      const rows = await ask(cluster, address, TOPOLOGY);
      expect(rows.map((row) => [row['server_id'], row['is_writer']])).toEqual(
        cluster.instances.map((each) => [each.name, each.isWriter]),
      );
      // As from Aurora 13.9 on: none for the instance that is asked.
      expect(rows.map((row) => row['seen'] === null)).toEqual(
        cluster.instances.map((each) => each.name === name),
      );
      expect(rows.every((row) => Number(row['lag']) < 5_000)).toBe(true);
    }
  });

  it('has the columns of the manual, for ordinary users too', async () => {
    const [row = {}] = await ask(
      cluster,
      cluster.writer.address,
      'SELECT * FROM aurora_replica_status()',
    );
    expect(Object.keys(row)).toEqual([
      'server_id',
      'session_id',
      'durable_lsn',
      'highest_lsn_rcvd',
      'current_read_lsn',
      'cur_replay_latency_in_usec',
      'active_txns',
      'is_current',
      'last_transport_error',
      'last_error_timestamp',
      'last_update_timestamp',
      'feedback_xmin',
      'feedback_epoch',
      'replica_lag_in_msec',
      'log_stream_speed_in_kib_per_second',
      'log_buffer_sequence_number',
      'oldest_read_view_trx_id',
      'oldest_read_view_lsn',
      'pending_read_ios',
      'read_ios',
      'iops',
      'cpu',
    ]);
  });

  it('replicates, and lets nobody but the writer write', async () => {
    const { writer } = cluster;
    await ask(cluster, writer.address, 'CREATE TABLE notes AS SELECT 1 AS id');
    for (const { address } of readersOf(cluster)) {
      await expect
        .poll(() => ask(cluster, address, 'SELECT id FROM notes').catch(() => []))
        .toEqual([{ id: 1 }]);
      await expect(ask(cluster, address, 'INSERT INTO notes VALUES (2)')).rejects.toMatchObject({
        code: '25006',
      });
    }
  });

  it('tells that a reader is ever further behind while nothing reaches it', async () => {
    const { writer } = cluster;
    const [cut, other] = readersOf(cluster) as [AuroraInstance, AuroraInstance];
    const lagOf = async ({ name }: AuroraInstance): Promise<number> => {
      const rows = await ask(cluster, writer.address, TOPOLOGY);
      return rows.find((row) => row['server_id'] === name)?.['lag'] as number;
    };
    const tell = async (sql: string): Promise<void> => {
      await ask(cluster, cut.address, sql, null);
      await ask(cluster, cut.address, 'SELECT pg_reload_conf()', null);
    };
    expect(await lagOf(cut)).toBeLessThan(1_500);
    // It is up, and is seen to be: but for its lag nothing tells.
    await tell("ALTER SYSTEM SET primary_conninfo = ''");
    const lags: number[] = [];
    for (let n = 0; n < 3; n++) {
      await sleep(1_500);
      lags.push(await lagOf(cut));
    }
    expect(lags).toEqual(lags.toSorted((a, b) => a - b));
    expect(lags.at(-1)).toBeGreaterThan(2_500);
    expect(await lagOf(other)).toBeLessThan(1_500);
    await tell('ALTER SYSTEM RESET primary_conninfo');
    await expect.poll(() => lagOf(cut), { timeout: 15_000 }).toBeLessThan(1_500);
  }, 40_000);

  it('has certificates for its names, and names that lead to its instances', async () => {
    const { writer, writerEndpoint, readerEndpoint, port, ca } = cluster;
    expect(writerEndpoint).toBe('demo.cluster-abc123def456.us-east-1.rds.amazonaws.com');
    expect(await resolved(cluster, writerEndpoint)).toBe(writer.address);
    expect(await lookedUp(cluster, writerEndpoint)).toMatchObject({ ttl: 5 });
    expect(await lookedUp(cluster, readerEndpoint)).toMatchObject({ ttl: 1 });
    const readers = readersOf(cluster).map(({ address }) => address);
    const turns = [
      await resolved(cluster, readerEndpoint),
      await resolved(cluster, readerEndpoint),
    ];
    expect(turns.toSorted()).toEqual(readers);
    for (const { host, address } of cluster.instances) {
      expect(await resolved(cluster, host)).toBe(address);
      const at = { host: address, port, database: 'demo', ...OPTIONS.demo };
      for (const servername of [host, writerEndpoint, readerEndpoint]) {
        const ssl = { ca, servername };
        const client = new pg.Client({ ...at, ssl });
        await client.connect();
        await client.end();
      }
      const ssl = { ca, servername: 'elsewhere.abc123def456.us-east-1.rds.amazonaws.com' };
      const wrong = new pg.Client({ ...at, ssl });
      await expect(wrong.connect()).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    }
    await expect(resolved(cluster, 'no.abc123def456.us-east-1.rds.amazonaws.com')).rejects.toThrow(
      'ENOTFOUND',
    );
  });

  it('fails over: the writer is a reader then, at its address, and its name moves', async () => {
    const { writer: old, writerEndpoint } = cluster;
    const next = readersOf(cluster)[1] as AuroraInstance;
    await cluster.failover(next.name);
    expect(cluster.writer.name).toBe(next.name);
    expect(byName(cluster, old.name)).toMatchObject({ isWriter: false, address: old.address });
    expect(byName(cluster, old.name).processId).not.toBe(old.processId);
    expect(await resolved(cluster, writerEndpoint)).toBe(next.address);
    await ask(cluster, next.address, 'INSERT INTO notes VALUES (3)');
    for (const instance of cluster.instances) {
      const [who] = await ask(cluster, instance.address, WHO);
      expect(who).toEqual({ id: instance.name, is_reader: instance.name !== next.name });
      await expect.poll(() => writerSaidBy(cluster, instance)).toEqual([next.name]);
      await expect
        .poll(() => ask(cluster, instance.address, 'SELECT id FROM notes ORDER BY id'))
        .toEqual([{ id: 1 }, { id: 3 }]);
    }
    expect(events.map(({ kind, instance }) => [kind, instance.name])).toEqual([
      ['promoted', next.name],
      ['endpoint-moved', next.name],
      ['joined', old.name],
    ]);
  });

  it('promotes a reader when the writer dies, and has all that was committed', async () => {
    const { writer: old } = cluster;
    let last = 100;
    const writing = (async () => {
      const client = new pg.Client({
        host: old.address,
        port: cluster.port,
        database: 'demo',
        ...OPTIONS.demo,
      });
      client.on('error', () => {});
      await client.connect();
      for (;;) {
        await client.query(`INSERT INTO notes VALUES (${last + 1})`);
        last++;
      }
    })().catch(() => {});
    await expect.poll(() => last).toBeGreaterThan(150);
    // As anybody may do it, with the number that is shown.
    process.kill(old.processId as number, 'SIGKILL');
    await writing;
    await expect.poll(() => cluster.writer.name).not.toBe(old.name);
    await cluster.settled();
    const [count] = await ask(
      cluster,
      cluster.writer.address,
      `SELECT count(DISTINCT id)::int AS n FROM notes WHERE id BETWEEN 101 AND ${last}`,
    );
    expect(count).toEqual({ n: last - 100 });
    for (const instance of cluster.instances) {
      expect(instance.processId).not.toBeNull();
      await expect.poll(() => writerSaidBy(cluster, instance)).toEqual([cluster.writer.name]);
    }
    await expect(ask(cluster, old.address, 'INSERT INTO notes VALUES (9)')).rejects.toMatchObject({
      code: '25006',
    });
  });

  it('starts a reader again that dies, and goes on writing meanwhile', async () => {
    const [reader] = readersOf(cluster) as [AuroraInstance];
    await cluster.crash(reader.name);
    await ask(cluster, cluster.writer.address, 'INSERT INTO notes VALUES (4)');
    await cluster.settled();
    expect(await ask(cluster, reader.address, WHO)).toEqual([{ id: reader.name, is_reader: true }]);
    await expect
      .poll(() => ask(cluster, reader.address, 'SELECT id FROM notes WHERE id = 4'))
      .toEqual([{ id: 4 }]);
  });

  it('does not answer from a frozen instance, whose connections stay', async () => {
    const { writer } = cluster;
    const [reader] = readersOf(cluster) as [AuroraInstance];
    await cluster.freeze(reader.name);
    await ask(cluster, writer.address, 'INSERT INTO notes VALUES (5)');
    const silent = new pg.Client({
      host: reader.address,
      port: cluster.port,
      connectionTimeoutMillis: 300,
      ...OPTIONS.superuser,
    });
    await expect(silent.connect()).rejects.toThrow('timeout');
    await cluster.thaw(reader.name);
    await cluster.settled();
    await expect
      .poll(() => ask(cluster, reader.address, 'SELECT id FROM notes WHERE id = 5'))
      .toEqual([{ id: 5 }]);
  });

  it('lets no writer go on that was frozen while another took over', async () => {
    const { writer: old } = cluster;
    await cluster.freeze(old.name);
    await cluster.failover();
    await ask(cluster, cluster.writer.address, 'INSERT INTO notes VALUES (6)');
    expect(byName(cluster, old.name)).toMatchObject({ processId: old.processId, isWriter: false });
    await cluster.thaw(old.name);
    await cluster.settled();
    expect(await ask(cluster, old.address, WHO)).toEqual([{ id: old.name, is_reader: true }]);
    expect(await ask(cluster, old.address, 'SELECT id FROM notes WHERE id = 6')).toEqual([
      { id: 6 },
    ]);
  });

  it('says what is wrong with what it is told', async () => {
    await expect(cluster.crash('nobody')).rejects.toThrow('no instance is called nobody');
    await expect(cluster.failover(cluster.writer.name)).rejects.toThrow('is the writer already');
  });

  it('moves the name of the writer late, and tells the other reader later', async () => {
    Object.assign(cluster.delays, { dnsMs: 2_000, repointMs: 3_000 });
    const { writer: old, writerEndpoint } = cluster;
    const [next, other] = readersOf(cluster) as [AuroraInstance, AuroraInstance];
    const promoted = new Promise((resolve) => {
      cluster.onEvent(({ kind }) => kind === 'promoted' && resolve(kind));
    });
    const done = cluster.failover(next.name);
    await promoted;
    // The name leads to where the old writer is a reader, or is about to be one.
    expect(await resolved(cluster, writerEndpoint)).toBe(old.address);
    await expect
      .poll(() => ask(cluster, old.address, WHO).catch(() => []))
      .toEqual([{ id: old.name, is_reader: true }]);
    expect(await writerSaidBy(cluster, next)).toEqual([next.name]);
    expect(await writerSaidBy(cluster, other)).toEqual([old.name]);
    await done;
    await expect.poll(() => writerSaidBy(cluster, other)).toEqual([next.name]);
    await expect.poll(() => resolved(cluster, writerEndpoint)).toBe(next.address);
  });
});

describe('a small cluster', () => {
  it('of two swaps them, and writes on while its reader is away', async () => {
    const cluster = await started({ instances: 2 });
    try {
      const { writer, readerEndpoint } = cluster;
      const [reader] = readersOf(cluster) as [AuroraInstance];
      await cluster.failover();
      expect(cluster.writer.name).toBe(reader.name);
      expect(await resolved(cluster, readerEndpoint)).toBe(writer.address);
      await cluster.freeze(writer.name);
      await ask(cluster, reader.address, 'CREATE TABLE alone AS SELECT 1 AS id');
      // Nobody can take over: it is restarted.
      await cluster.failover();
      expect(cluster.writer.name).toBe(reader.name);
      expect(await ask(cluster, reader.address, 'SELECT id FROM alone')).toEqual([{ id: 1 }]);
      // Its end leaves nothing behind of a frozen instance, nor of a dead one.
      cluster.delays.promotionMs = 60_000;
      const footprint = new Footprint(process.pid);
      expect(footprint.hasServer).toBe(true);
      await cluster.crash(reader.name);
      await cluster.stop();
      expect(footprint.left().filter((what) => what !== `process ${process.pid}`)).toEqual([]);
    } finally {
      await cluster.stop();
    }
  });

  it('of one is restarted by a failover, and by its death', async () => {
    const cluster = await started({ instances: 1 });
    try {
      const { writer, readerEndpoint } = cluster;
      expect(await resolved(cluster, readerEndpoint)).toBe(writer.address);
      await ask(cluster, writer.address, 'CREATE TABLE kept AS SELECT 1 AS id');
      await cluster.failover();
      await cluster.crash(writer.name);
      await cluster.settled();
      expect(await ask(cluster, writer.address, 'SELECT id FROM kept')).toEqual([{ id: 1 }]);
      expect(await ask(cluster, writer.address, WHO)).toEqual([
        { id: writer.name, is_reader: false },
      ]);
    } finally {
      await cluster.stop();
    }
  });
});
