/** What tests of shared links ask, and wait for. */
import { nap } from './stage.ts';
import type { WireClient } from './wire.ts';

const ATTEMPTS_MAX = 1_000;
const PAUSE_MS = 5;

/** What `SHOW millrace.sharing` says. The gateway answers that itself, so it shares nothing. */
export async function sharingCounts(asker: WireClient): Promise<Readonly<Record<string, number>>> {
  const rows = await asker.rows('SHOW millrace.sharing');
  return Object.fromEntries(rows.map(([name, value]) => [name, Number(value)]));
}

/** How many units have gone over a shared link. */
export async function sharedCount(asker: WireClient): Promise<number> {
  const { shared } = await sharingCounts(asker);
  if (shared === undefined) throw new Error('SHOW millrace.sharing does not say what was shared');
  return shared;
}

/**
 * Works until that goes over a shared link: the catalogue must have been read, and the results be
 * known to be short.
 */
export async function untilShared(asker: WireClient, work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const before = await sharedCount(asker);
    await work();
    if ((await sharedCount(asker)) > before) return;
    await nap(PAUSE_MS);
  }
  throw new Error('nothing is shared');
}
