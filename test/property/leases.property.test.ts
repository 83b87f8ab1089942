import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/base/errors.ts';
import { LeaseHolder, type LeaseHolderHost } from '../../src/pool/lease-holder.ts';
import { LeaseBook, type LeaseBookHost } from '../../src/pool/leases.ts';
import { Pool, type PoolHost } from '../../src/pool/pool.ts';

type Link = { readonly number: number };
type Waiter = { readonly number: number };

/** A worker with a real pool, whose messages to the book and back take their time. */
class Worker implements PoolHost<Link, Waiter>, LeaseHolderHost {
  readonly world: World;
  readonly holder = new LeaseHolder(this);
  readonly pool: Pool<Link, Waiter>;
  readonly inbox: (() => void)[] = [];
  readonly outbox: (() => void)[] = [];
  opening = 0;
  readonly lent: Link[] = [];
  /** Links that are closed, while their server processes end. */
  leaving = 0;
  granted = 0;
  openedCount = 0;
  waiters = 0;
  #lastNumber = 0;

  constructor(world: World) {
    this.world = world;
    const limits = { waitersMax: 1_000, waitTimeoutMs: 1e9, idleTimeoutMs: 1e9, lifetimeMs: 1e9 };
    this.pool = new Pool(this, { ...limits, linksMax: world.limit }, this.holder);
  }

  /** What the origin sees of this worker. */
  get connections(): number {
    const { idle, checkedOut } = this.pool.counts;
    return this.opening + idle + checkedOut + this.leaving;
  }

  checkOut(): void {
    this.waiters++;
    const link = this.pool.checkOut({ number: this.waiters }, this.world.nowMs);
    if (link !== null) this.grant({ number: 0 }, link);
  }

  back(isBroken: boolean): void {
    const link = this.lent.shift();
    if (link === undefined) return;
    if (!isBroken) {
      this.pool.checkIn(link, this.world.nowMs);
      return;
    }
    this.closeLink();
    this.pool.remove(link, this.world.nowMs);
  }

  opened(isGood: boolean): void {
    if (this.opening === 0) return;
    this.opening--;
    const { nowMs } = this.world;
    if (isGood) {
      this.pool.onOpened({ number: ++this.#lastNumber }, nowMs, 0.5);
      return;
    }
    this.holder.giveBack();
    this.pool.onOpenFailed(new GatewayError('MR_ORIGIN_REFUSED'), nowMs);
  }

  left(): void {
    if (this.leaving === 0) return;
    this.leaving--;
    this.holder.free();
  }

  tick(): void {
    this.pool.tick(this.world.nowMs);
    this.holder.tick();
  }

  openLink(): void {
    this.opening++;
    this.openedCount++;
    this.world.check();
  }

  closeLink(): void {
    this.leaving++;
    this.holder.leave();
  }

  grant(_: Waiter, link: Link): void {
    this.granted++;
    this.waiters--;
    this.lent.push(link);
  }

  refuse(): void {
    this.waiters--;
  }

  tellWant(total: number): void {
    this.outbox.push(() => this.world.book.want(this, total, this.world.nowMs));
  }

  tellGiven(count: number): void {
    this.outbox.push(() => this.world.book.give(this, count, this.world.nowMs));
  }

  wanted(): number {
    return this.pool.lacking;
  }

  onCapacity(): void {
    this.pool.onCapacity(this.world.nowMs);
  }

  shedIdle(): void {
    this.pool.shedIdle(this.world.nowMs);
  }
}

class World implements LeaseBookHost<Worker> {
  nowMs = 0;
  limit: number;
  readonly book: LeaseBook<Worker>;
  readonly workers: Worker[] = [];
  /** Connections and leases of the dead, as long as the origin has not noticed. */
  readonly #dead: { readonly connections: number; readonly leases: number }[] = [];

  constructor(limit: number, workers: number) {
    this.limit = limit;
    this.book = new LeaseBook(this, limit);
    for (let n = 0; n < workers; n++) this.join();
  }

  join(): void {
    const worker = new Worker(this);
    this.workers.push(worker);
    this.book.join(worker);
  }

  grant(member: Worker, count: number): void {
    member.inbox.push(() => member.holder.onGrant(count));
  }

  demand(member: Worker, idleTotal: number, mustTotal: number): void {
    member.inbox.push(() => member.holder.onDemand(idleTotal, mustTotal));
  }

  /** A worker dies, and with it what is on its way to it; what it has sent arrives. */
  kill(n: number): void {
    const worker = this.pick(n);
    this.workers.splice(this.workers.indexOf(worker), 1);
    const { connections } = worker;
    this.#dead.push({ connections, leases: 0 });
    while (worker.outbox.length > 0) worker.outbox.shift()?.();
    const leases = this.book.lose(worker, this.nowMs);
    expect(leases).toBeGreaterThanOrEqual(connections);
    this.#dead.pop();
    this.#dead.push({ connections, leases });
    this.join();
  }

  /** The origin has noticed the end of the one that died first. */
  settle(): void {
    const dead = this.#dead.shift();
    if (dead !== undefined) this.book.settle(dead.leases, this.nowMs);
  }

  pick(n: number): Worker {
    return this.workers[n % this.workers.length] as Worker;
  }

  check(): void {
    let connections = 0;
    for (const dead of this.#dead) connections += dead.connections;
    for (const worker of this.workers) connections += worker.connections;
    expect(connections).toBeLessThanOrEqual(this.limit);
  }

  /** Everything that is on its way arrives, and all that is due is done. */
  turn(ms: number): void {
    this.nowMs += ms;
    this.settle();
    this.book.tick(this.nowMs);
    for (const worker of this.workers) {
      while (worker.outbox.length > 0) worker.outbox.shift()?.();
      while (worker.inbox.length > 0) worker.inbox.shift()?.();
      worker.tick();
      while (worker.opening > 0) worker.opened(true);
      while (worker.leaving > 0) worker.left();
    }
    this.check();
  }
}

const KINDS = [
  'checkOut',
  'checkOut',
  'back',
  'broken',
  'opened',
  'failed',
  'left',
  'tick',
  'hear',
  'hear',
  'speak',
  'speak',
  'pass',
  'kill',
  'settle',
] as const;
const step = fc.record({ kind: fc.constantFrom(...KINDS), n: fc.nat({ max: 200 }) });

function act(world: World, kind: (typeof KINDS)[number], n: number): void {
  const worker = world.pick(n);
  if (kind === 'checkOut') worker.checkOut();
  else if (kind === 'back' || kind === 'broken') worker.back(kind === 'broken');
  else if (kind === 'opened' || kind === 'failed') worker.opened(kind === 'opened');
  else if (kind === 'left') worker.left();
  else if (kind === 'tick') worker.tick();
  else if (kind === 'hear') worker.inbox.shift()?.();
  else if (kind === 'speak') worker.outbox.shift()?.();
  else if (kind === 'kill') world.kill(n);
  else if (kind === 'settle') world.settle();
  else {
    world.nowMs += n;
    world.book.tick(world.nowMs);
  }
}

// Some seconds of work, and many more on a machine with other work.
describe('leases', { timeout: 120_000 }, () => {
  it('never let more connections be than the limit, and starve nobody, whatever happens', () => {
    const scene = fc.record({
      limit: fc.integer({ min: 1, max: 6 }),
      workers: fc.integer({ min: 1, max: 4 }),
      steps: fc.array(step, { maxLength: 150 }),
    });
    fc.assert(
      fc.property(scene, ({ limit, workers, steps }) => {
        const world = new World(limit, workers);
        for (const { kind, n } of steps) {
          act(world, kind, n);
          world.check();
        }
        // Liveness: with the origin up and links that come back, everybody is served.
        for (let round = 0; round < 600; round++) {
          world.turn(25);
          for (const worker of world.workers) worker.back(false);
        }
        expect(world.workers.map(({ waiters }) => waiters)).toEqual(world.workers.map(() => 0));
        // Nothing leaks: one worker alone can have every lease again.
        const last = world.pick(0);
        for (let n = 0; n < limit; n++) last.checkOut();
        for (let round = 0; round < 100; round++) world.turn(25);
        expect(last.lent).toHaveLength(limit);
      }),
      { numRuns: 300 },
    );
  });

  it('go in turn when there are fewer of them than workers that are always busy', () => {
    const world = new World(1, 3);
    for (const worker of world.workers) for (let n = 0; n < 5; n++) worker.checkOut();
    for (let round = 0; round < 200; round++) {
      world.turn(10);
      for (const worker of world.workers) {
        if (worker.lent.length > 0) worker.checkOut();
        worker.back(false);
      }
    }
    const served = world.workers.map(({ granted }) => granted);
    expect(Math.min(...served)).toBeGreaterThan(Math.max(...served) / 3);
  });

  it('are shared evenly between workers that are always busy', () => {
    const world = new World(6, 2);
    const [early, late] = world.workers as [Worker, Worker];
    const keepBusy = (worker: Worker) => {
      while (worker.waiters < 10) worker.checkOut();
      worker.back(false);
    };
    for (let round = 0; round < 20; round++) {
      world.turn(10);
      keepBusy(early);
    }
    expect(world.book.heldBy(early)).toBe(6);
    for (let round = 0; round < 40; round++) {
      world.turn(10);
      keepBusy(early);
      keepBusy(late);
    }
    expect([world.book.heldBy(early), world.book.heldBy(late)]).toEqual([3, 3]);
    // And then they stay where they are.
    const opened = early.openedCount + late.openedCount;
    for (let round = 0; round < 100; round++) {
      world.turn(10);
      keepBusy(early);
      keepBusy(late);
    }
    expect(early.openedCount + late.openedCount).toBe(opened);
  });

  it('follow idle links to where somebody waits', () => {
    const world = new World(4, 2);
    const [idle, waiting] = world.workers as [Worker, Worker];
    for (let n = 0; n < 4; n++) idle.checkOut();
    for (let round = 0; round < 4; round++) world.turn(10);
    for (let n = 0; n < 4; n++) idle.back(false);
    expect(idle.pool.counts.idle).toBe(4);
    for (let n = 0; n < 4; n++) waiting.checkOut();
    for (let round = 0; round < 40; round++) world.turn(10);
    expect(waiting.lent).toHaveLength(4);
  });

  it('above a limit that was lowered are asked back, and none is granted meanwhile', () => {
    const world = new World(4, 2);
    for (const worker of world.workers) for (let n = 0; n < 2; n++) worker.checkOut();
    for (let round = 0; round < 4; round++) world.turn(10);
    world.book.setLimit(1, world.nowMs);
    for (let round = 0; round < 40; round++) {
      world.turn(10);
      for (const worker of world.workers) worker.back(false);
    }
    expect(world.book.free).toBeGreaterThanOrEqual(0);
    expect(world.workers.reduce((sum, worker) => sum + worker.connections, 0)).toBeLessThan(2);
  });
});
