/**
 * Where a cluster lives. Its home is the data directory itself; or, when the server's user cannot
 * reach or own a directory there (below `/root`, on a mount without owners), a directory it can
 * reach, and the data directory then holds a file that says where.
 */
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { serverAccount } from './account.ts';
import { embeddedFailure, errnoOf, messageOf } from './failure.ts';
import { makeDirectory } from './make-directory.ts';
import type { Account } from './run.ts';
import { canLiveIn, sharedPlace, temporaryPlace } from './shared-places.ts';

/** Name of the directory of the cluster, PGDATA, in its home. */
const clusterName = 'postgres';

const pointerName = 'postgres-is-at.txt';
export const scratchPrefix = 'millrace-ephemeral-';

export type Home = {
  /** Absolute, links resolved; owned by this process's user, never by the server's. */
  readonly dir: string;
  /** The directory of the cluster: `<dir>/postgres`, owned by the server's user. */
  readonly cluster: string;
  readonly account: Account | null;
  /** False for a cluster that is thrown away: nothing of it is written through to the disk. */
  readonly durable: boolean;
};

export function homeAt(dir: string, account: Account | null, durable: boolean): Home {
  return { dir, cluster: join(dir, clusterName), account, durable };
}

/** Makes the data directory when absent; its path with links resolved. */
export async function openDataDir(dataDir: string): Promise<string> {
  try {
    await makeDirectory(dataDir);
    return await realpath(dataDir);
  } catch (error) {
    throw embeddedFailure(`the data directory ${dataDir} cannot be made`, messageOf(error));
  }
}

/** The cluster that is already in `dir` decides, when there is one, as whom the server runs. */
async function ownerOfCluster(dir: string, account: Account | null): Promise<Account | null> {
  const found = await stat(join(dir, clusterName)).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (found === null) return account;
  if (account === null) {
    if (found.uid === process.geteuid?.()) return null;
    throw embeddedFailure(
      `the cluster in ${dir} belongs to the user with id ${found.uid}: ` +
        'start Millrace as the user who made it, or choose another --data-dir',
    );
  }
  if (found.uid === 0 || found.uid === account.uid) return account;
  return { name: `with id ${found.uid}`, uid: found.uid, gid: found.gid };
}

/** The place an earlier start wrote down, when it is still there. */
async function readPointer(dataDir: string): Promise<string | null> {
  const text = await readFile(join(dataDir, pointerName), 'utf8').catch(() => '');
  const dir = text.split('\n')[0] ?? '';
  if (!isAbsolute(dir)) return null;
  const found = await stat(dir).catch(() => null);
  // Only a directory of this user's: whoever can write the data directory may not redirect root.
  return found?.isDirectory() && found.uid === process.geteuid?.() ? dir : null;
}

async function homeElsewhere(dataDir: string, account: Account | null): Promise<string> {
  const known = await readPointer(dataDir);
  if (known !== null) return known;
  const key = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  const dir = join(await sharedPlace(account), `cluster-${key}`);
  await makeDirectory(dir, 0o711);
  await chmod(dir, 0o711);
  return dir;
}

/** Whether `dataDir` says that its cluster lives elsewhere. */
export async function hasPointer(dataDir: string): Promise<boolean> {
  return (await readPointer(dataDir)) !== null;
}

/** Writes into `dataDir` where its cluster lives. */
export async function writePointer(dataDir: string, home: Home): Promise<void> {
  const lines = [
    home.dir,
    '',
    'The line above is where Millrace keeps the PostgreSQL cluster of this data directory, because',
    `the user ${home.account?.name ?? ''} that runs PostgreSQL cannot use this directory itself.`,
    'When this directory is removed, the next start sets that cluster aside and makes a new one.',
    '',
  ];
  const path = join(dataDir, pointerName);
  await rm(path, { force: true });
  await writeFile(path, lines.join('\n'), { flag: 'wx' });
}

/**
 * The home of the cluster of `dataDir`. Call it with the data directory locked.
 *
 * @param dataDir as {@link openDataDir} returned it
 * @throws GatewayError `MR_EMBEDDED_FAILED`
 */
export async function findHome(dataDir: string): Promise<Home> {
  const account = await serverAccount();
  const owner = await ownerOfCluster(dataDir, account);
  if (account === null || (await canLiveIn(owner, dataDir))) return homeAt(dataDir, owner, true);
  const dir = await homeElsewhere(dataDir, account);
  return homeAt(dir, await ownerOfCluster(dir, account), true);
}

/** A fresh home below the directory for temporary files. */
export async function makeScratchHome(): Promise<Home> {
  const account = await serverAccount();
  const place = await realpath(await temporaryPlace(account));
  const dir = await mkdtemp(join(place, scratchPrefix));
  // The server's user passes through to its cluster but neither lists nor changes this directory.
  if (account !== null) await chmod(dir, 0o711);
  return homeAt(dir, account, false);
}
