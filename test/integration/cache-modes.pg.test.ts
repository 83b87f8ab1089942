import { describe, expect, it } from 'vitest';
import { ask, settledStatus, simple, statusOf, transcript, warm } from '../support/cached.ts';
import type { TestGateway } from '../support/gateway.ts';
import { nap, stageForEach } from '../support/stage.ts';
import { errorsOf, rowsOf, type WireClient } from '../support/wire.ts';

const stage = stageForEach();
const COUNT = simple('SELECT count(*) FROM u');

async function started(gateway: TestGateway): Promise<readonly [WireClient, WireClient]> {
  const direct = await gateway.connectDirect();
  await direct.rows('CREATE TABLE u (id int)');
  await direct.end();
  return [await gateway.connect(), await gateway.connect()];
}

const countFor = async (client: WireClient): Promise<string | null | undefined> =>
  rowsOf(await ask(client, COUNT))[0]?.[0];

async function statuses(client: WireClient): Promise<Record<string, number>> {
  const rows = rowsOf(await client.ask('SHOW millrace.cache_statuses'));
  return Object.fromEntries(rows.map(([status, count]) => [status, Number(count)]));
}

describe('mode ttl', () => {
  it('gives an answer until it ends, then once more while a new one is fetched', async () => {
    const caching = { mode: 'ttl', maxAgeMs: 1_000, staleWhileRevalidateMs: 60_000 } as const;
    const [client, writer] = await started(await stage.start({ links: 2, caching }));
    await warm(client, COUNT);
    await writer.ask('INSERT INTO u VALUES (1)');
    expect(await countFor(client)).toBe('0');
    await nap(1_000);
    expect(await countFor(client)).toBe('0');
    expect(await statusOf(client)).toBe('stale');
    for (let now = '0'; now !== '1'; ) now = (await countFor(client)) ?? '';
    expect((await statuses(client))['stale']).toBeGreaterThan(0);
  });

  // Fails when a hint leaves the time for which an answer may be stale as it is.
  it('gives none that is older than a statement asks for', async () => {
    const caching = { mode: 'ttl', maxAgeMs: 60_000, staleWhileRevalidateMs: 60_000 } as const;
    const [client, writer] = await started(await stage.start({ links: 2, caching }));
    await warm(client, COUNT);
    await writer.ask('INSERT INTO u VALUES (1)');
    expect(await countFor(client)).toBe('0');
    const strict = simple('/* millrace: max_age=0 */ SELECT count(*) FROM u');
    expect(rowsOf(await ask(client, strict))).toEqual([['1']]);
  });

  it('gives an answer that has ended when the origin is not reached, and no other', async () => {
    const caching = { mode: 'ttl', maxAgeMs: 200, staleWhileRevalidateMs: 0 } as const;
    const timeouts = { waitTimeoutMs: 3_000, connectTimeoutMs: 3_000 };
    const { gateway, proxy } = await stage.startBehindProxy({ links: 2, caching, timeouts });
    const [client, other] = await started(gateway);
    await warm(client, COUNT);
    await nap(200);
    await proxy.stop();
    expect(await countFor(client)).toBe('0');
    expect(await statusOf(client)).toBe('stale');
    other.send(simple('SELECT 5'));
    expect(errorsOf(await other.readToEnd())).not.toEqual([]);
  });

  it('forgets answers at once when the schema changes through the gateway', async () => {
    const [client, writer] = await started(
      await stage.start({ links: 2, caching: { mode: 'ttl' } }),
    );
    await warm(client, simple('SELECT * FROM u'));
    await writer.ask('ALTER TABLE u ADD COLUMN more int');
    const [description] = await ask(client, simple('SELECT * FROM u'));
    expect(description?.body.readInt16BE(0)).toBe(2);
  });
});

describe('mode write-through', () => {
  it('keeps nothing where others write unseen', async () => {
    const gateway = await stage.start({ links: 2, caching: {}, hasOtherWriters: true });
    const [client] = await started(gateway);
    expect(await settledStatus(client, COUNT)).toBe('disabled');
    expect(rowsOf(await client.ask('SHOW millrace.cache'))).toEqual([['off']]);
  });

  it('is not fooled by a write whose connection broke before it was committed', async () => {
    const { gateway, proxy } = await stage.startBehindProxy({ links: 3, caching: {} });
    const [client, writer] = await started(gateway);
    const direct = await gateway.connectDirect();
    await warm(client, COUNT);
    writer.send(simple('INSERT INTO u SELECT 1 FROM pg_sleep(1)'));
    await nap(300);
    for (const pair of proxy.open) pair.end('rst');
    let reader = await gateway.connect();
    for (let real = '0'; real !== '1'; ) {
      const seen = await countFor(reader);
      real = (await direct.rows('SELECT count(*) FROM u'))[0]?.[0] ?? '';
      expect(Number(seen)).toBeLessThanOrEqual(Number(real));
    }
    reader = await gateway.connect();
    expect(await countFor(reader)).toBe('1');
    // Once the server's process is gone, answers are kept again.
    expect(await settledStatus(reader, COUNT)).toBe('hit');
    await direct.end();
  });

  it('asks once for many who ask at the same moment', async () => {
    const gateway = await stage.start({ links: 4, caching: {} });
    const [client] = await started(gateway);
    const clients = await Promise.all(Array.from({ length: 20 }, () => gateway.connect()));
    const message = simple('SELECT count(*) FROM u, generate_series(1, 100000)');
    await warm(client, message);
    const before = await statuses(client);
    // Still resolved, but nobody has an answer.
    const writer = await gateway.connect();
    await writer.ask('INSERT INTO u VALUES (1)');
    // However fast the server is, its first answer comes when all have asked.
    const direct = await gateway.connectDirect();
    await direct.rows('BEGIN');
    await direct.rows('LOCK TABLE u IN ACCESS EXCLUSIVE MODE');
    const asked = clients.map((one) => ask(one, message));
    await nap(100);
    await direct.rows('COMMIT');
    await direct.end();
    const answers = await Promise.all(asked);
    expect(new Set(answers.map((replies) => rowsOf(replies)[0]?.[0]))).toEqual(new Set(['100000']));
    const after = await statuses(client);
    expect(after['coalesced'] as number).toBeGreaterThan(before['coalesced'] as number);
  });

  it.each([
    ['a view', 'CREATE OR REPLACE VIEW v AS SELECT 2 AS n FROM u'],
    ['the name of a column', 'ALTER VIEW v RENAME n TO other'],
    ['a right', 'REVOKE SELECT ON v FROM cache_reader'],
  ])(
    'notices within seconds what is changed past the gateway: %s',
    async (_what, change) => {
      const database = await stage.makeDatabase();
      const plain = await stage.start({ links: 1 }, database);
      const direct = await plain.connectDirect();
      await direct.rows('DROP ROLE IF EXISTS cache_reader');
      await direct.rows("CREATE ROLE cache_reader LOGIN PASSWORD 'pw'");
      stage.after(async () => {
        await direct.rows('DROP OWNED BY cache_reader; DROP ROLE cache_reader');
        await direct.end();
      });
      await direct.rows('CREATE TABLE u (id int); INSERT INTO u VALUES (1)');
      await direct.rows('CREATE VIEW v AS SELECT 1 AS n FROM u; GRANT SELECT ON v TO cache_reader');
      const originUser = { user: 'cache_reader', password: 'pw' };
      const gateway = await stage.start({ links: 2, caching: {}, originUser }, database);
      const client = await gateway.connect();
      const before = transcript(await warm(client, simple('SELECT * FROM v')));
      await direct.rows(change);
      const sinceMs = Date.now();
      for (let now = before; now.join() === before.join(); await nap(50)) {
        now = transcript(await ask(client, simple('SELECT * FROM v')));
        expect(Date.now() - sinceMs).toBeLessThan(15_000);
      }
    },
    30_000,
  );

  it('takes changed settings at once, and keeps nothing when it is turned off', async () => {
    const gateway = await stage.start({ links: 2, caching: {} });
    const [client] = await started(gateway);
    await warm(client, COUNT);
    const [configuration] = gateway.config.configurations;
    if (configuration === undefined) throw new Error('no configuration');
    const off = { ...configuration, caching: { ...configuration.caching, disabled: true } };
    await gateway.gateway.reload({ ...gateway.config, configurations: [off] });
    expect(await settledStatus(client, COUNT)).toBe('disabled');
    await gateway.gateway.reload(gateway.config);
    await warm(client, COUNT);
  });
});
