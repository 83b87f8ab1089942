import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Clock } from '../../base/time.ts';
import type { Reader } from '../../origin/aurora/cluster.ts';
import { type Destination, type Opened, openLink, type Place } from './destination.ts';

/** A reader that does not let a link in soon gets none for a while. */
const OPEN_TIMEOUT_MS = 2_000;
const BAR_MS = 5_000;
/** One that has closed a link may be restarting. */
const SUSPECT_BAR_MS = 1_000;

/** To the readers of a cluster by turns, to each as many links as to the others. */
export class ReaderDestination implements Destination {
  readonly #readers: () => readonly Reader[];
  /** How many links lead to a place. */
  readonly #countAt: (key: string) => number;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Until when each that has failed gets no link. */
  readonly #barred = new Map<string, number>();
  readonly #opening = new Map<string, number>();

  constructor(
    readers: () => readonly Reader[],
    countAt: (key: string) => number,
    clock: Clock,
    log: Log,
  ) {
    this.#readers = readers;
    this.#countAt = countAt;
    this.#clock = clock;
    this.#log = log;
  }

  /** Those that links may lead to. */
  get usable(): readonly Reader[] {
    const nowMs = this.#clock.nowMs();
    return this.#readers().filter(({ name }) => (this.#barred.get(name) ?? 0) <= nowMs);
  }

  async open(timeoutMs: number): Promise<Opened> {
    const reader = this.#next();
    const { name, origin } = reader;
    this.#opening.set(name, (this.#opening.get(name) ?? 0) + 1);
    try {
      const established = await openLink(origin, Math.min(timeoutMs, OPEN_TIMEOUT_MS), this.#log);
      return { established, place: { origin, key: name } };
    } catch (error) {
      this.#bar(name, BAR_MS);
      throw error;
    } finally {
      const left = (this.#opening.get(name) ?? 1) - 1;
      if (left === 0) this.#opening.delete(name);
      else this.#opening.set(name, left);
    }
  }

  suspect({ key }: Place): void {
    this.#bar(key, SUSPECT_BAR_MS);
  }

  /** A reader need not write. */
  get isCertain(): boolean {
    return true;
  }

  rest(): void {}

  renew(): void {
    this.#barred.clear();
  }

  #bar(name: string, forMs: number): void {
    const nowMs = this.#clock.nowMs();
    // Instances come and go, under names of their own.
    for (const [other, untilMs] of this.#barred) if (untilMs <= nowMs) this.#barred.delete(other);
    this.#barred.set(name, Math.max(this.#barred.get(name) ?? 0, nowMs + forMs));
  }

  #next(): Reader {
    let best: Reader | null = null;
    let bestCount = Number.POSITIVE_INFINITY;
    for (const reader of this.usable) {
      const count = this.#countAt(reader.name) + (this.#opening.get(reader.name) ?? 0);
      if (count >= bestCount) continue;
      best = reader;
      bestCount = count;
    }
    if (best === null) throw new GatewayError('MR_ORIGIN_REFUSED', { detail: 'no reader' });
    return best;
  }
}
