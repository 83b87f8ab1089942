/** What goes wrong on a link that several clients share must not reach those it does not concern. */
import { afterEach, describe, expect, it } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.ts';
import { directTarget, type GatewayOptions, TestGateway } from '../support/gateway.ts';
import { createDatabase } from '../support/pg.ts';
import { sharedCount } from '../support/sharing.ts';
import { nap } from '../support/stage.ts';
import { errorsOf, type Reply, rowsOf, type WireClient } from '../support/wire.ts';
import { bind, describeMessage, execute, parse, query, sync } from '../support/wire-messages.ts';

const SCHEMA = `CREATE TABLE item AS SELECT i AS id, 'body ' || i AS body
    FROM generate_series(1, 1000) AS i;
  ALTER TABLE item ADD PRIMARY KEY (id);
  CREATE TABLE held (n int); INSERT INTO held VALUES (7);
  CREATE TABLE uneven AS SELECT 1 AS kind, 'x' AS body;
  INSERT INTO uneven SELECT 2, repeat('y', 1000) FROM generate_series(1, 16000);`;

const endings: (() => Promise<void>)[] = [];
let gateway: TestGateway;
let proxy: FaultProxy;
let clients: WireClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.vanish();
  for (const end of endings.splice(0).reverse()) await end();
});

const read = (n: number): string => `SELECT id, body FROM item WHERE id = ${n}`;

/** Some milliseconds of work. */
const product = (n: number): string =>
  `SELECT count(*) FROM item AS a, item AS b WHERE a.id <= ${n}`;

async function shared(): Promise<number> {
  const asking = await gateway.connect();
  const count = await sharedCount(asking);
  asking.vanish();
  return count;
}

/** Clients whose reads share, over one link unless said. */
async function start(count: number, options: GatewayOptions = {}): Promise<void> {
  const database = await createDatabase();
  endings.push(() => database.drop());
  proxy = await FaultProxy.start(directTarget(database));
  endings.push(() => proxy.stop());
  gateway = await TestGateway.start(
    // Every statement must reach a server, since it is the link that fails.
    {
      links: 2,
      shareLinks: true,
      hedgeMs: 60_000,
      caching: { disabled: true },
      ...options,
      originAt: proxy.at,
    },
    database,
  );
  endings.push(() => gateway.stop());
  const side = await gateway.connectDirect();
  await side.rows(SCHEMA);
  side.vanish();
  clients = await Promise.all(Array.from({ length: count }, () => gateway.connect()));
  const texts = [read(1), product(1), 'TABLE held', 'SELECT body FROM uneven WHERE kind = 1'];
  for (let tries = 0; tries < 400; tries++) {
    for (const text of texts) await clients[0]?.rows(text);
    if (tries % 20 === 19 && (await shared()) > 100) return;
    await nap(2);
  }
  throw new Error('nothing is shared');
}

/** Everybody asks for a row of their own, in both protocols. */
function askAll(): void {
  for (const [n, client] of clients.entries()) {
    if (n % 2 === 0) client.send(query(read(n + 1)));
    else {
      client.send(
        Buffer.concat([
          parse('', read(n + 1)),
          bind('', ''),
          describeMessage('P', ''),
          execute(),
          sync(),
        ]),
      );
    }
  }
}

/** Up to ReadyForQuery, or to the end of the connection. */
async function answerOf(client: WireClient): Promise<Reply[]> {
  const replies: Reply[] = [];
  for (;;) {
    const reply = await client.readOrEnd();
    if (reply !== null) replies.push(reply);
    if (reply === null || reply.code === 'Z') return replies;
  }
}

/** What each got: its own row, or an error, and nothing else. */
async function outcomes(): Promise<string[]> {
  const seen = new Set<string>();
  await Promise.all(
    clients.map(async (client, n) => {
      const replies = await answerOf(client);
      const rows = rowsOf(replies);
      for (const row of rows) expect(row).toEqual([`${n + 1}`, `body ${n + 1}`]);
      seen.add(errorsOf(replies).join() || (rows.length === 1 ? 'answered' : 'nothing'));
    }),
  );
  return [...seen].sort();
}

async function lock(): Promise<WireClient> {
  const holder = await gateway.connectDirect();
  await holder.rows('BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE');
  return holder;
}

describe('a shared link that dies', () => {
  it.each(['fin', 'rst'] as const)(
    'by %s before an answer: all are answered elsewhere',
    async (how) => {
      await start(12);
      for (const pair of proxy.open) pair.down.delayMs = 300;
      askAll();
      await nap(150);
      for (const pair of proxy.open) pair.end(how);
      expect(await outcomes()).toEqual(['answered']);
    },
  );

  it('with a goodbye of the server: all are answered elsewhere', async () => {
    await start(12);
    const holder = await lock();
    clients[0]?.send(query('TABLE held'));
    await nap(50);
    for (const [n, client] of clients.entries()) if (n > 0) client.send(query(read(n + 1)));
    await nap(50);
    await holder.rows(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`);
    await holder.rows('COMMIT');
    expect(rowsOf((await clients[0]?.readReady()) ?? [])).toEqual([['7']]);
    for (const [n, client] of clients.entries()) {
      if (n > 0) expect(rowsOf(await client.readReady())).toEqual([[`${n + 1}`, `body ${n + 1}`]]);
    }
    holder.vanish();
  });

  it.each([1, 30, 60, 90, 200, 400])(
    'after %i bytes of answers: all are answered elsewhere',
    async (bytes) => {
      await start(12);
      for (const pair of proxy.open) {
        pair.down.pieces = [1, 7, 3];
        pair.down.bytesLeft = bytes;
      }
      askAll();
      expect(await outcomes()).toEqual(['answered']);
    },
    30_000,
  );

  it('in the middle of a large result: its client is cut off, the others are answered', async () => {
    await start(6);
    const [large, ...others] = clients as [WireClient, ...WireClient[]];
    for (const pair of proxy.open) pair.down.bytesLeft = 300_000;
    large.send(query('SELECT body FROM uneven WHERE kind = 2'));
    for (const [n, client] of others.entries()) client.send(query(read(n + 1)));
    for (const [n, client] of others.entries()) {
      expect(rowsOf(await client.readReady())).toEqual([[`${n + 1}`, `body ${n + 1}`]]);
    }
    const replies = await answerOf(large);
    expect(replies.at(-1)?.code).not.toBe('Z');
    expect(replies.length).toBeLessThan(16_000);
  });

  it('answers in tiny pieces: each gets its own', async () => {
    await start(12);
    for (const pair of proxy.open) pair.down.pieces = [1, 2, 5];
    for (let round = 0; round < 10; round++) {
      askAll();
      expect(await outcomes()).toEqual(['answered']);
    }
  });
});

describe('a cancel on a shared link', () => {
  it('ends the one at work, and nobody else’s', async () => {
    await start(12);
    const holder = await lock();
    const [slow] = clients;
    slow?.send(query('TABLE held'));
    await nap(50);
    for (const [n, client] of clients.entries()) if (n > 0) client.send(query(read(n + 1)));
    await nap(50);
    await slow?.cancel();
    expect(errorsOf((await slow?.readReady()) ?? [])).toEqual(['57014']);
    for (const [n, client] of clients.entries()) {
      if (n > 0) expect(rowsOf(await client.readReady())).toEqual([[`${n + 1}`, `body ${n + 1}`]]);
    }
    await holder.rows('COMMIT');
    expect(await slow?.rows('TABLE held')).toEqual([['7']]);
    holder.vanish();
  });

  it('of one that has not begun is answered at once', async () => {
    await start(2, { links: 1 });
    const [slow, other] = clients as [WireClient, WireClient];
    const holder = await lock();
    slow.send(query('TABLE held'));
    await nap(50);
    other.send(query(read(2)));
    await nap(50);
    await other.cancel();
    expect(errorsOf(await other.readReady())).toEqual(['57014']);
    await holder.rows('COMMIT');
    expect(rowsOf(await slow.readReady())).toEqual([['7']]);
    expect(await other.rows(read(2))).toEqual([['2', 'body 2']]);
    holder.vanish();
  });

  it('never strikes another, however often', async () => {
    await start(8);
    let isDone = false;
    const readers = clients.slice(1).map(async (client, n) => {
      while (!isDone) {
        // Long enough for a cancel to strike it that was meant for the one before it.
        expect(await client.rows(product(n + 5))).toEqual([[`${(n + 5) * 1_000}`]]);
      }
    });
    const [canceller] = clients as [WireClient];
    for (let round = 0; round < 100; round++) {
      canceller.send(query(read(1)));
      const cancel = canceller.cancel();
      const replies = await canceller.readReady();
      await cancel;
      expect(['', '57014']).toContain(errorsOf(replies).join());
    }
    isDone = true;
    await Promise.all(readers);
  }, 40_000);

  it('comes by itself when the statement limit has passed', async () => {
    await start(3, { timeouts: { statementTimeoutMs: 400 } });
    const [slow, other] = clients as [WireClient, WireClient];
    const holder = await lock();
    slow.send(query('TABLE held'));
    await nap(30);
    other.send(query(read(2)));
    expect(errorsOf(await slow.readReady())).toEqual(['58000']);
    expect(rowsOf(await other.readReady())).toEqual([['2', 'body 2']]);
    holder.vanish();
  });
});

describe('a client of a shared link', () => {
  it('that does not read its large result holds nobody up, and gets all of it', async () => {
    await start(6);
    const [slow, ...others] = clients as [WireClient, ...WireClient[]];
    slow.socket.pause();
    slow.send(query('SELECT body FROM uneven WHERE kind = 2'));
    await nap(20);
    for (let round = 0; round < 20; round++) {
      const rows = await Promise.all(others.map((client, n) => client.rows(read(n + 1))));
      expect(rows).toEqual(others.map((_, n) => [[`${n + 1}`, `body ${n + 1}`]]));
    }
    slow.socket.resume();
    const rows = rowsOf(await slow.readReady(1, 30_000));
    expect(rows).toHaveLength(16_000);
    expect(await slow.rows(read(3))).toEqual([['3', 'body 3']]);
  }, 60_000);

  it('that leaves in any state takes nobody with it', async () => {
    await start(10);
    for (let round = 0; round < 20; round++) {
      const leaving = await Promise.all([gateway.connect(), gateway.connect(), gateway.connect()]);
      for (const [n, client] of leaving.entries()) {
        client.send(
          n === 2 ? query('SELECT body FROM uneven WHERE kind = 2') : query(read(500 + n)),
        );
      }
      askAll();
      if (round % 2 === 0) await nap(round % 7);
      for (const [n, client] of leaving.entries()) client.vanish(n % 2 === 0 ? 'rst' : 'fin');
      expect(await outcomes()).toEqual(['answered']);
    }
  }, 60_000);
});
