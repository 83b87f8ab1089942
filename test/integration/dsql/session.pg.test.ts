/** What a client may do in a session: statements by both protocols, blocks, settings. */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestEndpoint, told } from '../../support/dsql-endpoint.ts';

let test: TestEndpoint;
let one: pg.Client;
let other: pg.Client;

beforeAll(async () => {
  test = await TestEndpoint.start();
  one = await test.connect();
  await one.query('CREATE TABLE t (id int PRIMARY KEY, v int)');
});

afterAll(async () => {
  await test?.stop();
});

beforeEach(async () => {
  one = await test.connect();
  other = await test.connect();
  await one.query('DELETE FROM t');
  await one.query('INSERT INTO t SELECT n, 0 FROM generate_series(1, 10) AS n');
});

const values = async (client: pg.Client) =>
  (await client.query('SELECT v FROM t ORDER BY id')).rows.map(({ v }) => v);

describe('a simple query', () => {
  // dsql §1.14
  it('may hold several statements, which are one transaction', async () => {
    const results = await one.query(
      'UPDATE t SET v = 1 WHERE id = 1; SELECT v FROM t WHERE id = 1',
    );
    expect(results).toMatchObject([{ rowCount: 1 }, { rows: [{ v: 1 }] }]);
    expect(await told(one.query('UPDATE t SET v = 2 WHERE id = 1; SELECT 1/0'))).toMatchObject({
      code: '22012',
    });
    expect((await values(other))[0]).toBe(1);
  });

  it('may be empty', async () => {
    expect(await one.query('')).toMatchObject({ rows: [], command: null });
    expect(await one.query(' -- nothing\n')).toMatchObject({ rows: [] });
  });

  // dsql §5.48
  it('goes on to a refused statement, and undoes what stands before it', async () => {
    const answer = await told(one.query('UPDATE t SET v = 3; TRUNCATE t'));
    expect(answer).toMatchObject({ code: '0A000', message: 'unsupported statement: Truncate' });
    expect((await values(other))[0]).toBe(0);
  });

  it('tells a syntax error in the words of PostgreSQL', async () => {
    expect(await told(one.query('SELEC 1'))).toMatchObject({
      code: '42601',
      message: 'syntax error at or near "SELEC"',
    });
  });
});

describe('the extended protocol', () => {
  // dsql §1.14
  it('binds parameters of all kinds, and returns them', async () => {
    const { rows } = await one.query('SELECT $1::int AS i, $2::text AS t, $3::jsonb AS j', [
      7,
      'naïve',
      { a: [1] },
    ]);
    expect(rows).toEqual([{ i: 7, t: 'naïve', j: { a: [1] } }]);
  });

  // dsql §1.14
  it('keeps named statements for the whole session', async () => {
    const query = { name: 'by-id', text: 'SELECT v FROM t WHERE id = $1' };
    for (const id of [1, 2, 3]) {
      expect((await one.query({ ...query, values: [id] })).rows).toEqual([{ v: 0 }]);
    }
  });

  it('returns what it did when a statement was prepared, or says that it cannot', async () => {
    await other.query('CREATE TABLE wide (id int PRIMARY KEY)');
    const query = { name: 'all-of-it', text: 'SELECT * FROM wide' };
    expect((await one.query(query)).fields).toHaveLength(1);
    await other.query('CREATE TABLE beside (id int PRIMARY KEY)');
    expect((await one.query(query)).fields).toHaveLength(1);
    await other.query('ALTER TABLE wide ADD COLUMN more text');
    expect(await told(one.query(query))).toMatchObject({
      code: '0A000',
      message: 'cached plan must not change result type',
    });
    expect((await one.query('SELECT * FROM wide')).fields).toHaveLength(2);
  });

  it('takes one statement at a time', async () => {
    expect(await told(one.query('SELECT $1::int; SELECT 2', [1]))).toMatchObject({
      code: '42601',
      message: 'cannot insert multiple commands into a prepared statement',
    });
  });

  // dsql §7.9
  it('hands rows out in parts', async () => {
    const { host, port, user, database, password, ssl } = await test.config();
    const sql = postgres({ host, port, user, database, password, ssl, max: 1 } as object);
    const parts: number[][] = [];
    for await (const rows of sql`SELECT id FROM t ORDER BY id`.cursor(4)) {
      parts.push(rows.map(({ id }) => id));
    }
    expect(parts).toEqual([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
      [9, 10],
    ]);
    await sql.end();
  });

  it('tells what is wrong with a statement, and works on', async () => {
    expect(await told(one.query('SELECT nothing FROM t WHERE id = $1', [1]))).toMatchObject({
      code: '42703',
    });
    expect(await told(one.query('SELECT $1::int', ['x']))).toMatchObject({ code: '22P02' });
    expect(await values(one)).toHaveLength(10);
  });

  it('returns a result of any size, also to a client that is slow', async () => {
    const { rows } = await one.query(
      "SELECT n, repeat('x', 1000) AS x FROM generate_series(1, 20000) AS n",
    );
    expect(rows).toHaveLength(20_000);
    expect(rows.at(-1).n).toBe(20_000);
  });
});

describe('a transaction block', () => {
  // dsql §6.15
  it('is aborted by an error, and ends with ROLLBACK', async () => {
    await one.query('BEGIN');
    await one.query('UPDATE t SET v = 5');
    expect(await told(one.query('SELECT 1/0'))).toMatchObject({ code: '22012' });
    const aborted = {
      code: '25P02',
      message: 'current transaction is aborted, commands ignored until end of transaction block',
    };
    expect(await told(one.query('SELECT 1'))).toMatchObject(aborted);
    expect(await told(one.query('TRUNCATE t'))).toMatchObject(aborted);
    expect(await told(one.query('SELECT $1::int', [1]))).toMatchObject(aborted);
    expect((await one.query('COMMIT')).command).toBe('ROLLBACK');
    expect((await values(one))[0]).toBe(0);
  });

  // dsql §6.15, §5.30
  it('is aborted by a refused statement as well', async () => {
    await one.query('BEGIN');
    expect(await told(one.query('SAVEPOINT a'))).toMatchObject({
      code: '0A000',
      message: 'unsupported transaction statement: SAVEPOINT',
    });
    expect(await told(one.query('SELECT 1'))).toMatchObject({ code: '25P02' });
    await one.query('ROLLBACK');
  });

  // dsql §6.1
  it('has the snapshot of its beginning', async () => {
    await one.query('BEGIN');
    await other.query('UPDATE t SET v = 9 WHERE id = 1');
    expect((await values(one))[0]).toBe(0);
    await one.query('COMMIT');
    expect((await values(one))[0]).toBe(9);
  });

  it('warns of a second BEGIN, and of a COMMIT without one', async () => {
    const notices: (string | undefined)[] = [];
    one.on('notice', ({ code }) => notices.push(code));
    await one.query('BEGIN');
    await one.query('BEGIN');
    await one.query('COMMIT');
    await one.query('COMMIT');
    await one.query('ROLLBACK');
    expect(notices).toEqual(['25001', '25P01', '25P01']);
  });

  // dsql §5.61
  it('may be READ ONLY, and then writes nothing', async () => {
    await one.query('BEGIN READ ONLY');
    expect(await told(one.query('UPDATE t SET v = 1'))).toMatchObject({ code: '25006' });
    await one.query('ROLLBACK');
  });

  // dsql §5.43, §5.61
  it('knows no level but repeatable read', async () => {
    expect(await told(one.query('BEGIN ISOLATION LEVEL SERIALIZABLE'))).toMatchObject({
      code: '0A000',
      message: 'Unsupported isolation level: SERIALIZABLE',
    });
    await one.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    expect((await one.query('SHOW transaction_isolation')).rows).toEqual([
      { transaction_isolation: 'repeatable read' },
    ]);
    await one.query('COMMIT');
  });

  // dsql §6.9, §6.10
  it('holds one change of the schema, and nothing written beside it', async () => {
    const mixed = 'ddl and dml are not supported in the same transaction';
    await one.query('BEGIN');
    await one.query('CREATE TABLE a (id int PRIMARY KEY)');
    expect(await told(one.query('CREATE TABLE b (id int PRIMARY KEY)'))).toMatchObject({
      code: '0A000',
      message: 'multiple ddl statements not supported in a transaction',
    });
    await one.query('ROLLBACK');
    await one.query('BEGIN');
    await one.query('CREATE TABLE a (id int PRIMARY KEY)');
    expect(await told(one.query('INSERT INTO t VALUES (11, 1)'))).toMatchObject({
      code: '0A000',
      message: mixed,
    });
    await one.query('ROLLBACK');
    await one.query('BEGIN');
    await one.query('INSERT INTO t VALUES (11, 1)');
    expect(await told(one.query('CREATE TABLE a (id int PRIMARY KEY)'))).toMatchObject({
      code: '0A000',
      message: mixed,
    });
    await one.query('ROLLBACK');
    expect(await told(one.query('SELECT 1 FROM a'))).toMatchObject({ code: '42P01' });
  });

  // dsql §6.7
  it('hears of a schema that others have changed', async () => {
    const changed = {
      code: '40001',
      message: 'schema has been updated by another transaction (OC001)',
    };
    await one.query('BEGIN');
    await one.query('SELECT v FROM t');
    await other.query('CREATE TABLE c1 (id int PRIMARY KEY)');
    expect(await told(one.query('SELECT v FROM t'))).toMatchObject(changed);
    await one.query('ROLLBACK');
    expect(await values(one)).toHaveLength(10);
    await one.query('BEGIN');
    await one.query('UPDATE t SET v = 1 WHERE id = 1');
    await one.query('SELECT v FROM t');
    await other.query('CREATE TABLE c2 (id int PRIMARY KEY)');
    expect(await told(one.query('COMMIT'))).toMatchObject(changed);
    expect((await values(one))[0]).toBe(0);
  });

  // dsql §6.7, §8.4
  it('does not keep a change of the schema waiting while its client thinks', async () => {
    await one.query('BEGIN');
    await one.query('SELECT v FROM t');
    const changing = other.query('ALTER TABLE t ADD COLUMN more int');
    expect((await Promise.race([changing, sleep(5_000, null)]))?.command).toBe('ALTER');
    expect(await told(one.query('SELECT v FROM t'))).toMatchObject({ code: '40001' });
    await one.query('ROLLBACK');
    await other.query('ALTER TABLE t DROP COLUMN more');
  });

  it('is undone when its client goes away', async () => {
    await other.query('BEGIN');
    await other.query('UPDATE t SET v = 7 WHERE id = 1');
    await other.end();
    await one.query('UPDATE t SET v = v + 1 WHERE id = 1');
    expect((await values(one))[0]).toBe(1);
  });

  // dsql §6.11
  it('takes 3,000 rows and no more', async () => {
    const insert = (count: number) =>
      one.query('INSERT INTO t SELECT n, 0 FROM generate_series(100, $1::int) AS n', [99 + count]);
    expect((await insert(3_000)).rowCount).toBe(3_000);
    await one.query('DELETE FROM t WHERE id >= 100');
    expect(await told(insert(3_001))).toMatchObject({
      code: '54000',
      message: 'transaction row limit exceeded',
    });
  });
});

describe('settings', () => {
  it('follow their transaction', async () => {
    const zone = async () => (await one.query('SHOW timezone')).rows[0].TimeZone;
    await one.query("SET timezone = 'Asia/Tokyo'");
    expect(await zone()).toBe('Asia/Tokyo');
    await one.query('BEGIN');
    await one.query("SET timezone = 'Europe/Paris'");
    expect(await zone()).toBe('Europe/Paris');
    await one.query('ROLLBACK');
    expect(await zone()).toBe('Asia/Tokyo');
    await one.query('BEGIN');
    await one.query("SET LOCAL timezone = 'Europe/Paris'");
    await one.query('COMMIT');
    expect(await zone()).toBe('Asia/Tokyo');
    await one.query('RESET ALL');
    expect(await zone()).toBe('UTC');
  });

  it('are those of one client only', async () => {
    await one.query("SET timezone = 'Asia/Tokyo'");
    expect((await other.query('SHOW timezone')).rows).toEqual([{ TimeZone: 'UTC' }]);
  });

  it('hold though the transaction gave way to another one meanwhile', async () => {
    await one.query('CREATE SCHEMA IF NOT EXISTS s');
    await one.query('BEGIN');
    await one.query('SET search_path = s, public');
    await one.query('UPDATE t SET v = 1 WHERE id = 1');
    await other.query('UPDATE t SET v = 2 WHERE id = 1');
    expect((await one.query('SELECT current_schema() AS s')).rows).toEqual([{ s: 's' }]);
    await one.query('ROLLBACK');
  });

  it('have one encoding, so that no literal ends elsewhere than for the judge', async () => {
    // In SJIS the second byte of this letter and the backslash are one character.
    const hidden = "SELECT E'\u00c3\\', pg_backend_pid() --'";
    expect(await told(one.query("SET client_encoding = 'SJIS'"))).toMatchObject({ code: '22023' });
    expect((await one.query(hidden)).rows).toEqual([
      { '?column?': "\u00c3', pg_backend_pid() --" },
    ]);
  });

  // dsql §1.26, §1.28
  it.each(['work_mem', 'statement_timeout', 'lock_timeout', 'row_security', 'my.own'])(
    'do not have %s',
    async (name) => {
      expect(await told(one.query(`SET ${name} = 1`))).toMatchObject({
        code: '0A000',
        message: `setting configuration parameter "${name}" not supported`,
      });
    },
  );

  // dsql §1.23, §1.29
  it('take those that only Aurora DSQL has, and RESET ALL', async () => {
    await one.query('SET disable_sync_create_index = off');
    await one.query('SET dsql.enable_batched_nestloop = on');
    await one.query('RESET ALL');
  });

  // dsql §1.25
  it('take on another role for a transaction', async () => {
    await one.query('CREATE ROLE reporter');
    await one.query('GRANT reporter TO admin');
    await one.query('BEGIN');
    await one.query('SET LOCAL ROLE reporter');
    expect((await one.query('SELECT current_user')).rows).toEqual([{ current_user: 'reporter' }]);
    await one.query('COMMIT');
    expect((await one.query('SELECT current_user')).rows).toEqual([{ current_user: 'admin' }]);
    expect(await told(one.query('SET ROLE reporter'))).toMatchObject({ code: '0A000' });
  });
});

describe('sequences', () => {
  it.each(['lastval()', "currval('drawn')"])(
    'tell no client by %s what another one has drawn',
    async (call) => {
      await one.query('CREATE SEQUENCE IF NOT EXISTS drawn CACHE 1');
      const { rows } = await one.query("SELECT nextval('drawn') AS n");
      expect((await one.query(`SELECT ${call} AS n`)).rows).toEqual(rows);
      expect(await told(other.query(`SELECT ${call}`))).toMatchObject({ code: '55000' });
    },
  );
});

describe('statements prepared by SQL', () => {
  // dsql §1.31, §5.48
  it('are there in every transaction until they are deallocated', async () => {
    await one.query('PREPARE p (int) AS SELECT v FROM t WHERE id = $1');
    expect((await one.query('EXECUTE p (1)')).rows).toEqual([{ v: 0 }]);
    await one.query('PREPARE w (int) AS UPDATE t SET v = v + 1 WHERE id = $1');
    await one.query('BEGIN');
    expect((await one.query('EXECUTE w (1)')).rowCount).toBe(1);
    await one.query('COMMIT');
    expect((await one.query('EXECUTE p (1)')).rows).toEqual([{ v: 1 }]);
    await one.query('DEALLOCATE p');
    expect(await told(one.query('EXECUTE p (1)'))).toMatchObject({ code: '26000' });
    await one.query('DEALLOCATE ALL');
    expect(await told(one.query('EXECUTE w (1)'))).toMatchObject({ code: '26000' });
    expect(await told(one.query('PREPARE x AS TRUNCATE t'))).toMatchObject({ code: '42601' });
  });
});
