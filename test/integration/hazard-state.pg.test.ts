/** State of one client that must not reach another, and settings that must follow their client. */
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.ts';
import { directTarget, type GatewayOptions, TestGateway } from '../support/gateway.ts';
import { ADVISORY_LOCK_COUNT, createDatabase, type TestDatabase } from '../support/pg.ts';
import { codesOf, errorsOf, rowsOf, WireClient } from '../support/wire.ts';
import { bind, execute, parse, query, sync, unnamed } from '../support/wire-messages.ts';

const endings: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function makeDatabase(): Promise<TestDatabase> {
  const database = await createDatabase();
  endings.push(() => database.drop());
  return database;
}

async function start(options: GatewayOptions = {}, database?: TestDatabase): Promise<TestGateway> {
  const gateway = await TestGateway.start(options, database ?? (await makeDatabase()));
  endings.push(() => gateway.stop());
  return gateway;
}

async function startBehindProxy(
  options: GatewayOptions = {},
): Promise<{ gateway: TestGateway; proxy: FaultProxy }> {
  const database = await makeDatabase();
  const proxy = await FaultProxy.start(directTarget(database));
  proxy.keeps = true;
  endings.push(() => proxy.stop());
  return { gateway: await start({ ...options, originAt: proxy.at }, database), proxy };
}

describe('settings and session state', () => {
  // Fails when Link.#onParameterStatus tells nobody, or every owner of the link.
  it('hazard 15: parameters reported in one segment all reach the client, and only it', async () => {
    const gateway = await start();
    const other = await gateway.connect({ TimeZone: 'Europe/Paris' });
    const client = await gateway.connect();
    client.send(
      ...unnamed("SELECT set_config('TimeZone', $1, false)", ['Asia/Tokyo']),
      ...unnamed("SELECT set_config('DateStyle', 'German', false)"),
      sync(),
      query("SET IntervalStyle = 'iso_8601'; SET application_name = 'mine'"),
    );
    const reported = (await client.readReady(2))
      .filter(({ code }) => code === 'S')
      .map(({ body }) => body.toString().split('\0').slice(0, 2).join('='));
    expect(reported.sort()).toEqual([
      'DateStyle=German, DMY',
      'IntervalStyle=iso_8601',
      'TimeZone=Asia/Tokyo',
      'application_name=mine',
    ]);
    const show = "SELECT current_setting('TimeZone'), current_setting('DateStyle')";
    for (let round = 0; round < 3; round++) {
      const replies = await other.ask(show);
      expect(codesOf(replies)).toBe('TDCZ');
      expect(rowsOf(replies)).toEqual([['Europe/Paris', 'ISO, MDY']]);
      const own = await client.ask(show);
      expect(codesOf(own)).toBe('TDCZ');
      expect(rowsOf(own)).toEqual([['Asia/Tokyo', 'German, DMY']]);
    }
  });

  // Fails when settingsChange answers a change where there is none.
  it('hazard 15: clients with equal settings change hands without a word to the server', async () => {
    // What the server is told is counted, so every statement must reach it.
    const { gateway, proxy } = await startBehindProxy({ caching: { disabled: true } });
    const settings = { TimeZone: 'Asia/Tokyo', search_path: 'public' };
    const clients = [await gateway.connect(settings), await gateway.connect(settings)];
    for (const client of clients) await client.rows('SELECT 1');
    const said = () => Buffer.concat(proxy.pairs.flatMap((pair) => pair.said)).toString('latin1');
    // The catalogue is read once clients have come; that is not what is looked at here.
    await expect.poll(said).toContain('pg_catalog.pg_rewrite');
    for (const client of clients) await client.rows('SELECT 1');
    const before = said().length;
    for (let round = 0; round < 20; round++) {
      for (const client of clients) await client.rows('SELECT 7');
    }
    expect(said().slice(before)).toBe('Q\0\0\0\rSELECT 7\0'.repeat(40));
  });

  // Fails when Tenure sends no startup values behind a RESET.
  it.each([
    ['RESET ALL', ''],
    ['RESET TimeZone', ''],
    ['SET TimeZone TO DEFAULT', ''],
    ['DISCARD ALL', ''],
    ['RESET ALL', 'BEGIN'],
    ['RESET TimeZone', 'BEGIN'],
  ])('hazard 15: what comes in one write behind %s has the startup value', async (sql, first) => {
    const gateway = await start();
    const client = await gateway.connect({ TimeZone: 'Asia/Tokyo', 'app.tenant': 'red' });
    await client.rows("SET TimeZone = 'UTC'");
    const show = "SELECT current_setting('TimeZone'), current_setting('app.tenant')";
    client.send(query(first), query(sql), query(show), query('COMMIT'));
    expect(rowsOf(await client.readReady(4))).toEqual([['Asia/Tokyo', 'red']]);
    await client.rows("SET TimeZone = 'UTC'");
    const reset = [parse('', sql), bind('', ''), execute(), sync()];
    client.send(query(first), ...reset, query(show), query('COMMIT'));
    expect(rowsOf(await client.readReady(4))).toEqual([['Asia/Tokyo', 'red']]);
    await client.rows("SET TimeZone = 'UTC'");
    client.send(query('BEGIN'), query('RESET TimeZone'), query('ROLLBACK'), query(show));
    expect(rowsOf(await client.readReady(4))).toEqual([['UTC', 'red']]);
    await client.end();
  });

  // Fails when the values are set whatever the server has.
  it('hazard 15: a RESET that was not executed, or was undone, leaves the value', async () => {
    const gateway = await start();
    const client = await gateway.connect({ TimeZone: 'Asia/Tokyo' });
    await client.rows("SET TimeZone = 'UTC'");
    const bound = [parse('', 'RESET TimeZone'), bind('', '')];
    client.send(...bound, sync(), query('SHOW TimeZone'));
    client.send(...bound, execute(), bind('', 'none'), sync(), query('SHOW TimeZone'));
    expect(rowsOf(await client.readReady(4))).toEqual([['UTC'], ['UTC']]);
    await client.end();
  });

  // Fails when Tenure.onParameter or Probe.settingsFound takes a fresh link's value for none.
  it('hazard 15: SET to what a fresh link has counts against what was asked at startup', async () => {
    const gateway = await start();
    const other = await gateway.connect({ IntervalStyle: 'iso_8601' });
    const client = await gateway.connect({
      IntervalStyle: 'postgres_verbose',
      DateStyle: 'Postgres, MDY',
    });
    const shown = "SELECT interval '-1 day', current_setting('DateStyle')";
    expect(await client.rows(shown)).toEqual([['@ 1 day ago', 'Postgres, MDY']]);
    await client.rows('SET IntervalStyle TO postgres');
    expect(await client.rows(shown)).toEqual([['-1 days', 'Postgres, MDY']]);
    await client.rows('SET DateStyle TO ISO');
    for (const style of ['YMD', 'MDY']) {
      expect(await other.rows("SELECT interval '-1 day'")).toEqual([['P-1D']]);
      await client.rows(`SET DateStyle TO ${style}`);
      expect(await client.rows(shown)).toEqual([['-1 days', `ISO, ${style}`]]);
    }
    await client.rows('BEGIN; RESET IntervalStyle; ROLLBACK');
    expect(await client.rows(shown)).toEqual([['-1 days', 'ISO, MDY']]);
    await client.rows('RESET ALL');
    expect(await client.rows(shown)).toEqual([['@ 1 day ago', 'Postgres, MDY']]);
  });

  // Fails when Tenure.#restore does nothing.
  it('hazard 15: RESET goes back to what the client asked for at startup', async () => {
    const gateway = await start();
    const client = await gateway.connect({ TimeZone: 'Asia/Tokyo', application_name: 'mine' });
    expect(client.parameters.get('TimeZone')).toBe('Asia/Tokyo');
    expect(client.parameters.get('application_name')).toBe('mine');
    await client.rows("SET TimeZone = 'UTC'");
    await client.rows('RESET TimeZone');
    expect(await client.rows('SHOW TimeZone')).toEqual([['Asia/Tokyo']]);
    await client.rows("SET TimeZone = 'UTC'");
    await client.rows("SET application_name = 'changed'");
    await client.rows('RESET ALL');
    expect(await client.rows('SHOW TimeZone')).toEqual([['Asia/Tokyo']]);
    expect(await client.rows('SHOW application_name')).toEqual([['mine']]);
    await client.rows("SET TimeZone = 'UTC'");
    await client.rows('SET TimeZone TO DEFAULT');
    expect(await client.rows('SHOW TimeZone')).toEqual([['Asia/Tokyo']]);
  });

  // Fails when LinkCleaner says RESET ALL in place of DISCARD ALL.
  it.each(['fin', 'rst'] as const)(
    'hazard 16: SET ROLE and SET SESSION AUTHORIZATION end with their client (%s)',
    async (how) => {
      const gateway = await start();
      const role = `role_${randomBytes(4).toString('hex')}`;
      const side = await gateway.connectDirect();
      await side.rows(`CREATE ROLE ${role}`);
      endings.push(async () => {
        const again = await WireClient.connect({ ...gateway.direct, database: 'postgres' });
        await again.rows(`DROP ROLE ${role}`);
        await again.end();
      });
      const owner = gateway.direct.user;
      for (const sql of [
        `SET ROLE ${role}`,
        `SET SESSION AUTHORIZATION ${role}`,
        `SELECT set_config('role', '${role}', false)`,
        `DO $$BEGIN EXECUTE 'SET ROLE ${role}'; END$$`,
        `BEGIN; SET LOCAL ROLE ${role}`,
        `SELECT pg_advisory_lock(1); SET ROLE ${role}`,
      ]) {
        const client = await gateway.connect();
        await client.ask(sql);
        expect((await client.rows('SELECT current_user'))[0]).toEqual([role]);
        client.vanish(how);
        const next = await gateway.connect();
        expect(await next.rows('SELECT current_user, session_user')).toEqual([[owner, owner]]);
        expect(await next.rows(`SELECT ${ADVISORY_LOCK_COUNT}`)).toEqual([['0']]);
        await next.end();
      }
      await side.end();
    },
  );

  // Fails when Database.customSettingNames is empty, or Residue.note knows nothing permanent.
  it('hazard 17: a tenant set by any means is not the tenant of the next client', async () => {
    const database = await makeDatabase();
    const role = `tenant_${randomBytes(4).toString('hex')}`;
    const password = randomBytes(8).toString('hex');
    const side = await WireClient.connect(directTarget(database));
    await side.rows(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'`);
    endings.push(async () => {
      const again = await WireClient.connect(directTarget(database));
      await again.rows(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
      await again.end();
    });
    await side.rows(`CREATE TABLE secret (tenant text, body text);
      INSERT INTO secret VALUES ('a', 'of a'), ('b', 'of b');
      ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
      CREATE POLICY own ON secret USING (tenant = current_setting('app.tenant', true));
      CREATE FUNCTION become(who text) RETURNS void LANGUAGE plpgsql AS
        $f$BEGIN PERFORM set_config('app.tenant', who, false); END$f$;
      CREATE FUNCTION become_sql(who text) RETURNS text LANGUAGE sql AS
        $f$SELECT set_config('app.tenant', who, false)$f$;
      CREATE FUNCTION on_touch() RETURNS trigger LANGUAGE plpgsql AS
        $f$BEGIN PERFORM set_config('app.tenant', NEW.who, false); RETURN NEW; END$f$;
      CREATE TABLE touch (who text);
      CREATE TRIGGER touching BEFORE INSERT ON touch FOR EACH ROW EXECUTE FUNCTION on_touch();
      GRANT ALL ON secret, touch TO ${role}`);
    await side.end();
    const gateway = await start({ originUser: { user: role, password } }, database);
    const ways: Buffer[][] = [
      [query("SET app.tenant = 'a'")],
      [query("SELECT set_config('app.tenant', 'a', false)")],
      [
        parse('', 'SELECT set_config($1, $2, $3)'),
        bind('', '', ['app.tenant', 'a', 'f']),
        execute(),
        sync(),
      ],
      [query("SELECT become('a')")],
      [query("SELECT become_sql('a')")],
      [query("INSERT INTO touch VALUES ('a')")],
      [...unnamed('INSERT INTO touch VALUES ($1)', ['a']), sync()],
      [query(`DO $$BEGIN EXECUTE 'SET app.' || 'tenant = ''a'''; END$$`)],
      [query("BEGIN; SELECT become('a'); COMMIT")],
      [query("WITH x AS (SELECT set_config('app.' || 'tenant', 'a', false)) SELECT * FROM x")],
      [query("PREPARE p AS SELECT set_config('app.tenant', 'a', false); EXECUTE p")],
    ];
    const bystander = await gateway.connect();
    expect(await bystander.rows('SELECT body FROM secret')).toEqual([]);
    for (const [at, messages] of ways.entries()) {
      const tenant = await gateway.connect();
      tenant.send(...messages);
      expect({ at, errors: errorsOf(await tenant.readReady()) }).toEqual({ at, errors: [] });
      // It may be pinned now: a wait would end only with the client.
      const seen = bystander.rows('SELECT body FROM secret');
      expect({ at, own: await tenant.rows('SELECT body FROM secret') }).toEqual({
        at,
        own: [['of a']],
      });
      await tenant.end();
      expect({ at, seen: await seen }).toEqual({ at, seen: [] });
    }
    // A name that stands in no text and no function: nobody could have asked for it.
    const hiding = await gateway.connect();
    await hiding.rows(`DO $$BEGIN EXECUTE 'SET app.' || 'hid' || 'den = ''a'''; END$$`);
    await hiding.end();
    const hidden = "SELECT nullif(current_setting('app.hid' || 'den', true), '')";
    expect(await bystander.rows(hidden)).toEqual([[null]]);
  });

  // Fails when Residue.touch forgets names above its limit.
  it('hazard 17: so many custom settings that nobody can follow them keep the link', async () => {
    const gateway = await start({ links: 2 });
    const client = await gateway.connect();
    const names = Array.from({ length: 100 }, (_, n) => `app.k${n}`);
    await client.rows(`BEGIN; ${names.map((name) => `SET ${name} = 'mine'`).join(';')}; COMMIT`);
    const other = await gateway.connect();
    for (const name of names) {
      const setting = `SELECT coalesce(current_setting('${name}', true), '')`;
      expect(await other.rows(setting)).toEqual([['']]);
      expect(await client.rows(setting)).toEqual([['mine']]);
    }
    const [pin] = await other.rows('SHOW millrace.pins');
    expect(pin?.[4]).toContain('too many custom settings');
  });

  it('pins are shown with their reasons, and end', async () => {
    const gateway = await start({ links: 2 });
    const client = await gateway.connect({ application_name: 'pinned' });
    const watcher = await gateway.connect();
    const pins = () => watcher.rows('SHOW millrace.pins');
    expect(await pins()).toEqual([]);
    for (const [take, give, word] of [
      ['LISTEN news', 'UNLISTEN news', 'LISTEN'],
      ['SELECT pg_advisory_lock(5)', 'SELECT pg_advisory_unlock(5)', 'advisory'],
      ['CREATE TEMP TABLE mine (n int)', 'DROP TABLE mine', 'temporary'],
    ] as const) {
      await client.rows(take);
      // The server is asked for what is left only once the client has its answer.
      await expect.poll(pins).toHaveLength(1);
      const [pin] = await pins();
      expect(pin?.slice(0, 3)).toEqual([String(client.processId), 'web', 'pinned']);
      expect(pin?.[4]?.toLowerCase()).toContain(word.toLowerCase());
      await client.rows(give);
      await expect.poll(pins).toEqual([]);
    }
  });

  it('pins are shown also when no link is left to ask, and in the extended protocol', async () => {
    const gateway = await start({ timeouts: { waitTimeoutMs: 2_000 } });
    const client = await gateway.connect();
    const watcher = await gateway.connect();
    const show = query('SHOW millrace.pins');
    const told = async (...messages: Buffer[]) => {
      watcher.send(...messages);
      const replies = await watcher.readReady();
      return replies.map(({ code, body }) => `${code} ${body.toString('latin1')}`);
    };
    await client.rows('LISTEN news');
    await expect.poll(async () => (await told(show)).length).toBe(4);
    const withoutLink = await told(show);
    expect(withoutLink.join()).toContain('LISTEN');
    await client.rows('UNLISTEN news');
    await watcher.rows('LISTEN other');
    await expect.poll(async () => (await told(show)).length).toBe(4);
    // The same bytes from the server, but for who it is.
    const [columns] = await told(show);
    expect(columns).toBe(withoutLink[0]);
    for (const name of ['', 'pins']) {
      const replies = await told(
        parse(name, 'SHOW millrace.pins'),
        bind('', name),
        execute(),
        sync(),
      );
      expect(replies.join()).toContain('LISTEN');
    }
  });

  it.each([
    'TABLE pg_temp.x ()',
    "TYPE pg_temp.x AS ENUM ('a')",
    'FUNCTION pg_temp.x() RETURNS int LANGUAGE sql RETURN 1',
    'STATISTICS pg_temp.x ON a, b FROM public.plain',
    'COLLATION pg_temp.x FROM "C"',
    'TEXT SEARCH CONFIGURATION pg_temp.x (PARSER = default)',
    'OPERATOR pg_temp.@@@ (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)',
  ])('a temporary object of any kind keeps its link: %s', async (what) => {
    const gateway = await start({ links: 2 });
    const client = await gateway.connect();
    await client.rows('CREATE TABLE public.plain (a int, b int)');
    await client.rows(`CREATE ${what}`);
    const other = await gateway.connect();
    const pins = async () => JSON.stringify(await other.rows('SHOW millrace.pins'));
    await expect.poll(pins).toContain('temporary object');
  });

  it('temporary tables, locks and cursors of a client are gone with it', async () => {
    const gateway = await start();
    for (const sql of [
      'CREATE TEMP TABLE item AS SELECT 1 AS n',
      'SELECT pg_advisory_lock(7)',
      'LISTEN news',
      'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
      'PREPARE p AS SELECT 1',
    ]) {
      const client = await gateway.connect();
      await client.rows(sql);
      client.vanish();
      const next = await gateway.connect();
      expect(
        await next.rows(`SELECT ${ADVISORY_LOCK_COUNT}
          + (SELECT count(*) FROM pg_listening_channels()) + (SELECT count(*) FROM pg_cursors)
          + (SELECT count(*) FROM pg_prepared_statements WHERE from_sql)
          + (SELECT count(*) FROM pg_class WHERE relname = 'item')`),
      ).toEqual([['0']]);
      await next.end();
    }
  });
});
