/** Reads that go to the readers of a cluster: which do, which do not, and what they are told. */
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AuroraCluster, AuroraInstance } from '../../src/embedded/aurora/aurora-cluster.ts';
import { askInstance, startCluster, startGateway } from '../support/aurora.ts';
import type { TestGateway } from '../support/gateway.ts';
import { nap } from '../support/stage.ts';
import { rowsOf, type WireClient } from '../support/wire.ts';
import { query, sync, unnamed } from '../support/wire-messages.ts';

/**
 * How many marks a server has tells which one it is: each stops to replay at another number of them.
 */
const WHERE = 'SELECT count(*) FROM marks';
const [READERS, WRITER] = [['0', '1'], '2'];
/** What stands still is ever further behind. */
const LAG_MS_MAX = 600_000;

let cluster: AuroraCluster;
let gateway: TestGateway;
const clients: WireClient[] = [];

beforeAll(async () => {
  cluster = await startCluster();
  const { writer } = cluster;
  const make =
    'CREATE TABLE marks (); CREATE TABLE told AS SELECT 0 AS n; GRANT ALL ON marks, told TO app';
  await askInstance(cluster, writer, make);
  const readers = cluster.instances.filter(({ isWriter }) => !isWriter);
  for (const reader of readers) {
    const has = "SELECT has_table_privilege('app', 'told', 'INSERT') AS is";
    await until(async () => (await askInstance(cluster, reader, has))[0]?.['is'] === true);
  }
  for (const reader of readers) {
    await askInstance(cluster, reader, 'SELECT pg_wal_replay_pause()');
    const state = 'SELECT pg_get_wal_replay_pause_state() AS is';
    await until(async () => (await askInstance(cluster, reader, state))[0]?.['is'] === 'paused');
    await askInstance(cluster, writer, 'INSERT INTO marks DEFAULT VALUES');
  }
  gateway = await startGateway(cluster, { origin: { readerLagMsMax: LAG_MS_MAX }, caching: {} });
  // Until the catalogue is known, a read may be a write as far as anybody knows.
  await until(async () => {
    const client = await gateway.connect();
    const place = await placeOf(client);
    await client.end();
    return place !== WRITER;
  });
}, 60_000);

afterEach(async () => {
  for (const client of clients.splice(0)) await client.end();
});

afterAll(async () => {
  await gateway?.stop();
  await cluster?.stop();
}, 60_000);

async function until(isSo: () => Promise<boolean>): Promise<void> {
  await vi.waitFor(async () => expect(await isSo().catch(() => false)).toBe(true), 15_000);
}

async function connect(): Promise<WireClient> {
  const client = await gateway.connect();
  clients.push(client);
  return client;
}

const placeOf = async (client: WireClient): Promise<string | null | undefined> =>
  (await client.rows(WHERE))[0]?.[0];

describe('reads outside transactions', () => {
  it('go to all readers, in both protocols, shared and alone', async () => {
    const seen = new Set<unknown>();
    const read = async (): Promise<void> => {
      const client = await connect();
      for (let n = 0; n < 20; n++) {
        seen.add(await placeOf(client));
        client.send(Buffer.concat([...unnamed(WHERE), sync()]));
        seen.add(rowsOf(await client.readReady())[0]?.[0]);
      }
    };
    await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(read));
    expect([...seen].toSorted()).toEqual(READERS);
  });

  it('go there by the names that a driver gives to them', async () => {
    const { host, port, user, password, database } = gateway.target;
    const client = new pg.Client({ host, port, user, password, database });
    await client.connect();
    const seen: string[] = [];
    for (let n = 0; n < 10; n++) {
      const text = `${WHERE} WHERE $1::int > 0`;
      seen.push((await client.query({ name: 'where', text, values: [1] })).rows[0].count);
    }
    await client.end();
    // What prepares a name is more than a read.
    expect(seen.shift()).toBe(WRITER);
    for (const place of seen) expect(READERS).toContain(place);
  });

  it('are those that are known to be nothing else', async () => {
    const client = await connect();
    for (const sql of [
      `${WHERE} WHERE pg_is_in_recovery() IS NOT NULL`,
      "SELECT count(*) FROM marks WHERE current_setting('TimeZone') <> ''",
      'WITH m AS (SELECT count(*) AS n FROM marks) SELECT m.n FROM m, told FOR UPDATE OF told',
    ]) {
      expect((await client.rows(sql))[0]?.[0], sql).toBe(WRITER);
    }
  });
});

describe('the writer answers', () => {
  it('what is read in a transaction', async () => {
    const client = await connect();
    await client.rows('BEGIN');
    expect(await placeOf(client)).toBe(WRITER);
    await client.rows('COMMIT');
    expect(READERS).toContain(await placeOf(client));
  });

  it('a client that has written, and from no cache that readers fill', async () => {
    const [client, other] = [await connect(), await connect()];
    for (let n = 0; n < 3; n++) expect(READERS).toContain(await placeOf(other));
    await client.rows('INSERT INTO told VALUES (1)');
    expect(await placeOf(client)).toBe(WRITER);
    expect(READERS).toContain(await placeOf(other));
    await client.rows('BEGIN; UPDATE told SET n = 1; ROLLBACK');
    expect(await placeOf(client)).toBe(WRITER);
  });

  it('writes behind a read, in the same packet and while that is under way', async () => {
    const client = await connect();
    client.send(Buffer.concat([WHERE, 'INSERT INTO told VALUES (1)', WHERE].map(query)));
    const answers = [await client.readReady(), await client.readReady(), await client.readReady()];
    expect(answers.map((answer) => rowsOf(answer)[0]?.[0])).toEqual([WRITER, undefined, WRITER]);
    const later = await connect();
    later.send(query('SELECT count(*) FROM marks, generate_series(1, 3000000)'));
    await nap(20);
    later.send(query('INSERT INTO told VALUES (2)'));
    const [read, write] = [await later.readReady(), await later.readReady()];
    for (const answer of [read, write]) {
      expect(answer.map(({ code }) => code)).not.toContain('E');
    }
  });
});

describe('readers that let nobody in', () => {
  it('have the writer answer, and are asked again later', async () => {
    const two = await startCluster({ instances: 2, name: 'closed' });
    const reader = two.instances.find(({ isWriter }) => !isWriter) as AuroraInstance;
    const limitTo = async (count: number): Promise<void> => {
      await askInstance(two, two.writer, `ALTER ROLE app CONNECTION LIMIT ${count}`);
      const sql = `SELECT rolconnlimit = ${count} AS is FROM pg_roles WHERE rolname = 'app'`;
      await until(async () => (await askInstance(two, reader, sql))[0]?.['is'] === true);
    };
    const links = async (): Promise<number> => {
      const sql = "SELECT pid FROM pg_stat_activity WHERE usename = 'app'";
      return (await askInstance(two, reader, sql)).length;
    };
    await askInstance(
      two,
      two.writer,
      'CREATE TABLE one AS SELECT 1 AS n; GRANT ALL ON one TO app',
    );
    const at = await startGateway(two, { origin: { readerLagMsMax: 1_000 }, caching: {} });
    try {
      // The links to the writer are there before the limit is, and stay.
      const open = await Promise.all([1, 2, 3, 4].map(() => at.connect()));
      await Promise.all(open.map((client) => client.rows('BEGIN')));
      await limitTo(0);
      await Promise.all(open.map((client) => client.rows('COMMIT')));
      const refused = (): number =>
        at.complaints.filter((line) => line.includes('origin not reached')).length;
      const read = async (client: WireClient): Promise<void> => {
        expect(await client.rows('SELECT n FROM one')).toEqual([['1']]);
      };
      const readFor = async (ms: number, isEnough: () => boolean): Promise<void> => {
        const untilMs = Date.now() + ms;
        for (let n = 0; Date.now() < untilMs && !isEnough(); n++) {
          await read(open[n % 4] as WireClient);
          await nap(5);
        }
      };
      // To let people log in or not changes the catalogue, and no reader is asked for a while.
      await readFor(25_000, () => refused() > 0);
      await readFor(4_000, () => false);
      // It gets no link for five seconds, so that nothing but those of one moment were tried.
      expect(refused()).toBeGreaterThanOrEqual(1);
      expect(refused()).toBeLessThanOrEqual(4);
      expect(await links()).toBe(0);
      await limitTo(-1);
      const isBack = async (): Promise<void> => {
        await Promise.all(open.map(read));
        expect(await links()).toBeGreaterThan(0);
      };
      await vi.waitFor(isBack, 25_000);
      for (const client of open) await client.end();
    } finally {
      await at.stop();
      await two.stop();
    }
  }, 90_000);
});

describe('a reader', () => {
  it('that hangs has its clients answered by others, soon', async () => {
    const two = await startCluster({ instances: 2, name: 'two' });
    const at = await startGateway(two, { origin: { readerLagMsMax: 1_000 }, links: 2 });
    try {
      await askInstance(two, two.writer, 'CREATE TABLE told (); GRANT ALL ON told TO app');
      const count = 'SELECT count(*) FROM told';
      const open = await Promise.all([1, 2, 3, 4, 5, 6].map(() => at.connect()));
      await nap(9_000);
      for (let n = 0; n < 20; n++) for (const client of open) await client.rows(count);
      const reader = two.instances.find(({ isWriter }) => !isWriter) as AuroraInstance;
      const links = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'app'";
      expect((await askInstance(two, reader, links))[0]?.['n']).toBeGreaterThan(0);
      await two.freeze(reader.name);
      const answers = await Promise.allSettled(open.map((client) => client.rows(count)));
      const answered = answers.filter(({ status }) => status === 'fulfilled');
      // Who had a link of its own there, and nobody else, may have lost it.
      expect(answered.length).toBeGreaterThanOrEqual(4);
      const newcomer = await at.connect();
      expect(await newcomer.rows(count)).toEqual([['0']]);
      await newcomer.end();
      await two.thaw(reader.name);
    } finally {
      await at.stop();
      await two.stop();
    }
  }, 60_000);

  it('gets nothing of clients whose transactions are serializable', async () => {
    const [client, other] = [await connect(), await connect()];
    await client.rows('SET default_transaction_isolation = serializable');
    for (let n = 0; n < 4; n++) expect(await placeOf(client)).toBe(WRITER);
    await other.rows("SET datestyle = 'German'");
    await expect.poll(() => placeOf(other), { timeout: 10_000 }).not.toBe(WRITER);
  });
});
