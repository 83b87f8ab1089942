/** Processor time of processes, from what Linux tells in /proc. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Times in clock ticks. */
export type ProcessTimes = {
  readonly parentPid: number;
  /** User and system time of the process itself. */
  readonly own: number;
  /** The same of its children that have ended and were waited for, and of theirs. */
  readonly ended: number;
};

/**
 * Reads a line of `/proc/<pid>/stat`. The second field is the name of the program in parentheses,
 * and may itself hold blanks and parentheses.
 *
 * @throws Error for any other text
 */
export function parseProcessStat(line: string): ProcessTimes {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const at = (index: number): number => Number(fields[index]);
  // The first field here is the third of proc(5).
  const times = { parentPid: at(1), own: at(11) + at(12), ended: at(13) + at(14) };
  if (Object.values(times).some((value) => !Number.isFinite(value))) {
    throw new Error('not a line of /proc/<pid>/stat');
  }
  return times;
}

function timesOf(pid: number | string): ProcessTimes | null {
  try {
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    // It has ended since its directory was listed; its parent's `ended` has it now.
    return null;
  }
}

export class CpuClock {
  readonly #tickSeconds: number;

  /** @throws Error where there is no /proc as Linux has it */
  constructor() {
    this.#tickSeconds = 1 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
    parseProcessStat(readFileSync('/proc/self/stat', 'utf8'));
  }

  /** Of one process without its children. */
  ownSeconds(pid: number): number {
    return (timesOf(pid)?.own ?? 0) * this.#tickSeconds;
  }

  /** Of a process and its children, those included that have ended. */
  familySeconds(pid: number): number {
    const own = timesOf(pid);
    if (own === null) return 0;
    let ticks = own.own + own.ended;
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const times = timesOf(name);
      if (times?.parentPid === pid) ticks += times.own;
    }
    return ticks * this.#tickSeconds;
  }
}
