import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { embeddedFailure, errnoOf, messageOf } from './failure.ts';
import type { Account } from './run.ts';
import { sharedPlace, uniqueSuffix } from './shared-places.ts';

/** A half-made copy older than this was left by a process that died. */
const abandonedCopyMs = 60 * 60 * 1000;

type Link = { readonly source: string; readonly target: string };

/** The links that npm packages cannot hold, as the package lists them. */
async function listLinks(native: string): Promise<Link[]> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const rows: unknown = JSON.parse(text);
  const links: Link[] = [];
  for (const row of Array.isArray(rows) ? (rows as unknown[]) : []) {
    if (typeof row !== 'object' || row === null) continue;
    if (!('source' in row && 'target' in row)) continue;
    const { source, target } = row;
    if (typeof source === 'string' && typeof target === 'string') links.push({ source, target });
  }
  return links;
}

/**
 * Makes the missing links between the libraries in `root`, an image of the package's directory
 * `native`. Returns whether every link is there afterwards.
 */
export async function linkLibraries(
  native: string,
  root: string,
  options: { readonly onlyCheck?: boolean } = {},
): Promise<boolean> {
  let complete = true;
  for (const { source, target } of await listLinks(native)) {
    // The package writes paths from its own root, `native/lib/…`.
    const from = join(root, relative('native', source));
    const to = join(root, relative('native', target));
    if (!from.startsWith(root + sep) || !to.startsWith(root + sep)) continue;
    if (await exists(to)) continue;
    if (options.onlyCheck) {
      complete = false;
      continue;
    }
    await symlink(relative(dirname(to), from), to).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') complete = false;
    });
  }
  return complete;
}

function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Copies a tree so that everybody can read it, whatever the umask was when it was installed. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o755 });
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) await copyTree(source, target);
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else if (entry.isFile()) {
      await copyFile(source, target);
      await chmod(target, ((await stat(source)).mode & 0o100) === 0 ? 0o644 : 0o755);
    }
  }
}

async function removeAbandoned(place: string): Promise<void> {
  for (const name of await readdir(place)) {
    if (!name.startsWith('.copy-')) continue;
    const path = join(place, name);
    const made = await stat(path).catch(() => null);
    if (made !== null && Date.now() - made.mtimeMs > abandonedCopyMs)
      await rm(path, { recursive: true, force: true });
  }
}

/**
 * A copy of `native` that `account` can reach, made once per version and kept for the next start.
 * It appears by a rename, so it is whole or absent, also when several starts make it at once.
 *
 * @throws GatewayError `MR_EMBEDDED_FAILED`
 */
export async function copyBinaries(
  native: string,
  label: string,
  account: Account | null,
): Promise<string> {
  const place = await sharedPlace(account);
  const finished = join(place, label);
  if (await exists(finished)) return finished;
  const draft = join(place, `.copy-${uniqueSuffix()}`);
  try {
    await removeAbandoned(place);
    await copyTree(native, draft);
    if (!(await linkLibraries(native, draft))) throw new Error('links cannot be made there');
    await rename(draft, finished);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another start was first: its copy is as good.
    if (!(await exists(finished))) {
      throw embeddedFailure(`its programs cannot be copied to ${place}`, messageOf(error));
    }
  }
  return finished;
}
