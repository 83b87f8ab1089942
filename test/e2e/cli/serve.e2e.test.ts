import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { psql, run, runWell } from '../support/command.ts';
import {
  clientUrl,
  configText,
  type Serve,
  type ServeSettings,
  startServe,
} from '../support/millrace.ts';
import { Program, plainEnvironment } from '../support/program.ts';

let database: TestDatabase;
const started: Serve[] = [];

beforeAll(async () => {
  database = await createDatabase();
});

afterEach(async () => {
  for (const serve of started.splice(0)) if (serve.program.isRunning) await serve.stop();
});

afterAll(async () => {
  await database?.drop();
});

async function start(settings: Partial<ServeSettings> = {}): Promise<Serve> {
  const serve = await startServe({ originUrl: database.url, ...settings });
  started.push(serve);
  return serve;
}

async function connect(serve: Serve, name = 'app'): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: clientUrl(serve.port, name) });
  // A gateway that goes away is what some of these tests are about.
  client.on('error', () => {});
  await client.connect();
  return client;
}

describe('a reload of millrace serve', () => {
  /** Writes the file as an editor does, beside it and then over it. */
  async function replaceConfig(serve: Serve, settings: Partial<ServeSettings>): Promise<void> {
    const text = configText({ originUrl: database.url, ...settings }, serve.port);
    const draft = join(serve.dir, 'draft');
    await writeFile(draft, text);
    await rename(draft, serve.configPath);
  }

  const second = `[[configurations]]
name = "second"
[configurations.origin]
url = "env:ORIGIN_URL"
[[configurations.credentials]]
user = "web"
password = "env:WEB_PASSWORD"
`;

  it('drops no client under load, by file change and by SIGHUP', async () => {
    const serve = await start({ links: 8 });
    // The first file said port 0; from now on it says the port that came out.
    await replaceConfig(serve, { links: 8 });
    await serve.program.says('stderr', /configuration (reloaded|unchanged)/);
    await runWell('pgbench', ['-i', '-q', '-s', '1', serve.url]);
    const bench = run('pgbench', [
      '-n',
      '-c',
      '32',
      '-j',
      '2',
      '-T',
      '7',
      '-M',
      'prepared',
      '-S',
      serve.url,
    ]);
    for (const [round, links] of [2, 12, 4, 8].entries()) {
      await new Promise((resolve) => setTimeout(resolve, 700));
      const before = serve.program.stderr.length;
      await replaceConfig(serve, { links, ...(round % 2 === 0 ? { rest: second } : {}) });
      serve.program.signal('SIGHUP');
      await expect
        .poll(() => serve.program.stderr.slice(before), { timeout: 5000 })
        .toContain('configuration reloaded');
      const there = psql(clientUrl(serve.port, 'second'), 'SELECT 1').catch(() => 'no');
      expect(await there).toBe(round % 2 === 0 ? '1' : 'no');
    }
    const { code, stdout, stderr } = await bench;
    expect({ code, stderr: stderr.match(/aborted|ERROR|FATAL/) }, stderr).toEqual({
      code: 0,
      stderr: null,
    });
    expect(stdout).toContain('number of failed transactions: 0 ');
  });

  it('notices the file alone, and keeps the old one when the new one is bad', async () => {
    const serve = await start();
    const client = await connect(serve);
    await writeFile(serve.configPath, 'this is [not toml');
    await serve.program.says('stderr', /configuration not reloaded/);
    expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    expect(await psql(serve.url, 'SELECT 2')).toBe('2');
    await replaceConfig(serve, { rest: second });
    await serve.program.says('stderr', /configuration reloaded/);
    expect(await psql(clientUrl(serve.port, 'second'), 'SELECT 3')).toBe('3');
    expect((await client.query('SELECT 4 AS n')).rows).toEqual([{ n: 4 }]);
    await client.end();
  });

  it('ends the clients of a configuration that is gone, and tells them', async () => {
    const serve = await start({ rest: second });
    const kept = await connect(serve);
    const lost = await connect(serve, 'second');
    const told = new Promise<unknown>((resolve) => lost.on('error', resolve));
    await replaceConfig(serve, {});
    expect(await told).toMatchObject({ code: '57P01' });
    expect((await kept.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    await kept.end();
    await expect(connect(serve, 'second')).rejects.toThrow();
  });
});

describe('the end of millrace serve', () => {
  it('lets an open transaction finish, sends idle clients away and takes no new ones', async () => {
    const serve = await start();
    await psql(serve.url, 'CREATE TABLE IF NOT EXISTS drained (n int)');
    const idle = await connect(serve);
    const told = new Promise<unknown>((resolve) => idle.on('error', resolve));
    const busy = await connect(serve);
    await busy.query('BEGIN');
    await busy.query('INSERT INTO drained VALUES (1)');
    serve.program.signal('SIGTERM');
    expect(await told).toMatchObject({ code: '57P01' });
    await expect(connect(serve)).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await busy.query('SELECT count(*)::int AS n FROM drained')).rows).toEqual([{ n: 1 }]);
    await busy.query('COMMIT');
    expect(await serve.program.end(10_000)).toEqual({ code: 0, signal: null });
    expect(await psql(database.url, 'SELECT count(*) FROM drained')).toBe('1');
  });

  it('cuts a transaction that outlives drain_timeout_ms, and it is rolled back', async () => {
    const serve = await start({ top: 'drain_timeout_ms = 700' });
    await psql(serve.url, 'CREATE TABLE IF NOT EXISTS cut (n int)');
    const busy = await connect(serve);
    await busy.query('BEGIN');
    await busy.query('INSERT INTO cut VALUES (1)');
    const beganMs = performance.now();
    serve.program.signal('SIGTERM');
    expect(await serve.program.end(10_000)).toEqual({ code: 0, signal: null });
    expect(performance.now() - beganMs).toBeGreaterThan(600);
    expect(await psql(database.url, 'SELECT count(*) FROM cut')).toBe('0');
    await busy.end().catch(() => {});
  });

  it('loses no answered transaction of a load', async () => {
    const serve = await start({ links: 8 });
    await runWell('pgbench', ['-i', '-q', '-s', '1', serve.url]);
    const args = ['-n', '-c', '16', '-j', '2', '-T', '30', '-l', serve.url];
    const bench = new Program('pgbench', args, { cwd: serve.dir, env: plainEnvironment() });
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(await serve.program.stop()).toEqual({ code: 0, signal: null });
    await bench.end();
    const done = Number(/actually processed: (\d+)/.exec(bench.stdout)?.[1]);
    expect(done).toBeGreaterThan(0);
    const sums = `SELECT sum(delta) = (SELECT sum(abalance) FROM pgbench_accounts), count(*)
      FROM pgbench_history`;
    expect(await psql(database.url, sums)).toBe(`t|${done}`);
  });
});

describe('limits of millrace serve', () => {
  it('cancels a statement at statement_timeout_ms, and the client goes on', async () => {
    const serve = await start({ timeouts: 'statement_timeout_ms = 500' });
    const client = await connect(serve);
    const beganMs = performance.now();
    await expect(client.query('SELECT pg_sleep(20)')).rejects.toMatchObject({ severity: 'ERROR' });
    expect(performance.now() - beganMs).toBeLessThan(5000);
    expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    await client.query('BEGIN');
    await client.query('SELECT pg_sleep(0.3)');
    await client.query('SELECT pg_sleep(0.3)');
    await client.query('COMMIT');
    await client.end();
  });

  it('lets a client wait for a slot no longer than wait_timeout_ms', async () => {
    const serve = await start({ links: 1, timeouts: 'wait_timeout_ms = 3000' });
    const first = await connect(serve);
    const second = await connect(serve);
    await first.query('BEGIN');
    await expect(second.query('SELECT 1')).rejects.toThrow(/open slot in the pool/);
    await first.query('COMMIT');
    expect((await first.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    await first.end();
  });

  it('refuses more clients than clients_max', async () => {
    const serve = await start({ listener: 'clients_max = 2' });
    const clients = [await connect(serve), await connect(serve)];
    await expect(connect(serve)).rejects.toMatchObject({ code: '53300' });
    await clients[0]?.end();
    await expect.poll(() => psql(serve.url, 'SELECT 1').catch(() => 'no')).toBe('1');
    await clients[1]?.end();
  });

  it('logs JSON lines without secrets', async () => {
    const serve = await start();
    await psql(serve.url, "SELECT 'private-literal'");
    await psql(serve.url.replace(/:[^:@/]+@/, ':wrong-secret@'), 'SELECT 1').catch(() => {});
    await serve.stop();
    expect(serve.log().map(({ msg }) => msg)).toEqual(
      expect.arrayContaining(['listening', 'draining', 'stopped']),
    );
    expect(serve.program.stdout).toBe('');
    expect(serve.program.stderr.split('\n').every((line) => /^(\{.*\})?$/.test(line))).toBe(true);
    const secrets = ['private-literal', 'wrong-secret', 'p@ss', new URL(database.url).password];
    for (const secret of secrets) expect(serve.program.stderr).not.toContain(secret);
  });
});
