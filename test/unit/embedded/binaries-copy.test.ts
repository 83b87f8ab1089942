import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canAccess, serverAccount } from '../../../src/embedded/account.ts';
import { copyBinaries, linkLibraries } from '../../../src/embedded/binaries-copy.ts';

const links = [
  { source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' },
  { source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so' },
  { source: 'native/lib/libpq.so.5.18', target: 'native/../../escaped' },
];

let dir: string;
let native: string;

/** A package as npm unpacks it without running its install scripts, for nobody else to read. */
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'copy-test-'));
  native = join(dir, 'package', 'native');
  await mkdir(join(native, 'bin'), { recursive: true, mode: 0o700 });
  await mkdir(join(native, 'lib'), { mode: 0o700 });
  await writeFile(join(native, 'bin', 'postgres'), '#!/bin/sh\necho ran\n', { mode: 0o700 });
  await writeFile(join(native, 'lib', 'libpq.so.5.18'), 'library', { mode: 0o600 });
  await writeFile(join(native, 'pg-symlinks.json'), JSON.stringify(links));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

describe('the links between the libraries', () => {
  it('are made when npm ran no install scripts, and only inside the package', async () => {
    expect(await linkLibraries(native, native, { onlyCheck: true })).toBe(false);
    expect(await linkLibraries(native, native)).toBe(true);
    expect(await readFile(join(native, 'lib', 'libpq.so'), 'utf8')).toBe('library');
    expect(await linkLibraries(native, native, { onlyCheck: true })).toBe(true);
    await expect(lstat(join(dir, 'escaped'))).rejects.toThrow('ENOENT');
  });

  it('are left alone where they are', async () => {
    await symlink('elsewhere', join(native, 'lib', 'libpq.so'));
    expect(await linkLibraries(native, native)).toBe(true);
    expect((await readdir(join(native, 'lib'))).sort()).toEqual([
      'libpq.so',
      'libpq.so.5',
      'libpq.so.5.18',
    ]);
    await expect(readFile(join(native, 'lib', 'libpq.so'))).rejects.toThrow('ENOENT');
  });
});

describe('a copy of the programs', () => {
  it('is made once by many starts, whole, for the server user to run', async () => {
    await chmod(dir, 0o700);
    const account = await serverAccount();
    const label = basename(dir);
    const copies = await Promise.all([1, 2, 3].map(() => copyBinaries(native, label, account)));
    const copy = copies[0] as string;
    try {
      expect(new Set(copies).size).toBe(1);
      expect(await canAccess(account, '-x', join(copy, 'bin', 'postgres'))).toBe(true);
      expect(await canAccess(account, '-r', join(copy, 'lib', 'libpq.so'))).toBe(true);
      // Only the user of this process may change what the server's user runs.
      const { uid, mode } = await stat(join(copy, 'bin', 'postgres'));
      expect(uid).toBe(process.geteuid?.());
      expect(mode & 0o777).toBe(0o755);
      const drafts = (await readdir(dirname(copy))).filter((name) => name.startsWith('.copy-'));
      expect(drafts).toEqual([]);
      await writeFile(join(native, 'bin', 'postgres'), 'changed');
      expect(await copyBinaries(native, label, account)).toBe(copy);
      expect(await readFile(join(copy, 'bin', 'postgres'), 'utf8')).toContain('echo ran');
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  });
});
