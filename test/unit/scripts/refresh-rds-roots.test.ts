import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pki } from '../../support/pki.ts';

const root = join(import.meta.dirname, '../../..');
const shipped = readFileSync(join(root, 'data/rds-roots.pem'), 'utf8');
const bare = shipped.replaceAll(/^#.*\n/gm, '');

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-roots-'));
});
afterAll(() => rm(directory, { recursive: true }));

/** What the script makes of a bundle, or its complaint, which must leave nothing behind. */
async function madeOf(bundle: string): Promise<string> {
  const [from, to] = [join(directory, 'bundle.pem'), join(directory, 'made.pem')];
  await rm(to, { force: true });
  await writeFile(from, bundle);
  const script = join(root, 'scripts/refresh-rds-roots.mjs');
  try {
    await promisify(execFile)(process.execPath, [script, from, to]);
    return readFileSync(to, 'utf8');
  } catch (error) {
    expect(existsSync(to)).toBe(false);
    return (error as { stderr: string }).stderr;
  }
}

describe('the script that renews the roots of RDS', () => {
  it('makes the file that is shipped, with the name above each root', async () => {
    expect(await madeOf(bare)).toBe(shipped);
  });

  it('takes nothing that is no root, and no bundle without any', async () => {
    expect(await madeOf(bare + pki('server.crt'))).toContain('no root: ');
    expect(await madeOf('')).toContain('the bundle holds no root');
  });
});
