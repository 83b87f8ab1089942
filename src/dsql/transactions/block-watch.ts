/**
 * Sees who keeps a statement waiting, and moves them out of the way: an idle holder of locks is
 * parked, and a circle of waiting statements is broken at its weakest.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlLink } from './control-link.ts';

/** A statement that is answered within this is never asked about. */
const WATCH_AFTER_MS = 1;
/** The time between two looks: from the first to the second, as long as nothing changes. */
const LOOK_EVERY_MS_MIN = 1;
const LOOK_EVERY_MS_MAX = 25;
/** Between two looks while the control link fails. */
const LOOK_AGAIN_MS = 250;

const BLOCKERS_QUERY = `SELECT w.pid,
    pg_catalog.array_to_string(pg_catalog.pg_blocking_pids(w.pid), ',')
  FROM pg_catalog.unnest($1::pg_catalog.int4[]) AS w(pid)`;

/** A transaction, as the watch sees it. */
export type Watched = {
  readonly processId: number;
  /** Nothing of it is under way: its locks can be taken from it. */
  readonly isParkable: boolean;
  /** Who is struck last: higher is stronger; of two that are equal, the older. */
  readonly strength: number;
  readonly serial: number;
  park(): void;
  /** Cancels its statement, so that it lets go and tries again. */
  strike(): void;
};

/** Locks that outlive their transaction. */
export type Guarding = {
  /** Whether the process is a guard's; if so it has been dealt with. */
  meet(processId: number, waiter: Watched): boolean;
};

export class BlockWatch {
  readonly #control: ControlLink;
  readonly #find: (processId: number) => Watched | null;
  readonly #guards: Guarding;
  readonly #waiting = new Map<number, Watched>();
  #isLooking = false;
  #delayMs = LOOK_EVERY_MS_MIN;

  constructor(control: ControlLink, find: (processId: number) => Watched | null, guards: Guarding) {
    this.#control = control;
    this.#find = find;
    this.#guards = guards;
  }

  /** Watches over a statement until what it returns is called. */
  begin(watched: Watched): () => void {
    const timer = setTimeout(() => {
      this.#waiting.set(watched.processId, watched);
      this.#delayMs = LOOK_EVERY_MS_MIN;
      if (!this.#isLooking) void this.#look();
    }, WATCH_AFTER_MS);
    return () => {
      clearTimeout(timer);
      this.#waiting.delete(watched.processId);
    };
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    // Ends with the last statement that waits, and each of them has a limit of its own.
    while (this.#waiting.size > 0) {
      const blockers = await this.#blockers();
      if (blockers === null) {
        await sleep(LOOK_AGAIN_MS);
        continue;
      }
      const hasActed = this.#act(blockers);
      this.#delayMs = hasActed ? LOOK_EVERY_MS_MIN : Math.min(this.#delayMs * 2, LOOK_EVERY_MS_MAX);
      await sleep(this.#delayMs);
    }
    this.#isLooking = false;
  }

  /** Who waits for whom, by process; null when it cannot be known now. */
  async #blockers(): Promise<Map<number, number[]> | null> {
    const processIds = `{${[...this.#waiting.keys()].join(',')}}`;
    try {
      const { rows } = await this.#control.query(BLOCKERS_QUERY, [processIds]);
      return new Map(
        rows.map(([waiter, list]) => [Number(waiter), (list ?? '').split(',').map(Number)]),
      );
    } catch {
      return null;
    }
  }

  #act(blockers: ReadonlyMap<number, readonly number[]>): boolean {
    let hasActed = false;
    for (const [processId, list] of blockers) {
      const waiter = this.#waiting.get(processId);
      if (waiter === undefined) continue;
      for (const blocker of list) {
        if (this.#guards.meet(blocker, waiter)) hasActed = true;
        const holder = this.#find(blocker);
        if (!holder?.isParkable) continue;
        holder.park();
        hasActed = true;
      }
    }
    const weakest = this.#weakestInCircle(blockers);
    weakest?.strike();
    return hasActed || weakest !== null;
  }

  /** One circle at a time: the next look finds the next. */
  #weakestInCircle(blockers: ReadonlyMap<number, readonly number[]>): Watched | null {
    const done = new Set<number>();
    for (const start of blockers.keys()) {
      const path: number[] = [];
      let at: number | undefined = start;
      // Each step adds to the path or ends it, so this ends.
      while (at !== undefined && !done.has(at) && !path.includes(at)) {
        path.push(at);
        const waitsFor: readonly number[] = blockers.get(at) ?? [];
        at = waitsFor.find((other) => this.#waiting.has(other));
      }
      const from = at === undefined ? -1 : path.indexOf(at);
      for (const processId of path) done.add(processId);
      if (from >= 0) return weakestOf(path.slice(from).map((id) => this.#waiting.get(id)));
    }
    return null;
  }
}

function weakestOf(circle: readonly (Watched | undefined)[]): Watched | null {
  let weakest: Watched | null = null;
  for (const one of circle) {
    if (one === undefined) continue;
    const isWeaker =
      weakest === null ||
      one.strength < weakest.strength ||
      (one.strength === weakest.strength && one.serial > weakest.serial);
    if (isWeaker) weakest = one;
  }
  return weakest;
}
