import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateBook, RateHolder, TokenBucket } from '../../src/pool/link-rate.ts';

const rates = fc.record({
  perSecond: fc.integer({ min: 1, max: 200 }),
  burst: fc.integer({ min: 1, max: 50 }),
});

/** Some workers and the primary's book, whose messages take their time. */
class World {
  nowMs = 0;
  readonly book: RateBook<number>;
  readonly holders: RateHolder[];
  readonly inboxes: (() => void)[][];
  readonly outboxes: (() => void)[][];
  readonly waiting: number[];
  /** When each link was opened. */
  readonly opened: number[] = [];
  readonly #dead = new Set<number>();

  constructor(rate: { perSecond: number; burst: number }, workers: number) {
    this.book = new RateBook(rate, 0, (member, count) => {
      this.inboxes[member]?.push(() => {
        this.holders[member]?.onGrant(count, this.nowMs);
        this.open(member);
      });
    });
    const numbers = Array.from({ length: workers }, (_, at) => at);
    this.inboxes = numbers.map(() => []);
    this.outboxes = numbers.map(() => []);
    this.waiting = numbers.map(() => 0);
    this.holders = numbers.map((at) => {
      const send = (act: () => void): void => void this.outboxes[at]?.push(act);
      return new RateHolder(
        (count) => send(() => this.book.want(at, count, rate, this.nowMs)),
        (count) => send(() => this.book.giveBack(count, this.nowMs)),
      );
    });
  }

  /** Opens as many links as it may for those who wait. */
  open(at: number): void {
    while ((this.waiting[at] ?? 0) > 0 && this.holders[at]?.take(this.waiting[at] ?? 0)) {
      this.waiting[at] = (this.waiting[at] ?? 0) - 1;
      this.opened.push(this.nowMs);
    }
  }

  die(at: number): void {
    this.#dead.add(at);
    this.waiting[at] = 0;
    this.inboxes[at]?.splice(0);
    this.outboxes[at]?.splice(0);
    this.book.lose(at);
  }

  deliver(at: number): void {
    this.outboxes[at]?.shift()?.();
    this.inboxes[at]?.shift()?.();
  }

  wait(at: number, count: number): void {
    if (this.#dead.has(at)) return;
    this.waiting[at] = (this.waiting[at] ?? 0) + count;
    this.open(at);
  }

  later(ms: number): void {
    this.nowMs += ms;
    this.book.tick(this.nowMs);
    for (const holder of this.holders) holder.settle(this.nowMs, 200);
  }
}

describe('the rate of new links', () => {
  it('is kept in any stretch of time, whatever is taken and given back', () => {
    const acts = fc.array(
      fc.record({ count: fc.integer({ min: 0, max: 60 }), ms: fc.integer({ min: 0, max: 500 }) }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(rates, acts, (rate, steps) => {
        const bucket = new TokenBucket(rate, 0);
        const taken: { at: number; count: number }[] = [];
        let nowMs = 0;
        for (const { count, ms } of steps) {
          nowMs += ms;
          taken.push({ at: nowMs, count: bucket.take(count, nowMs) });
        }
        for (const [first, { at }] of taken.entries()) {
          let sum = 0;
          for (const { at: then, count } of taken.slice(first)) {
            sum += count;
            expect(sum).toBeLessThanOrEqual(rate.burst + (rate.perSecond * (then - at)) / 1e3);
          }
        }
      }),
    );
  });

  it('is kept by all workers together, and whoever waits opens in the end', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('wait' as const), at: fc.nat(2), n: fc.nat(20) }),
        fc.record({ kind: fc.constant('deliver' as const), at: fc.nat(2), n: fc.constant(0) }),
        fc.record({ kind: fc.constant('later' as const), at: fc.constant(0), n: fc.nat(300) }),
        fc.record({ kind: fc.constant('die' as const), at: fc.constant(2), n: fc.constant(0) }),
      ),
      { maxLength: 120 },
    );
    fc.assert(
      fc.property(rates, steps, (rate, acts) => {
        const world = new World(rate, 3);
        for (const { kind, at, n } of acts) {
          if (kind === 'wait') world.wait(at, n);
          else if (kind === 'deliver') world.deliver(at);
          else if (kind === 'later') world.later(n);
          else world.die(at);
        }
        const total = world.opened.length;
        const mostS = world.nowMs / 1_000;
        expect(total).toBeLessThanOrEqual(rate.burst + rate.perSecond * mostS);
        for (let round = 0; round < 400 && world.waiting.some((n) => n > 0); round++) {
          world.later(1_000);
          for (let at = 0; at < 3; at++) {
            for (let n = 0; n < 10; n++) world.deliver(at);
            world.open(at);
          }
        }
        expect(world.waiting).toEqual([0, 0, 0]);
      }),
    );
  });

  it('serves workers in turns', () => {
    const granted: [string, number][] = [];
    const book = new RateBook<string>({ perSecond: 10, burst: 1 }, 0, (member, count) => {
      granted.push([member, count]);
    });
    const rate = { perSecond: 10, burst: 1 };
    book.want('many', 5, rate, 0);
    book.want('one', 1, rate, 0);
    for (let nowMs = 100; nowMs <= 300; nowMs += 100) book.tick(nowMs);
    expect(granted).toEqual([
      ['many', 1],
      ['many', 1],
      ['one', 1],
      ['many', 1],
    ]);
  });

  it('gives back what was asked for and is not needed, for the other workers', () => {
    const asked: number[] = [];
    const given: number[] = [];
    const holder = new RateHolder(
      (count) => asked.push(count),
      (count) => given.push(count),
    );
    expect(holder.take(3)).toBe(false);
    expect(holder.take(3)).toBe(false);
    expect(asked).toEqual([3]);
    holder.onGrant(3, 1_000);
    expect(holder.take(1)).toBe(true);
    holder.settle(1_100, 200);
    expect(given).toEqual([]);
    holder.settle(1_200, 200);
    expect(given).toEqual([2]);
    expect(holder.take(1)).toBe(false);
  });
});
