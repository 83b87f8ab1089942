/**
 * What a client asked for at startup is its default also in session mode, where the gateway sets it
 * on a link that knows nothing of it: RESET goes back there, as on a connection of the client's own.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';
import { errorsOf, rowsOf, type WireClient } from '../support/wire.ts';
import {
  bind,
  copyData,
  copyDone,
  execute,
  parse,
  query,
  sync,
  unnamed,
} from '../support/wire-messages.ts';

const STARTUP = { TimeZone: 'Asia/Tokyo', DateStyle: 'German, DMY', 'app.tenant': 'red' };
const CHANGE = query(
  "SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'ISO'; SET app.tenant = 'blue'",
);
const shown = ['TimeZone', 'DateStyle', 'app.tenant'].map((name) => `current_setting('${name}')`);
const SHOW = query(`SELECT ${shown.join(', ')}`);
const FUNCTION = `CREATE FUNCTION reset_zone() RETURNS void LANGUAGE plpgsql AS
  'BEGIN RESET TimeZone; END'; CREATE TABLE item (body text)`;

const use = (sql: string): Buffer[] => [...unnamed(sql), sync()];

/** In one write, with how many ReadyForQuery come. */
const CASES: readonly (readonly [string, readonly Buffer[], number])[] = [
  ['RESET ALL', [query('RESET ALL'), SHOW], 2],
  ['RESET ALL by the extended protocol', [...use('RESET ALL'), SHOW], 2],
  ['RESET of one', [query('RESET TimeZone'), SHOW], 2],
  ['SET … TO DEFAULT', [...use('SET DateStyle TO DEFAULT'), SHOW], 2],
  ['DISCARD ALL', [query('DISCARD ALL'), SHOW], 2],
  ['RESET among others', [query('SELECT 1; RESET ALL; SELECT 2'), SHOW], 2],
  ['RESET in a transaction', [query('BEGIN'), query('RESET ALL'), SHOW, query('COMMIT'), SHOW], 5],
  ['RESET that is taken back', [query('BEGIN'), query('RESET ALL'), query('ROLLBACK'), SHOW], 4],
  [
    'RESET to a savepoint',
    [
      query('BEGIN; SAVEPOINT s'),
      query('RESET ALL'),
      query('ROLLBACK TO s'),
      SHOW,
      query('COMMIT'),
    ],
    5,
  ],
  [
    'RESET behind an error',
    [query('BEGIN'), query('SELECT 1/0'), query('RESET ALL'), query('ROLLBACK'), SHOW],
    5,
  ],
  ['RESET in a function', [query('SELECT reset_zone()'), SHOW], 2],
  ['RESET in DO', [query("DO 'BEGIN RESET DateStyle; END'"), SHOW], 2],
  ['RESET that is bound and not executed', [parse('', 'RESET ALL'), bind('', ''), sync(), SHOW], 2],
  [
    'RESET of a name that is used again',
    [parse('r', 'RESET ALL'), sync(), CHANGE, bind('', 'r'), execute(), sync(), SHOW],
    4,
  ],
  [
    'RESET before COPY in one text',
    [query('RESET ALL; COPY item FROM STDIN'), copyData('x\n'), copyDone(), SHOW],
    2,
  ],
  [
    'RESET before COPY in one unit',
    [
      ...unnamed('RESET ALL'),
      ...use('COPY item FROM STDIN'),
      copyData('y\n'),
      copyDone(),
      sync(),
      SHOW,
    ],
    2,
  ],
  [
    'SET, which leaves the unnamed statement',
    [
      parse('', "SELECT set_config('app.tenant', $1, false)"),
      bind('', '', ['a']),
      execute(),
      sync(),
      bind('', '', ['b']),
      execute(),
      sync(),
      SHOW,
    ],
    3,
  ],
];

describe('session mode', () => {
  let database: TestDatabase;
  let gateway: TestGateway;

  beforeAll(async () => {
    database = await createDatabase();
    gateway = await TestGateway.start({ poolMode: 'session' }, database);
    const side = await gateway.connectDirect();
    await side.rows(FUNCTION);
    await side.end();
  });

  afterAll(async () => {
    await gateway.stop();
    await database.drop();
  });

  async function answers(client: WireClient, messages: readonly Buffer[], count: number) {
    client.send(CHANGE);
    await client.readReady();
    client.send(...messages);
    const replies = await client.readReady(count);
    // What comes behind the unit, and when nothing is under way any more.
    client.send(SHOW);
    const later = await client.readReady();
    await client.end();
    return { rows: rowsOf(replies), errors: errorsOf(replies), later: rowsOf(later) };
  }

  // Fails when SessionModeMessages takes nothing for a RESET.
  it.each(CASES)('reads as from PostgreSQL: %s', async (_, messages, count) => {
    const wanted = await answers(await gateway.connectDirect(STARTUP), messages, count);
    expect(await answers(await gateway.connect(STARTUP), messages, count)).toEqual(wanted);
  });
});
