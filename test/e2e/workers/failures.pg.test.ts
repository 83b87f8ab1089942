import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { fieldsOf, sendCancel, type WireClient } from '../../support/wire.ts';
import { query } from '../../support/wire-messages.ts';
import { configText, PASSWORD, type ServeSettings } from '../support/millrace.ts';
import { millrace, plainEnvironment } from '../support/program.ts';
import { Crew, isAlive, workerOf } from './crew.ts';
import { askDirect } from './direct.ts';

let database: TestDatabase;
let crew: Crew | null = null;

beforeAll(async () => {
  database = await createDatabase();
});

afterEach(async () => {
  if (crew?.serve.program.isRunning === true) await crew.serve.stop();
  crew = null;
});

afterAll(async () => {
  await database?.drop();
});

async function start(settings: Partial<ServeSettings> = {}): Promise<Crew> {
  crew = await Crew.start(database, settings);
  return crew;
}

/** SQLSTATE of the last words of a connection. */
async function lastWord(client: WireClient): Promise<string | undefined> {
  const [last] = (await client.readToEnd()).slice(-1);
  return last === undefined ? undefined : fieldsOf(last.body)['C'];
}

describe('a worker that is killed', () => {
  it('takes its own clients with it, is replaced, and touches nobody else', async () => {
    const started = await start({ links: 4 });
    const [lost, kept] = [await started.connectTo(1), await started.connectTo(2)];
    await kept.ask('BEGIN; CREATE TEMP TABLE mine AS SELECT 1 AS n');
    const slow = await started.connectTo(2);
    slow.send(query('SELECT pg_sleep(2), 1'));
    process.kill(started.pidOf(1), 'SIGKILL');
    expect(await lastWord(lost)).toBe(undefined);
    expect(await kept.rows('SELECT n FROM mine')).toEqual([['1']]);
    await started.serve.program.says('stderr', /a worker has ended unasked/);
    await expect.poll(() => started.count('worker is ready'), { timeout: 10_000 }).toBe(3);
    const next = await started.connectTo(1);
    expect(await next.rows('SELECT 3')).toEqual([['3']]);
    await slow.readReady();
    await kept.ask('COMMIT');
    expect(await kept.rows('SELECT 4')).toEqual([['4']]);
  });

  it('gives back its leases, when what it was at is cancelled', async () => {
    const started = await start({ links: 2, timeouts: 'wait_timeout_ms = 20000' });
    const [one, two] = [await started.connectTo(1), await started.connectTo(1)];
    one.send(query('SELECT pg_sleep(600)'));
    two.send(query('SELECT pg_sleep(600)'));
    const sleeping = () =>
      askDirect(database, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(600)'");
    await expect.poll(sleeping).toBe('2');
    process.kill(started.pidOf(1), 'SIGKILL');
    const beganMs = performance.now();
    const other = await started.connectTo(2);
    expect(await other.rows('SELECT 1')).toEqual([['1']]);
    expect(performance.now() - beganMs).toBeLessThan(8_000);
    await expect.poll(sleeping).toBe('0');
  });

  it('has its place in process IDs taken, where old cancel keys mean nothing', async () => {
    const started = await start({ links: 4 });
    const old = await started.connectTo(1);
    process.kill(started.pidOf(1), 'SIGKILL');
    await expect.poll(() => started.count('worker is ready'), { timeout: 10_000 }).toBe(3);
    const next = await started.connectTo(1);
    next.send(query('SELECT pg_sleep(0.5), 5'));
    await sendCancel(started.target, old.processId, old.secretKey);
    expect((await next.readReady()).map(({ code }) => code).join('')).toBe('TDCZ');
  });

  it('before it took a connection loses none', async () => {
    const started = await start({ links: 4 });
    const stopped = started.pidOf(1);
    process.kill(stopped, 'SIGSTOP');
    // Some of these go to the worker that cannot take them.
    const coming = Array.from({ length: 6 }, () => started.connect());
    await new Promise((resolve) => setTimeout(resolve, 500));
    process.kill(stopped, 'SIGKILL');
    for (const client of await Promise.all(coming)) {
      expect(await client.rows('SELECT 6')).toEqual([['6']]);
    }
  });
});

describe('a worker that hangs', () => {
  it('is noticed and replaced, while nobody else is touched and new clients come in', async () => {
    const started = await start({ links: 4 });
    const hung = started.pidOf(1);
    const [lost, kept] = [await started.connectTo(1), await started.connectTo(2)];
    await kept.ask('BEGIN; CREATE TEMP TABLE mine AS SELECT 1 AS n');
    // To the primary this is as a loop that never ends.
    process.kill(hung, 'SIGSTOP');
    // From the second missed beat on, nobody is sent there.
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    const beganMs = performance.now();
    const coming = await Promise.all(Array.from({ length: 4 }, () => started.connect()));
    for (const client of coming) expect(await client.rows('SELECT 2')).toEqual([['2']]);
    expect(performance.now() - beganMs).toBeLessThan(4_000);
    expect(coming.map(workerOf)).toEqual([2, 2, 2, 2]);
    expect(isAlive(hung)).toBe(true);
    await started.serve.program.says('stderr', /a worker hangs, and is killed/);
    expect(await lastWord(lost)).toBe(undefined);
    await expect.poll(() => started.count('worker is ready'), { timeout: 10_000 }).toBe(3);
    expect(isAlive(hung)).toBe(false);
    const next = await started.connectTo(1);
    expect(await next.rows('SELECT 3')).toEqual([['3']]);
    expect(await kept.rows('SELECT n FROM mine')).toEqual([['1']]);
    await kept.end();
    for (const client of coming) expect(await client.rows('SELECT 4')).toEqual([['4']]);
  });

  it('for a while only, is left alone, and goes on', async () => {
    const started = await start({ links: 4 });
    const client = await started.connectTo(1);
    process.kill(started.pidOf(1), 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    process.kill(started.pidOf(1), 'SIGCONT');
    expect(await client.rows('SELECT 1')).toEqual([['1']]);
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    expect(await client.rows('SELECT 2')).toEqual([['2']]);
    expect(started.count('worker is ready')).toBe(2);
    const next = await started.connectTo(1);
    expect(await next.rows('SELECT 3')).toEqual([['3']]);
  });
});

describe('the primary process', () => {
  it('that is killed leaves no worker behind, whose clients are told', async () => {
    const started = await start();
    const client = await started.connectTo(2);
    const pids = started.workerPids();
    expect(pids).toHaveLength(2);
    started.serve.program.signal('SIGKILL');
    expect(await lastWord(client)).toBe('57P01');
    await expect.poll(() => pids.filter(isAlive), { timeout: 5_000 }).toEqual([]);
  });

  it('drains every worker when it is told to end, while a terminal signals them all', async () => {
    const started = await start();
    const clients = [await started.connectTo(1), await started.connectTo(2)];
    const idle = [await started.connectTo(1), await started.connectTo(2)];
    for (const client of clients) await client.ask('BEGIN');
    started.serve.program.signalGroup('SIGTERM');
    for (const client of idle) expect(await lastWord(client)).toBe('57P01');
    await expect(started.connect()).rejects.toThrow();
    for (const client of clients) {
      expect(await client.rows('SELECT 1')).toEqual([['1']]);
      await client.ask('COMMIT');
    }
    expect(await started.serve.program.end(10_000)).toEqual({ code: 0, signal: null });
  });

  it('ends all at once at the second signal', async () => {
    const started = await start();
    const clients = [await started.connectTo(1), await started.connectTo(2)];
    for (const client of clients) await client.ask('BEGIN');
    const pids = started.workerPids();
    started.serve.program.signal('SIGTERM');
    await started.serve.program.says('stderr', /"draining"/);
    const beganMs = performance.now();
    started.serve.program.signal('SIGTERM');
    expect(await started.serve.program.end(10_000)).toEqual({ code: 143, signal: null });
    expect(performance.now() - beganMs).toBeLessThan(5_000);
    expect(pids.filter(isAlive)).toEqual([]);
    for (const client of clients) expect(await lastWord(client)).toBe('57P01');
  });

  it('replaces its workers one by one at SIGUSR2, while transactions end', async () => {
    const started = await start({ links: 4 });
    const before = started.workerPids();
    const busy = [await started.connectTo(1), await started.connectTo(2)];
    for (const client of busy) await client.ask('BEGIN');
    started.serve.program.signal('SIGUSR2');
    await started.serve.program.says('stderr', /worker drains/);
    for (const client of busy) {
      expect(await client.rows('SELECT 1')).toEqual([['1']]);
      await client.ask('COMMIT');
      // All the while there is somebody for new clients.
      const next = await started.connect();
      expect(await next.rows('SELECT 2')).toEqual([['2']]);
      await next.end();
    }
    await started.serve.program.says('stderr', /workers were replaced/);
    const after = started.workerPids();
    expect(after).toHaveLength(2);
    expect(after.filter((pid) => before.includes(pid))).toEqual([]);
    const client = await started.connect();
    expect(workerOf(client)).toBeGreaterThan(0);
    expect(await client.rows('SELECT 3')).toEqual([['3']]);
  });

  it('is not ended by a SIGUSR2 that comes while it starts', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-e2e-'));
    const path = join(dir, 'millrace.toml');
    await writeFile(path, configText({ originUrl: database.url, top: 'workers = 2' }));
    const env = plainEnvironment({ ORIGIN_URL: database.url, WEB_PASSWORD: PASSWORD });
    const program = millrace(['serve', '--config', path], { cwd: dir, env });
    await program.says('stderr', /worker is ready/);
    program.signal('SIGUSR2');
    await program.says('stderr', /"listening"/);
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    await rm(dir, { recursive: true, force: true });
  });
});
