import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDataDir } from '../../../src/embedded/cluster-home.ts';
import { makeDirectory } from '../../../src/embedded/make-directory.ts';

describe('makeDirectory', () => {
  let place: string;

  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), 'millrace-test-'));
  });

  afterAll(async () => {
    await rm(place, { recursive: true });
  });

  it('makes a directory with those above it, and leaves one that is there', async () => {
    const dir = join(place, 'a', 'b', 'c');
    expect(await makeDirectory(dir, 0o700)).toBe(true);
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    expect(await makeDirectory(dir)).toBe(false);
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
  });

  it('tells what is in the way', async () => {
    const path = join(place, 'file');
    await writeFile(path, '');
    await expect(makeDirectory(path)).rejects.toThrow(/^EEXIST/);
    await expect(makeDirectory(join(path, 'a', 'b'))).rejects.toThrow(/^ENOTDIR/);
  });

  // Node's own recursive mkdir never ends there.
  it.runIf(process.platform === 'linux')('gives up where no directory can be', async () => {
    await expect(makeDirectory('/proc/millrace/data')).rejects.toThrow(/^ENOENT.*'\/proc/);
    await expect(openDataDir('/proc/millrace/data')).rejects.toThrow(
      'the data directory /proc/millrace/data cannot be made\nENOENT',
    );
  });
});
