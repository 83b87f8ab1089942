import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase } from '../../support/pg.ts';
import { psql } from '../support/command.ts';
import { Footprint } from '../support/leftovers.ts';
import { type Dev, devReady, startDev } from '../support/millrace.ts';
import { millrace, type Program, plainEnvironment } from '../support/program.ts';

const started: Program[] = [];
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'millrace-dev-'));
});

afterEach(async () => {
  for (const program of started.splice(0)) if (program.isRunning) await program.stop('SIGKILL');
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function dev(...args: string[]): Promise<Dev> {
  const ready = await startDev(args);
  started.push(ready.program);
  return ready;
}

function start(...args: string[]): Program {
  const program = millrace(['dev', '--json', ...args]);
  started.push(program);
  return program;
}

/** Waits for the `pg_sleep` of another client to run. */
async function untilAsleep(url: string): Promise<void> {
  const asleep = "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^ ?SELECT pg_sleep'";
  await expect.poll(() => psql(url, asleep), { timeout: 10_000 }).not.toBe('0');
}

describe('millrace dev --json', () => {
  it('prints exactly one line of JSON on standard output and goes on serving', async () => {
    const { program, url, originUrl, adminUrl, host, port, api } = await dev('--ephemeral');
    for (const each of [url, originUrl, String(adminUrl)]) {
      expect(await psql(each, 'SELECT count(*) > 0 FROM orders')).toBe('t');
    }
    const parts = { gateway: { url, host, port }, origin: { url: originUrl, adminUrl }, api };
    expect(program.stdout).toBe(`${JSON.stringify(parts)}\n`);
    expect(api).toEqual({
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/client\/v4$/),
      token: expect.stringMatching(/^[\w-]{32}$/),
    });
    expect(host).toBe('127.0.0.1');
    expect(new URL(url).port).toBe(String(port));
    const line = program.stdout;
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    expect(program.stdout).toBe(line);
    expect(program.stderr).not.toMatch(/error/i);
  });

  it('takes the port it is given, and says so when it is in use', async () => {
    const first = await dev('--ephemeral');
    const second = start('--ephemeral', '--port', String(first.port));
    expect((await second.end()).code).toBe(69);
    expect(second.stdout).toBe('');
    expect(second.stderr).toContain(`cannot listen on 127.0.0.1:${first.port}`);
    // Nothing was started for it.
    expect(second.stderr).not.toContain('PostgreSQL is ready');
    await first.program.stop();
    const third = await devReady(start('--ephemeral', '--port', String(first.port)));
    expect(third.port).toBe(first.port);
    await third.program.stop();
  });

  it('serves a database of one’s own', async () => {
    const database = await createDatabase();
    const { program, url, originUrl } = await dev('--origin', database.url);
    expect(originUrl).toBe(database.url);
    expect(await psql(url, 'SELECT current_database()')).toBe(database.name);
    expect(program.stderr).not.toContain(new URL(database.url).password);
    await program.stop();
    await database.drop();
  });

  it('starts in front of a database that is not there, and tells clients', async () => {
    const { program, url } = await dev('--origin', 'postgres://u:secret-word@127.0.0.1:1/x');
    expect(program.stderr).toContain('the database of --origin cannot be used');
    await expect(psql(url, 'SELECT 1')).rejects.toThrow('connection_refused');
    expect(program.stderr).not.toContain('secret-word');
    expect((await program.stop()).code).toBe(0);
  });

  it.each([
    ['an unknown option', ['--no-such'], 'unknown option'],
    ['a bad port', ['--port', '65536'], '--port must be a number'],
    ['a URL that is none', ['--origin', 'mysql://u:pw-secret@h/d'], '--origin'],
    ['options that exclude each other', ['--ephemeral', '--data-dir', 'x'], 'exclude each other'],
  ])('refuses %s', async (_, args, words) => {
    const program = start(...args);
    expect((await program.end()).code).toBe(2);
    expect(program.stdout).toBe('');
    expect(program.stderr).toContain(words);
    expect(program.stderr).not.toContain('pw-secret');
  });
});

describe('the data directory of millrace dev', () => {
  it('keeps its data, and belongs to one at a time', async () => {
    const dataDir = join(dir, 'kept');
    const first = await dev('--data-dir', dataDir);
    await psql(first.url, 'CREATE TABLE mine AS SELECT 42 AS n');
    const second = start('--port', '0', '--data-dir', dataDir);
    expect((await second.end()).code).toBe(75);
    expect(second.stderr).toContain('the data directory is in use');
    expect(await psql(first.url, 'SELECT n FROM mine')).toBe('42');
    await first.program.stop();
    const third = await dev('--data-dir', dataDir);
    expect(await psql(third.url, 'SELECT n FROM mine')).toBe('42');
    await third.program.stop();
  });

  it('is .millrace below the working directory, unless told otherwise', async () => {
    const program = millrace(['dev', '--json', '--port', '0'], {
      cwd: dir,
      env: plainEnvironment(),
    });
    started.push(program);
    await devReady(program);
    expect(await readdir(dir)).toContain('.millrace');
    expect((await program.stop()).code).toBe(0);
  });

  it('is taken over after a death without warning', async () => {
    const dataDir = join(dir, 'killed');
    const first = await dev('--data-dir', dataDir);
    await psql(first.url, 'CREATE TABLE mine AS SELECT 42 AS n');
    const footprint = new Footprint(first.program.pid);
    await first.program.stop('SIGKILL');
    const second = await dev('--data-dir', dataDir);
    expect(await psql(second.url, 'SELECT n FROM mine')).toBe('42');
    expect(footprint.left()).toEqual([]);
    const own = new Footprint(second.program.pid);
    await second.program.stop();
    expect(own.left()).toEqual([]);
  });
});

describe('the end of millrace dev', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'leaves nothing behind after %s',
    async (signal) => {
      const { program, url } = await dev('--ephemeral');
      await psql(url, 'SELECT 1');
      const footprint = new Footprint(program.pid);
      expect(footprint.hasServer).toBe(true);
      expect(await program.stop(signal)).toEqual({ code: 0, signal: null });
      expect(footprint.left()).toEqual([]);
    },
  );

  it('leaves nothing behind after a Ctrl-C that reaches the whole process group', async () => {
    const { program, url } = await dev('--ephemeral');
    const busy = psql(url, 'SELECT pg_sleep(20)').then(
      () => 'finished',
      () => 'ended',
    );
    await untilAsleep(url);
    const footprint = new Footprint(program.pid);
    program.signalGroup('SIGINT');
    expect(await program.end()).toEqual({ code: 0, signal: null });
    expect(await busy).toBe('ended');
    expect(footprint.left()).toEqual([]);
  });

  it('is at once, and still clean, after a second signal', async () => {
    const { program, url } = await dev('--ephemeral');
    const busy = psql(url, 'BEGIN; SELECT pg_sleep(20);').catch(() => 'ended');
    await untilAsleep(url);
    const footprint = new Footprint(program.pid);
    program.signal('SIGINT');
    await program.says('stderr', /stopping/);
    program.signal('SIGINT');
    expect((await program.end(15_000)).code).toBe(130);
    await busy;
    expect(footprint.left()).toEqual([]);
  });

  it('is clean when the signal comes during the start', async () => {
    for (const delayMs of [150, 700, 1500]) {
      const program = start('--ephemeral', '--port', '0');
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      const footprint = new Footprint(program.pid);
      await program.stop();
      // A signal before the program listens to them ends it as the system does.
      expect(footprint.left()).toEqual([]);
    }
  });

  it('comes with an error when its PostgreSQL dies', async () => {
    const { program } = await dev('--ephemeral');
    const [, pid] = await program.says('stderr', /serverPid=(\d+)/);
    process.kill(Number(pid), 'SIGQUIT');
    expect((await program.end()).code).toBe(70);
    expect(program.stderr).toContain('the embedded PostgreSQL failed');
  });
});
