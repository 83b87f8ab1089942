import { GatewayError } from '../base/errors.ts';
import { Ring } from '../base/ring.ts';

/**
 * The pool of one configuration: which links are idle, who waits, when to open and to close. It
 * opens and closes nothing itself and reads no clock; {@link PoolHost} does, and says the time.
 *
 * Invariants: idle + checked out + opening + unsettled links never exceed the limit; while somebody
 * waits no link is idle; waiters are served strictly in the order in which they came.
 */

export type PoolLimits = {
  readonly linksMax: number;
  readonly waitersMax: number;
  readonly waitTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** A link is closed at its first check-in after this long, less a share of up to a tenth. */
  readonly lifetimeMs: number;
};

export type PoolHost<Link, Waiter> = {
  /** Opens a link and answers with {@link Pool.onOpened} or `onOpenFailed`. */
  openLink(): void;
  /** Closes a link that the pool has let go. */
  closeLink(link: Link, reason: string): void;
  grant(waiter: Waiter, link: Link): void;
  refuse(waiter: Waiter, error: GatewayError): void;
};

/** Who else has a say in how many links there are; see `lease-holder.ts`. */
export type Capacity = {
  /** Takes the right to open a link; if false, {@link Pool.onCapacity} says when to try again. */
  take(): boolean;
  /**
   * Whether a link must be closed, since its place is needed elsewhere.
   * @param isUnused whether it has lain idle for a while; else somebody here may wait for it
   */
  isOwed(isUnused: boolean): boolean;
};

/** The limit alone counts. */
export const OWN_CAPACITY: Capacity = { take: () => true, isOwed: () => false };

type Waiting<Waiter> = { readonly waiter: Waiter; readonly sinceMs: number; isGone: boolean };

/** What the pool knows of a link. */
type Entry = {
  readonly expiresMs: number;
  readonly epoch: number;
  idleSinceMs: number;
};

export type PoolCounts = {
  readonly idle: number;
  readonly checkedOut: number;
  readonly opening: number;
  readonly waiting: number;
};

/** After a failure the next attempt waits this long, twice as long each time. */
const RETRY_FIRST_MS = 100;
const RETRY_LAST_MS = 2_000;
/** A link is unused when it was idle for so long. */
const UNUSED_MS = 100;
const OLD = 'it is old';
/** Why a link is closed whose place another worker needs. */
const OWED = 'another worker needs its place';
const LIFETIME_JITTER = 0.1;
/** So many who went away may still stand in the queue. */
const GONE_MAX = 64;

export class Pool<Link extends object, Waiter extends object> {
  readonly #host: PoolHost<Link, Waiter>;
  readonly #capacity: Capacity;
  #limits: PoolLimits;
  /** Most recently used last: the others may grow old and be closed. */
  readonly #idle: Link[] = [];
  readonly #entries = new Map<Link, Entry>();
  readonly #waiters = new Ring<Waiting<Waiter>>();
  readonly #waitingOf = new Map<Waiter, Waiting<Waiter>>();
  #opening = 0;
  #failures = 0;
  #retryAtMs = 0;
  #lastError: GatewayError | null = null;
  /** Whether the origin has ever let a link in: what fails before that is a wrong configuration. */
  #wasUp = false;
  /** Links of an older epoch are closed when they come back. */
  #epoch = 0;
  #isClosed = false;

  constructor(host: PoolHost<Link, Waiter>, limits: PoolLimits, capacity: Capacity = OWN_CAPACITY) {
    this.#host = host;
    this.#capacity = capacity;
    this.#limits = limits;
  }

  get counts(): PoolCounts {
    return {
      idle: this.#idle.length,
      checkedOut: this.#entries.size - this.#idle.length,
      opening: this.#opening,
      waiting: this.#waitingOf.size,
    };
  }

  /** How many more links would be opened at once if they might. */
  get lacking(): number {
    if (this.#isClosed) return 0;
    const room = this.#limits.linksMax - this.#entries.size - this.#opening;
    return Math.max(0, Math.min(this.#waitingOf.size - this.#opening, room));
  }

  /** A link at once, or null: the waiter is then granted one, or refused, later. */
  checkOut(waiter: Waiter, nowMs: number): Link | null {
    // Nobody overtakes: a link that has just come back belongs to whoever waits longest.
    if (this.#waitingOf.size === 0) {
      const link = this.#takeIdle(nowMs);
      if (link !== null) return link;
    }
    if (this.#waitingOf.size >= this.#limits.waitersMax) {
      this.#host.refuse(waiter, new GatewayError('MR_POOL_WAITERS_FULL'));
      return null;
    }
    const waiting: Waiting<Waiter> = { waiter, sinceMs: nowMs, isGone: false };
    this.#waiters.push(waiting);
    this.#waitingOf.set(waiter, waiting);
    this.#openIfNeeded(nowMs);
    return null;
  }

  /** The waiter has gone away. */
  withdraw(waiter: Waiter): void {
    const waiting = this.#waitingOf.get(waiter);
    if (waiting === undefined) return;
    waiting.isGone = true;
    this.#waitingOf.delete(waiter);
    // The ring drops them at its head only: they must not pile up behind one who waits long.
    if (this.#waiters.size > 2 * this.#waitingOf.size + GONE_MAX) this.#dropGone();
  }

  /** A link comes back, idle and clean. */
  checkIn(link: Link, nowMs: number): void {
    const entry = this.#entries.get(link);
    if (entry === undefined) return;
    const reason = this.#reasonToClose(entry, nowMs);
    if (reason === null) {
      this.#offer(link, entry, nowMs);
    } else {
      this.#let(link, reason);
      this.#openIfNeeded(nowMs);
    }
  }

  /** A link is gone, or must not be used again; whoever had it closes it. */
  remove(link: Link, nowMs: number): void {
    if (!this.#entries.delete(link)) return;
    const at = this.#idle.indexOf(link);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#openIfNeeded(nowMs);
  }

  /** A link was opened. `random` in [0, 1) spreads the end of links opened together. */
  onOpened(link: Link, nowMs: number, random: number): void {
    this.#opening--;
    this.#failures = 0;
    this.#lastError = null;
    this.#wasUp = true;
    const entry: Entry = {
      expiresMs: nowMs + this.#limits.lifetimeMs * (1 - LIFETIME_JITTER * random),
      epoch: this.#epoch,
      idleSinceMs: nowMs,
    };
    this.#entries.set(link, entry);
    this.checkIn(link, nowMs);
    this.#openIfNeeded(nowMs);
  }

  /** A link could not be opened. */
  onOpenFailed(error: GatewayError, nowMs: number): void {
    this.#opening--;
    this.#lastError = error;
    const wait = Math.min(RETRY_FIRST_MS * 2 ** this.#failures, RETRY_LAST_MS);
    this.#failures++;
    this.#retryAtMs = nowMs + wait;
    // What time does not heal is told at once, and so is an origin that nobody has seen up yet.
    // In an outage the clients wait, up to their limit, for it to end.
    const isUp = this.#wasUp || error.code === 'MR_ORIGIN_BUSY';
    const isHopeless = !error.row.retryable || !isUp;
    if (isHopeless && this.#entries.size === 0) this.#refuseAll(error);
  }

  /** To be called every now and then: expires waiters and idle links, and retries. */
  tick(nowMs: number): void {
    for (;;) {
      const waiting = this.#waiters.peek();
      if (waiting === undefined) break;
      if (!waiting.isGone && nowMs - waiting.sinceMs < this.#limits.waitTimeoutMs) break;
      this.#waiters.shift();
      if (waiting.isGone) continue;
      this.#waitingOf.delete(waiting.waiter);
      this.#host.refuse(
        waiting.waiter,
        this.#lastError ?? new GatewayError('MR_POOL_WAIT_TIMEOUT'),
      );
    }
    this.#closeIdle(nowMs);
    this.shedIdle(nowMs);
    this.#openIfNeeded(nowMs);
  }

  /** Takes new limits; links above a lower limit are closed as they come back. */
  setLimits(limits: PoolLimits, nowMs: number): void {
    this.#limits = limits;
    while (this.#idle.length > 0 && this.#entries.size > limits.linksMax) {
      this.#let(this.#idle.shift() as Link, 'the limit was lowered');
    }
    this.#openIfNeeded(nowMs);
  }

  /** There may be more links again; see {@link Capacity}. */
  onCapacity(nowMs: number): void {
    this.#openIfNeeded(nowMs);
  }

  /** Closes idle links whose places are owed, the longest idle first. */
  shedIdle(nowMs: number): void {
    while (this.#idle.length > 0) {
      const { idleSinceMs } = this.#entries.get(this.#idle[0] as Link) as Entry;
      if (!this.#capacity.isOwed(nowMs - idleSinceMs >= UNUSED_MS)) return;
      this.#let(this.#idle.shift() as Link, OWED);
    }
  }

  /** The origin may be back after an outage: what was put off is tried at once. */
  retry(nowMs: number): void {
    this.#failures = 0;
    this.#openIfNeeded(nowMs);
  }

  /** Whoever waits is not to wait any longer. */
  refuseWaiting(error: GatewayError): void {
    this.#refuseAll(error);
  }

  /** Every link of now is closed, the checked-out ones when they come back. */
  renew(reason: string, nowMs: number): void {
    this.#epoch++;
    this.#failures = 0;
    this.#retryAtMs = 0;
    this.#wasUp = false;
    for (const link of this.#idle.splice(0)) this.#let(link, reason);
    this.#openIfNeeded(nowMs);
  }

  /** Refuses all who wait, closes idle links now and the others as they come back. */
  close(error: GatewayError): void {
    this.#isClosed = true;
    this.#refuseAll(error);
    for (const link of this.#idle.splice(0)) this.#let(link, 'the gateway stops');
  }

  /** Links that have grown old since they were looked at are not lent again. */
  #takeIdle(nowMs: number): Link | null {
    for (let link = this.#idle.pop(); link !== undefined; link = this.#idle.pop()) {
      if (nowMs < (this.#entries.get(link) as Entry).expiresMs) return link;
      this.#let(link, OLD);
    }
    return null;
  }

  #offer(link: Link, entry: Entry, nowMs: number): void {
    const waiting = this.#nextWaiting();
    if (waiting !== undefined) {
      this.#waitingOf.delete(waiting.waiter);
      this.#host.grant(waiting.waiter, link);
      return;
    }
    entry.idleSinceMs = nowMs;
    this.#idle.push(link);
  }

  #nextWaiting(): Waiting<Waiter> | undefined {
    for (;;) {
      const waiting = this.#waiters.shift();
      if (waiting === undefined || !waiting.isGone) return waiting;
    }
  }

  #dropGone(): void {
    for (let left = this.#waiters.size; left > 0; left--) {
      const waiting = this.#waiters.shift() as Waiting<Waiter>;
      if (!waiting.isGone) this.#waiters.push(waiting);
    }
  }

  #refuseAll(error: GatewayError): void {
    for (;;) {
      const waiting = this.#nextWaiting();
      if (waiting === undefined) return;
      this.#waitingOf.delete(waiting.waiter);
      this.#host.refuse(waiting.waiter, error);
    }
  }

  #let(link: Link, reason: string): void {
    this.#entries.delete(link);
    this.#host.closeLink(link, reason);
  }

  #reasonToClose(entry: Entry, nowMs: number): string | null {
    if (this.#isClosed) return 'the gateway stops';
    if (entry.epoch !== this.#epoch) return 'its origin was changed';
    if (nowMs >= entry.expiresMs) return OLD;
    if (this.#capacity.isOwed(false)) return OWED;
    return this.#entries.size > this.#limits.linksMax ? 'the limit was lowered' : null;
  }

  #openIfNeeded(nowMs: number): void {
    if (this.#isClosed || (this.#failures > 0 && nowMs < this.#retryAtMs)) return;
    // After a failure one attempt at a time finds out whether the origin is back.
    const openingMax = this.#failures > 0 ? 1 : Number.POSITIVE_INFINITY;
    while (
      this.#opening < this.#waitingOf.size &&
      this.#opening < openingMax &&
      this.#entries.size + this.#opening < this.#limits.linksMax &&
      this.#capacity.take()
    ) {
      this.#opening++;
      this.#host.openLink();
    }
  }

  /** The idle list is in the order of last use, so the oldest stand first. */
  #closeIdle(nowMs: number): void {
    while (this.#idle.length > 0) {
      const link = this.#idle[0] as Link;
      const entry = this.#entries.get(link) as Entry;
      const isDue =
        nowMs - entry.idleSinceMs >= this.#limits.idleTimeoutMs || nowMs >= entry.expiresMs;
      if (!isDue) return;
      this.#idle.shift();
      this.#let(link, nowMs >= entry.expiresMs ? OLD : 'it was idle');
    }
  }
}
