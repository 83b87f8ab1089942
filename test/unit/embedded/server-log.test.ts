import { appendFile, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { logBytesMax, openServerLog } from '../../../src/embedded/server-log.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'log-test-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

describe('the log of the embedded server', () => {
  it('tells the words since the mark, without secrets', async () => {
    await writeFile(join(dir, 'postgres.log'), 'of an earlier start\n');
    const log = await openServerLog(dir);
    await log.mark();
    await appendFile(log.path, 'FATAL: no hunter2 here\n');
    expect(await log.tail(['hunter2'])).toBe('FATAL: no … here');
    await log.close();
  });

  it('is set aside when it is too long, and only this user can read it', async () => {
    const path = join(dir, 'postgres.log');
    await writeFile(path, Buffer.alloc(logBytesMax + 1, 'x'), { mode: 0o644 });
    const log = await openServerLog(dir);
    expect((await stat(path)).size).toBe(0);
    expect((await stat(`${path}.1`)).size).toBe(logBytesMax + 1);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await appendFile(path, 'next\n');
    await log.trim();
    expect(await readFile(path, 'utf8')).toBe('next\n');
    await log.close();
  });

  it('does not follow a link that somebody left in its place', async () => {
    await writeFile(join(dir, 'victim'), 'precious');
    await symlink('victim', join(dir, 'postgres.log'));
    await expect(openServerLog(dir)).rejects.toMatchObject({ code: 'ELOOP' });
    expect(await readFile(join(dir, 'victim'), 'utf8')).toBe('precious');
  });
});
