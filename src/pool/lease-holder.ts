/**
 * The leases of one pool among several processes: the worker's side of {@link LeaseBook}. A lease
 * is spare, or in use by a link from before it is opened until its server process is gone. Pure.
 */
import type { Capacity } from './pool.ts';

export type LeaseHolderHost = {
  /** Tells the book how many grants are wanted in all since the beginning. */
  tellWant(total: number): void;
  tellGiven(count: number): void;
  /** How many more links the pool could use at once. */
  wanted(): number;
  /** Leases are there: the pool may open links. */
  onCapacity(): void;
  /** Idle links are to be closed while {@link LeaseHolder.isOwed} says so. */
  shedIdle(): void;
};

export class LeaseHolder implements Capacity {
  readonly #host: LeaseHolderHost;
  #spare = 0;
  /** Of links that are being closed. */
  #leaving = 0;
  /** Since the beginning, as in the book. */
  #granted = 0;
  #given = 0;
  #wantTotal = 0;
  #idleTotal = 0;
  #mustTotal = 0;
  #isClosed = false;

  constructor(host: LeaseHolderHost) {
    this.#host = host;
  }

  /** For the property test. */
  get spare(): number {
    return this.#spare;
  }

  take(): boolean {
    if (this.#spare > 0) {
      this.#spare--;
      return true;
    }
    const total = this.#granted + this.#host.wanted();
    if (total > this.#wantTotal) this.#tellWant(total);
    return false;
  }

  isOwed(isUnused: boolean): boolean {
    const going = this.#given + this.#leaving;
    return this.#mustTotal > going || (isUnused && this.#idleTotal > going);
  }

  /** A link is being closed; {@link free} follows when its server process is gone. */
  leave(): void {
    this.#leaving++;
  }

  /** The server process of a link that was left is gone. */
  free(): void {
    this.#leaving--;
    this.giveBack();
  }

  /** A link could not be opened, or its server process is gone: its lease is spare. */
  giveBack(): void {
    this.#spare++;
    this.#settle();
  }

  onGrant(count: number): void {
    this.#granted += count;
    this.#spare += count;
    this.#settle();
  }

  onDemand(idleTotal: number, mustTotal: number): void {
    this.#idleTotal = idleTotal;
    this.#mustTotal = mustTotal;
    this.#giveOwed(this.#host.wanted() > 0);
    this.#host.shedIdle();
  }

  /** To be called every now and then: what was wanted may have been settled otherwise. */
  tick(): void {
    if (this.#isClosed) return;
    const wanted = this.#host.wanted();
    const total = this.#granted + Math.max(0, wanted - this.#spare);
    if (total !== this.#wantTotal && this.#wantTotal > this.#granted) this.#tellWant(total);
    // Others see at once what nobody needs here.
    if (wanted === 0) this.#give(this.#spare);
  }

  /** No more links: whatever comes back goes to the others. */
  close(): void {
    this.#isClosed = true;
    this.#settle();
  }

  #settle(): void {
    if (this.#isClosed) {
      this.#give(this.#spare);
      return;
    }
    this.#giveOwed(this.#host.wanted() > 0);
    if (this.#spare > 0 && this.#host.wanted() > 0) this.#host.onCapacity();
  }

  #giveOwed(hasWaiters: boolean): void {
    const target = hasWaiters ? this.#mustTotal : Math.max(this.#mustTotal, this.#idleTotal);
    this.#give(Math.min(this.#spare, target - this.#given));
  }

  #give(count: number): void {
    if (count <= 0) return;
    this.#spare -= count;
    this.#given += count;
    this.#host.tellGiven(count);
  }

  #tellWant(total: number): void {
    this.#wantTotal = total;
    this.#host.tellWant(total);
  }
}
