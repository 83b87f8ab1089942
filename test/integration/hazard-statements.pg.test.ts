/** Prepared statements of several clients on one link, one test a hazard. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nap, stageForEach, times } from '../support/stage.ts';
import { codesOf, rowsOf } from '../support/wire.ts';
import {
  bind,
  closeMessage,
  execute,
  parse,
  query,
  sync,
  unnamed,
} from '../support/wire-messages.ts';

describe('prepared statements on one link', () => {
  const stage = stageForEach();

  // Fails when the key of a statement is a hash of its text, such as its length or 32 bits of it.
  it('hazard 7: equal names and different texts never meet, however many there are', async () => {
    const gateway = await stage.start();
    const clients = await Promise.all(times(8, () => gateway.connect()));
    // These two have the same 32-bit hash in Odyssey.
    const twins = [
      'SELECT 1 /* force_close_72_1104700233803323 */',
      'SELECT 1 /* force_close_246_1106019706635764 */',
    ];
    for (const [at, sql] of twins.entries()) {
      clients[at]?.send(parse('t', sql), bind('', 't'), execute(), sync());
    }
    for (const client of clients.slice(0, 2)) {
      expect(codesOf(await client.readReady())).toBe('12DCZ');
    }
    const held = `SELECT statement FROM pg_prepared_statements
      WHERE statement LIKE '%force\\_close%' ORDER BY statement DESC`;
    expect((await clients[2]?.rows(held))?.flat()).toEqual(twins);
    for (let round = 0; round < 40; round++) {
      const work = clients.map(async (client, at) => {
        const value = `${at}.${round}`;
        client.send(
          parse('s', `SELECT '${value}' || $1 AS "${at % 3}"`),
          bind('', 's', ['!']),
          execute(),
          sync(),
        );
        expect(rowsOf(await client.readReady())).toEqual([[`${value}!`]]);
        client.send(bind('', 's', ['?']), execute(), closeMessage('S', 's'), sync());
        expect(rowsOf(await client.readReady())).toEqual([[`${value}?`]]);
      });
      await Promise.all(work);
    }
  });

  // Fails when Settings.parseSignature is always empty, or types are left out of the key.
  it('hazard 8: one text means what the client’s search_path, types and role make of it', async () => {
    const gateway = await stage.start();
    const side = await gateway.connectDirect();
    await side.rows(`CREATE SCHEMA a; CREATE TABLE a.t AS SELECT 'in a' AS v;
      CREATE SCHEMA b; CREATE TABLE b.t AS SELECT 'in b' AS v`);
    const clients = [
      { client: await gateway.connect({ search_path: 'a' }), value: 'in a' },
      { client: await gateway.connect({ options: '-c search_path=b' }), value: 'in b' },
      { client: await gateway.connect(), value: 'in a' },
    ];
    await clients[2]?.client.rows('SET search_path = a, b');
    for (let round = 0; round < 4; round++) {
      for (const { client, value } of clients) {
        if (round === 0) client.send(parse('s', 'SELECT v FROM t'), sync());
        if (round === 0) await client.readReady();
        client.send(bind('', 's'), execute(), ...unnamed('SELECT v FROM t'), sync());
        expect(rowsOf(await client.readReady())).toEqual([[value], [value]]);
      }
    }
    for (const [type, result] of [
      [25, 'text'],
      [23, 'integer'],
      [25, 'text'],
      [20, 'bigint'],
    ] as const) {
      const client = await gateway.connect();
      client.send(
        parse('s', 'SELECT pg_typeof($1)', [type]),
        bind('', 's', ['1']),
        execute(),
        sync(),
      );
      expect(rowsOf(await client.readReady())).toEqual([[result]]);
      await client.end();
    }
    // PostgreSQL itself plans anew when the search_path is another; what a literal means it does not.
    const zones = ['UTC', 'Asia/Tokyo', 'America/Lima'];
    const noon = "SELECT '2020-06-01 12:00'::timestamptz AT TIME ZONE 'UTC'";
    const inZones = await Promise.all(zones.map((TimeZone) => gateway.connect({ TimeZone })));
    for (const [at, hour] of ['12', '03', '17', '12'].entries()) {
      const client = inZones[at % 3];
      client?.send(parse(`z${at}`, noon), bind('', `z${at}`), execute(), ...unnamed(noon), sync());
      const told = `2020-06-01 ${hour}:00:00`;
      expect(rowsOf((await client?.readReady()) ?? [])).toEqual([[told], [told]]);
    }
    const role = `reader_${randomBytes(4).toString('hex')}`;
    await side.rows(`CREATE ROLE ${role}; CREATE TABLE own (who text);
      INSERT INTO own VALUES ('${role}'), ('other'); GRANT SELECT ON own TO ${role};
      ALTER TABLE own ENABLE ROW LEVEL SECURITY;
      CREATE POLICY own ON own USING (who = current_user)`);
    stage.after(async () => {
      const again = await gateway.connectDirect();
      await again.rows(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
      await again.end();
    });
    const use = [parse('', 'SELECT who FROM own'), bind('', ''), execute(), sync()];
    const [reader, owner] = [await gateway.connect(), await gateway.connect()];
    for (let round = 0; round < 3; round++) {
      await reader.rows(`SET ROLE ${role}`);
      reader.send(...use);
      expect(rowsOf(await reader.readReady())).toEqual([[role]]);
      await reader.rows('RESET ROLE');
      owner.send(...use);
      expect(rowsOf(await owner.readReady())).toEqual([[role], ['other']]);
    }
    await side.end();
  });

  // Fails when NamedChange.rollback keeps the name, and when HeldParse.rollback keeps the statement.
  it('hazard 9: a Parse that failed leaves nothing, and closing it succeeds', async () => {
    const gateway = await stage.start();
    const client = await gateway.connect();
    for (let round = 0; round < 3; round++) {
      client.send(parse('s', 'SELECT * FROM missing'), sync(), closeMessage('S', 's'), sync());
      expect(codesOf(await client.readReady(2))).toBe('EZ3Z');
      client.send(parse('s', 'SELECT 1'), bind('', 's'), execute(), closeMessage('S', 's'), sync());
      expect(codesOf(await client.readReady())).toBe('12DC3Z');
    }
    const side = await gateway.connectDirect();
    client.send(parse('m', 'SELECT * FROM missing'), bind('', 'm'), execute(), sync());
    expect(codesOf(await client.readReady())).toBe('EZ');
    await side.rows('CREATE TABLE missing AS SELECT 5 AS n');
    client.send(parse('m', 'SELECT * FROM missing'), bind('', 'm'), execute(), sync());
    expect(rowsOf(await client.readReady())).toEqual([['5']]);
    await side.end();
  });

  // Fails when Ledger.#onError does not drop what is noted up to the Sync.
  it('hazard 12: behind an error everything is skipped to the Sync, and nothing hangs', async () => {
    const gateway = await stage.start();
    const client = await gateway.connect();
    client.send(...unnamed('SELECT 1/0'));
    await nap(30);
    client.send(query('SELECT 2'), ...unnamed('SELECT 3'));
    await nap(30);
    client.send(sync(), query('SELECT 4'));
    const replies = await client.readReady(2);
    expect(codesOf(replies)).toBe('1EZTDCZ');
    expect(rowsOf(replies)).toEqual([['4']]);
    const next = await gateway.connect();
    expect(await next.rows('SELECT 42')).toEqual([['42']]);
  });
});
