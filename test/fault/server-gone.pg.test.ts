/** The server goes away in every state: its client is told, and the pool goes on with a new link. */
import { afterEach, describe, expect, it } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.ts';
import { directTarget, type GatewayOptions, TestGateway } from '../support/gateway.ts';
import { createDatabase } from '../support/pg.ts';
import { nap } from '../support/stage.ts';
import { codesOf, errorsOf, rowsOf, type WireClient } from '../support/wire.ts';
import { bind, copyData, execute, parse, query, sync, unnamed } from '../support/wire-messages.ts';

const endings: (() => Promise<void>)[] = [];
let gateway: TestGateway;
let proxy: FaultProxy;

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function start(options: GatewayOptions = {}): Promise<void> {
  const database = await createDatabase();
  endings.push(() => database.drop());
  proxy = await FaultProxy.start(directTarget(database));
  endings.push(() => proxy.stop());
  gateway = await TestGateway.start({ ...options, originAt: proxy.at }, database);
  endings.push(() => gateway.stop());
}

/** Ways in which a server can go. The first one says goodbye, with a FATAL error. */
/** Nothing else that is sent to the server here is as long. */
const CATALOGUE_QUERY_BYTES = 10_000;

const WAYS = {
  'is terminated': async () => {
    const side = await gateway.connectDirect();
    await side.rows(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend'`);
    await side.end();
  },
  closes: async () => {
    for (const pair of proxy.open) pair.end('fin');
  },
  'resets the connection': async () => {
    for (const pair of proxy.open) pair.end('rst');
  },
  'sends garbage': async () => {
    for (const pair of proxy.open)
      pair.inject('down', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
  },
  'sends what nobody asked for': async () => {
    const rows = Buffer.from(
      'D\0\0\0\x0b\0\x01\0\0\0\x01xC\0\0\0\rSELECT 1\0Z\0\0\0\x05I',
      'latin1',
    );
    for (const pair of proxy.open) pair.inject('down', rows);
  },
  'announces a negative length': async () => {
    for (const pair of proxy.open) pair.inject('down', Buffer.from('D\xff\xff\xff\xff', 'latin1'));
  },
} as const;
type Way = keyof typeof WAYS;
const WAY_NAMES = Object.keys(WAYS) as Way[];
const DEATHS: readonly Way[] = ['is terminated', 'closes', 'resets the connection'];

/** Otherwise what is cut could be the gateway's own reading, on the link before the client. */
async function untilTheCatalogueIsRead(client: WireClient): Promise<void> {
  await client.rows('SELECT 1');
  const sent = () => Math.max(...proxy.pairs.map(({ passed }) => passed.up));
  await expect.poll(sent, { timeout: 10_000 }).toBeGreaterThan(CATALOGUE_QUERY_BYTES);
  // There is one link only: who has it after the reading finds that it is over.
  await client.rows('SELECT 1');
}

/** The gateway has noticed when it has closed every link of then. */
async function strikeIdle(way: Way): Promise<void> {
  const struck = [...proxy.open];
  await WAYS[way]();
  const left = () => proxy.open.filter((pair) => struck.includes(pair));
  await expect.poll(left, { timeout: 10_000 }).toEqual([]);
  await nap(50);
}

/** Others find the pool in order: each gets its own answers, one slot is there and no more. */
async function expectRecovered(): Promise<void> {
  const clients = await Promise.all([gateway.connect(), gateway.connect()]);
  for (const [at, client] of clients.entries()) {
    expect(await client.rows(`SELECT ${at}`)).toEqual([[String(at)]]);
    client.send(parse('s', 'SELECT $1'), bind('', 's', [`of ${at}`]), execute(), sync());
    expect(rowsOf(await client.readReady())).toEqual([[`of ${at}`]]);
  }
  const side = await gateway.connectDirect();
  const backends = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
    AND backend_type = 'client backend' AND pid <> pg_backend_pid()`;
  await expect.poll(() => side.rows(backends), { timeout: 5_000 }).toEqual([['1']]);
  await side.end();
  for (const client of clients) await client.end();
}

/** The client is told, once, and its connection ends. */
async function expectTold(client: WireClient): Promise<void> {
  const replies = await client.readToEnd(5_000);
  const errors = errorsOf(replies);
  expect(errors).toHaveLength(1);
  expect(['08006', '57P01']).toContain(errors[0]);
  expect(replies.at(-1)?.code).toBe('E');
}

describe('a server that goes away', () => {
  it.each(WAY_NAMES)('in the pool, and %s: clients do not notice', async (way) => {
    await start();
    const client = await gateway.connect();
    expect(await client.rows('SELECT 1')).toEqual([['1']]);
    await strikeIdle(way);
    expect(await client.rows('SELECT 2')).toEqual([['2']]);
    client.send(parse('s', 'SELECT 3'), sync(), bind('', 's'), execute(), sync());
    expect(rowsOf(await client.readReady(2))).toEqual([['3']]);
    await strikeIdle(way);
    client.send(bind('', 's'), execute(), sync());
    expect(rowsOf(await client.readReady())).toEqual([['3']]);
    await client.end();
    await expectRecovered();
  });

  it.each(DEATHS)('at work, and %s: the client is told', async (way) => {
    await start();
    const client = await gateway.connect();
    client.send(query('SELECT pg_sleep(1.5)'));
    await nap(80);
    await WAYS[way]();
    await expectTold(client);
    await expectRecovered();
  });

  it.each(WAY_NAMES)(
    'in a transaction, and %s: the client is told, others wait no longer',
    async (way) => {
      await start();
      const client = await gateway.connect();
      await client.rows('CREATE TABLE item (n int)');
      await client.rows('BEGIN; INSERT INTO item VALUES (1)');
      const waiter = await gateway.connect();
      const answer = waiter.rows('SELECT count(*) FROM item');
      await nap(50);
      await WAYS[way]();
      await expectTold(client);
      expect(await answer).toEqual([['0']]);
      await waiter.end();
      await expectRecovered();
    },
  );

  it.each(DEATHS)('in a COPY, and %s: the client is told', async (way) => {
    await start();
    const client = await gateway.connect();
    await client.rows('CREATE TABLE item (n int)');
    client.send(query('COPY item FROM STDIN'), copyData('1\n'));
    expect(codesOf([await client.read()])).toBe('G');
    const [pair] = proxy.open;
    expect(pair).toBeDefined();
    await WAYS[way]();
    // A server in COPY reads before it looks at its signals.
    client.send(copyData('2\n'));
    const replies = await client.readToEnd(5_000);
    expect(errorsOf(replies)).toHaveLength(1);
    await expectRecovered();
  });

  it.each([1, 4, 5, 6, 100, 3_000, 65_536, 300_000])(
    'in a result, after %d bytes: the client gets what came and is told',
    async (bytes) => {
      for (const cut of ['fin', 'rst'] as const) {
        // What the gateway asks about the statement would be cut off in its place.
        await start({ caching: { disabled: true } });
        const client = await gateway.connect();
        await untilTheCatalogueIsRead(client);
        for (const pair of proxy.open) Object.assign(pair.down, { bytesLeft: bytes, cut });
        client.send(query("SELECT i, repeat('x', 100) FROM generate_series(1, 10000) AS i"));
        let last = '';
        let rows = 0;
        for (;;) {
          const reply = await client.readOrEnd(5_000);
          if (reply === null) break;
          last = reply.code;
          if (reply.code === 'D') rows++;
        }
        // A row that was cut cannot be followed by an error that anybody could read.
        expect(['E', 'T', 'D', '']).toContain(last);
        expect(rows).toBeLessThan(10_000);
        await expectRecovered();
        for (const end of endings.splice(0).reverse()) await end();
      }
    },
  );

  it('is not there at first: clients are refused, and served as soon as it is', async () => {
    await start({ timeouts: { connectTimeoutMs: 500, waitTimeoutMs: 2_000 } });
    proxy.onPair = (pair) => pair.end('rst');
    await expect(gateway.connect()).rejects.toThrow(/58000|08006/);
    proxy.onPair = () => {};
    await expect
      .poll(
        async () => {
          try {
            const client = await gateway.connect();
            const rows = await client.rows('SELECT 1');
            await client.end();
            return rows;
          } catch {
            return null;
          }
        },
        { timeout: 10_000 },
      )
      .toEqual([['1']]);
    await expectRecovered();
  });

  it('answers in tiny pieces and late: every answer is right', async () => {
    await start();
    proxy.onPair = (pair) => {
      pair.down.pieces = [1, 2, 3, 5];
      pair.up.pieces = [3, 1, 7];
      pair.up.delayMs = 3;
    };
    const clients = await Promise.all([1, 2, 3].map(() => gateway.connect()));
    const work = clients.map(async (client, at) => {
      for (let round = 0; round < 15; round++) {
        const value = `${at}.${round}`;
        client.send(...unnamed('SELECT $1::text', [value]), sync(), query(`SELECT '${value}'`));
        expect(rowsOf(await client.readReady(2))).toEqual([[value], [value]]);
      }
    });
    await Promise.all(work);
  });
});
