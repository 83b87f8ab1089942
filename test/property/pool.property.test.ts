import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, GatewayError } from '../../src/base/errors.ts';
import { Pool, type PoolHost, type PoolLimits } from '../../src/pool/pool.ts';

const LIMITS: PoolLimits = {
  linksMax: 3,
  waitersMax: 8,
  waitTimeoutMs: 1_000,
  idleTimeoutMs: 5_000,
  lifetimeMs: 20_000,
};

type Link = { readonly number: number };
type Waiter = { readonly number: number };

/** A host that keeps its own books, to be compared with the pool's. */
class World implements PoolHost<Link, Waiter> {
  readonly pool: Pool<Link, Waiter>;
  nowMs = 0;
  opening = 0;
  readonly open = new Set<Link>();
  readonly lent = new Map<Link, Waiter>();
  /** In the order in which they came. */
  waiting: Waiter[] = [];
  readonly refused: { readonly waiter: Waiter; readonly error: GatewayError }[] = [];
  #lastNumber = 0;

  constructor(limits: PoolLimits = LIMITS) {
    this.pool = new Pool(this, limits);
  }

  openLink(): void {
    this.opening++;
  }

  closeLink(link: Link): void {
    expect(this.open.delete(link)).toBe(true);
    this.lent.delete(link);
  }

  grant(waiter: Waiter, link: Link): void {
    expect(this.waiting.shift()).toBe(waiter);
    this.#lend(waiter, link);
  }

  refuse(waiter: Waiter, error: GatewayError): void {
    this.waiting = this.waiting.filter((other) => other !== waiter);
    this.refused.push({ waiter, error });
  }

  checkOut(): Waiter {
    const waiter = { number: ++this.#lastNumber };
    // Refused at once or queued: both are told while the pool is asked.
    this.waiting.push(waiter);
    const link = this.pool.checkOut(waiter, this.nowMs);
    if (link !== null) {
      expect(this.waiting.pop()).toBe(waiter);
      expect(this.waiting).toEqual([]);
      this.#lend(waiter, link);
    }
    return waiter;
  }

  opened(): void {
    if (this.opening === 0) return;
    this.opening--;
    const link = { number: ++this.#lastNumber };
    this.open.add(link);
    this.pool.onOpened(link, this.nowMs, 0.5);
  }

  failed(code: ErrorCode = 'MR_ORIGIN_REFUSED'): void {
    if (this.opening === 0) return;
    this.opening--;
    this.pool.onOpenFailed(new GatewayError(code), this.nowMs);
  }

  /** The n-th lent link comes back, or breaks. */
  back(n: number, isBroken: boolean): void {
    const link = [...this.lent.keys()][n % Math.max(1, this.lent.size)];
    if (link === undefined) return;
    this.lent.delete(link);
    if (!isBroken) {
      this.pool.checkIn(link, this.nowMs);
      return;
    }
    this.open.delete(link);
    this.pool.remove(link, this.nowMs);
  }

  #lend(waiter: Waiter, link: Link): void {
    expect(this.open.has(link)).toBe(true);
    expect(this.lent.has(link)).toBe(false);
    this.lent.set(link, waiter);
  }

  check(limits: PoolLimits): void {
    const { idle, checkedOut, opening, waiting } = this.pool.counts;
    expect(checkedOut).toBe(this.lent.size);
    expect(idle + checkedOut).toBe(this.open.size);
    expect(opening).toBe(this.opening);
    expect(waiting).toBe(this.waiting.length);
    expect(this.open.size + opening).toBeLessThanOrEqual(limits.linksMax);
    expect(waiting).toBeLessThanOrEqual(limits.waitersMax);
    if (waiting > 0) expect(idle).toBe(0);
  }
}

const step = fc.oneof(
  fc.constant({ kind: 'checkOut' as const, n: 0 }),
  fc.record({ kind: fc.constantFrom('back', 'broken', 'withdraw'), n: fc.nat({ max: 9 }) }),
  fc.record({ kind: fc.constantFrom('opened', 'failed'), n: fc.constant(0) }),
  fc.record({ kind: fc.constant('pass'), n: fc.integer({ min: 1, max: 3_000 }) }),
);

describe('Pool', () => {
  it('keeps its books, its limits and the order of waiters, whatever happens', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const world = new World();
        for (const { kind, n } of steps) {
          if (kind === 'checkOut') world.checkOut();
          else if (kind === 'back' || kind === 'broken') world.back(n, kind === 'broken');
          else if (kind === 'opened') world.opened();
          else if (kind === 'failed') world.failed();
          else if (kind === 'withdraw') {
            const waiter = world.waiting[n % Math.max(1, world.waiting.length)];
            if (waiter === undefined) continue;
            world.waiting = world.waiting.filter((other) => other !== waiter);
            world.pool.withdraw(waiter);
          } else {
            world.nowMs += n;
            world.pool.tick(world.nowMs);
          }
          world.check(LIMITS);
        }
        // Liveness: with the origin up and links coming back, nobody waits for ever.
        for (let turn = 0; turn < 60; turn++) {
          world.nowMs += 500;
          world.pool.tick(world.nowMs);
          world.opened();
          world.back(0, false);
          world.check(LIMITS);
        }
        expect(world.waiting).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

describe('Pool limits', () => {
  it('refuses a waiter who has waited too long with the error of the pool', () => {
    const world = new World({ ...LIMITS, linksMax: 1 });
    world.checkOut();
    world.opened();
    const second = world.checkOut();
    world.nowMs = 999;
    world.pool.tick(world.nowMs);
    expect(world.refused).toEqual([]);
    world.nowMs = 1_000;
    world.pool.tick(world.nowMs);
    expect(world.refused.map(({ waiter, error }) => [waiter, error.code])).toEqual([
      [second, 'MR_POOL_WAIT_TIMEOUT'],
    ]);
  });

  it('tells at once when the origin has never been up, and waits when it has', () => {
    const world = new World();
    world.checkOut();
    world.failed();
    expect(world.refused.map(({ error }) => error.code)).toEqual(['MR_ORIGIN_REFUSED']);
    world.nowMs += 200;
    world.checkOut();
    world.opened();
    world.back(0, true);
    world.checkOut();
    world.failed();
    expect(world.refused).toHaveLength(1);
    world.nowMs += 1_000;
    world.pool.tick(world.nowMs);
    expect(world.refused.map(({ error }) => error.code)).toEqual([
      'MR_ORIGIN_REFUSED',
      'MR_ORIGIN_REFUSED',
    ]);
  });

  it('closes a link at its first check-in after its lifetime, and idle ones in time', () => {
    const world = new World();
    world.checkOut();
    world.opened();
    world.nowMs = 19_500; // lifetime less half of the tenth
    world.back(0, false);
    expect(world.open.size).toBe(0);
    world.checkOut();
    world.opened();
    world.back(0, false);
    world.nowMs += 5_000;
    world.pool.tick(world.nowMs);
    expect(world.open.size).toBe(0);
  });

  it('does not lend a link again that has grown old since it was looked at', () => {
    const world = new World();
    for (let n = 0; n < 2; n++) {
      world.checkOut();
      world.opened();
    }
    world.back(0, false);
    world.back(0, false);
    world.nowMs = 19_500;
    world.checkOut();
    expect(world.lent.size).toBe(0);
    expect(world.open.size).toBe(0);
  });

  it('has clients wait for an origin that says it is busy, though it was never seen up', () => {
    const world = new World();
    world.checkOut();
    world.failed('MR_ORIGIN_BUSY');
    expect(world.refused).toEqual([]);
    world.nowMs += 200;
    world.pool.tick(world.nowMs);
    world.opened();
    expect(world.lent.size).toBe(1);
  });

  it('lends the most recently used link first, so that the others can grow old', () => {
    const world = new World();
    for (let n = 0; n < 3; n++) {
      world.checkOut();
      world.opened();
    }
    world.back(0, false);
    world.back(0, false);
    world.back(0, false);
    const order = [...world.open];
    world.checkOut();
    expect([...world.lent.keys()]).toEqual([order[2]]);
  });
});
