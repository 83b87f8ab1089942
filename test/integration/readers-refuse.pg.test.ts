/** Reads that a reader of a cluster refuses or breaks off: their clients hear the writer's answer. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AuroraCluster, AuroraInstance } from '../../src/embedded/aurora/aurora-cluster.ts';
import { askInstance, startCluster, startGateway } from '../support/aurora.ts';
import type { TestGateway } from '../support/gateway.ts';
import { nap } from '../support/stage.ts';
import { fieldsOf, rowsOf, type WireClient } from '../support/wire.ts';
import { query, sync, unnamed } from '../support/wire-messages.ts';

/** Of so many rows that it runs for a second or two, and may meet with something meanwhile. */
const LONG = 'SELECT count(*) FROM busy AS a, busy AS b';
/** On a machine that has much else to do. */
const LONG_MS = 60_000;
/** Refused by a reader, as its contents are nowhere but at the writer. */
const UNLOGGED = 'SELECT count(*) FROM quick';
/** Asked of a reader or of the writer: what they keep no count of is how often they were asked. */
const ROLLBACKS = "SELECT xact_rollback::int AS n FROM pg_stat_database WHERE datname = 'demo'";
const TWENTY = Array.from({ length: 20 }, (_, at) => at);

let cluster: AuroraCluster;
let gateway: TestGateway;
const clients: WireClient[] = [];

beforeAll(async () => {
  const settings = { max_standby_streaming_delay: '0', hot_standby_feedback: 'off' };
  cluster = await startCluster({ instances: 2, name: 'refuse', settings });
  await askInstance(
    cluster,
    cluster.writer,
    `CREATE TABLE marks AS SELECT 7 AS n; CREATE TABLE busy AS SELECT n FROM generate_series(1, 7000) AS n;
     CREATE UNLOGGED TABLE quick AS SELECT n FROM generate_series(1, 3) AS n;
     GRANT ALL ON marks, busy, quick TO app`,
  );
  gateway = await start();
}, 60_000);

afterEach(async () => {
  for (const client of clients.splice(0)) await client.end();
});

afterAll(async () => {
  await gateway?.stop();
  await cluster?.stop();
}, 60_000);

const reader = (): AuroraInstance =>
  cluster.instances.find(({ isWriter }) => !isWriter) as AuroraInstance;

/** A gateway whose reads have been seen at the reader. */
async function start(): Promise<TestGateway> {
  const started = await startGateway(cluster, { origin: { readerLagMsMax: 1_000 }, caching: {} });
  const count = async (): Promise<number> => {
    const scans = "SELECT seq_scan::int AS n FROM pg_stat_user_tables WHERE relname = 'marks'";
    return (await askInstance(cluster, reader(), scans))[0]?.['n'] as number;
  };
  const before = await count();
  await vi.waitFor(async () => {
    const client = await started.connect();
    await client.rows('SELECT n FROM marks');
    await client.end();
    expect(await count()).toBeGreaterThan(before);
  }, 20_000);
  return started;
}

async function connect(at = gateway): Promise<WireClient> {
  const client = await at.connect();
  clients.push(client);
  return client;
}

/** How many transactions of the gateway's have failed at the reader so far. */
async function refusals(): Promise<number> {
  const ask = (sql: string) => askInstance(cluster, reader(), sql, 'postgres');
  // A backend tells what it has counted when it ends, and else now and then.
  const links = "FROM pg_stat_activity WHERE usename = 'app'";
  await ask(`SELECT pg_terminate_backend(pid) ${links}`);
  await vi.waitFor(async () => expect(await ask(`SELECT pid ${links}`)).toEqual([]), 5_000);
  // A reader that has closed links gets no other for a second.
  await nap(1_500);
  return (await ask(ROLLBACKS))[0]?.['n'] as number;
}

/** Runs at the reader. */
async function isRunning(text: string): Promise<void> {
  await vi.waitFor(async () => {
    const sql = `SELECT pid FROM pg_stat_activity WHERE state = 'active' AND usename = 'app'
      AND query = '${text}'`;
    expect(await askInstance(cluster, reader(), sql)).toHaveLength(1);
  }, 15_000);
}

/** What the reader is to replay is in the way of all who read the table. */
const obstruct = (): Promise<unknown> =>
  askInstance(cluster, cluster.writer, 'BEGIN; LOCK TABLE busy; COMMIT');

const conflicts = async (): Promise<number> => {
  const sql = `SELECT confl_lock::int AS n FROM pg_stat_database_conflicts WHERE datname = 'demo'`;
  return (await askInstance(cluster, reader(), sql))[0]?.['n'] as number;
};

describe('a read of an UNLOGGED table', () => {
  it('is answered by the writer, in both protocols, and the reader is not asked again', async () => {
    const before = await refusals();
    const client = await connect();
    for (const _ of TWENTY) {
      expect(await client.rows(UNLOGGED)).toEqual([['3']]);
      client.send(Buffer.concat([...unnamed(`${UNLOGGED} WHERE n > 1`), sync()]));
      const answer = await client.readReady();
      expect(answer.map(({ code }) => code)).toEqual(['1', '2', 'D', 'C', 'Z']);
      expect(rowsOf(answer)).toEqual([['2']]);
    }
    const asked = (await refusals()) - before;
    // Once for each shape, and as many again by whoever was ahead of the news.
    expect(asked).toBeGreaterThanOrEqual(2);
    expect(asked).toBeLessThanOrEqual(4);
  });

  it('does not keep other reads from readers', async () => {
    const text = `${LONG} WHERE a.n >= 0`;
    const client = await connect();
    client.send(query(text));
    await isRunning(text);
    expect(rowsOf(await client.readReady(1, LONG_MS))).toEqual([['49000000']]);
  });

  it('leaves what its client sends next to be done behind it, and in its order', async () => {
    const client = await connect();
    const texts = [
      'SELECT count(*) + 10 FROM quick',
      'INSERT INTO marks SELECT count(*) FROM quick',
      'SELECT max(n) FROM marks',
    ];
    client.send(Buffer.concat(texts.map(query)));
    const answers = [await client.readReady(), await client.readReady(), await client.readReady()];
    expect(answers.map((answer) => rowsOf(answer)[0]?.[0])).toEqual(['13', undefined, '7']);
    // A message that comes in part while the read is under way is read when it is whole.
    const later = await connect();
    const [text, next] = [query('SELECT count(*) + 20 FROM quick'), query('SELECT 1')];
    later.send(text);
    for (const byte of next) {
      later.send(Buffer.from([byte]));
      await nap(1);
    }
    expect(rowsOf(await later.readReady())).toEqual([['23']]);
    expect(rowsOf(await later.readReady())).toEqual([['1']]);
  });
});

describe('a read under way at a reader', () => {
  it('that is in the way of what is replayed there is asked of the writer', async () => {
    const before = await conflicts();
    const client = await connect();
    client.send(query(LONG));
    await isRunning(LONG);
    await obstruct();
    const answer = await client.readReady(1, LONG_MS);
    expect(answer.map(({ code }) => code)).toEqual(['T', 'D', 'C', 'Z']);
    expect(rowsOf(answer)).toEqual([['49000000']]);
    await refusals();
    expect(await conflicts()).toBeGreaterThan(before);
  });

  it('whose connection is ended there is asked of the writer', async () => {
    const text = `${LONG} WHERE a.n > 0`;
    const client = await connect();
    client.send(query(text));
    await isRunning(text);
    const end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = '";
    await askInstance(cluster, reader(), `${end}${text}'`);
    const answer = await client.readReady(1, LONG_MS);
    expect(rowsOf(answer)).toEqual([['49000000']]);
    expect(await client.rows('SELECT 1')).toEqual([['1']]);
  });

  it('of which its client has seen a part fails with what the reader says', async () => {
    const text = `SELECT array_fill(1, ARRAY[10000]), CASE v WHEN 1 THEN (${LONG}) END
      FROM (VALUES (0), (1)) AS v (v)`;
    const client = await connect();
    client.send(query(text));
    expect((await client.read()).code).toBe('T');
    expect((await client.read()).code).toBe('D');
    await obstruct();
    const rest = await client.readReady(1, LONG_MS);
    const error = rest.find(({ code }) => code === 'E');
    expect(fieldsOf(error?.body ?? Buffer.alloc(0))['C']).toBe('40001');
    expect(await client.rows('SELECT 1')).toEqual([['1']]);
  });

  it('that its client cancels is not begun again', async () => {
    const text = `${LONG} WHERE a.n > -1`;
    const client = await connect();
    client.send(query(text));
    await isRunning(text);
    await client.cancel();
    const answer = await client.readReady(1, LONG_MS);
    const error = answer.find(({ code }) => code === 'E');
    expect(fieldsOf(error?.body ?? Buffer.alloc(0))['C']).toBe('57014');
  });
});

describe('transactions that are serializable by default', () => {
  it.each(['ROLE app', 'DATABASE demo'])('as %s has it, read from the writer', async (whose) => {
    await askInstance(
      cluster,
      cluster.writer,
      `ALTER ${whose} SET default_transaction_isolation = serializable`,
    );
    await vi.waitFor(async () => {
      const sql = "SELECT 1 FROM pg_db_role_setting WHERE setconfig::text LIKE '%serializable%'";
      expect(await askInstance(cluster, reader(), sql, 'postgres')).toHaveLength(1);
    }, 5_000);
    const before = await refusals();
    const at = await startGateway(cluster, { origin: { readerLagMsMax: 1_000 }, caching: {} });
    try {
      const client = await connect(at);
      // Each is another shape, which a reader would refuse, from when there are readers to ask.
      let n = 0;
      const read = async (): Promise<void> => {
        const text = `SELECT n${', n'.repeat(n++)} FROM marks WHERE n = 7`;
        expect(await client.rows(text)).toHaveLength(1);
      };
      const isKnown = async (): Promise<void> => {
        await read();
        expect(at.complaints.join()).toContain('readers refuse what is read');
      };
      await vi.waitFor(isKnown, { timeout: 20_000, interval: 50 });
      const asked = await refusals();
      expect(asked - before).toBeGreaterThanOrEqual(8);
      for (const _ of TWENTY) await read();
      expect(await refusals()).toBe(asked);
    } finally {
      await at.stop();
      const reset = `ALTER ${whose} RESET default_transaction_isolation`;
      await askInstance(cluster, cluster.writer, reset);
    }
  });
});
