import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDataDir, lockFileName } from '../../../src/embedded/data-dir-lock.ts';
import { isRunning, processStart } from '../../../src/embedded/process-identity.ts';

let dir: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lock-test-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(dir, { recursive: true, force: true });
});

async function startSleeper(): Promise<{ child: ChildProcess; pid: number; start: string }> {
  const child = spawn('sleep', ['60']);
  children.push(child);
  await once(child, 'spawn');
  const pid = child.pid as number;
  return { child, pid, start: processStart(pid) as string };
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

describe('the lock of a data directory', () => {
  it('is given to one caller and leaves nothing when released, twice if need be', async () => {
    const lock = await lockDataDir(dir);
    expect(await readdir(dir)).toHaveLength(1);
    await lock.release();
    await lock.release();
    expect(await readdir(dir)).toEqual([]);
  });

  it('is refused while a living process holds it, with the id of that process', async () => {
    const { pid, start } = await startSleeper();
    const claim = lockFileName(pid, start);
    await writeFile(join(dir, claim), 'Held\n');
    await expect(lockDataDir(dir)).rejects.toMatchObject({
      code: 'MR_DATA_DIR_HELD',
      message: expect.stringContaining(`process ${pid}`),
    });
    expect(await readdir(dir)).toEqual([claim]);
  });

  it('is taken over from a process that was killed', async () => {
    const { child, pid, start } = await startSleeper();
    await writeFile(join(dir, lockFileName(pid, start)), 'Held\n');
    await kill(child);
    const lock = await lockDataDir(dir);
    expect(await readdir(dir)).toEqual([
      lockFileName(process.pid, processStart(process.pid) ?? ''),
    ]);
    await lock.release();
  });

  it('is taken over when the id now belongs to a later process', async () => {
    const { pid, start } = await startSleeper();
    await writeFile(join(dir, lockFileName(pid, String(Number(start) - 1))), 'Held\n');
    await (await lockDataDir(dir)).release();
  });

  it('goes to exactly one of many callers of one process', async () => {
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockDataDir(dir)));
    const won = results.filter((result) => result.status === 'fulfilled');
    expect(won).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason.code).toBe('MR_DATA_DIR_HELD');
    }
  });

  it('waits for a contender that has not decided, and wins when that one dies', async () => {
    const { child, pid, start } = await startSleeper();
    await writeFile(join(dir, lockFileName(pid, start)), '');
    const pending = lockDataDir(dir);
    await kill(child);
    await (await pending).release();
  });

  it('ignores other files of the data directory', async () => {
    await writeFile(join(dir, 'millrace.toml'), '');
    await writeFile(join(dir, 'millrace-x-1.lock'), '');
    await (await lockDataDir(dir)).release();
    expect((await readdir(dir)).sort()).toEqual(['millrace-x-1.lock', 'millrace.toml']);
  });
});

describe('the identity of a process', () => {
  it('is gone when the process ends', async () => {
    const { child, pid, start } = await startSleeper();
    expect(isRunning(pid, start)).toBe(true);
    await kill(child);
    expect(isRunning(pid, start)).toBe(false);
  });

  it('is not found for what is no process id', () => {
    for (const pid of [0, -1, 1.5, Number.NaN, 2 ** 31]) expect(processStart(pid)).toBeNull();
  });
});
