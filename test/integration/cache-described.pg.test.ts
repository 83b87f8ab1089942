/**
 * Statements of which clients ask what they take and return before they run them, as Postgres.js
 * does: in a part of a unit of its own, or within it.
 */
import postgres from 'postgres';
import { afterEach, describe, expect, it } from 'vitest';
import { statusOf, transcript } from '../support/cached.ts';
import type { TestGateway } from '../support/gateway.ts';
import { nap, stageForEach } from '../support/stage.ts';
import { errorsOf, type Reply, WireClient } from '../support/wire.ts';
import * as wire from '../support/wire-messages.ts';

const SQL = 'SELECT name FROM t WHERE id = $1';
const stage = stageForEach();
const opened: WireClient[] = [];

afterEach(() => {
  for (const client of opened.splice(0)) client.vanish();
});

async function start(): Promise<TestGateway> {
  const gateway = await stage.start({ links: 3, caching: {} });
  const side = await gateway.connectDirect();
  await side.rows(
    "CREATE TABLE t (id int, name text); INSERT INTO t VALUES (1, 'one'), (2, 'two')",
  );
  await side.end();
  return gateway;
}

async function connected(target: WireClient['target']): Promise<WireClient> {
  const client = await WireClient.connect(target);
  opened.push(client);
  return client;
}

/** What is asked first, and what runs it then. */
type Way = { readonly asks: readonly Buffer[]; readonly runs: readonly Buffer[] };

const run = (name: string): Buffer[] => [wire.bind('', name, ['1']), wire.execute(), wire.sync()];
const asked = (name: string): Buffer[] => [wire.parse(name, SQL), wire.describeMessage('S', name)];

const WAYS: readonly (readonly [string, Way])[] = [
  ['in a part that ends with Flush', { asks: [...asked(''), wire.flush()], runs: run('') }],
  ['in a unit of its own', { asks: [...asked(''), wire.sync()], runs: run('') }],
  ['under a name', { asks: [...asked('s1'), wire.flush()], runs: run('s1') }],
  ['within the unit', { asks: [], runs: [...asked(''), ...run('')] }],
  ['within the unit, under a name', { asks: [], runs: [...asked('s1'), ...run('s1')] }],
];

/** A client that has done nothing before; how each of its parts was answered. */
async function tell(target: WireClient['target'], { asks, runs }: Way): Promise<Reply[]> {
  const client = await connected(target);
  const replies: Reply[] = [];
  if (asks.length > 0) {
    client.send(...asks);
    const last = asks.at(-1)?.[0] === 0x53 ? 'Z' : 'T';
    while (replies.at(-1)?.code !== last) replies.push(await client.read());
  }
  client.send(...runs);
  return [...replies, ...(await client.readReady())];
}

describe('a statement that a client describes before it runs it', () => {
  // Fails when CachedReads.#describe never knows what a statement takes and returns.
  it.each(WAYS)('is answered from the cache, byte by byte: %s', async (_name, way) => {
    const gateway = await start();
    const expected = transcript(await tell(gateway.direct, way));
    let status = '';
    for (let tries = 0; status !== 'hit' && tries < 300; tries++) {
      expect(transcript(await tell(gateway.target, way))).toEqual(expected);
      status = await statusOf(opened.at(-1) as WireClient);
      opened.pop()?.vanish();
      if (status !== 'hit') await nap(10);
    }
    expect(status).toBe('hit');
  });

  it('goes to the server when it is not kept, with what the client was told', async () => {
    const gateway = await start();
    const [, way] = WAYS[0] as (typeof WAYS)[number];
    for (let tries = 0; tries < 50; tries++) await tell(gateway.target, way);
    const writer = await connected(gateway.target);
    await writer.rows("UPDATE t SET name = 'uno' WHERE id = 1");
    const replies = await tell(gateway.target, way);
    expect(replies.find(({ code }) => code === 'D')?.body.toString()).toContain('uno');
  });

  it('is described anew when its table has changed', async () => {
    const gateway = await start();
    const [, way] = WAYS[0] as (typeof WAYS)[number];
    for (let tries = 0; tries < 50; tries++) await tell(gateway.target, way);
    const writer = await connected(gateway.target);
    await writer.rows('ALTER TABLE t ALTER name TYPE varchar(10)');
    const replies = await tell(gateway.target, way);
    expect(errorsOf(replies)).toEqual([]);
    expect(transcript(replies)).toEqual(transcript(await tell(gateway.direct, way)));
  });

  it('has its errors from the server', async () => {
    const gateway = await start();
    const client = await connected(gateway.target);
    for (const name of ['', 's1']) {
      client.send(wire.parse(name, 'SELECT nothing FROM t'), wire.describeMessage('S', name));
      client.send(wire.sync());
      expect(errorsOf(await client.readReady())).toEqual(['42703']);
    }
  });
});

describe('Postgres.js', () => {
  it.each([true, false])(
    'has hits with a client for each request (prepare: %s)',
    async (prepare) => {
      const gateway = await start();
      const { host, port, user, password, database } = gateway.target;
      const statuses: string[] = [];
      for (let tries = 0; tries < 300 && !statuses.includes('hit'); tries++) {
        const sql = postgres({ host, port, user, password, database, prepare, max: 1, ssl: false });
        expect(await sql`SELECT name FROM t WHERE id = ${1}`).toEqual([{ name: 'one' }]);
        const [row] = await sql.unsafe('SHOW millrace.last_cache_status');
        statuses.push(String(row?.['millrace.last_cache_status'] ?? Object.values(row ?? {})[0]));
        await sql.end();
        await nap(10);
      }
      expect(statuses).toContain('hit');
    },
  );
});
