/** Memory that processes really take, from what Linux tells in /proc, and the limit on files. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 500;
/** Memory counts as settled when it has changed by less than this part in a second. */
const SETTLED_PART = 0.002;
const SETTLE_MS_MAX = 15_000;

/** @throws Error for a text that is no `/proc/<pid>/status` */
export function parseResidentKiB(status: string): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(status);
  if (match === null) throw new Error('not a /proc/<pid>/status of a process with memory');
  return Number(match[1]);
}

export function residentKiB(pids: readonly number[]): number {
  return pids.reduce(
    (sum, pid) => sum + parseResidentKiB(readFileSync(`/proc/${pid}/status`, 'utf8')),
    0,
  );
}

/** Waits until the memory of processes changes no more, or for a while, and tells it. */
export async function settledKiB(pids: readonly number[]): Promise<number> {
  const deadlineMs = performance.now() + SETTLE_MS_MAX;
  let [earlier, last] = [0, residentKiB(pids)];
  while (performance.now() < deadlineMs) {
    await sleep(POLL_MS);
    const now = residentKiB(pids);
    const change = Math.max(Math.abs(now - last), Math.abs(now - earlier));
    if (change < now * SETTLED_PART) return now;
    [earlier, last] = [last, now];
  }
  return last;
}

/** How many files a process may have open, from a text as `/proc/self/limits`; the soft limit. */
export function parseOpenFilesMax(limits: string): number {
  const value = /^Max open files\s+(\d+|unlimited)\s/m.exec(limits)?.[1];
  if (value === undefined) throw new Error('not a /proc/<pid>/limits');
  return value === 'unlimited' ? Number.POSITIVE_INFINITY : Number(value);
}

export function openFilesMax(): number {
  return parseOpenFilesMax(readFileSync('/proc/self/limits', 'utf8'));
}
