/** Kinds of statements and tables, of transactions that are parked, or go on in copies. */
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  bound,
  type CourtClient,
  simple,
  TestCourt,
  TextRows,
  told,
} from '../../support/dsql-court.ts';
import { lose, park } from '../../support/dsql-rivals.ts';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';

const TABLES = `DROP SCHEMA IF EXISTS other CASCADE;
  DROP TABLE IF EXISTS s, t, g, "Odd ""Name", child, parent, late, u CASCADE;
  CREATE TABLE s(id int PRIMARY KEY, v int);
  INSERT INTO s VALUES (1, 0), (2, 0);
  CREATE TABLE t(id int PRIMARY KEY, v int, w text UNIQUE);
  INSERT INTO t SELECT n, 0, 'w' || n FROM generate_series(1, 5) n;
  CREATE TABLE g(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int,
    twice int GENERATED ALWAYS AS (v * 2) STORED, at timestamptz DEFAULT clock_timestamp(),
    note text DEFAULT 'a "quoted", \\ (odd) one', list int[], doc jsonb, raw bytea);
  CREATE TABLE "Odd ""Name"("Key" int PRIMARY KEY, "select" text);
  INSERT INTO "Odd ""Name" VALUES (1, 'one');
  CREATE SCHEMA other;
  CREATE TABLE other.t(id int PRIMARY KEY, v int);
  INSERT INTO other.t VALUES (1, 100);
  CREATE TABLE parent(id int PRIMARY KEY, v int);
  INSERT INTO parent VALUES (1, 0), (2, 0);
  CREATE TABLE child(id int PRIMARY KEY,
    pid int REFERENCES parent(id) ON DELETE CASCADE ON UPDATE CASCADE);
  INSERT INTO child VALUES (10, 1), (20, 2);
  CREATE TABLE late(id int PRIMARY KEY,
    pid int REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED);
  CREATE TABLE u(id uuid PRIMARY KEY DEFAULT gen_random_uuid(), v int)`;

let database: TestDatabase;
let superuser: pg.Client;
let court: TestCourt;

beforeAll(async () => {
  database = await createDatabase();
  superuser = new pg.Client({ connectionString: database.url });
  await superuser.connect();
  await superuser.query('SET client_min_messages = error');
});

beforeEach(async () => {
  await superuser.query(TABLES);
  court = new TestCourt(database.url);
});

afterEach(() => court.close());

afterAll(async () => {
  await superuser.end();
  await database.drop();
});

/** Rows as JSON. */
async function rowsOf(query: string): Promise<string> {
  const { rows } = await superuser.query({ text: query, rowMode: 'array' });
  return JSON.stringify(rows);
}

const parkOf = (client: CourtClient): Promise<void> => park(court, client);
const defeat = (client: CourtClient): Promise<void> => lose(court, client);

describe('a parked transaction', () => {
  it('gives the same defaults, generated and odd values again', async () => {
    const client = await court.begin();
    const columns = `v, list, doc, raw`;
    const values = `(7, '{1,NULL,3}', '{"a": [null, "x"]}', '\\x00ff'), (8, NULL, 'null', NULL)`;
    const inserted = await client.run(
      `INSERT INTO g (${columns}) VALUES ${values} RETURNING id, at, note; -- thanks`,
    );
    await parkOf(client);
    const again = await client.run('SELECT id, at, note FROM g ORDER BY id');
    expect(again).toBe(inserted.replace('INSERT 0 2', 'SELECT 2'));
    const whole = await client.run('SELECT g.*, doc IS NULL FROM g ORDER BY id');
    expect(await client.commit()).toBe('COMMIT');
    const { rows } = await superuser.query({
      text: 'SELECT twice, list::text, doc::text, raw::text FROM g ORDER BY id',
      rowMode: 'array',
    });
    expect(rows).toEqual([
      [14, '{1,NULL,3}', '{"a": [null, "x"]}', '\\x00ff'],
      [16, null, 'null', null],
    ]);
    expect(whole).toContain('"{1,NULL,3}"');
  });

  it('keeps a random key that it told', async () => {
    const client = await court.begin();
    const [, id] = /"([0-9a-f-]{36})"/.exec(
      await client.run('INSERT INTO u (v) VALUES (1) RETURNING id'),
    ) as RegExpExecArray;
    await parkOf(client);
    expect(await client.run(`UPDATE u SET v = 2 WHERE id = '${id}'`)).toBe('UPDATE 1');
    expect(await client.commit()).toBe('COMMIT');
    expect(await rowsOf('SELECT id, v FROM u')).toBe(JSON.stringify([[id, 2]]));
  });

  it('has names in quotes, and tables of other schemas', async () => {
    const client = await court.begin();
    await client.run(`INSERT INTO "Odd ""Name" VALUES (2, 'two')`);
    await client.run('INSERT INTO other.t VALUES (2, 200) RETURNING v');
    await client.run('UPDATE public.t SET v = 3 WHERE id = 3');
    await parkOf(client);
    expect(await client.run('SELECT "select" FROM "Odd ""Name" ORDER BY 1')).toBe(
      'SELECT 2 [["one"],["two"]]',
    );
    expect(await client.commit()).toBe('COMMIT');
    expect(await rowsOf('SELECT v FROM other.t ORDER BY id')).toBe('[[100],[200]]');
    expect(await rowsOf('SELECT v FROM t WHERE id = 3')).toBe('[[3]]');
  });

  it('has its settings where they were among its writes', async () => {
    const client = await court.begin();
    await client.run('UPDATE t SET v = 1 WHERE id = 1');
    expect(await client.run('SET LOCAL search_path = other, public')).toBe('SET');
    await client.run('UPDATE t SET v = 101 WHERE id = 1');
    await parkOf(client);
    expect(await client.run('SELECT v FROM t WHERE id = 1')).toBe('SELECT 1 [["101"]]');
    expect(await client.commit()).toBe('COMMIT');
    expect(await rowsOf('SELECT v FROM public.t WHERE id = 1')).toBe('[[1]]');
    expect(await rowsOf('SELECT v FROM other.t')).toBe('[[101]]');
  });

  it('inserts under an alias, where the table cannot be named in RETURNING', async () => {
    const client = await court.begin();
    await client.run('UPDATE t SET v = 1 WHERE id = 2');
    expect(await client.run('INSERT INTO t AS x VALUES (9, 1) RETURNING x.id')).toBe(
      'INSERT 0 1 [["9"]]',
    );
    await parkOf(client);
    expect(await client.commit()).toBe('COMMIT');
    expect(await rowsOf('SELECT v FROM t WHERE id IN (2, 9)')).toBe('[[1],[1]]');
  });

  it('changes the catalogue again', async () => {
    const client = await court.begin();
    expect(await client.run('CREATE TABLE made (id int PRIMARY KEY)')).toBe('CREATE TABLE');
    const other = await court.begin();
    // Both want one name in one catalogue.
    expect(await other.run('CREATE TABLE made (id int PRIMARY KEY)')).toBe('CREATE TABLE');
    await other.rollback();
    expect(await client.commit()).toBe('COMMIT');
    expect(await rowsOf('SELECT count(*)::int FROM made')).toBe('[[0]]');
    await superuser.query('DROP TABLE made');
  });

  it('gives way to one that alters what it has read', async () => {
    const reader = await court.begin();
    expect(await reader.run('SELECT v FROM s WHERE id = 1')).toBe('SELECT 1 [["0"]]');
    const other = await court.begin();
    expect(await other.run('ALTER TABLE s ADD COLUMN more int')).toBe('ALTER TABLE');
    expect(await other.commit()).toBe('COMMIT');
    expect(await reader.commit()).toBe('COMMIT');
  });

  it('has lost when it cannot do again what it told', async () => {
    const client = await court.begin();
    const random = 'UPDATE t SET v = (random() * 1000000000)::int WHERE id = 1';
    expect(await client.run(`${random} RETURNING v`)).toMatch(/^UPDATE 1 /);
    await parkOf(client);
    expect(await told(client.commit())).toBe('40001');
    expect(await rowsOf('SELECT v FROM t WHERE id = 1')).toBe('[[0]]');
  });

  it('measures a write by EXPLAIN ANALYZE again, whose times differ', async () => {
    const client = await court.begin();
    const plan = 'EXPLAIN (ANALYZE) UPDATE t SET v = v + 1 WHERE id = 4';
    expect(await client.run(plan)).toMatch(/^EXPLAIN/);
    await parkOf(client);
    expect(await client.commit()).toBe('COMMIT');
    expect(await rowsOf('SELECT v FROM t WHERE id = 4')).toBe('[[1]]');
  });
});

describe('a transaction that goes on in copies', () => {
  it('finds identities and defaults that are still free', async () => {
    await superuser.query('INSERT INTO g (v) SELECT n FROM generate_series(1, 50) n');
    const client = await court.begin();
    await defeat(client);
    expect(await client.run('INSERT INTO g (v) VALUES (1), (2) RETURNING twice')).toBe(
      'INSERT 0 2 [["2"],["4"]]',
    );
    expect(await client.run('SELECT count(*), count(DISTINCT id) FROM g')).toBe(
      'SELECT 1 [["52","52"]]',
    );
    expect(await told(client.commit())).toBe('40001');
    expect(await rowsOf('SELECT count(*)::int FROM g')).toBe('[[50]]');
  });

  it('has foreign keys act as they do', async () => {
    const client = await court.begin();
    await defeat(client);
    expect(await client.run('UPDATE parent SET id = 3 WHERE id = 1')).toBe('UPDATE 1');
    expect(await client.run('SELECT pid FROM child ORDER BY id')).toBe('SELECT 2 [["3"],["2"]]');
    expect(await client.run('DELETE FROM parent WHERE id = 3')).toBe('DELETE 1');
    expect(await client.run('SELECT id FROM child')).toBe('SELECT 1 [["20"]]');
    expect(await told(client.run('INSERT INTO child VALUES (30, 99)'))).toBe('23503');
    expect(await client.commit()).toBe('ROLLBACK');
    expect(await rowsOf('SELECT id FROM child ORDER BY id')).toBe('[[10],[20]]');
  });

  it('first looks at a table for a foreign key, then writes it', async () => {
    const client = await court.begin();
    await defeat(client);
    expect(await client.run('INSERT INTO child VALUES (30, 2)')).toBe('INSERT 0 1');
    expect(await client.run('DELETE FROM parent WHERE id = 2')).toBe('DELETE 1');
    expect(await client.run('SELECT count(*) FROM child')).toBe('SELECT 1 [["1"]]');
    expect(await told(client.commit())).toBe('40001');
  });

  it('writes in a WITH query, and counts what that writes', async () => {
    const client = await court.begin();
    await defeat(client);
    const text = `WITH gone AS (DELETE FROM t WHERE id > 3 RETURNING id),
      new AS (INSERT INTO t VALUES (7, 7) RETURNING id) SELECT count(*) FROM gone`;
    expect(await client.run(text)).toBe('SELECT 1 [["2"]]');
    expect(client.transaction.rowCount).toBe(4);
    expect(await client.run('SELECT id FROM t WHERE id > 3')).toBe('SELECT 1 [["7"]]');
    expect(await told(client.commit())).toBe('40001');
  });

  it('is told at once that it lost, when a name with a schema goes past its copy', async () => {
    const client = await court.begin();
    await client.run('UPDATE t SET v = 5 WHERE id = 5');
    await defeat(client);
    expect(await client.run('SELECT v FROM t WHERE id = 5')).toBe('SELECT 1 [["5"]]');
    expect(await told(client.run('SELECT v FROM public.t WHERE id = 5'))).toBe('40001');
    expect(await client.commit()).toBe('ROLLBACK');
  });

  it('is told at once when a write names a schema', async () => {
    const client = await court.begin();
    await defeat(client);
    await expect(client.run('UPDATE public.t SET v = 5')).rejects.toMatchObject({
      sqlstate: '40001',
      message: 'change conflicts with another transaction (OC000)',
      detail: expect.stringContaining('with its schema'),
    });
  });

  it('has copies in its snapshot, not of now', async () => {
    const client = await court.begin();
    await client.run('SELECT 1');
    const other = await court.begin();
    await other.run('UPDATE t SET v = 9');
    await other.commit();
    await defeat(client);
    expect(await client.run('UPDATE t SET v = v + 1 WHERE id = 1 RETURNING v')).toBe(
      'UPDATE 1 [["1"]]',
    );
    expect(await client.run('SELECT sum(v) FROM t')).toBe('SELECT 1 [["1"]]');
    expect(await told(client.commit())).toBe('40001');
  });
});

// dsql §6.22
describe('constraints at COMMIT', () => {
  it('fail with their own error', async () => {
    const client = await court.begin();
    expect(await client.run('INSERT INTO late VALUES (1, 99)')).toBe('INSERT 0 1');
    expect(await told(client.commit())).toBe('23503');
    expect(client.link.status).toBe('I');
  });

  it('fail with their own error though others have committed', async () => {
    const client = await court.begin();
    expect(await client.run('INSERT INTO late VALUES (1, 99)')).toBe('INSERT 0 1');
    const other = await court.begin();
    await other.run('UPDATE t SET v = 1 WHERE id = 1');
    await other.commit();
    expect(await told(client.commit())).toBe('23503');
  });

  it('are a conflict when what they refer to was deleted since', async () => {
    const client = await court.begin();
    expect(await client.run('INSERT INTO late VALUES (1, 2)')).toBe('INSERT 0 1');
    const other = await court.begin();
    await other.run('DELETE FROM parent WHERE id = 2');
    await other.commit();
    expect(await told(client.commit())).toBe('40001');
  });

  it('are deferred again behind a replay', async () => {
    await superuser.query('ALTER TABLE child ALTER CONSTRAINT child_pid_fkey DEFERRABLE');
    const client = await court.begin();
    expect(await client.run('SET CONSTRAINTS ALL DEFERRED')).toBe('SET CONSTRAINTS');
    expect(await client.run('INSERT INTO child VALUES (30, 50)')).toBe('INSERT 0 1');
    await parkOf(client);
    expect(await client.run('INSERT INTO parent VALUES (50, 0)')).toBe('INSERT 0 1');
    expect(await client.commit()).toBe('COMMIT');
    expect(await rowsOf('SELECT pid FROM child WHERE id = 30')).toBe('[[50]]');
  });
});

// dsql §5.60
describe('row locks', () => {
  it('of a join lock the tables that are named, and leave marks only there', async () => {
    const client = await court.begin();
    const text = 'SELECT t.v FROM t JOIN s ON s.id = t.id WHERE t.id = 1 FOR UPDATE OF t';
    expect(await client.run(text)).toBe('SELECT 1 [["0"]]');
    const [onT, onS] = [await court.begin(), await court.begin()];
    await onT.run('SELECT 1');
    await onS.run('SELECT 1');
    expect(await client.commit()).toBe('COMMIT');
    expect(await onS.run('UPDATE s SET v = 4 WHERE id = 1')).toBe('UPDATE 1');
    expect(await onS.commit()).toBe('COMMIT');
    expect(await onT.run('UPDATE t SET v = 4 WHERE id = 1')).toBe('UPDATE 1');
    expect(await told(onT.commit())).toBe('40001');
  });

  it('FOR KEY SHARE outlives its COMMIT for older snapshots, and only as long', async () => {
    const older = await court.begin();
    await older.run('SELECT 1');
    const client = await court.begin();
    await client.run('SELECT v FROM t WHERE id = 1 FOR KEY SHARE');
    expect(await client.commit()).toBe('COMMIT');
    expect(court.adjudicator.guards.count).toBe(1);
    expect(await older.run('DELETE FROM t WHERE id = 1')).toBe('DELETE 1');
    expect(await told(older.commit())).toBe('40001');
    expect(court.adjudicator.guards.count).toBe(0);
    expect(await rowsOf('SELECT count(*)::int FROM t WHERE id = 1')).toBe('[[1]]');
  });

  it('leave marks in tables whose only free column is the key', async () => {
    await superuser.query('CREATE TABLE only_key (id int PRIMARY KEY)');
    await superuser.query('INSERT INTO only_key VALUES (1)');
    const [first, second] = [await court.begin(), await court.begin()];
    const text = 'SELECT id FROM only_key FOR UPDATE';
    expect(await first.run(text)).toBe('SELECT 1 [["1"]]');
    expect(await second.run(text)).toBe('SELECT 1 [["1"]]');
    expect(await first.commit()).toBe('COMMIT');
    expect(await told(second.commit())).toBe('40001');
    await superuser.query('DROP TABLE only_key');
  });
});

describe('the extended protocol', () => {
  it('takes binary parameters and gives binary results, with the captured row taken off', async () => {
    const client = await court.begin();
    const number = Buffer.alloc(4);
    number.writeInt32BE(42);
    const insert = bound('INSERT INTO t VALUES ($1, $1) RETURNING v, id', [number], {
      isBinary: true,
      resultFormats: [1, 1],
    });
    const sink = new TextRows();
    expect(await client.transaction.execute(insert, sink)).toEqual({ tag: 'INSERT 0 1' });
    expect(sink.rows).toEqual([['\0\0\0*', '\0\0\0*']]);
    expect(sink.codes).toEqual(['D']);
    await parkOf(client);
    const select = bound('SELECT id FROM t WHERE id = $1', [number], { isBinary: true });
    expect(await client.run(select)).toBe('SELECT 1 [["42"]]');
    expect(await client.commit()).toBe('COMMIT');
  });

  it('runs again with the parameters that it had', async () => {
    const client = await court.begin();
    expect(await client.run(bound('UPDATE t SET v = $2::int WHERE id = $1', ['1', '77']))).toBe(
      'UPDATE 1',
    );
    await defeat(client);
    const text = 'SELECT v FROM t WHERE id = $1 OR w = $2';
    expect(await client.run(bound(text, ['1', null], { resultFormats: [0] }))).toBe(
      'SELECT 1 [["77"]]',
    );
    expect(await told(client.commit())).toBe('40001');
  });

  it('describes the columns of a simple Query, without the captured one', async () => {
    const client = await court.begin();
    const sink = new TextRows();
    await client.transaction.execute(simple('INSERT INTO t VALUES (8, 8) RETURNING id'), sink);
    expect(sink.codes).toEqual(['T', 'D']);
    const silent = new TextRows();
    await client.transaction.execute(simple('INSERT INTO t VALUES (9, 9)'), silent);
    expect(silent.codes).toEqual([]);
    await client.rollback();
  });
});

describe('a role', () => {
  it('that may insert but not read is served', async () => {
    const role = `writer_${database.name}`;
    const url = new URL(database.url);
    await superuser.query(`CREATE ROLE ${role} LOGIN PASSWORD 'p'; GRANT INSERT ON u TO ${role}`);
    [url.username, url.password] = [role, 'p'];
    const client = await court.begin({ url: url.href });
    expect(await client.run('INSERT INTO u (v) VALUES (3)')).toBe('INSERT 0 1');
    expect(await client.commit()).toBe('COMMIT');
    expect(await rowsOf('SELECT v FROM u')).toBe('[[3]]');
    await superuser.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });
});
