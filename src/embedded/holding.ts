/** What one start holds of the machine besides its process, and how it is given back. */
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import {
  findHome,
  type Home,
  hasPointer,
  makeScratchHome,
  openDataDir,
  writePointer,
} from './cluster-home.ts';
import { type DataDirLock, lockDataDir } from './data-dir-lock.ts';
import { clearCluster, forgetServer } from './postmaster.ts';
import { sweepScratchHomes } from './scratch.ts';
import { openServerLog, type ServerLog } from './server-log.ts';

export type Held = {
  readonly home: Home;
  /** In the order they were taken. */
  readonly locks: readonly DataDirLock[];
  readonly log: ServerLog;
};

async function releaseAll(locks: readonly DataDirLock[]): Promise<void> {
  for (const lock of locks.toReversed()) await lock.release();
}

/** Everything back, and an ephemeral cluster removed. The server must have ended. */
export async function giveBack(held: Held): Promise<void> {
  try {
    await held.log.close();
    await forgetServer(held.home);
    if (!held.home.durable) await rm(held.home.dir, { recursive: true, force: true });
  } finally {
    await releaseAll(held.locks);
  }
}

/**
 * A fresh place for an ephemeral cluster; those of the dead are removed first.
 *
 * @throws GatewayError `MR_EMBEDDED_FAILED`
 */
export async function openScratch(log: Log): Promise<Held> {
  await sweepScratchHomes(log);
  const home = await makeScratchHome();
  try {
    const locks = [await lockDataDir(home.dir)];
    return { home, locks, log: await openServerLog(home.dir) };
  } catch (error) {
    await rm(home.dir, { recursive: true, force: true });
    throw error;
  }
}

/**
 * The data directory, made when absent and held by this process.
 *
 * @throws GatewayError `MR_DATA_DIR_HELD` or `MR_EMBEDDED_FAILED`; nothing is held then
 */
export async function openKept(dataDir: string, log: Log): Promise<Held> {
  const dir = await openDataDir(dataDir);
  const locks = [await lockDataDir(dir)];
  try {
    const home = await findHome(dir);
    if (home.dir !== dir) {
      // A copied data directory points at the same home: that must be held by one only as well.
      locks.push(await lockDataDir(home.dir));
      await adoptHome(dir, home, log);
    }
    return { home, locks, log: await openServerLog(dir) };
  } catch (error) {
    await releaseAll(locks);
    throw error;
  }
}

/**
 * Binds a home elsewhere to its data directory. Who removed the data directory expects to start
 * anew: a cluster of that time is set aside, in place of one that was set aside before.
 */
async function adoptHome(dataDir: string, home: Home, log: Log): Promise<void> {
  if (await hasPointer(dataDir)) return;
  const found = await stat(home.cluster).catch(() => null);
  if (found !== null) {
    await clearCluster(home, log);
    const aside = join(home.dir, 'postgres.old');
    await rm(aside, { recursive: true, force: true });
    await rename(home.cluster, aside);
    log.warn({ aside }, 'the cluster of a data directory that was removed is set aside');
  }
  await writePointer(dataDir, home);
  const { dir, account } = home;
  log.info({ dir }, `PostgreSQL keeps its data elsewhere: ${account?.name} cannot use ${dataDir}`);
}
