/**
 * How fast links may be opened to one cluster, by everybody in all processes together. Pure: it
 * reads no clock and sends nothing.
 *
 * Invariant: in any time t, counted in seconds, no more than `burst + perSecond × t` are given out
 * and not given back.
 */
import type { LinkRate } from '../session/origin-rules.ts';

/** Rights to open a link, which come at a steady rate and are kept up to a number. */
export class TokenBucket {
  #rate: LinkRate;
  #tokens: number;
  #filledAtMs: number;

  constructor(rate: LinkRate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#filledAtMs = nowMs;
  }

  /** Takes up to `count`; how many there were. */
  take(count: number, nowMs: number): number {
    this.#fill(nowMs);
    const taken = Math.min(count, Math.floor(this.#tokens));
    this.#tokens -= taken;
    return taken;
  }

  /** Some that were taken were not used. */
  giveBack(count: number, nowMs: number): void {
    this.#fill(nowMs);
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + count);
  }

  /** Another rate from now on. What is there stays there, as far as it may be kept. */
  setRate(rate: LinkRate, nowMs: number): void {
    this.#fill(nowMs);
    this.#rate = rate;
    this.#tokens = Math.min(rate.burst, this.#tokens);
  }

  #fill(nowMs: number): void {
    const { perSecond, burst } = this.#rate;
    const earned = (Math.max(0, nowMs - this.#filledAtMs) / 1_000) * perSecond;
    this.#tokens = Math.min(burst, this.#tokens + earned);
    this.#filledAtMs = Math.max(this.#filledAtMs, nowMs);
  }
}

/**
 * How workers share one bucket: the book of the primary process. Who wants several is given one
 * after the other, in turns with all who want some.
 */
export class RateBook<Member> {
  readonly #bucket: TokenBucket;
  readonly #grant: (member: Member, count: number) => void;
  /** In the order of their turns. */
  readonly #wants = new Map<Member, number>();

  constructor(rate: LinkRate, nowMs: number, grant: (member: Member, count: number) => void) {
    this.#bucket = new TokenBucket(rate, nowMs);
    this.#grant = grant;
  }

  /** Whether somebody waits, so that {@link tick} is needed. */
  get isUneasy(): boolean {
    return this.#wants.size > 0;
  }

  /** The member wants so many more. */
  want(member: Member, count: number, rate: LinkRate, nowMs: number): void {
    this.#bucket.setRate(rate, nowMs);
    if (count > 0) this.#wants.set(member, (this.#wants.get(member) ?? 0) + count);
    this.tick(nowMs);
  }

  giveBack(count: number, nowMs: number): void {
    this.#bucket.giveBack(count, nowMs);
    this.tick(nowMs);
  }

  /** The member is gone. What it was given may have been used. */
  lose(member: Member): void {
    this.#wants.delete(member);
  }

  tick(nowMs: number): void {
    const grants = new Map<Member, number>();
    while (this.#wants.size > 0 && this.#bucket.take(1, nowMs) === 1) {
      const [member, count] = this.#wants.entries().next().value as [Member, number];
      this.#wants.delete(member);
      if (count > 1) this.#wants.set(member, count - 1);
      grants.set(member, (grants.get(member) ?? 0) + 1);
    }
    for (const [member, count] of grants) this.#grant(member, count);
  }
}

/** The rights of one worker, as the book gives them. */
export class RateHolder {
  readonly #want: (count: number) => void;
  readonly #giveBack: (count: number) => void;
  #spare = 0;
  #spareSinceMs = 0;
  /** Asked for and not given yet. */
  #asked = 0;

  constructor(want: (count: number) => void, giveBack: (count: number) => void) {
    this.#want = want;
    this.#giveBack = giveBack;
  }

  /** @param wanted how many links are to be opened at once */
  take(wanted: number): boolean {
    if (this.#spare > 0) {
      this.#spare--;
      return true;
    }
    const more = wanted - this.#asked;
    if (more > 0) {
      this.#asked += more;
      this.#want(more);
    }
    return false;
  }

  /** One that was taken is not used now. */
  putBack(): void {
    this.#spare++;
  }

  onGrant(count: number, nowMs: number): void {
    this.#asked -= count;
    this.#spare += count;
    this.#spareSinceMs = nowMs;
  }

  /** Gives back what nobody has used for `idleMs`. */
  settle(nowMs: number, idleMs: number): void {
    if (this.#spare === 0 || nowMs - this.#spareSinceMs < idleMs) return;
    const count = this.#spare;
    this.#spare = 0;
    this.#giveBack(count);
  }
}
