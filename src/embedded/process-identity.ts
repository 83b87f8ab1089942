import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from './failure.ts';

const psTimeoutMs = 5000;
const pollMs = 20;

/**
 * When the living process `pid` started, as a text that differs for a later process with a
 * recycled id: clock ticks since boot from field 22 of `/proc/<pid>/stat`, else the start time as
 * `ps` tells it. Null when there is no such process, or only a zombie.
 */
export function processStart(pid: number): string | null {
  if (!isAlive(pid)) return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is a program name in parentheses, which may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
  } catch {
    return startByPs(pid);
  }
}

function startByPs(pid: number): string | null {
  try {
    const said = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: psTimeoutMs,
    });
    const startMs = Date.parse(said.trim());
    return Number.isNaN(startMs) ? null : String(startMs);
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}

/** Whether the process that was `pid` at `start` is still there. */
export function isRunning(pid: number, start: string): boolean {
  return processStart(pid) === start;
}

/** Waits for the end of a process that is not a child; false when it outlives `timeoutMs`. */
export async function waitForEnd(pid: number, start: string, timeoutMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  while (isRunning(pid, start)) {
    if (performance.now() > deadlineMs) return false;
    await sleep(pollMs);
  }
  return true;
}

/** Sends a signal; a process that has just ended is not an error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}
