/** Homes of ephemeral clusters: removed at the end, or by a later start when there was none. */
import { lstat, readdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { serverAccount } from './account.ts';
import { type Home, homeAt, scratchPrefix } from './cluster-home.ts';
import { hasClaim, lockDataDir } from './data-dir-lock.ts';
import { messageOf } from './failure.ts';
import { clearCluster } from './postmaster.ts';
import { sendSignal } from './process-identity.ts';
import { processesIn } from './processes.ts';
import { temporaryPlace } from './shared-places.ts';

/** More leftovers than this wait for the next start. */
const sweptMax = 64;
/** A directory without a lock that is younger may be one that another start is just making. */
const youngMs = 10 * 60 * 1000;

async function sweepOne(home: Home, log: Log): Promise<void> {
  const found = await lstat(home.dir);
  // Others can make directories of that name in a shared place: only our own are touched.
  if (!found.isDirectory() || found.uid !== process.geteuid?.()) return;
  if (Date.now() - found.ctimeMs < youngMs && !(await hasClaim(home.dir))) return;
  const lock = await lockDataDir(home.dir);
  try {
    // Who was stopped in its tracks hears nothing, not even that its server has gone.
    for (const pid of await processesIn(home.cluster)) sendSignal(pid, 'SIGCONT');
    await clearCluster(home, log);
    await rm(home.dir, { recursive: true, force: true });
    log.info(
      { dir: home.dir },
      'removed an ephemeral cluster that an earlier Millrace left behind',
    );
  } finally {
    await lock.release();
  }
}

/** Removes the ephemeral clusters of processes that died. A failure is logged, not thrown. */
export async function sweepScratchHomes(log: Log): Promise<void> {
  const account = await serverAccount();
  const place = await realpath(await temporaryPlace(account));
  const names = (await readdir(place)).filter((name) => name.startsWith(scratchPrefix));
  for (const name of names.slice(0, sweptMax)) {
    const dir = join(place, name);
    try {
      await sweepOne(homeAt(dir, account, false), log);
    } catch (error) {
      const isLive = error instanceof GatewayError && error.code === 'MR_DATA_DIR_HELD';
      if (!isLive) log.warn({ dir, reason: messageOf(error) }, 'cannot remove an old cluster');
    }
  }
}
