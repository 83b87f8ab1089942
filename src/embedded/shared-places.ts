import { randomBytes } from 'node:crypto';
import { chmod, chown, lstat, mkdir, rm, rmdir } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { canAccess } from './account.ts';
import { embeddedFailure, messageOf } from './failure.ts';
import { makeDirectory } from './make-directory.ts';
import type { Account } from './run.ts';

/**
 * Where Millrace may keep what the server's user must reach but cannot reach where it is, in order
 * of preference. Root's places are outside of home directories, which others cannot enter.
 */
function candidates(account: Account | null): string[] {
  if (account !== null) return ['/var/lib/millrace', ...temporaryCandidates()];
  const { XDG_CACHE_HOME: configured } = process.env;
  const cache = configured || join(homedir(), '.cache');
  return [join(cache, 'millrace'), ...temporaryCandidates()];
}

function temporaryCandidates(): string[] {
  const name = `millrace-${process.geteuid?.() ?? 0}`;
  return [join(tmpdir(), name), join('/tmp', name), join('/var/tmp', name)];
}

/**
 * Makes `dir` when absent. In a directory such as `/tmp` anybody could have made it first, so it
 * must be a real directory of this user's that nobody else can write.
 */
async function own(dir: string): Promise<void> {
  if (await makeDirectory(dir, 0o755)) await chmod(dir, 0o755);
  const found = await lstat(dir);
  if (!found.isDirectory() || found.uid !== process.geteuid?.() || (found.mode & 0o022) !== 0) {
    throw new Error(`${dir} is not a directory of this user's alone`);
  }
}

/**
 * A directory of ours, kept between runs, that `account` can enter.
 *
 * @throws GatewayError `MR_EMBEDDED_FAILED` with the reason for each place that does not serve
 */
export async function sharedPlace(account: Account | null): Promise<string> {
  const reasons: string[] = [];
  for (const dir of new Set(candidates(account))) {
    try {
      await own(dir);
      if (await canAccess(account, '-x', dir)) return dir;
      reasons.push(`${dir}: the user ${account?.name ?? ''} cannot enter it`);
    } catch (error) {
      reasons.push(messageOf(error));
    }
  }
  throw embeddedFailure('no directory serves for the files of PostgreSQL', reasons.join('\n'));
}

/** A directory for temporary files that `account` can enter. */
export async function temporaryPlace(account: Account | null): Promise<string> {
  const tried = [...new Set([tmpdir(), '/tmp', '/var/tmp'])];
  for (const dir of tried) if (await canAccess(account, '-x', dir)) return dir;
  throw embeddedFailure(
    `the user ${account?.name ?? ''} cannot enter any temporary directory`,
    tried.join('\n'),
  );
}

/** A short name nobody else chooses. */
export function uniqueSuffix(): string {
  return randomBytes(6).toString('hex');
}

/** Gives `path` to the server's user; without one it is this user's already. */
export async function giveTo(account: Account | null, path: string): Promise<void> {
  if (account !== null) await chown(path, account.uid, account.gid);
}

/**
 * Whether `account` can own and use directories in `home`, tried with a real one: some mounts
 * refuse chown, or pretend.
 */
export async function canLiveIn(account: Account | null, home: string): Promise<boolean> {
  const probe = join(home, `probe-${uniqueSuffix()}`);
  await mkdir(probe, { mode: 0o700 });
  try {
    await giveTo(account, probe);
    const uid = account === null ? process.geteuid?.() : account.uid;
    if ((await lstat(probe)).uid !== uid) return false;
    // A file made inside proves write and search permission on the whole way down.
    return (await canAccess(account, '-w', probe)) && (await canAccess(account, '-x', probe));
  } catch (error) {
    if (error instanceof Error && 'errno' in error) return false;
    throw error;
  } finally {
    await rmdir(probe).catch(() => rm(probe, { recursive: true, force: true }));
  }
}
