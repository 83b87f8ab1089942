/** Who may use a data directory of the embedded server, and what happens to what the dead left. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, inject, it, vi } from 'vitest';
import type { EmbeddedServer } from '../../src/embedded/embedded.ts';
import { processStart } from '../../src/embedded/process-identity.ts';
import { dataDir, dir, leaveDeadClaim, query, start, startStranger } from './embedded-harness.ts';

const asRoot = process.geteuid?.() === 0;

describe('the data directory', () => {
  it('is held by one start of many at once', async () => {
    const results = await Promise.allSettled([start(), start(), start()]);
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.map((result) => result.reason.code)).toEqual([
      'MR_DATA_DIR_HELD',
      'MR_DATA_DIR_HELD',
    ]);
    const winner = results.find((result) => result.status === 'fulfilled')?.value;
    expect(await query(winner as EmbeddedServer, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('is taken over from a Millrace that was killed, and its server stopped', async () => {
    const first = await start();
    await query(first, 'CREATE TABLE kept AS SELECT 42 AS n');
    await first.stop();
    await leaveDeadClaim(dataDir);
    const pid = await startStranger(first);
    const begun = processStart(pid) as string;
    await fs.writeFile(join(dataDir, 'postgres.running'), `${pid} ${begun}\n`);
    const second = await start();
    expect(processStart(pid)).toBeNull();
    expect(await query(second, 'SELECT n FROM kept')).toEqual([{ n: 42 }]);
  });

  it('with a server of somebody else is refused, and that server goes on', async () => {
    const first = await start();
    await first.stop();
    await leaveDeadClaim(dataDir);
    const pid = await startStranger(first);
    await expect(start()).rejects.toMatchObject({
      code: 'MR_DATA_DIR_HELD',
      message: expect.stringContaining(`process ${pid}`),
    });
    expect(processStart(pid)).not.toBeNull();
    expect((await fs.readdir(dataDir)).filter((name) => name.endsWith('.lock'))).toEqual([]);
  });

  it('is not taken for served because another process has the id of its dead server', async () => {
    const first = await start();
    await first.stop();
    // A server of the same user, which PostgreSQL would take for the one of the file.
    const { pid } = await start({ ephemeral: true });
    const stale = `${pid}\n${first.dataDir}\n1\n20001\n\n127.0.0.1\n1 1\nready   \n`;
    await fs.writeFile(join(first.dataDir, 'postmaster.pid'), stale);
    expect(await query(await start(), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('is free again after a start that failed for its port', async () => {
    const { port } = inject('postgres');
    await expect(start({ port })).rejects.toMatchObject({
      code: 'MR_EMBEDDED_FAILED',
      message: expect.stringMatching(/port \d+ is taken[\s\S]*Address already in use/),
    });
    await start();
  });

  it('is free again after a setting the server refuses, and the error says which', async () => {
    const failure = start({ settings: { work_mem: 'plenty' } });
    await expect(failure).rejects.toThrow(/invalid value for parameter "work_mem"/);
    await start();
  });
});

describe('a setting of the caller', () => {
  it('counts, also where there is a usual one', async () => {
    const server = await start({ settings: { max_connections: '7' } });
    const [row] = await query(server, 'SHOW max_connections');
    expect(row).toEqual({ max_connections: '7' });
  });
});

describe.runIf(asRoot)('as root', () => {
  it('runs as another user', async () => {
    const server = await start();
    expect((await fs.stat(`/proc/${server.pid}`)).uid).not.toBe(0);
    expect((await fs.stat(dataDir)).uid).toBe(0);
  });

  it('keeps the cluster elsewhere when that user cannot enter the data directory', async () => {
    await fs.chmod(dir, 0o700);
    const first = await start();
    const pointer = await fs.readFile(join(dataDir, 'postgres-is-at.txt'), 'utf8');
    const home = pointer.split('\n')[0] as string;
    try {
      expect(first.dataDir).toBe(join(home, 'postgres'));
      await query(first, 'CREATE TABLE kept AS SELECT 42 AS n');
      // A copy of the data directory points at the same cluster.
      await fs.mkdir(join(dir, 'copy'));
      await fs.writeFile(join(dir, 'copy', 'postgres-is-at.txt'), pointer);
      await expect(start({ dataDir: join(dir, 'copy') }))
        .rejects //
        .toMatchObject({ code: 'MR_DATA_DIR_HELD' });
      await first.stop();
      // It is found again after the data directory has moved.
      await fs.rename(dataDir, join(dir, 'moved'));
      const second = await start({ dataDir: join(dir, 'moved') });
      expect(await query(second, 'SELECT n FROM kept')).toEqual([{ n: 42 }]);
      await second.stop();
      expect(await fs.readdir(home)).toEqual(['postgres']);
      // Who removes the data directory starts anew, and can still get the old cluster back.
      const third = await start();
      expect(third.dataDir).toBe(first.dataDir);
      await expect(query(third, 'SELECT n FROM kept')).rejects.toMatchObject({ code: '42P01' });
      await third.stop();
      expect((await fs.readdir(home)).sort()).toEqual(['postgres', 'postgres.old']);
    } finally {
      await fs.rm(home, { recursive: true, force: true });
    }
  });
});

describe('an ephemeral cluster', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it('is gone after its stop', async () => {
    const server = await start({ ephemeral: true });
    expect(await query(server, 'SHOW fsync')).toEqual([{ fsync: 'off' }]);
    const home = join(server.dataDir, '..');
    expect((await fs.stat(home)).isDirectory()).toBe(true);
    await server.stop();
    await expect(fs.stat(home)).rejects.toThrow('ENOENT');
  });

  it('of a Millrace that was killed is removed by the next start, its server stopped', async () => {
    // Whoever else starts one at this time would remove it, too.
    const place = join(dir, 'places');
    await fs.mkdir(place, { mode: 0o755 });
    vi.stubEnv('TMPDIR', place);
    const first = await start({ ephemeral: true });
    const home = join(first.dataDir, '..');
    expect(join(home, '..')).toBe(place);
    const left = home.slice(0, -6) + randomBytes(3).toString('hex');
    await first.stop();
    await fs.mkdir(left, { mode: 0o711 });
    await leaveDeadClaim(left);
    const kept = await start({ dataDir: left });
    await kept.stop();
    await leaveDeadClaim(left);
    const pid = await startStranger(kept);
    await fs.writeFile(join(left, 'postgres.running'), `${pid} ${processStart(pid)}\n`);

    await start({ ephemeral: true });
    expect(processStart(pid)).toBeNull();
    await expect(fs.stat(left)).rejects.toThrow('ENOENT');
  });

  it('of a living process is left alone', async () => {
    const first = await start({ ephemeral: true });
    await start({ ephemeral: true });
    expect(await query(first, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});
