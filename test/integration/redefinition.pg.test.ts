/** What was judged by a catalogue that another client changes while the server comes to it. */
import { describe, expect, it } from 'vitest';
import { BoardFile } from '../../src/gateway/cache/board-file.ts';
import { WriteBoard } from '../../src/gateway/cache/write-board.ts';
import type { GatewayOptions, TestGateway } from '../support/gateway.ts';
import { sharedCount, untilShared } from '../support/sharing.ts';
import { nap, stageForEach } from '../support/stage.ts';
import { rowsOf, type WireClient } from '../support/wire.ts';
import { query } from '../support/wire-messages.ts';

const LINKS = 3;
const HARMLESS = 'SELECT 1 AS x';
const HARMFUL = "SELECT length(set_config('work_mem', '123MB', false)) AS x";

/** So that what is kept as hexadecimal digits is told in another form. */
const HARMFUL_TO_READING = "SELECT length(set_config('bytea_output', 'escape', false)) AS x";
const OPTIONS: GatewayOptions = { links: LINKS, hedgeMs: 60_000, caching: { disabled: true } };

const stage = stageForEach();

/** Who changes the catalogue: a client of the same process, or of another worker. */
type Place = 'here' | 'elsewhere';
const PLACES: readonly Place[] = ['here', 'elsewhere'];

type Scene = {
  readonly gateway: TestGateway;
  /** A client who is about to change what the others read. */
  readonly altering: WireClient;
};

async function start(options: GatewayOptions, place: Place = 'here'): Promise<Scene> {
  const database = await stage.makeDatabase();
  const file = BoardFile.create(2);
  stage.after(() => file.close());
  const workers: TestGateway[] = [];
  for (const number of [1, 2]) {
    const board = new WriteBoard(file, number);
    workers.push(await stage.start({ ...OPTIONS, ...options, board }, database));
  }
  const [gateway, other] = workers as [TestGateway, TestGateway];
  const side = await gateway.connectDirect();
  await side.rows(`CREATE VIEW seen AS ${HARMLESS}`);
  await side.rows("CREATE TABLE item AS SELECT 1 AS id, '\\x01'::bytea AS bytes");
  await side.end();
  const altering = await (place === 'here' ? gateway : other).connect();
  await altering.rows('BEGIN');
  return { gateway, altering };
}

/** Until the gateway has read the catalogue, by which it keeps the view's answer. */
async function untilKnown(client: WireClient): Promise<void> {
  for (let tries = 0; tries < 1_000; tries++) {
    await client.rows('SELECT x FROM seen');
    if ((await client.rows('SHOW millrace.last_cache_status'))[0]?.[0] === 'hit') return;
    await nap(5);
  }
  throw new Error('the catalogue is never known');
}

/** What a client finds that has each of the links for itself. */
async function foundOnLinks(gateway: TestGateway): Promise<string[]> {
  const clients = await Promise.all(Array.from({ length: LINKS }, () => gateway.connect()));
  for (const client of clients) await client.rows('BEGIN');
  const found = await Promise.all(clients.map((client) => client.rows('SHOW work_mem')));
  for (const client of clients) await client.end();
  return found.map(([row]) => row?.[0] ?? '');
}

describe.each(PLACES)(
  'a read of a view made another one %s while the read waits for it',
  (place) => {
    // Fails when DatabaseWrites.onOriginCatalogueChanging and -Changed do not doubt what is shared;
    // from elsewhere also when OriginWrites.onCatalogueChanging does not say so on the board.
    it('leaves nothing behind on a shared link', async () => {
      const { gateway, altering } = await start({}, place);
      const [reader, asking] = [await gateway.connect(), await gateway.connect()];
      await untilShared(reader, () => reader.rows('SELECT x FROM seen'));
      await altering.rows(`CREATE OR REPLACE VIEW seen AS ${HARMFUL}`);
      const before = await sharedCount(asking);
      reader.send(query('SELECT x FROM seen'));
      await expect.poll(() => sharedCount(asking)).toBe(before + 1);
      await altering.rows('COMMIT');
      expect(rowsOf(await reader.readReady())).toEqual([['5']]);
      expect(await foundOnLinks(gateway)).toEqual(Array(LINKS).fill('4MB'));
    });

    // Fails when Lane.onUnitEnd does not catch up, or Lanes.doubt does not take what waits behind.
    it('leaves nothing to what waits behind it on a shared link', async () => {
      // One for both of them, beside that of a client of this process who alters.
      const { gateway, altering } = await start({ links: place === 'here' ? 2 : 1 }, place);
      const [reader, second] = [await gateway.connect(), await gateway.connect()];
      const asking = await gateway.connect();
      await untilShared(reader, () => reader.rows('SELECT x FROM seen'));
      await untilShared(second, () => second.rows('SELECT bytes FROM item'));
      await altering.rows(`CREATE OR REPLACE VIEW seen AS ${HARMFUL_TO_READING}`);
      const before = await sharedCount(asking);
      reader.send(query('SELECT x FROM seen'));
      second.send(query('SELECT bytes FROM item'));
      await expect.poll(() => sharedCount(asking)).toBe(before + 2);
      await altering.rows('COMMIT');
      expect(rowsOf(await reader.readReady())).toEqual([['6']]);
      expect(rowsOf(await second.readReady())).toEqual([['\\x01']]);
    });

    // Fails when Tenure.settle does not ask whether it was misjudged; from elsewhere also when
    // that does not catch up.
    it('leaves nothing behind on a link of its own', async () => {
      const { gateway, altering } = await start({ shareLinks: false, caching: {} }, place);
      const reader = await gateway.connect();
      await untilKnown(reader);
      await altering.rows(`CREATE OR REPLACE VIEW seen AS ${HARMFUL}`);
      reader.send(query('SELECT x FROM seen'));
      await nap(50);
      await altering.rows('COMMIT');
      expect(rowsOf(await reader.readReady())).toEqual([['5']]);
      // As the client that the view has set it for, by a statement of its own.
      expect(await reader.rows('SHOW work_mem')).toEqual([['123MB']]);
      await reader.end();
      expect(await foundOnLinks(gateway)).toEqual(Array(LINKS).fill('4MB'));
    });
  },
);

describe('a transaction that changes the catalogue', () => {
  it('stops nobody from sharing before it commits', async () => {
    const { gateway, altering } = await start({});
    const reader = await gateway.connect();
    await untilShared(reader, () => reader.rows('SELECT id FROM item'));
    await altering.rows('CREATE TABLE other (id int)');
    const before = await sharedCount(reader);
    for (let n = 0; n < 10; n++) await reader.rows('SELECT id FROM item');
    expect(await sharedCount(reader)).toBe(before + 10);
    await altering.rows('COMMIT');
    await untilShared(reader, () => reader.rows('SELECT id FROM item'));
  });

  it('is none that makes temporary objects only', async () => {
    const { gateway, altering: making } = await start({});
    const reader = await gateway.connect();
    await untilShared(reader, () => reader.rows('SELECT id FROM item'));
    await making.rows('CREATE TEMP TABLE mine (id serial) ON COMMIT DROP');
    await making.rows('CREATE TEMP TABLE copied ON COMMIT DROP AS SELECT id FROM item');
    await making.rows('COMMIT');
    const before = await sharedCount(reader);
    for (let n = 0; n < 10; n++) await reader.rows('SELECT id FROM item');
    expect(await sharedCount(reader)).toBe(before + 10);
  });
});

describe('what was made where nobody could read it', () => {
  const TENANT = "SELECT coalesce(current_setting('app.tenant', true), '')";

  async function leftBy(make: string, use: string): Promise<(string | null)[][]> {
    const { gateway, altering } = await start({ links: 2 });
    await altering.rows('COMMIT');
    const before = await gateway.connect();
    // By now the catalogue is known, and what is made is not in it.
    await untilShared(before, () => before.rows('SELECT id FROM item'));
    await altering.rows(make);
    await before.rows(use);
    await before.end();
    return (await gateway.connect()).rows(TENANT);
  }

  const FUNCTION = `CREATE FUNCTION become() RETURNS text LANGUAGE sql
    AS 'SELECT set_config(''app.tenant'', ''a'', false)'`;

  // Fails when CatalogueWatch.judge does not doubt what a known catalogue lacks.
  it('hazard 17: a tenant set by a function that DO has made is not that of the next client', async () => {
    expect(await leftBy(`DO $x$BEGIN ${FUNCTION}; END$x$`, 'SELECT become()')).toEqual([['']]);
    const hidden = `DO $x$BEGIN EXECUTE $y$${FUNCTION}$y$; END$x$`;
    expect(await leftBy(hidden, 'SELECT become()')).toEqual([['']]);
  });

  // Fails when noteDo does not take what it cannot read for a change of the catalogue.
  it('hazard 17: nor is one set by a trigger', async () => {
    const trigger = `CREATE FUNCTION on_item() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM set_config(''app.tenant'', ''a'', false); RETURN NEW; END';
      CREATE TRIGGER on_item BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION on_item()`;
    const hidden = `DO $x$BEGIN EXECUTE $y$${trigger}$y$; END$x$`;
    expect(await leftBy(hidden, 'INSERT INTO item (id) VALUES (2)')).toEqual([['']]);
  });
});
