/** Answers that are forgotten when somebody asks for it. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { PurgeTarget } from '../../src/gateway/purge.ts';
import { ask, extended, simple, statusOf, warm } from '../support/cached.ts';
import type { TestGateway } from '../support/gateway.ts';
import { stageForEach } from '../support/stage.ts';
import { rowsOf, type WireClient } from '../support/wire.ts';

const SCHEMA = `CREATE SCHEMA sales; CREATE SCHEMA "Odd ""one";
  CREATE TABLE sales.orders AS SELECT 1 AS n; CREATE TABLE orders AS SELECT 1 AS n;
  CREATE TABLE other AS SELECT 1 AS n; CREATE TABLE "Odd ""one"."a.b" AS SELECT 1 AS n;
  CREATE VIEW all_orders AS SELECT n FROM sales.orders;
  CREATE VIEW more_orders AS SELECT n FROM all_orders;
  CREATE TABLE parts (n int) PARTITION BY RANGE (n);
  CREATE TABLE low PARTITION OF parts DEFAULT; INSERT INTO parts VALUES (1);`;

const READS = {
  orders: simple('SELECT n FROM orders'),
  sales: simple('SELECT n FROM sales.orders'),
  view: simple('SELECT n FROM more_orders'),
  odd: simple('SELECT n FROM "Odd ""one"."a.b"'),
  parts: simple('SELECT n FROM parts'),
  one: extended('SELECT n FROM other WHERE n = $1', ['1'], [], [23]),
  two: extended('SELECT n FROM other WHERE n = $1', ['2'], [], [23]),
  plain: simple('SELECT n FROM other'),
} as const;
type ReadName = keyof typeof READS;
const NAMES = Object.keys(READS) as ReadName[];

const stage = stageForEach();
let gateway: TestGateway;
let client: WireClient;
let direct: WireClient;

beforeEach(async () => {
  gateway = await stage.start({ links: 2, caching: { mode: 'ttl', maxAgeMs: 600_000 } });
  direct = await gateway.connectDirect();
  await direct.rows(SCHEMA);
  client = await gateway.connect();
});

const purge = (target: PurgeTarget) => gateway.gateway.purge('app', target);

/** Which answers are no longer kept; they are afterwards. */
async function forgotten(): Promise<ReadName[]> {
  const gone: ReadName[] = [];
  for (const name of NAMES) {
    await ask(client, READS[name]);
    if ((await statusOf(client)) !== 'hit') gone.push(name);
  }
  return gone;
}

const TARGETS: readonly (readonly [target: PurgeTarget, gone: readonly ReadName[]])[] = [
  [{ kind: 'all' }, NAMES],
  [{ kind: 'table', table: 'sales.orders' }, ['sales', 'view']],
  [{ kind: 'table', table: 'public.ORDERS' }, ['orders']],
  [{ kind: 'table', table: 'orders' }, ['orders', 'sales', 'view']],
  [{ kind: 'table', table: 'more_orders' }, ['sales', 'view']],
  [{ kind: 'table', table: '"Odd ""one"."a.b"' }, ['odd']],
  [{ kind: 'table', table: 'low' }, ['parts']],
  [{ kind: 'statement', statement: 'SELECT n FROM other WHERE n = $1' }, ['one', 'two']],
  [{ kind: 'statement', statement: 'SELECT n FROM other' }, ['plain']],
  [{ kind: 'statement', statement: 'SELECT 1' }, []],
];

describe('a purge', () => {
  it('forgets what is meant, says how much, and nothing else', async () => {
    for (const name of NAMES) await warm(client, READS[name]);
    for (const [target, gone] of TARGETS) {
      expect(await purge(target)).toEqual({ answers: gone.length, problem: null });
      expect([target, await forgotten()]).toEqual([target, gone]);
    }
  });

  it('lets what was written past the gateway be seen', async () => {
    await warm(client, READS.orders);
    await direct.rows('UPDATE orders SET n = 2');
    expect(rowsOf(await ask(client, READS.orders))).toEqual([['1']]);
    await purge({ kind: 'table', table: 'orders' });
    expect(rowsOf(await ask(client, READS.orders))).toEqual([['2']]);
  });

  it('does not let an answer be kept that was under way', async () => {
    await warm(client, READS.orders);
    await purge({ kind: 'all' });
    const slow = simple('SELECT n FROM orders');
    await direct.rows('BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE');
    client.send(slow);
    await expect
      .poll(async () =>
        direct.rows("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"),
      )
      .toEqual([['1']]);
    await purge({ kind: 'all' });
    await direct.rows('COMMIT');
    expect(rowsOf(await client.readReady())).toEqual([['1']]);
    await ask(client, slow);
    expect(await statusOf(client)).toBe('miss');
  });

  it.each(['nobody', 'no.body.knows', '', "'; DROP TABLE orders --", 'public.nobody'])(
    'of a table that there is not says so: %s',
    async (table) => {
      expect(await purge({ kind: 'table', table })).toEqual({ answers: 0, problem: 'noSuchTable' });
      expect(await direct.rows('SELECT n FROM orders')).toEqual([['1']]);
    },
  );

  it('of a configuration that is not served says so', async () => {
    expect(await gateway.gateway.purge('other', { kind: 'all' })).toEqual({
      answers: 0,
      problem: 'unserved',
    });
  });

  it('can be seen in what is kept', async () => {
    const size = async () => Object.fromEntries(await client.rows('SHOW millrace.cache_size'));
    expect(await size()).toEqual({ answers: '0', bytes: '0' });
    await warm(client, READS.orders);
    expect(await size()).toMatchObject({ answers: '1' });
    expect(Number((await size())['bytes'])).toBeGreaterThan(500);
    await purge({ kind: 'all' });
    expect(await size()).toEqual({ answers: '0', bytes: '0' });
  });
});
