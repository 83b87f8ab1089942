/** Which statements share a link with those of other clients, and that nobody notices. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CatalogueSnapshot } from '../../src/sql/catalogue/catalogue.ts';
import { Effect, type Facts } from '../../src/sql/facts/facts.ts';
import { FactsCache } from '../../src/sql/facts/facts-cache.ts';
import { type GatewayOptions, TestGateway } from '../support/gateway.ts';
import { sharedCount, sharingCounts, untilShared } from '../support/sharing.ts';
import { codesOf, errorsOf, type Reply, rowsOf, type WireClient } from '../support/wire.ts';
import {
  bind,
  closeMessage,
  describeMessage,
  execute,
  parse,
  query,
} from '../support/wire-messages.ts';

const SCHEMA = `
CREATE TABLE item AS SELECT i AS id, 'body ' || i AS body FROM generate_series(1, 100) AS i;
CREATE TABLE large AS SELECT repeat('x', 100000) AS body;
CREATE TABLE counter (n int); INSERT INTO counter VALUES (0);
CREATE SEQUENCE seq;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE FUNCTION sets() RETURNS text LANGUAGE sql IMMUTABLE AS
  $$SELECT set_config('app.tenant', 'a', false)$$;
CREATE VIEW named AS SELECT current_setting('application_name') AS name;
`;

/** Each would do harm, or tell of a stranger, if it shared. */
const UNSAFE: readonly string[] = [
  'INSERT INTO counter VALUES (1)',
  'UPDATE counter SET n = n + 1',
  'WITH a AS (UPDATE counter SET n = 1 RETURNING n) SELECT n FROM a',
  'SELECT n FROM counter FOR UPDATE',
  'SELECT n FROM counter FOR KEY SHARE',
  "SELECT nextval('seq')",
  "SELECT set_config('app.x', 'y', true)",
  'SELECT pg_advisory_xact_lock(1)',
  'SELECT pg_advisory_lock(2), pg_advisory_unlock(2)',
  'SELECT pg_backend_pid()',
  'SELECT txid_current()',
  "SELECT current_setting('application_name')",
  'SELECT name FROM named',
  'SELECT random() < 2',
  'SELECT twice(1)',
  'SELECT sets()',
  'SELECT relname FROM pg_class LIMIT 1',
  'SELECT 1; SELECT 2',
  'SHOW TimeZone',
  'EXPLAIN SELECT 1',
  'SELECT pg_sleep(0)',
  'BEGIN; SELECT 1; COMMIT',
  '',
];

let gateway: TestGateway;
let side: WireClient;
const clients: WireClient[] = [];

async function start(options: GatewayOptions = {}): Promise<void> {
  const defaults = { links: 8, shareLinks: true, hedgeMs: 2_000 };
  // What is shared is counted, so every statement must reach a server.
  gateway = await TestGateway.start({ ...defaults, caching: { disabled: true }, ...options });
  side = await gateway.connectDirect();
  await side.rows(SCHEMA);
  // The gateway knows the catalogue once a client has asked for something and it was read.
  const first = await connect();
  if (options.shareLinks === false) return;
  await untilShared(first, () => first.rows('SELECT body FROM item WHERE id = 1'));
}

async function connect(settings: Readonly<Record<string, string>> = {}): Promise<WireClient> {
  const client = await gateway.connect(settings);
  clients.push(client);
  return client;
}

const asker = async (): Promise<WireClient> => clients[0] ?? (await connect());
const shared = async (): Promise<number> => sharedCount(await asker());

/** Runs it often enough to share, and says how often it did in so many more runs. */
async function sharesOf(run: () => Promise<unknown>): Promise<number> {
  for (let n = 0; n < 20; n++) await run();
  const before = await shared();
  for (let n = 0; n < 5; n++) await run();
  return (await shared()) - before;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.vanish();
  side.vanish();
  await gateway.stop();
});

describe('statements that share', () => {
  beforeEach(() => start());

  it.each([
    'SELECT body FROM item WHERE id = 7',
    'SELECT count(*) FROM item',
    'WITH a AS (SELECT 1 AS x) SELECT x FROM a',
    'VALUES (1)',
    'TABLE counter',
    'SELECT 1',
  ])('are %s', async (sql) => {
    const client = await connect();
    expect(await sharesOf(() => client.rows(sql))).toBe(5);
    expect(await client.rows(sql)).toEqual(await side.rows(sql));
  });

  it('bring their notices, and those of their texts to all who parse them', async () => {
    const [client, other] = [await connect(), await connect()];
    const sql = `SELECT 1 AS ${'x'.repeat(70)}`;
    const ask = async () => codesOf(await client.ask(sql));
    const parsed = async (who: WireClient) =>
      codesOf(await who.unit(parse('', sql), bind('', ''), execute()));
    expect(await sharesOf(ask)).toBe(5);
    for (let n = 0; n < 3; n++) expect(await ask()).toBe('NTDCZ');
    for (let n = 0; n < 3; n++) {
      const both = await Promise.all([parsed(client), parsed(other)]);
      expect(both).toEqual(['N12DCZ', 'N12DCZ']);
    }
  });

  it('are those of the extended protocol, with names or without', async () => {
    const client = await connect();
    const sql = 'SELECT body FROM item WHERE id = $1';
    const run = async (name: string, ...before: Buffer[]) =>
      rowsOf(
        await client.unit(...before, bind('', name, ['3']), describeMessage('P', ''), execute()),
      );
    expect(await sharesOf(() => run('', parse('', sql)))).toBe(5);
    expect(await run('', parse('', sql))).toEqual([['body 3']]);
    // The unnamed statement is still there for one who does not parse it again.
    expect(await sharesOf(() => run(''))).toBe(5);
    await client.unit(parse('mine', sql));
    expect(await sharesOf(() => run('mine'))).toBe(5);
    expect(await run('mine')).toEqual([['body 3']]);
  });

  it('are answered as PostgreSQL does, errors too', async () => {
    const client = await connect();
    const messages = [
      parse('', 'SELECT 10 / $1::int'),
      bind('', '', ['2']),
      describeMessage('P', ''),
      execute(),
    ];
    for (let n = 0; n < 20; n++) await client.unit(...messages);
    const zero = [parse('', 'SELECT 10 / $1::int'), bind('', '', ['0']), execute()];
    const before = await shared();
    const codes = (replies: Reply[]) => replies.map(({ code }) => code).join('');
    expect(codes(await client.unit(...messages))).toBe(codes(await side.unit(...messages)));
    expect(await client.unit(...zero)).toEqual(await side.unit(...zero));
    expect(await shared()).toBe(before + 2);
    expect(rowsOf(await client.unit(...messages))).toEqual([['5']]);
  });
});

describe('statements that never share', () => {
  beforeEach(() => start());

  it.each([...UNSAFE, 'SELECT body FROM large'])('are %s', async (sql) => {
    const client = await connect();
    const run = async () => {
      client.send(query(sql));
      await client.readReady();
    };
    expect(await sharesOf(run)).toBe(0);
  });

  it('are those of a client in a transaction, with a pin, or with results that it limits', async () => {
    const client = await connect();
    const sql = 'SELECT body FROM item WHERE id = 1';
    await client.rows('BEGIN');
    expect(await sharesOf(() => client.rows(sql))).toBe(0);
    await client.rows('COMMIT');
    expect(await sharesOf(() => client.rows(sql))).toBe(5);
    await client.rows('SELECT pg_advisory_lock(3)');
    expect(await sharesOf(() => client.rows(sql))).toBe(0);
    await client.rows('SELECT pg_advisory_unlock(3)');
    const limited = () => client.unit(parse('', sql), bind('', ''), execute('', 1));
    expect(await sharesOf(limited)).toBe(0);
  });

  it('are those with a parameter of a user’s type, or a time of the clock', async () => {
    const client = await connect();
    const [[oid]] = (await side.rows("SELECT 'mood'::regtype::oid")) as [[string]];
    const typed = () =>
      client.unit(parse('', 'SELECT $1', [Number(oid)]), bind('', '', ['sad']), execute());
    expect(await sharesOf(typed)).toBe(0);
    const timed = () =>
      client.unit(parse('', "SELECT 'now'::timestamptz > '2020-01-01'"), bind('', ''), execute());
    expect(await sharesOf(timed)).toBe(0);
  });

  it('are pipelined ones', async () => {
    const client = await connect();
    const one = query('SELECT body FROM item WHERE id = 1');
    const run = async () => {
      client.send(Buffer.concat([one, one]));
      await client.readReady(2);
    };
    expect(await sharesOf(run)).toBe(0);
  });
});

describe('the rules against sharing', () => {
  beforeEach(async () => {
    // All that is read is declared harmless; the objects stay the same, as facts are known by them.
    const declared = new WeakMap<Facts, Facts>();
    const lookup = FactsCache.prototype.lookup;
    vi.spyOn(FactsCache.prototype, 'lookup').mockImplementation(function (
      this: FactsCache,
      ...args
    ) {
      const facts = lookup.apply(this, args);
      const known = declared.get(facts) ?? { ...facts, plainRead: true };
      declared.set(facts, known);
      return known;
    });
    const { judge } = CatalogueSnapshot.prototype;
    vi.spyOn(CatalogueSnapshot.prototype, 'judge').mockImplementation(function (
      this: CatalogueSnapshot,
      facts,
    ) {
      return { ...judge.call(this, facts), effects: Effect.None, isPure: true };
    });
    await start();
  });

  afterEach(() => vi.restoreAllMocks());

  it.each(UNSAFE)('are what keeps %s from it', async (sql) => {
    const client = await connect();
    const run = async () => {
      client.send(query(sql));
      await client.readReady();
    };
    expect(await sharesOf(run)).toBe(5);
  });

  it('keep a setting of one client from another', async () => {
    const [one, other] = [await connect(), await connect()];
    for (let n = 0; n < 30; n++)
      await Promise.all([one.rows('SELECT sets()'), other.rows('SELECT 1')]);
    const seen = new Set<string>();
    for (let n = 0; n < 30; n++) {
      const rows = await other.rows("SELECT current_setting('app.tenant', true)");
      seen.add(rows[0]?.[0] ?? '');
    }
    expect([...seen]).toContain('a');
  });
});

describe('clients that share', () => {
  it('are none when the configuration says so', async () => {
    await start({ shareLinks: false });
    const client = await connect();
    expect(await sharesOf(() => client.rows('SELECT 1'))).toBe(0);
  });

  it('have the settings that they asked for', async () => {
    await start({ links: 1 });
    const zones = ['UTC', 'Asia/Tokyo', 'Europe/Paris'];
    const asking = await Promise.all(
      zones.map((zone, n) => connect({ TimeZone: zone, application_name: `app ${n}` })),
    );
    const sql = "SELECT '2026-01-01 00:00:00Z'::timestamptz::text";
    const before = await shared();
    for (let n = 0; n < 60; n++) {
      const rows = await Promise.all(asking.map((client) => client.rows(sql)));
      expect(rows).toEqual([
        [['2026-01-01 00:00:00+00']],
        [['2026-01-01 09:00:00+09']],
        [['2026-01-01 01:00:00+01']],
      ]);
      // What is no read has its own application name as well.
      if (n % 20 === 0) {
        expect(await asking[1]?.rows('SHOW application_name')).toEqual([['app 1']]);
        expect(await asking[1]?.rows('SHOW plan_cache_mode')).toEqual([['auto']]);
      }
    }
    expect((await shared()) - before).toBeGreaterThan(100);
  });

  it('see a table as it is after it was changed', async () => {
    await start();
    const [a, b] = [await connect(), await connect()];
    const run = async (client: WireClient) =>
      rowsOf(
        await client.unit(
          parse('', 'SELECT * FROM counter'),
          bind('', ''),
          describeMessage('P', ''),
          execute(),
        ),
      );
    for (let n = 0; n < 20; n++) await Promise.all([run(a), run(b)]);
    await a.rows('ALTER TABLE counter ADD COLUMN more int DEFAULT 5');
    expect(await run(a)).toEqual([['0', '5']]);
    for (let n = 0; n < 300; n++) await Promise.all([run(a), run(b)]);
    // Not through the gateway, which then cannot know.
    await side.rows('ALTER TABLE counter ADD COLUMN another int DEFAULT 6');
    expect(await run(b)).toEqual([['0', '5', '6']]);
    expect(await run(a)).toEqual([['0', '5', '6']]);
  });

  it.each(['through', 'past'])(
    'read PostgreSQL’s error when a table was changed %s the gateway under their statement',
    async (how) => {
      await start({ links: 2 });
      const [a, b] = [await connect(), await connect()];
      const [all, one] = ['SELECT * FROM counter', 'SELECT n FROM counter'];
      for (const client of [a, b, side]) await client.unit(parse('all', all), parse('one', one));
      const run = async (client: WireClient, name: string): Promise<string> => {
        const replies = await client.unit(bind('', name), describeMessage('P', ''), execute());
        return errorsOf(replies).join() || JSON.stringify(rowsOf(replies));
      };
      const runBoth = () => Promise.all([run(a, 'all'), run(b, 'one')]);
      expect(await sharesOf(runBoth)).toBe(10);
      const changer = how === 'past' ? side : a;
      await changer.rows('ALTER TABLE counter ADD COLUMN more int DEFAULT 5');
      const expected = [await run(side, 'all'), await run(side, 'one')];
      expect(expected).toEqual(['0A000', '[["0"]]']);
      const before = await shared();
      for (let n = 0; n < 200 && (await shared()) < before + 100; n++) {
        expect(await runBoth()).toEqual(expected);
      }
      expect(await shared()).toBeGreaterThanOrEqual(before + 100);
      await a.unit(closeMessage('S', 'all'), parse('all', all));
      expect(await run(a, 'all')).toBe('[["0","5"]]');
    },
  );

  it('are not held up by those that want a link of their own, nor hold them up', async () => {
    await start({ links: 1 });
    const readers = await Promise.all(Array.from({ length: 6 }, () => connect()));
    const writer = await connect();
    let isOver = false;
    let reads = 0;
    const reading = readers.map(async (client, n) => {
      while (!isOver) {
        expect(await client.rows(`SELECT id FROM item WHERE id = ${n + 1}`)).toEqual([
          [`${n + 1}`],
        ]);
        reads++;
      }
    });
    const readsBefore = reads;
    for (let n = 1; n <= 50; n++) await writer.rows('UPDATE counter SET n = n + 1');
    isOver = true;
    await Promise.all(reading);
    expect(await writer.rows('SELECT n FROM counter')).toEqual([['50']]);
    expect(reads - readsBefore).toBeGreaterThan(50);
  });

  // Fails when the wait for a link ends the measuring: then nothing is ever known to be short.
  it('are found to be short also while every one of them waits for a link', async () => {
    await start({ links: 1 });
    const crowd = await Promise.all(Array.from({ length: 6 }, () => connect()));
    const sql = 'SELECT id, body FROM item WHERE id = 9';
    const work = async (client: WireClient, at: number): Promise<void> => {
      for (let round = 0; round < 60; round++) {
        if (at < 2) {
          client.send(query('BEGIN'), query(sql), query('COMMIT'));
          await client.readReady(3);
        } else expect(await client.rows(sql)).toEqual([['9', 'body 9']]);
      }
    };
    const before = await shared();
    await Promise.all(crowd.map(work));
    expect((await shared()) - before).toBeGreaterThan(60);
  });

  it('do not wait behind one whose statement is slow for once', async () => {
    await start({ links: 3, hedgeMs: 20 });
    const holder = await gateway.connectDirect();
    const slow = await connect();
    const others = await Promise.all(Array.from({ length: 12 }, () => connect()));
    for (let n = 0; n < 30; n++) {
      await Promise.all([slow.rows('TABLE counter'), ...others.map((c) => c.rows('SELECT 1'))]);
    }
    await holder.rows('BEGIN; LOCK TABLE counter IN ACCESS EXCLUSIVE MODE');
    const waiting = slow.rows('TABLE counter');
    const before = await sharingCounts(await asker());
    for (let n = 0; n < 20; n++) await Promise.all(others.map((c) => c.rows('SELECT 1')));
    const after = await sharingCounts(await asker());
    expect(after['shared']).toBeGreaterThan(before['shared'] ?? 0);
    await holder.rows('COMMIT');
    expect(await waiting).toEqual([['0']]);
    holder.vanish();
    expect(errorsOf(await slow.unit())).toEqual([]);
  });
});
