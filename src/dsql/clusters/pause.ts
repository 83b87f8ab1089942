/** Waits between attempts, each twice as long as the one before, up to a limit. */
import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_MS = 250;
const PAUSE_MAX_MS = 10_000;

const pauseMs = (attempt: number): number =>
  Math.min(FIRST_MS * 2 ** Math.min(attempt, 16), PAUSE_MAX_MS);

/** @param attempt counts from 0. Settles early when the signal is given; never rejects. */
export async function pause(attempt: number, signal: AbortSignal): Promise<void> {
  await sleep(pauseMs(attempt), undefined, { signal, ref: false }).catch(() => {});
}
