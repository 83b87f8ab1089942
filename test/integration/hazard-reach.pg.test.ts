/** What the words of a client reach: our own queries, locks in every form, rights taken away. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { stageForEach, untilCatalogueIsRead } from '../support/stage.ts';
import { errorsOf, rowsOf, WireClient } from '../support/wire.ts';
import {
  bind,
  execute,
  functionCall,
  parse,
  query,
  sync,
  unnamed,
} from '../support/wire-messages.ts';

/** In front of everything that our own queries use; whoever calls one of them moves the sequence. */
const EVIL = `CREATE SCHEMA evil; CREATE SEQUENCE evil.calls;
  CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE sql AS
    $f$SELECT nextval('evil.calls'); SELECT 'evil'$f$;
  CREATE FUNCTION evil.current_setting(text, boolean) RETURNS text LANGUAGE sql AS
    $f$SELECT nextval('evil.calls'); SELECT 'evil'$f$;
  CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS
    $f$SELECT nextval('evil.calls'); SELECT 'evil'$f$;
  CREATE FUNCTION evil.pg_backend_pid() RETURNS int LANGUAGE sql AS
    $f$SELECT nextval('evil.calls'); SELECT 1$f$;
  CREATE FUNCTION evil.pg_my_temp_schema() RETURNS oid LANGUAGE sql AS
    $f$SELECT nextval('evil.calls'); SELECT 1::oid$f$;
  CREATE FUNCTION evil.pg_listening_channels() RETURNS SETOF text LANGUAGE sql AS
    $f$SELECT nextval('evil.calls'); SELECT 'evil'$f$;
  CREATE FUNCTION evil.told(text, text) RETURNS boolean LANGUAGE sql AS
    $f$SELECT nextval('evil.calls'); SELECT true$f$;
  CREATE FUNCTION evil.told(name, text) RETURNS boolean LANGUAGE sql AS
    $f$SELECT nextval('evil.calls'); SELECT true$f$;
  CREATE FUNCTION evil.told(name, name) RETURNS boolean LANGUAGE sql AS
    $f$SELECT nextval('evil.calls'); SELECT true$f$;
  CREATE FUNCTION evil.told(int, int) RETURNS boolean LANGUAGE sql AS
    $f$SELECT nextval('evil.calls'); SELECT true$f$;
  CREATE FUNCTION evil.told(oid, oid) RETURNS boolean LANGUAGE sql AS
    $f$SELECT nextval('evil.calls'); SELECT true$f$;
  CREATE VIEW evil.pg_settings AS SELECT 'work_mem'::text AS name, '64kB'::text AS setting,
    'session'::text AS source, nextval('evil.calls');
  CREATE VIEW evil.pg_locks AS SELECT 'advisory'::text AS locktype, 1 AS pid, nextval('evil.calls');
  CREATE VIEW evil.pg_cursors AS SELECT true AS is_holdable, nextval('evil.calls');
  CREATE VIEW evil.pg_prepared_statements AS SELECT true AS from_sql, nextval('evil.calls');
  CREATE DOMAIN evil.text AS varchar(1)`;
const OPERATORS = ['text,text', 'name,text', 'name,name', 'int,int', 'oid,oid']
  .map((types) => types.split(','))
  .flatMap(([left, right]) =>
    ['=', '<>'].map(
      (
        name,
      ) => `CREATE OPERATOR evil.${name} (LEFTARG = pg_catalog.${left === 'int' ? 'int4' : left},
        RIGHTARG = pg_catalog.${right === 'int' ? 'int4' : right}, FUNCTION = evil.told)`,
    ),
  )
  .join(';');

describe('what a client’s words reach', () => {
  const stage = stageForEach();

  // Fails when EQUALS or DIFFERS of session/residue.ts are bare operators, when `set_config` of
  // session/settings.ts or `current_setting` of login/introduction.ts lose their schema.
  it('hazard 18, CVE-2025-12819: a search_path of the client’s reaches no query of our own', async () => {
    const { gateway, proxy } = await stage.startBehindProxy();
    const side = await gateway.connectDirect();
    await side.rows(EVIL);
    await side.rows(OPERATORS);
    const said = () => Buffer.concat(proxy.pairs.flatMap((pair) => pair.said)).toString('latin1');
    const readings = () => said().split('pg_catalog.pg_rewrite').length;
    const path = { search_path: 'evil, pg_catalog, public' };
    const evil = await gateway.connect({ ...path, TimeZone: 'Asia/Tokyo' });
    const other = await gateway.connect({ ...path, TimeZone: 'UTC', options: '-c geqo=off' });
    const before = readings();
    for (const sql of [
      'SHOW search_path',
      'LISTEN news',
      'UNLISTEN news',
      'CREATE TEMP TABLE temporary (id pg_catalog.int4)',
      'DROP TABLE temporary',
      "SET work_mem = '5MB'",
      "SET app.tenant = 'a'",
      "BEGIN; SET LOCAL work_mem = '6MB'; COMMIT",
      'RESET ALL',
      'DO $$BEGIN PERFORM 1; END$$',
      'CREATE TABLE public.mine (id pg_catalog.int4)',
      'DISCARD ALL',
    ]) {
      await evil.rows(sql);
      // With these the connection is the client's until the next statement.
      if (/^(LISTEN|CREATE TEMP)/.test(sql)) continue;
      expect(await other.rows('SHOW TimeZone')).toEqual([['UTC']]);
      expect(await other.rows('SHOW work_mem')).toEqual([['4MB']]);
    }
    // The catalogue is read anew after DDL.
    await expect.poll(readings, { timeout: 8_000 }).toBeGreaterThan(before);
    await evil.rows('SET ROLE pg_monitor');
    evil.vanish();
    expect(await other.rows('SHOW TimeZone')).toEqual([['UTC']]);
    expect(await other.rows('SHOW millrace.pins')).toEqual([]);
    expect(await side.rows('SELECT is_called FROM evil.calls')).toEqual([['f']]);
    await side.end();
    expect(gateway.complaints).toEqual([]);
  });

  const FORMS: readonly string[] = [
    'SELECT pg_advisory_lock(1)',
    'SELECT pg_catalog.pg_advisory_lock(1)',
    'SELECT "pg_catalog" . "pg_advisory_lock" (1, 2)',
    'SELECT PG_CATALOG.PG_TRY_ADVISORY_LOCK(/* one */ 1)',
    'SELECT pg_advisory_lock_shared(1), pg_try_advisory_lock_shared(2)',
    'SELECT * FROM pg_advisory_lock(1)',
    'SELECT 1 WHERE pg_try_advisory_lock(1)',
    'SELECT 1 FROM generate_series(1, 3) AS i ORDER BY pg_try_advisory_lock(i)',
    'WITH x AS MATERIALIZED (SELECT pg_advisory_lock(1)) SELECT count(*) FROM x',
    'SELECT (SELECT pg_advisory_lock(1))',
    'EXPLAIN (ANALYZE) SELECT pg_advisory_lock(1)',
    'SELECT take()',
    'SELECT take_sql()',
    'SELECT take_dynamic()',
    'SELECT * FROM takers',
    'INSERT INTO taken DEFAULT VALUES',
    'INSERT INTO watched VALUES (1)',
    "SELECT 'x' @@@ 'y'",
    'CALL take_all()',
    'DO $$BEGIN PERFORM pg_catalog.pg_advisory_lock(1); END$$',
    `DO $$BEGIN EXECUTE 'SELECT pg_advisory_' || 'lock(1)'; END$$`,
    // The last one, since behind DDL the catalogue has to be read again.
    'CREATE TABLE made AS SELECT pg_try_advisory_lock(1) AS held',
  ];

  // Fails when `pg_advisory_lock` has no effect in the table of built-in functions (the plain
  // forms), and when the catalogue finds no function harmful (those in functions, views and tables).
  it.each(['simple', 'extended'] as const)(
    'hazard 31: a session lock keeps its connection however it was taken, in the %s protocol',
    async (protocol) => {
      const { gateway, proxy } = await stage.startBehindProxy({ links: 2 });
      const side = await gateway.connectDirect();
      await side.rows(`CREATE FUNCTION harmless() RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION take() RETURNS void LANGUAGE plpgsql AS
          $f$BEGIN PERFORM pg_advisory_lock(1); END$f$;
        CREATE FUNCTION take_sql() RETURNS void LANGUAGE sql AS
          $f$SELECT pg_catalog.pg_advisory_lock(1)$f$;
        CREATE FUNCTION take_dynamic() RETURNS void LANGUAGE plpgsql AS
          $f$BEGIN EXECUTE 'SELECT pg_advisory' || '_lock(1)'; END$f$;
        CREATE PROCEDURE take_all() LANGUAGE plpgsql AS $f$BEGIN PERFORM take(); END$f$;
        CREATE FUNCTION take_trigger() RETURNS trigger LANGUAGE plpgsql AS
          $f$BEGIN PERFORM pg_advisory_lock(1); RETURN NEW; END$f$;
        CREATE FUNCTION take_operator(text, text) RETURNS boolean LANGUAGE sql AS
          $f$SELECT pg_try_advisory_lock(1)$f$;
        CREATE OPERATOR @@@ (LEFTARG = text, RIGHTARG = text, FUNCTION = take_operator);
        CREATE VIEW takers AS SELECT pg_try_advisory_lock(1);
        CREATE TABLE taken (held boolean DEFAULT pg_try_advisory_lock(1));
        CREATE TABLE watched (id int);
        CREATE TRIGGER taking BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION take_trigger()`);
      const [first] = await side.rows("SELECT 'pg_advisory_lock(bigint)'::regprocedure::oid");
      const watcher = await gateway.connect();
      await untilCatalogueIsRead(watcher, proxy, 'SELECT harmless()');
      const holders = `SELECT DISTINCT pid::text FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
      const lockOne = functionCall(Number(first?.[0]), ['1']);
      const ways = protocol === 'simple' ? [lockOne, ...FORMS] : FORMS;
      for (const way of ways) {
        const client = await gateway.connect();
        const messages =
          typeof way !== 'string'
            ? [way]
            : protocol === 'simple'
              ? [query(way)]
              : [...unnamed(way), sync()];
        client.send(...messages);
        expect({ way, errors: errorsOf(await client.readReady()) }).toEqual({ way, errors: [] });
        const held = await side.rows(holders);
        expect({ way, held: held.length }).toEqual({ way, held: 1 });
        await expect
          .poll(async () => (await watcher.rows('SHOW millrace.pins')).map((pin) => pin[3]))
          .toContainEqual(held[0]?.[0]);
        // Nobody else comes to that connection, and the client can give the lock up.
        expect(await watcher.rows('SELECT pg_backend_pid()::text')).not.toEqual(held);
        await client.rows('SELECT pg_advisory_unlock_all()');
        expect({ way, held: await side.rows(holders) }).toEqual({ way, held: [] });
        await client.end();
      }
      await side.end();
    },
  );

  // With the cache a REVOKE past the gateway is noticed within seconds, for which `cache-modes` has
  // the test; without it, at once: fails as soon as anything else gives an answer twice.
  it('CVE-2024-45624: what was readable a moment ago is not after REVOKE', async () => {
    const database = await stage.makeDatabase();
    const role = `reader_${randomBytes(4).toString('hex')}`;
    const password = randomBytes(8).toString('hex');
    const plain = await stage.start({ links: 2 }, database);
    const side = await WireClient.connect(plain.direct);
    await side.rows(`CREATE ROLE ${role} LOGIN PASSWORD '${password}';
      CREATE TABLE secret AS SELECT 'told' AS body; GRANT SELECT ON secret TO ${role}`);
    stage.after(async () => {
      const again = await WireClient.connect(plain.direct);
      await again.rows(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
      await again.end();
    });
    const originUser = { user: role, password };
    const options = { links: 2, originUser, caching: { disabled: true } };
    const gateway = await stage.start(options, database);
    const client = await gateway.connect();
    client.send(parse('s', 'SELECT body FROM secret'), sync());
    await client.readReady();
    for (let round = 0; round < 5; round++) {
      client.send(bind('', 's'), execute(), sync(), query('SELECT body FROM secret'));
      expect(rowsOf(await client.readReady(2))).toEqual([['told'], ['told']]);
    }
    await side.rows(`REVOKE SELECT ON secret FROM ${role}`);
    client.send(bind('', 's'), execute(), sync(), query('SELECT body FROM secret'));
    const replies = await client.readReady(2);
    expect(rowsOf(replies)).toEqual([]);
    expect(errorsOf(replies)).toEqual(['42501', '42501']);
    await side.end();
  });
});
