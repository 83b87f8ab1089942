/** A client goes away with settings that last as long as its transaction: the next has its own. */
import { afterEach, expect, it } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.ts';
import { directTarget, TestGateway } from '../support/gateway.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';
import { nap } from '../support/stage.ts';
import { query } from '../support/wire-messages.ts';

/** Nothing else that is sent to the server here is as long. */
const CATALOGUE_QUERY_BYTES = 10_000;
const ZONE = 'Asia/Tokyo';

let database: TestDatabase;
let proxy: FaultProxy;
let gateway: TestGateway;

async function start(): Promise<void> {
  database = await createDatabase();
  proxy = await FaultProxy.start(directTarget(database));
  gateway = await TestGateway.start({ originAt: proxy.at }, database);
  // The zone was asked for before, so that the login of the next one need not look at a link.
  const first = await gateway.connect({ TimeZone: ZONE });
  // The gateway's own reading would put the link right: it shall be over.
  const sent = () => Math.max(...proxy.pairs.map(({ passed }) => passed.up));
  await expect.poll(sent, { timeout: 10_000 }).toBeGreaterThan(CATALOGUE_QUERY_BYTES);
  await first.rows('SELECT 1');
  await first.end();
}

afterEach(async () => {
  await gateway.stop();
  await proxy.stop();
  await database.drop();
});

/** The only link was believed to have the zone that this client wants. */
async function expectOwnZone(): Promise<void> {
  const next = await gateway.connect({ TimeZone: ZONE });
  expect(await next.rows('SHOW TimeZone')).toEqual([[ZONE]]);
  await next.end();
}

it('in its transaction, which is rolled back', async () => {
  await start();
  const client = await gateway.connect();
  await client.rows('BEGIN');
  await client.rows(`SET LOCAL TimeZone = '${ZONE}'`);
  client.vanish();
  await expectOwnZone();
});

it('while its COMMIT is on its way', async () => {
  await start();
  const client = await gateway.connect();
  await client.rows('BEGIN');
  await client.rows(`SET LOCAL TimeZone = '${ZONE}'`);
  for (const pair of proxy.open) pair.down.delayMs = 200;
  client.send(query('COMMIT'));
  await nap(50);
  client.vanish('rst');
  await expectOwnZone();
});
