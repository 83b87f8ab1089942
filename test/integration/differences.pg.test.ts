/**
 * What differs from PostgreSQL in transaction mode, so that nobody learns of it first in production,
 * and that session mode has none of it. `docs/compatibility.md` names these tests.
 */
import { describe, expect, it } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { ADVISORY_LOCK_COUNT } from '../support/pg.ts';
import { nap, stageForEach, untilCatalogueIsRead } from '../support/stage.ts';
import { errorsOf, fieldsOf, rowsOf, WireClient } from '../support/wire.ts';
import { bind, execute, parse, query, startup, sync, unnamed } from '../support/wire-messages.ts';

const stage = stageForEach();

const transaction = (links = 2): Promise<TestGateway> => stage.start({ links });
const session = (): Promise<TestGateway> => stage.start({ links: 2, poolMode: 'session' });

const PID = 'SELECT pg_backend_pid()::text';

/** Does the work while the link of that process, one of two, is somebody else's. */
async function awayFrom<T>(
  gateway: TestGateway,
  pid: string | null | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const holders = [await gateway.connect(), await gateway.connect()] as const;
  for (const holder of holders) {
    await holder.rows('BEGIN');
    if ((await holder.rows(PID))[0]?.[0] !== pid) continue;
    // The first one may have taken the other link.
    for (const other of holders) if (other !== holder) await other.ask('COMMIT');
    const result = await work();
    await holder.rows('COMMIT');
    for (const one of holders) await one.end();
    return result;
  }
  throw new Error('there are more than two links');
}

const pinsOf = async (watcher: WireClient): Promise<(string | null | undefined)[]> =>
  (await watcher.rows('SHOW millrace.pins')).map((pin) => pin[4]);

describe('a session', () => {
  it('is told the settings that PostgreSQL tells at login', async () => {
    for (const gateway of [await transaction(), await session()]) {
      const direct = await gateway.connectDirect({ DateStyle: 'German' });
      const client = await gateway.connect({ DateStyle: 'German' });
      expect([...client.parameters].sort()).toEqual([...direct.parameters].sort());
      await direct.end();
    }
  });

  it('works as the origin’s user in the origin’s database, whatever the client called them', async () => {
    const gateway = await transaction();
    const client = await gateway.connect();
    const { user, database } = gateway.direct;
    expect([user, database]).not.toEqual([gateway.target.user, gateway.target.database]);
    expect(await client.rows('SELECT current_user, session_user, current_database()')).toEqual([
      [user, user, database],
    ]);
  });

  it('keeps its settings from link to link', async () => {
    const gateway = await transaction();
    const client = await gateway.connect({ application_name: 'mine', options: '-c geqo=off' });
    await client.rows("SET work_mem = '5MB'");
    await client.rows("SET app.tenant = 'a'");
    const sql = `SELECT current_setting('application_name'), current_setting('geqo'),
      current_setting('work_mem'), current_setting('app.tenant'), pg_backend_pid()::text`;
    const [first] = await client.rows(sql);
    const [second] = await awayFrom(gateway, first?.[4], () => client.rows(sql));
    expect(first?.slice(0, 4)).toEqual(['mine', 'off', '5MB', 'a']);
    expect(second?.slice(0, 4)).toEqual(first?.slice(0, 4));
    expect(second?.[4]).not.toBe(first?.[4]);
  });

  it('keeps its prepared statements from link to link', async () => {
    const gateway = await transaction();
    const client = await gateway.connect();
    client.send(parse('s', 'SELECT $1::text, pg_backend_pid()'), sync());
    await client.readReady();
    const run = async () => {
      client.send(bind('', 's', ['x']), execute(), sync());
      return rowsOf(await client.readReady())[0] ?? [];
    };
    const here = await run();
    const there = await awayFrom(gateway, here[1], run);
    expect([here[0], there[0]]).toEqual(['x', 'x']);
    expect(there[1]).not.toBe(here[1]);
  });

  it('is not told of the parameters that a Bind lacks in a failed transaction on another link', async () => {
    const gateway = await transaction();
    const client = await gateway.connect();
    const direct = await gateway.connectDirect();
    const pids: unknown[] = [];
    for (const one of [direct, client]) {
      one.send(query('BEGIN'), parse('p', 'SELECT $1::text'), sync(), query(PID), query('COMMIT'));
      pids.push(rowsOf(await one.readReady(4))[0]?.[0]);
    }
    const pid = pids[1] as string;
    const errors = async (one: WireClient) => {
      one.send(query('BEGIN'), query('SELECT 1/0'), bind('', 'p'), sync(), query('ROLLBACK'));
      return errorsOf(await one.readReady(4));
    };
    expect(await errors(direct)).toEqual(['22012', '08P01']);
    expect(await awayFrom(gateway, pid, () => errors(client))).toEqual(['22012', '25P02']);
    await client.end();
    await direct.end();
  });

  it('is refused the replication protocol', async () => {
    const gateway = await transaction();
    for (const replication of ['true', 'database']) {
      const { user, database } = gateway.target;
      const client = await WireClient.dial(gateway.target);
      client.send(startup({ user, database, replication }));
      const [reply] = await client.readToEnd();
      const { S, C } = fieldsOf(reply?.body as Buffer);
      expect([S, C]).toEqual(['FATAL', '0A000']);
    }
  });

  it('hears notices and notifications that are meant for it, and no others', async () => {
    const gateway = await transaction(1);
    const loud = await gateway.connect();
    const quiet = await gateway.connect();
    await loud.rows('LISTEN news');
    await loud.rows('UNLISTEN news');
    const noticed = await loud.ask("DO $$BEGIN RAISE NOTICE 'for the loud one'; END$$");
    expect(noticed.map(({ code }) => code).join('')).toBe('NCZ');
    const heard = await quiet.ask("NOTIFY news, 'to nobody'");
    expect(heard.map(({ code }) => code).join('')).toBe('CZ');
  });
});

describe('in transaction mode', () => {
  it('pg_backend_pid() is that of the link of the moment, and not what the client was told', async () => {
    const gateway = await transaction();
    const client = await gateway.connect();
    const first = await client.rows(PID);
    expect(first).not.toEqual([[String(client.processId)]]);
    expect(await awayFrom(gateway, first[0]?.[0], () => client.rows(PID))).not.toEqual(first);
    const warned = await client.ask(`SELECT pg_cancel_backend(${client.processId})`);
    expect(rowsOf(warned)).toEqual([['f']]);
  });

  // A queue takes a worker for dead whose pg_backend_pid() is no process of the server's.
  it('pg_backend_pid() of who holds an advisory lock is constant, and known to the server’s views', async () => {
    const gateway = await transaction();
    const worker = await gateway.connect();
    await worker.rows('CREATE TABLE workers (pid int)');
    await worker.rows('SELECT pg_advisory_lock(7)');
    const first = await worker.rows(PID);
    await worker.rows('INSERT INTO workers VALUES (pg_backend_pid())');
    const other = await gateway.connect();
    await other.rows('BEGIN');
    expect(await other.rows(PID)).not.toEqual(first);
    expect(await worker.rows(PID)).toEqual(first);
    const mine = "FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    expect(await worker.rows(`SELECT objid ${mine}`)).toEqual([['7']]);
    expect(await other.rows(`SELECT objid ${mine}`)).toEqual([]);
    const dead = 'DELETE FROM workers WHERE pid NOT IN (SELECT pid FROM pg_stat_activity)';
    expect((await other.ask(dead)).map(({ code }) => code).join('')).toBe('CZ');
    expect(await other.rows('SELECT pid::text FROM workers')).toEqual(first);
    const direct = await gateway.connectDirect();
    expect(
      await direct.rows(`SELECT objid::text FROM pg_locks WHERE pid = ${first[0]?.[0]}
      AND locktype = 'advisory'`),
    ).toEqual([['7']]);
    await direct.end();
    await other.rows('COMMIT');
  });

  it('pg_prepared_statements shows what the link holds, under the link’s names', async () => {
    const gateway = await transaction(1);
    const other = await gateway.connect();
    other.send(parse('theirs', "SELECT 'of another'"), sync());
    await other.readReady();
    const client = await gateway.connect();
    client.send(parse('mine', "SELECT 'of the client'"), sync());
    await client.readReady();
    const shown = await client.rows('SELECT name, statement FROM pg_prepared_statements');
    expect(shown.map(([, text]) => text).sort()).toEqual([
      "SELECT 'of another'",
      "SELECT 'of the client'",
    ]);
    expect(shown.flat()).not.toContain('mine');
  });

  it('a time such as now in a prepared literal is that of the first use on each link', async () => {
    const results: boolean[] = [];
    for (const gateway of [await transaction(), await session()]) {
      const client = await gateway.connect();
      client.send(parse('s', "SELECT 'now'::timestamptz::text, pg_backend_pid()::text"), sync());
      await client.readReady();
      const run = async () => {
        await nap(20);
        client.send(bind('', 's'), execute(), sync());
        return rowsOf(await client.readReady())[0] ?? [];
      };
      const first = await run();
      // Both links of session mode would be taken: there it stays on its own.
      const second =
        gateway.config.configurations[0]?.poolMode === 'session'
          ? await run()
          : await awayFrom(gateway, first[1], run);
      results.push(first[0] === second[0]);
    }
    expect(results).toEqual([false, true]);
  });

  it('a function replaced past the gateway is looked at again within 5 seconds', async () => {
    const { gateway, proxy } = await stage.startBehindProxy();
    const side = await gateway.connectDirect();
    const replace = (body: string) =>
      side.rows(`CREATE OR REPLACE FUNCTION touch() RETURNS text LANGUAGE plpgsql AS
        $f$BEGIN ${body}; RETURN 'done'; END$f$`);
    await replace('PERFORM 1');
    const client = await gateway.connect();
    const watcher = await gateway.connect();
    await untilCatalogueIsRead(client, proxy, 'SELECT touch()');
    await replace('PERFORM pg_advisory_lock(77)');
    await expect
      .poll(
        async () => {
          await client.rows('SELECT touch()');
          return pinsOf(watcher);
        },
        // On a busy machine it may take longer.
        { timeout: 20_000 },
      )
      .toEqual(['advisory lock']);
    await side.end();
  });

  it.each([
    ['LISTEN news', 'LISTEN', 'UNLISTEN *'],
    ['SELECT pg_advisory_lock(1)', 'advisory lock', 'SELECT pg_advisory_unlock(1)'],
    ['CREATE TEMP TABLE t (n int)', 'temporary object', 'DROP TABLE t'],
    ['CREATE TEMP VIEW v AS SELECT 1', 'temporary object', 'DISCARD TEMP'],
    ['DECLARE h CURSOR WITH HOLD FOR SELECT 1', 'cursor WITH HOLD', 'CLOSE h'],
    ['PREPARE p AS SELECT 1; SELECT 2', 'PREPARE', 'DEALLOCATE p'],
    ['SET ROLE pg_monitor', 'SET ROLE', 'RESET ROLE'],
    [
      'SET SESSION AUTHORIZATION pg_monitor',
      'SET SESSION AUTHORIZATION',
      'RESET SESSION AUTHORIZATION',
    ],
  ])('%s keeps the link, for the reason %s, until %s', async (take, reason, give) => {
    const gateway = await transaction();
    const client = await gateway.connect();
    const watcher = await gateway.connect();
    await client.rows(take);
    await expect.poll(() => pinsOf(watcher)).toEqual([reason]);
    const pid = await client.rows(PID);
    for (let round = 0; round < 3; round++) {
      expect(await watcher.rows(PID)).not.toEqual(pid);
      expect(await client.rows(PID)).toEqual(pid);
    }
    await client.rows(give);
    await expect.poll(() => pinsOf(watcher)).toEqual([]);
  });

  it.each([
    ['SELECT setseed(0.5)', 'setseed'],
    ["LOAD 'plpgsql'", 'LOAD'],
    ['CREATE EXTENSION plpgsql SCHEMA pg_catalog', 'extension script'],
  ])('%s keeps the link to the end of the session, for the reason %s', async (take, reason) => {
    const gateway = await transaction();
    const side = await gateway.connectDirect();
    await side.rows('DROP EXTENSION plpgsql');
    if (!take.startsWith('CREATE')) await side.rows('CREATE EXTENSION plpgsql');
    await side.end();
    const client = await gateway.connect();
    const watcher = await gateway.connect();
    await client.rows(take);
    await expect.poll(() => pinsOf(watcher)).toEqual([reason]);
    await client.rows('DISCARD ALL');
    expect(await pinsOf(watcher)).toEqual([reason]);
    await client.end();
    await expect.poll(() => pinsOf(watcher)).toEqual([]);
  });

  it.each(["SET client_encoding = 'SJIS'", 'SET standard_conforming_strings = off'])(
    '%s makes texts unreadable, which keeps the link',
    async (sql) => {
      const gateway = await transaction();
      const client = await gateway.connect();
      const watcher = await gateway.connect();
      await client.rows(sql);
      expect(await pinsOf(watcher)).toEqual([]);
      await client.rows('SELECT 1');
      await expect
        .poll(() => pinsOf(watcher))
        .toEqual(['client encoding or standard_conforming_strings']);
    },
  );

  it.each([
    'BEGIN; LOCK TABLE pg_class IN ACCESS SHARE MODE; COMMIT',
    'SELECT pg_advisory_xact_lock(1)',
    "SET TimeZone = 'UTC'",
    "SELECT set_config('app.x', 'y', false)",
    "NOTIFY news, 'x'",
    'BEGIN; DECLARE c CURSOR FOR SELECT 1; FETCH c; COMMIT',
    'BEGIN; CREATE TEMP TABLE t (n int) ON COMMIT DROP; COMMIT',
    'CREATE TABLE plain (n int)',
    'COPY (SELECT 1) TO STDOUT',
    'VACUUM',
    'DO $$BEGIN PERFORM 1; END$$',
  ])('%s keeps no link', (sql) => keepsNone(sql));

  it('a text of 64 KB keeps no link', () => keepsNone(`SELECT '${'x'.repeat(65_536)}'`));

  async function keepsNone(sql: string): Promise<void> {
    const gateway = await transaction();
    const client = await gateway.connect();
    const watcher = await gateway.connect();
    await client.rows(sql);
    await client.rows('SELECT 1');
    expect(await pinsOf(watcher)).toEqual([]);
  }
});

describe('in session mode', () => {
  it('a client has one link from beginning to end, with everything that it left on it', async () => {
    const gateway = await session();
    const client = await gateway.connect();
    const pid = await client.rows(PID);
    const [drawn] = await client.rows("CREATE SEQUENCE s; SELECT nextval('s')");
    expect(await client.rows('SELECT lastval()')).toEqual([drawn]);
    await client.rows('PREPARE p AS SELECT 7');
    client.send(bind('', 'p'), execute(), sync());
    expect(rowsOf(await client.readReady())).toEqual([['7']]);
    await client.rows('CREATE TEMP TABLE mine AS SELECT 1 AS n');
    client.send(...unnamed('SELECT n FROM mine'), sync());
    expect(rowsOf(await client.readReady())).toEqual([['1']]);
    expect(await client.rows(PID)).toEqual(pid);
  });

  it('the next client finds nothing of the one before', async () => {
    const gateway = await stage.start({ links: 1, poolMode: 'session' });
    const client = await gateway.connect();
    await client.rows('CREATE TEMP TABLE mine (n int)');
    await client.rows("SET work_mem = '5MB'");
    await client.rows("SET app.tenant = 'a'");
    await client.rows('PREPARE p AS SELECT 7');
    await client.rows('SELECT pg_advisory_lock(5)');
    await client.rows('LISTEN news');
    await client.rows('SET ROLE pg_monitor');
    await client.end();
    const next = await gateway.connect();
    expect(
      await next.rows(`SELECT current_setting('work_mem'), current_user = session_user,
        nullif(current_setting('app.tenant', true), ''), to_regclass('mine'),
        (SELECT count(*) FROM pg_prepared_statements) + (SELECT count(*) FROM pg_listening_channels())
        + ${ADVISORY_LOCK_COUNT}`),
    ).toEqual([['4MB', 't', null, null, '0']]);
  });

  it('a client that finds no link free waits for one to leave', async () => {
    const timeouts = { waitTimeoutMs: 2_000 };
    const gateway = await stage.start({ links: 1, poolMode: 'session', timeouts });
    const client = await gateway.connect();
    await client.rows('SELECT 1');
    const [waiting, late] = [await gateway.connect(), await gateway.connect()].map((one) => {
      one.send(...unnamed('SELECT 2'), sync());
      return one;
    });
    await nap(100);
    await client.end();
    expect(rowsOf((await waiting?.readReady()) ?? [])).toEqual([['2']]);
    expect(errorsOf((await late?.readToEnd()) ?? [])).toEqual(['58000']);
  });
});
