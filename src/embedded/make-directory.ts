import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from './failure.ts';

/**
 * Makes a directory with those above it, and answers whether it was absent. Node's own recursive
 * `mkdir` never ends where a parent is there and the directory cannot be: below `/proc` that is
 * ENOENT, which Node takes for a parent that is missing.
 *
 * @param mode of every directory that is made, less the umask
 * @throws the error of the system
 */
export async function makeDirectory(dir: string, mode = 0o777): Promise<boolean> {
  try {
    return await makeOne(dir, mode);
  } catch (error) {
    const parent = dirname(dir);
    if (errnoOf(error) !== 'ENOENT' || parent === dir) throw error;
    await makeDirectory(parent, mode);
    return makeOne(dir, mode);
  }
}

async function makeOne(dir: string, mode: number): Promise<boolean> {
  try {
    await mkdir(dir, { mode });
    return true;
  } catch (error) {
    // Some file systems tell other errors of what exists, such as that they are read-only.
    const found = await stat(dir).catch(() => null);
    if (found?.isDirectory()) return false;
    throw error;
  }
}
