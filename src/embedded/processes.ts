/** All the processes of a server, whom its postmaster alone cannot speak for. */
import { readdir, readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { embeddedFailure } from './failure.ts';
import { sendSignal } from './process-identity.ts';

const POLL_MS = 10;
const END_TIMEOUT_MS = 5_000;

/**
 * Who works in a data directory: every process of a server has it as its working directory. Only
 * Linux tells; elsewhere nobody.
 */
export async function processesIn(dataDir: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    const cwd = await readlink(`/proc/${name}/cwd`).catch(() => '');
    if (cwd === dataDir) found.push(Number(name));
  }
  return found;
}

/** Ends them all without a last word, as when the power fails; resolves when they are gone. */
export async function killAllIn(dataDir: string): Promise<void> {
  const deadlineMs = performance.now() + END_TIMEOUT_MS;
  for (;;) {
    const pids = await processesIn(dataDir);
    if (pids.length === 0) return;
    for (const pid of pids) sendSignal(pid, 'SIGKILL');
    if (performance.now() > deadlineMs) {
      throw embeddedFailure(`the processes in ${dataDir} do not end`);
    }
    await sleep(POLL_MS);
  }
}

/**
 * Stops the processes where they are, or lets them go on. The postmaster is stopped first and goes
 * on last, so that nobody is missed.
 */
export async function signalAll(
  dataDir: string,
  postmaster: number,
  signal: 'SIGSTOP' | 'SIGCONT',
): Promise<void> {
  if (signal === 'SIGSTOP') sendSignal(postmaster, signal);
  for (const pid of await processesIn(dataDir)) if (pid !== postmaster) sendSignal(pid, signal);
  if (signal === 'SIGCONT') sendSignal(postmaster, signal);
}
