/** Clients of the DSQL endpoint that go at any byte, come in pieces, or do not read. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { REGION, TestEndpoint } from '../support/dsql-endpoint.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import * as wire from '../support/wire-messages.ts';

const MEGABYTE = 1_048_576;
/** Of the endpoint and of the test together: a result is 100 MB. */
const GROWTH_MAX = 48 * MEGABYTE;
const PIPELINED = 10_000;
const STEP = 23;

let test: TestEndpoint;
let proxy: FaultProxy;
let superuser: pg.Client;
let witness: pg.Client;
const raw: TLSSocket[] = [];

beforeAll(async () => {
  test = await TestEndpoint.start();
  proxy = await FaultProxy.start({ host: '127.0.0.1', port: test.endpoint.port });
  superuser = new pg.Client({ connectionString: test.server.url() });
  await superuser.connect();
  witness = await test.connect();
  await witness.query('CREATE TABLE t (id int PRIMARY KEY, v int)');
  await witness.query('INSERT INTO t VALUES (1, 0)');
});

afterEach(() => {
  proxy.onPair = () => {};
  for (const socket of raw.splice(0)) socket.destroy();
});

afterAll(async () => {
  await superuser?.end();
  await proxy?.stop();
  await test?.stop();
});

/** Only the witness has a session, nothing runs, and nobody holds a lock on a row. */
async function atRest(): Promise<void> {
  await expect.poll(() => test.cluster.sessionCount).toBe(1);
  await expect.poll(() => test.cluster.quota.open).toBe(1);
  const linksUsed = () => test.cluster.linkCounts.open - test.cluster.linkCounts.idle;
  await expect.poll(linksUsed).toBe(0);
  const held = `SELECT relation::regclass::text, mode FROM pg_locks
    WHERE relation = 't'::regclass AND pid <> pg_backend_pid()`;
  await expect.poll(async () => (await superuser.query(held)).rows).toEqual([]);
}

async function stored(): Promise<number> {
  return (await superuser.query('SELECT v FROM t WHERE id = 1')).rows[0].v;
}

/** A client that is all hands, past its login. */
async function rawClient(port = test.endpoint.port): Promise<TLSSocket> {
  const socket = tlsConnect({
    host: '127.0.0.1',
    port,
    ca: test.authority.cert,
    servername: test.host,
    ALPNProtocols: ['postgresql'],
  });
  raw.push(socket);
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  socket.write(wire.startup({ user: 'admin', database: 'postgres' }));
  await once(socket, 'data');
  socket.write(wire.message('p', Buffer.from(`${await test.token()}\0`)));
  for (;;) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    if (chunk.at(-6) === 'Z'.charCodeAt(0)) return socket;
  }
}

describe('a client', () => {
  // dsql §8.9
  it('may come byte by byte, from its first one on', async () => {
    proxy.onPair = (pair) => {
      pair.up.pieces = [1];
      pair.down.pieces = [3, 1, 2];
    };
    const client = new pg.Client({ ...(await test.config()), port: proxy.at.port });
    await client.connect();
    await client.query('BEGIN');
    await client.query('UPDATE t SET v = v + $1', [1]);
    await client.query('COMMIT');
    expect((await client.query('SELECT v FROM t WHERE id = $1', [1])).rows).toEqual([{ v: 1 }]);
    await client.end();
    await atRest();
  });

  it('may go at any byte of its login, and takes no place with it', async () => {
    let cuts = 0;
    let isThrough = false;
    for (let bytes = 0; !isThrough; bytes += STEP * 3) {
      proxy.onPair = (pair) => {
        pair.up.bytesLeft = bytes;
        pair.up.cut = bytes % 2 === 0 ? 'rst' : 'fin';
      };
      const client = new pg.Client({ ...(await test.config()), port: proxy.at.port });
      client.on('error', () => {});
      isThrough = await client.connect().then(
        () => true,
        () => false,
      );
      if (!isThrough) cuts++;
      proxy.pairs.at(-1)?.end('fin');
    }
    expect(cuts).toBeGreaterThan(5);
    await atRest();
    expect((await witness.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  });

  it('may go at any byte of a transaction, which then is whole or was never there', async () => {
    let isThrough = false;
    let whole = 0;
    let none = 0;
    const transaction = Buffer.concat([
      wire.query('BEGIN'),
      ...wire.unnamed('UPDATE t SET v = v + 1 WHERE id = $1', ['1']),
      wire.query('UPDATE t SET v = v + 1 WHERE id = 1'),
      wire.query('COMMIT'),
    ]);
    for (let bytes = 0; !isThrough; bytes += STEP) {
      const before = await stored();
      const socket = await rawClient();
      socket.write(transaction.subarray(0, bytes));
      if (bytes % 2 === 0) socket.end();
      else setTimeout(() => socket.destroy(), 5);
      socket.resume();
      await once(socket, 'close');
      await atRest();
      const after = await stored();
      expect([before, before + 2], `gone after ${bytes} bytes`).toContain(after);
      if (after === before) none++;
      else whole++;
      isThrough = bytes >= transaction.length;
    }
    expect(none).toBeGreaterThan(3);
    expect(whole).toBeGreaterThan(0);
  });

  it('that goes in the middle of a transaction keeps nobody from its rows', async () => {
    const socket = await rawClient();
    socket.write(wire.query('BEGIN; UPDATE t SET v = v + 100'));
    await once(socket, 'data');
    socket.destroy();
    const before = await stored();
    await witness.query('UPDATE t SET v = v + 1');
    expect(await stored()).toBe(before + 1);
    await atRest();
  });
});

describe('a client that does not read', () => {
  it('does not have a result of 100 MB kept in memory for it', async () => {
    const socket = await rawClient();
    socket.pause();
    global.gc?.();
    const before = process.memoryUsage.rss();
    socket.write(wire.query("SELECT n, repeat('x', 10000) FROM generate_series(1, 10000) AS n"));
    await sleep(2_500);
    expect(process.memoryUsage.rss() - before).toBeLessThan(GROWTH_MAX);
    // Others go on meanwhile.
    expect((await witness.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    // When it does read, it has all of it.
    let bytes = 0;
    let last: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      last = Buffer.concat([last, chunk]).subarray(-6);
    });
    socket.resume();
    await expect.poll(() => last.toString('latin1'), { timeout: 60_000 }).toBe('Z\0\0\0\x05I');
    expect(bytes).toBeGreaterThan(100_000_000);
    socket.destroy();
    await atRest();
  });

  it('may send 10,000 statements: they wait, and all are answered when it reads', async () => {
    const socket = await rawClient();
    socket.pause();
    const one = wire.query("SELECT repeat('y', 2000)");
    global.gc?.();
    const before = process.memoryUsage.rss();
    socket.write(Buffer.concat(Array.from({ length: PIPELINED }, () => one)));
    await sleep(1_500);
    expect(process.memoryUsage.rss() - before).toBeLessThan(GROWTH_MAX);
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    socket.resume();
    await expect.poll(() => bytes, { timeout: 90_000, interval: 200 }).toBe(bytesOf(PIPELINED));
    socket.destroy();
    await atRest();
  });

  it('may go without having read, and its statement ends with it', async () => {
    const socket = await rawClient();
    socket.pause();
    socket.write(wire.query("SELECT repeat('x', 10000) FROM generate_series(1, 100000) AS n"));
    await sleep(500);
    socket.destroy();
    await atRest();
  });
});

/** What the answers to so many of the statements above take: T, D, C and Z. */
function bytesOf(count: number): number {
  const description = 1 + 4 + 2 + 'repeat\0'.length + 18;
  const row = 1 + 4 + 2 + 4 + 2_000;
  const end = 1 + 4 + 'SELECT 1\0'.length + 6;
  return count * (description + row + end);
}

describe('messages that are none', () => {
  // dsql §8.9
  it.each([
    ['a length below four', Buffer.from([0x51, 0, 0, 0, 3])],
    ['a length beyond 10 MiB', Buffer.from([0x51, 0x7f, 0xff, 0xff, 0xff])],
    ['a type that there is not', wire.message('?', Buffer.alloc(3))],
    ['a Query without its end', wire.message('Q', Buffer.from('SELECT 1'))],
    ['a Bind that is cut short', wire.message('B', Buffer.from('\0\0\0\x05'))],
    ['text that is no UTF-8', wire.message('Q', Buffer.from([0xff, 0xfe, 0]))],
  ])('%s end the session with FATAL or no word, and no other one', async (_, bytes) => {
    const socket = await rawClient();
    const said: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => said.push(chunk));
    socket.write(bytes);
    await once(socket, 'close');
    const all = Buffer.concat(said).toString('latin1');
    expect(all === '' || all.includes('SFATAL\0')).toBe(true);
    expect((await witness.query(`SELECT '${REGION}' AS r`)).rows).toEqual([{ r: REGION }]);
    await atRest();
  });
});
