/** What a program has started, and what of it is still there afterwards (Linux). */
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Process ids below `pid`, however deep. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      parents.set(Number(name), parent);
    } catch {
      // It ended meanwhile.
    }
  }
  const found: number[] = [];
  for (const next = [pid]; next.length > 0; ) {
    const parent = next.pop();
    const children = [...parents].filter(([, each]) => each === parent).map(([child]) => child);
    found.push(...children);
    next.push(...children);
  }
  return found;
}

/** System V segments that one of these processes made. */
function sharedSegments(pids: readonly number[]): string[] {
  const [head = '', ...lines] = readFileSync('/proc/sysvipc/shm', 'utf8').trim().split('\n');
  const column = head.trim().split(/\s+/).indexOf('cpid');
  const rows = lines.map((line) => line.trim().split(/\s+/));
  return rows
    .filter((row) => pids.includes(Number(row[column])))
    .map((row) => `segment ${row[1]} of ${row[column]}`);
}

/** Files of shared memory that one of these processes has mapped or open. */
function sharedFiles(pids: readonly number[]): string[] {
  const maps = pids.flatMap((pid) => {
    try {
      return readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n');
    } catch {
      return [];
    }
  });
  const paths = maps.flatMap((line) => /\s(\/dev\/shm\/\S+)/.exec(line)?.[1] ?? []);
  return [...new Set(paths)];
}

/** Whether it still runs; who has ended and waits for its parent to ask is gone. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** A look at a running program, to compare with what is there after its end. */
export class Footprint {
  readonly pids: readonly number[];
  readonly #files: readonly string[];

  constructor(pid: number) {
    this.pids = [pid, ...descendants(pid)];
    this.#files = sharedFiles(this.pids);
  }

  /** Whether it has anything that could be left behind; else the look proves nothing. */
  get hasServer(): boolean {
    return this.pids.length > 2 && sharedSegments(this.pids).length > 0;
  }

  left(): string[] {
    const alive = this.pids.filter(isAlive);
    return [
      ...alive.map((pid) => `process ${pid}`),
      ...sharedSegments(this.pids),
      ...this.#files.filter((path) => existsSync(path)),
    ];
  }
}
