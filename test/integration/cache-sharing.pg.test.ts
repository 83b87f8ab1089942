/** Reads that go over a shared link, and the cache. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ask, extended, simple, statusOf, transcript, warm } from '../support/cached.ts';
import type { FaultProxy } from '../support/fault-proxy.ts';
import type { TestGateway } from '../support/gateway.ts';
import { sharedCount } from '../support/sharing.ts';
import { nap, stageForEach } from '../support/stage.ts';
import { codesOf, errorsOf, rowsOf, type WireClient } from '../support/wire.ts';

const SCHEMA = `CREATE TABLE item AS SELECT i AS id, 'body ' || i AS body
    FROM generate_series(1, 2000) AS i;
  CREATE TABLE held AS SELECT i AS id, 0 AS n FROM generate_series(1, 50) AS i;`;
const LOCK = 'BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE';

const stage = stageForEach();
let gateway: TestGateway;
let proxy: FaultProxy;
let client: WireClient;
let other: WireClient;
let direct: WireClient;

const item = (id: number): Buffer => simple(`SELECT id, body FROM item WHERE id = ${id}`);
const boundItem = (id: number): Buffer =>
  extended('SELECT id, body FROM item WHERE id = $1', [`${id}`], [], [23]);
const held = (id: number): Buffer => simple(`SELECT n FROM held WHERE id = ${id}`);

const shared = (): Promise<number> => sharedCount(direct);

/** How many statements the cache was asked about. */
async function counted(): Promise<number> {
  const rows = rowsOf(await direct.ask('SHOW millrace.cache_statuses'));
  return rows.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Asks until that is answered over a shared link, and kept. */
async function untilSharedAndKept(of: (id: number) => Buffer): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    const before = await shared();
    await ask(other, of(1));
    const wasShared = (await shared()) > before;
    await ask(other, of(1));
    if (wasShared && (await statusOf(other)) === 'hit') return;
    await nap(5);
    // Nothing changes but that no answer from before is given.
    await other.ask('UPDATE item SET id = id WHERE false; UPDATE held SET id = id WHERE false');
  }
  throw new Error('nothing is shared and kept');
}

beforeEach(async () => {
  ({ gateway, proxy } = await stage.startBehindProxy({
    links: 3,
    caching: {},
    shareLinks: true,
    hedgeMs: 60_000,
  }));
  const schema = await gateway.connectDirect();
  await schema.rows(SCHEMA);
  await schema.end();
  client = await gateway.connect();
  other = await gateway.connect();
  // Asks the gateway only what it answers by itself.
  direct = await gateway.connect();
});

describe('a read on a shared link', () => {
  it.each([
    ['a simple Query', item],
    ['a unit of the extended protocol', boundItem],
  ])('is kept, and given with the same bytes: %s', async (_how, of) => {
    await untilSharedAndKept(of);
    const server = await gateway.connectDirect();
    const expected = transcript(await ask(server, of(100)));
    const before = await shared();
    expect(transcript(await ask(client, of(100)))).toEqual(expected);
    expect(await statusOf(client)).toBe('miss');
    expect(await shared()).toBe(before + 1);
    // A text is resolved on its own; those of one shape with parameters are one.
    expect(transcript(await warm(other, of(100)))).toEqual(expected);
    await server.end();
  });

  it('is counted once, whatever became of it', async () => {
    await untilSharedAndKept(item);
    const before = await counted();
    for (let id = 200; id < 210; id++) {
      client.send(item(id), item(id));
      await client.readReady(2);
      // This one is none for the cache: what came before must not stand for it.
      await ask(client, item(id + 10));
      await ask(client, simple('EXPLAIN SELECT 1'));
    }
    // Of some it turns out a little later.
    await expect.poll(counted).toBe(before + 40);
    await nap(100);
    expect(await counted()).toBe(before + 40);
  });

  it('holds up what its client asks behind it, though it were in the cache', async () => {
    await untilSharedAndKept(held);
    await ask(other, item(1));
    for (let n = 0; n < 200 && (await statusOf(other)) !== 'hit'; n++) await ask(other, item(1));
    const server = await gateway.connectDirect();
    await server.rows(LOCK);
    const before = await shared();
    // What is held now was never asked for.
    client.send(held(50));
    await expect.poll(shared).toBe(before + 1);
    client.send(item(1));
    await nap(100);
    await server.rows('COMMIT');
    const replies = await client.readReady(2);
    expect(rowsOf(replies)).toEqual([['0'], ['1', 'body 1']]);
    expect(codesOf(replies)).toBe('TDCZTDCZ');
    expect(await statusOf(client)).toBe('hit');
    await server.end();
  });

  it('is not kept when what it reads was written meanwhile', async () => {
    await untilSharedAndKept(held);
    const server = await gateway.connectDirect();
    await server.rows(LOCK);
    client.send(held(50));
    await nap(50);
    other.send(simple('UPDATE held SET n = 1 WHERE id = 50'));
    await nap(50);
    await server.rows('COMMIT');
    await Promise.all([client.readReady(), other.readReady()]);
    expect(rowsOf(await ask(client, held(50)))).toEqual([['1']]);
    expect(rowsOf(await ask(other, held(50)))).toEqual([['1']]);
    await server.end();
  });

  it('is asked again, alone, when the link breaks, and kept under its own key', async () => {
    await untilSharedAndKept(boundItem);
    const before = new Map(proxy.open.map((pair) => [pair, pair.passed.up]));
    const used = () => proxy.open.filter((pair) => pair.passed.up > (before.get(pair) ?? 0));
    const sharedBefore = await shared();
    for (const pair of proxy.open) pair.down.delayMs = 3_000;
    client.send(boundItem(300));
    other.send(boundItem(301));
    await expect.poll(shared).toBe(sharedBefore + 2);
    await expect.poll(() => used().length).toBeGreaterThan(0);
    await nap(50);
    // An idle link that died as well could be the next one to be taken.
    for (const pair of used()) pair.end('rst');
    for (const pair of proxy.open) pair.down.delayMs = 0;
    expect(rowsOf(await client.readReady())).toEqual([['300', 'body 300']]);
    expect(rowsOf(await other.readReady())).toEqual([['301', 'body 301']]);
    expect(await statusOf(client)).toBe('miss');
    expect(rowsOf(await ask(other, boundItem(300)))).toEqual([['300', 'body 300']]);
    expect(await statusOf(other)).toBe('hit');
    expect(rowsOf(await ask(client, boundItem(301)))).toEqual([['301', 'body 301']]);
    expect(await statusOf(client)).toBe('hit');
  });

  it('that is cancelled leaves nothing in the cache, nor the answer of another', async () => {
    await untilSharedAndKept(held);
    await untilSharedAndKept(boundItem);
    const server = await gateway.connectDirect();
    await server.rows(LOCK);
    const clients = await Promise.all([1, 2, 3, 4].map(() => gateway.connect()));
    const before = await shared();
    for (const [n, one] of clients.entries()) one.send(held(46 + n));
    await expect.poll(shared).toBe(before + 4);
    // All links are taken by those who wait for the lock.
    client.send(boundItem(400));
    other.send(boundItem(401));
    await expect.poll(shared).toBe(before + 6);
    await client.cancel();
    expect(errorsOf(await client.readReady())).toEqual(['57014']);
    const explain = simple('EXPLAIN SELECT 1');
    client.send(explain);
    await nap(50);
    await server.rows('COMMIT');
    expect(transcript(await client.readReady())).toEqual(transcript(await ask(server, explain)));
    expect(rowsOf(await other.readReady())).toEqual([['401', 'body 401']]);
    for (const one of clients) expect(rowsOf(await one.readReady())).toEqual([['0']]);
    for (const id of [400, 401]) {
      expect(rowsOf(await ask(other, boundItem(id)))).toEqual([[`${id}`, `body ${id}`]]);
    }
    await server.end();
  });
});
