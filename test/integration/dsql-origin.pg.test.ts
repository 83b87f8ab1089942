/** Aurora DSQL as an origin: the gateway before a stand-in that refuses what DSQL refuses. */
import pg from 'pg';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { extended, simple, statusOf, warm } from '../support/cached.ts';
import { DSQL_KEY_ID, DSQL_SECRET, type DsqlStage, dsqlStage } from '../support/dsql-stage.ts';
import { errorText, type Reply, rowsOf, type WireClient } from '../support/wire.ts';

let stage: DsqlStage;
const clients: WireClient[] = [];

const connect = async (settings: Record<string, string> = {}): Promise<WireClient> => {
  const client = await stage.gateway.connect(settings);
  clients.push(client);
  return client;
};

const errorsOf = (replies: readonly Reply[]): string[] =>
  replies.filter(({ code }) => code === 'E').map(({ body }) => errorText(body));

const one = async (client: WireClient, sql: string): Promise<string | null | undefined> =>
  rowsOf(await client.ask(sql))[0]?.[0];

beforeAll(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', DSQL_KEY_ID);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', DSQL_SECRET);
  stage = await dsqlStage({ links: 4, caching: { mode: 'write-through' } });
  await stage.sql(`CREATE TABLE item (id int PRIMARY KEY, name text, at timestamptz DEFAULT now());
    INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 20) n;
    CREATE VIEW seen AS SELECT id FROM item;
    CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql AS 'SELECT 2 * x';
    CREATE TABLE stock (id int PRIMARY KEY, n int); INSERT INTO stock VALUES (1, 10)`);
});

beforeEach(() => {
  stage.dsql.refused.length = 0;
});

afterEach(() => {
  for (const client of clients.splice(0)) client.vanish();
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await stage.stop();
});

/** Texts that DSQL refused although no client has sent them. */
const refusedOfGateway = (own: readonly string[] = []): string[] =>
  stage.dsql.refused.filter((text) => !own.includes(text));

describe('with an origin of Aurora DSQL', () => {
  it('clients of one link have their own settings, and nothing is sent that DSQL refuses', async () => {
    const first = await connect({ TimeZone: 'Europe/Berlin', application_name: 'one' });
    const second = await connect({ DateStyle: 'SQL, DMY' });
    await first.ask('SET search_path TO pg_catalog, public');
    for (let round = 0; round < 3; round++) {
      expect(await one(first, 'SHOW TimeZone')).toBe('Europe/Berlin');
      expect(await one(second, 'SHOW TimeZone')).not.toBe('Europe/Berlin');
      expect(await one(second, 'SHOW DateStyle')).toBe('SQL, DMY');
      expect(await one(first, 'SHOW search_path')).toBe('pg_catalog, public');
      expect(await one(second, 'SHOW search_path')).toBe('"$user", public');
    }
    await first.ask('RESET TimeZone');
    expect(await one(first, 'SHOW TimeZone')).toBe('Europe/Berlin');
    expect(refusedOfGateway()).toEqual([]);
  });

  it('a setting that DSQL refuses has its error, at startup a fatal one', async () => {
    await expect(connect({ statement_timeout: '5s' })).rejects.toMatchObject({
      cause: { S: 'FATAL', C: '0A000' },
    });
    const client = await connect();
    for (const name of ['work_mem', 'lock_timeout', 'app.tenant', 'statement_timeout']) {
      expect(errorsOf(await client.ask(`SET ${name} = 1`))).toEqual([
        `0A000 setting configuration parameter "${name}" not supported`,
      ]);
    }
    expect(await one(client, 'SELECT 1')).toBe('1');
  });

  it('what a client leaves behind is cleaned without DISCARD', async () => {
    const leaving = await connect();
    await leaving.ask('BEGIN');
    await leaving.ask("SET search_path = 'nowhere'");
    leaving.vanish();
    const texts = (): boolean => stage.dsql.texts.includes('DEALLOCATE ALL');
    await vi.waitFor(() => expect(texts()).toBe(true), { timeout: 10_000 });
    const client = await connect();
    expect(await one(client, 'SHOW search_path')).toBe('"$user", public');
    expect(stage.dsql.texts.some((text) => /discard/i.test(text))).toBe(false);
    expect(refusedOfGateway()).toEqual([]);
  });

  it('pools, and shares links among short reads in both protocols', async () => {
    const readers = await Promise.all(Array.from({ length: 12 }, () => connect()));
    const loginsBefore = stage.dsql.logins;
    const sharedOf = async (): Promise<number> => {
      const [reader] = readers as [WireClient];
      const rows = rowsOf(await reader.ask('SHOW millrace.sharing'));
      return Number(rows.find(([name]) => name === 'shared')?.[1]);
    };
    const read = async (reader: WireClient, n: number): Promise<void> => {
      reader.send(extended(`/* millrace: no-cache */ SELECT name FROM item WHERE id = ${n}`));
      expect(rowsOf(await reader.readReady())).toEqual([[`item ${n}`]]);
      const text = `/* millrace: no-cache */ SELECT name FROM item WHERE id = ${n + 1}`;
      expect(rowsOf(await reader.ask(text))).toEqual([[`item ${n + 1}`]]);
    };
    await vi.waitFor(
      async () => {
        await Promise.all(readers.map((reader, n) => read(reader, n + 1)));
        expect(await sharedOf()).toBeGreaterThan(20);
      },
      { timeout: 10_000 },
    );
    expect(stage.dsql.logins - loginsBefore).toBeLessThanOrEqual(4);
    expect(refusedOfGateway()).toEqual([]);
  });

  it('prepared statements follow their client from link to link', async () => {
    const [first, second] = [await connect(), await connect()];
    await first.ask('PREPARE find (int) AS SELECT name FROM item WHERE id = $1');
    await second.ask('BEGIN');
    for (let n = 1; n < 9; n++) {
      expect(await one(first, `EXECUTE find (${n})`)).toBe(`item ${n}`);
    }
    await second.ask('COMMIT');
    expect(errorsOf(await second.ask('EXECUTE find (1)'))[0]).toContain('26000');
    await first.ask('DEALLOCATE find');
    expect(refusedOfGateway()).toEqual([]);
  });

  it('keeps a link with its client when only the server knows what was prepared', async () => {
    const [first, second] = [await connect(), await connect()];
    await first.ask('PREPARE a AS SELECT 1; PREPARE b AS SELECT 2');
    const pins = rowsOf(await first.ask('SHOW millrace.pins')).flat();
    expect(pins).toContain('PREPARE');
    expect(await one(first, 'EXECUTE b')).toBe('2');
    for (let round = 0; round < 5; round++) {
      expect(errorsOf(await second.ask('EXECUTE b'))[0]).toContain('26000');
    }
  });

  it.each(['', 'RESET ALL; ', 'SELECT 1; SET timezone TO UTC; '])(
    'keeps a link with its client behind %sDECLARE … WITH HOLD',
    async (before) => {
      const [first, second] = [await connect(), await connect()];
      const held = 'DECLARE held CURSOR WITH HOLD FOR SELECT name FROM item WHERE id = 3';
      expect(errorsOf(await first.ask(`${before}${held}`))).toEqual([]);
      const pins = rowsOf(await first.ask('SHOW millrace.pins')).flat();
      expect(pins).toContain('cursor WITH HOLD');
      for (let round = 0; round < 5; round++) {
        expect(errorsOf(await second.ask('FETCH held'))[0]).toContain('34000');
      }
      expect(await one(first, 'FETCH held')).toBe('item 3');
    },
  );

  it('caches plain reads, and clients see what others write at once', async () => {
    const [reader, writer] = [await connect(), await connect()];
    const text = 'SELECT name, at FROM item WHERE id = 7 ORDER BY name LIMIT 5';
    expect(rowsOf(await warm(reader, simple(text)))[0]?.[0]).toBe('item 7');
    await writer.ask("UPDATE item SET name = 'renamed' WHERE id = 7");
    expect(await one(reader, text)).toBe('renamed');
    expect(rowsOf(await warm(writer, simple(text)))[0]?.[0]).toBe('renamed');
    await warm(reader, extended('SELECT count(*) FROM item JOIN stock USING (id)'));
    for (const involved of ['SELECT * FROM seen', 'SELECT twice(id) FROM item WHERE id = 1']) {
      for (let round = 0; round < 3; round++) await reader.ask(involved);
      expect([involved, await statusOf(reader)]).toEqual([involved, 'uncacheable']);
    }
    expect(refusedOfGateway()).toEqual([]);
  });

  it('forgets answers by the name of their table when it is asked to', async () => {
    const reader = await connect();
    await warm(reader, simple('SELECT name FROM item WHERE id = 9'));
    const target = { kind: 'table', table: 'item' } as const;
    const outcome = await stage.gateway.gateway.purge('app', target);
    expect(outcome).toMatchObject({ problem: null });
    expect(outcome.answers).toBeGreaterThan(0);
    expect(refusedOfGateway()).toEqual([]);
  });

  it('a COMMIT that meets a conflict passes its error on, and nothing is kept of its writes', async () => {
    const [reader, writer] = [await connect(), await connect()];
    const text = 'SELECT n FROM stock WHERE id = 1';
    expect(rowsOf(await warm(reader, simple(text)))).toEqual([['10']]);
    await writer.ask('BEGIN');
    await writer.ask('UPDATE stock SET n = 99 WHERE id = 1');
    expect(await one(writer, text)).toBe('99');
    stage.dsql.conflicts = 1;
    expect(errorsOf(await writer.ask('COMMIT'))).toEqual([
      '40001 change conflicts with another transaction (OC000)',
    ]);
    expect(await one(reader, text)).toBe('10');
    expect(rowsOf(await warm(reader, simple(text)))).toEqual([['10']]);
    await writer.ask('BEGIN');
    await writer.ask('UPDATE stock SET n = 11 WHERE id = 1');
    expect(errorsOf(await writer.ask('COMMIT'))).toEqual([]);
    expect(await one(reader, text)).toBe('11');
  });

  it('a statement that meets a change of the schema passes its error on', async () => {
    const client = await connect();
    await client.ask('BEGIN');
    stage.dsql.schemaChanges = 1;
    const errors: string[] = [];
    for (let round = 0; errors.length === 0 && round < 5; round++) {
      errors.push(...errorsOf(await client.ask('SELECT 1')));
      if (stage.dsql.schemaChanges === 0 && errors.length === 0) stage.dsql.schemaChanges = 1;
    }
    expect(errors).toEqual(['40001 schema has been updated by another transaction (OC001)']);
    expect(errorsOf(await client.ask('SELECT 1'))[0]).toContain('25P02');
    await client.ask('ROLLBACK');
    expect(await one(client, 'SELECT 1')).toBe('1');
  });

  it('what DSQL refuses leaves no trace: LISTEN, temporary tables, savepoints, locks', async () => {
    const client = await connect();
    const own = [
      'LISTEN news',
      'CREATE TEMP TABLE t (id int)',
      'SELECT pg_advisory_lock(1)',
      'TRUNCATE item',
      'DISCARD ALL',
    ];
    for (const text of own) expect(errorsOf(await client.ask(text))[0]).toContain('0A000');
    await client.ask('BEGIN');
    expect(errorsOf(await client.ask('SAVEPOINT s'))[0]).toContain('SAVEPOINT');
    await client.ask('ROLLBACK');
    expect(rowsOf(await client.ask('SHOW millrace.pins'))).toEqual([]);
    expect(refusedOfGateway([...own, 'SAVEPOINT s'])).toEqual([]);
  });

  it('a cancel request of a client goes nowhere, and nothing is cancelled', async () => {
    const client = await connect();
    client.send(simple('SELECT pg_sleep(0.5), 7'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await client.cancel();
    expect(rowsOf(await client.readReady())[0]?.[1]).toBe('7');
    expect(stage.dsql.cancels).toBe(0);
    expect(await one(client, 'SELECT 1')).toBe('1');
  });

  it('a client whose session ends after an hour is told, and others go on', async () => {
    const [busy, idle] = [await connect(), await connect()];
    await busy.ask('BEGIN');
    stage.dsql.advance(3_600_000);
    await expect(busy.ask('SELECT 1')).rejects.toThrow();
    expect(await one(idle, 'SELECT 1')).toBe('1');
  });

  it.each(['pg', 'postgres.js'])('the driver %s works', async (driver) => {
    const { host, port, user, password, database } = stage.gateway.target;
    if (driver === 'pg') {
      const pool = new pg.Pool({ host, port, user, password, database, max: 4 });
      const ids = await Promise.all(
        [1, 2, 3, 4, 5].map(async (id) => {
          const { rows } = await pool.query('SELECT id FROM item WHERE id = $1', [id]);
          return rows[0]?.id;
        }),
      );
      expect(ids).toEqual([1, 2, 3, 4, 5]);
      const client = await pool.connect();
      await client.query('BEGIN');
      await client.query({
        name: 'up',
        text: 'UPDATE item SET name = $1 WHERE id = 2',
        values: ['x'],
      });
      stage.dsql.conflicts = 1;
      await expect(client.query('COMMIT')).rejects.toMatchObject({ code: '40001' });
      client.release();
      await pool.end();
    } else {
      const sql = postgres({ host, port, user, password, database, max: 4 });
      const ids = await Promise.all(
        [1, 2, 3].map((id) => sql`SELECT id FROM item WHERE id = ${id}`),
      );
      expect(ids.map(([row]) => row?.['id'])).toEqual([1, 2, 3]);
      await sql.begin(async (tx) => {
        await tx`UPDATE item SET name = 'y' WHERE id = 3`;
      });
      const names = await sql`SELECT name FROM item WHERE id = ANY (${[2, 3]}) ORDER BY id`;
      expect(names.map(({ name }) => name)).toEqual(['item 2', 'y']);
      await sql.end();
    }
    expect(refusedOfGateway()).toEqual([]);
  });
});
