import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { psql, psqlArgs, run, runWell } from '../support/command.ts';
import { POOL_MODES, type Serve, startServe } from '../support/millrace.ts';
import { Program, plainEnvironment } from '../support/program.ts';

describe.each(POOL_MODES)('psql in %s mode', (poolMode) => {
  let database: TestDatabase;
  let serve: Serve;
  let dir: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-psql-'));
    database = await createDatabase();
    serve = await startServe({ originUrl: database.url, poolMode, links: 4 });
  });

  afterAll(async () => {
    await serve?.stop();
    await database?.drop();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  it('runs a script of everything a session does, as directly', async () => {
    const script = `
      \\set who world
      CREATE SCHEMA own; SET search_path = own, public;
      CREATE TABLE t (id int PRIMARY KEY, s text);
      INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 5) AS i;
      SELECT 'hello ' || :'who';
      PREPARE p (int) AS SELECT s FROM t WHERE id = $1;
      EXECUTE p(3);
      DEALLOCATE p;
      BEGIN; SAVEPOINT a; DELETE FROM t; ROLLBACK TO a;
      DECLARE c CURSOR FOR SELECT id FROM t ORDER BY id;
      FETCH 2 FROM c; MOVE 1 IN c; FETCH ALL FROM c; COMMIT;
      CREATE TEMP TABLE tmp AS SELECT 42 AS n;
      SELECT n FROM tmp;
      SELECT pg_advisory_lock(7); SELECT pg_advisory_unlock(7);
      SELECT current_schema();
      SELECT 1 AS one \\gset x_
      \\echo :x_one
      SELECT format('SELECT %s * 2', i) FROM generate_series(1, 3) AS i \\gexec
      SHOW search_path;
      DROP SCHEMA own CASCADE;`;
    const through = await psql(serve.url, script);
    const direct = await psql(database.url, script);
    expect(through).toBe(direct);
    expect(through.split('\n')).toEqual(
      expect.arrayContaining(['hello world', 'row 3', '42', 'own', 'own, public', 't', '6']),
    );
  });

  it('shows errors with their position, and all that verbose adds', async () => {
    const bad = ['-c', '\\set VERBOSITY verbose', '-c', 'SELECT 1,\n  nothing FROM pg_class'];
    const through = await run('psql', psqlArgs(serve.url, ...bad));
    const direct = await run('psql', psqlArgs(database.url, ...bad));
    expect(through).toEqual(direct);
    expect(through.stderr).toContain('LINE 2:   nothing FROM pg_class');
    expect(through.stderr).toContain('42703');
    const raised = "DO $$ BEGIN RAISE NOTICE 'mind'; RAISE EXCEPTION 'no' USING HINT = 'h'; END $$";
    const told = await run('psql', psqlArgs(serve.url, '-c', raised));
    expect(told).toEqual(await run('psql', psqlArgs(database.url, '-c', raised)));
    expect(told.stderr).toMatch(/NOTICE: {2}mind[\s\S]*ERROR: {2}no\nHINT: {2}h/);
  });

  it('runs a file as one transaction', async () => {
    await psql(serve.url, 'CREATE TABLE one (n int)');
    const failing = psql(serve.url, 'INSERT INTO one VALUES (1); SELECT 1/0;', '-1');
    await expect(failing).rejects.toThrow('division by zero');
    expect(await psql(serve.url, 'SELECT count(*) FROM one')).toBe('0');
    await psql(serve.url, 'INSERT INTO one VALUES (1); INSERT INTO one VALUES (2);', '-1');
    expect(await psql(serve.url, 'SELECT count(*) FROM one')).toBe('2');
  });

  it('copies in and out, by file and by pipe, and tells a bad line', async () => {
    const from = join(dir, 'in.csv');
    const to = join(dir, 'out.csv');
    const text = Array.from({ length: 100_000 }, (_, n) => `${n},"row, ${n}"\n`).join('');
    await writeFile(from, text);
    await psql(
      serve.url,
      `CREATE TABLE c (n int, s text);
      \\copy c FROM '${from}' CSV
      \\copy (SELECT n, s FROM c ORDER BY n) TO '${to}' (FORMAT csv, FORCE_QUOTE (s))`,
    );
    expect((await readFile(to, 'utf8')) === text).toBe(true);
    const piped = ['-c', 'COPY c FROM STDIN CSV', '-c', 'SELECT count(*) FROM c'];
    expect(await runWell('psql', psqlArgs(serve.url, ...piped), { input: text })).toBe('200000\n');
    const bad = ['-c', 'COPY c FROM STDIN CSV'];
    const told = await run('psql', psqlArgs(serve.url, ...bad), { input: '1,a\nx,b\n2,c\n' });
    expect(told.stderr).toContain('COPY c, line 2, column n: "x"');
    expect(await psql(serve.url, 'SELECT count(*) FROM c')).toBe('200000');
  });

  it('describes a statement without running it', async () => {
    const script = 'SELECT 1 AS n, now() AS at, NULL::numeric(5, 2) AS x \\gdesc';
    expect(await psql(serve.url, script)).toBe(
      'n|integer\nat|timestamp with time zone\nx|numeric(5,2)',
    );
    await psql(serve.url, 'DROP TABLE IF EXISTS d; CREATE TABLE d (id int PRIMARY KEY)');
    expect(await psql(serve.url, '\\d d')).toBe(await psql(database.url, '\\d d'));
  });

  it('hears its notifications', async () => {
    const said = await psql(serve.url, "LISTEN news; NOTIFY news, 'hello'; SELECT 1;");
    expect(said).toMatch(/Asynchronous notification "news" with payload "hello" received/);
    // Somebody else's, while the session does other things.
    const wait = 'SELECT pg_sleep(0.2);\n'.repeat(10);
    const listening = psql(serve.url, `LISTEN far;\n${wait}`);
    await new Promise((resolve) => setTimeout(resolve, 700));
    await psql(serve.url, "NOTIFY far, 'from afar'");
    expect(await listening).toContain('with payload "from afar"');
  });

  it('passes big values and many rows', async () => {
    expect(await psql(serve.url, "SELECT repeat('ZECK', 2500000)")).toHaveLength(10_000_000);
    const rows = await psql(serve.url, 'SELECT generate_series(1, 100000)');
    expect(rows.split('\n').at(-1)).toBe('100000');
    const portions = await psql(
      serve.url,
      '\\set FETCH_COUNT 1000\nSELECT generate_series(1, 100000)',
    );
    expect(portions === rows).toBe(true);
  });

  it('cancels by Ctrl-C', async () => {
    const args = psqlArgs(serve.url, '-c', "SELECT 'begun'", '-c', 'SELECT pg_sleep(30)');
    const client = new Program('psql', args, { env: plainEnvironment() });
    await client.says('stdout', /begun/);
    await new Promise((resolve) => setTimeout(resolve, 300));
    client.signal('SIGINT');
    expect((await client.end(10_000)).code).not.toBe(0);
    expect(client.stderr).toContain('canceling statement due to user request');
    const left = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30%'";
    expect(await psql(database.url, `${left} AND state = 'active'`)).toBe('0');
  });

  it('is told whom it is and refused with a wrong password', async () => {
    const wrong = serve.url.replace(/:[^:@/]+@/, ':wrong@');
    const { code, stderr } = await run('psql', psqlArgs(wrong, '-c', 'SELECT 1'));
    expect(code).toBe(2);
    expect(stderr).toContain('password authentication failed for user "web"');
    expect(stderr).not.toContain('wrong@');
    expect(await psql(serve.url, '\\echo :DBNAME :USER')).toBe('app web');
  });
});
