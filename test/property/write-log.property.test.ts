import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogFollower } from '../../src/cache/log-follower.ts';
import { ALL_RELATIONS, type LogStore, RECORD_WORDS, WriteLog } from '../../src/cache/write-log.ts';

const ORIGIN = 9;
/** So small that a fence of several relations can be as long as a batch. */
const RING_RECORDS = 1_024;

/** A ring in memory. Between the two looks of a reader at it, the writer may go on. */
class Ring implements LogStore {
  readonly capacity = RING_RECORDS;
  readonly #words = new Uint32Array(RING_RECORDS * RECORD_WORDS);
  #count = 0;
  beforeCount: () => void = () => {};

  count(): number {
    this.beforeCount();
    return this.#count;
  }

  read(start: number, end: number): Uint32Array {
    const records = new Uint32Array((end - start) * RECORD_WORDS);
    for (let record = start; record < end; record++) {
      const at = (record % RING_RECORDS) * RECORD_WORDS;
      records.set(this.#words.subarray(at, at + RECORD_WORDS), (record - start) * RECORD_WORDS);
    }
    return records;
  }

  write(start: number, records: Uint32Array): void {
    for (let at = 0; at < records.length; at += RECORD_WORDS) {
      const place = ((start + at / RECORD_WORDS) % RING_RECORDS) * RECORD_WORDS;
      this.#words.set(records.subarray(at, at + RECORD_WORDS), place);
    }
  }

  announce(count: number): void {
    this.#count = count;
  }
}

/** What a reader knows. */
class Reader {
  readonly standing = new Map<number, Set<number>>();
  /** Of those, what may change the catalogue at any moment. */
  readonly changing = new Set<number>();
  /** Relations that it knows to have changed; null when it has missed some. */
  changed = new Set<number>();
  hasMissed = false;
  gaps = 0;
  readonly follower: LogFollower;
  readonly #ring: Ring;

  constructor(ring: Ring) {
    this.#ring = ring;
    this.follower = new LogFollower(ring, {
      onFence: (fence, origin, processId, relation) => {
        if (origin !== ORIGIN || processId !== fence + 1) throw new Error('not what was written');
        const relations = this.standing.get(fence) ?? new Set();
        this.standing.set(fence, relations.add(relation));
      },
      onChanging: (fence) => this.changing.add(fence),
      onLift: (fence) => {
        this.changing.delete(fence);
        for (const relation of this.standing.get(fence) ?? []) this.changed.add(relation);
        this.standing.delete(fence);
      },
      onRestart: () => this.standing.clear(),
      onGap: () => {
        this.standing.clear();
        this.changing.clear();
        this.hasMissed = true;
        this.gaps++;
      },
    });
  }

  catchUp(): void {
    this.follower.catchUp(this.#ring.count());
  }
}

/** One writer, and what it has said; some readers, each at its own pace. */
class World {
  readonly ring = new Ring();
  readonly log = new WriteLog(this.ring);
  readonly readers = [1, 2].map(() => new Reader(this.ring));
  readonly standing = new Map<number, Set<number>>();
  readonly changing = new Set<number>();
  /** Lifted since a reader was last compared with this. */
  readonly lifted = this.readers.map(() => new Set<number>());
  #last = 0;

  fence(at: number, relations: readonly number[]): void {
    const open = [...this.standing.keys()];
    const fence = at % 3 === 0 ? (open[at % open.length] ?? ++this.#last) : ++this.#last;
    this.log.fence(fence, ORIGIN, fence + 1, relations);
    this.log.flush();
    const all = this.standing.get(fence) ?? new Set();
    for (const relation of relations) all.add(relation);
    this.standing.set(fence, all);
  }

  /** Something that stands may be committed. */
  change(at: number): void {
    const open = [...this.standing.keys()];
    const fence = open[at % open.length];
    if (fence === undefined) return;
    this.log.changing(fence, ORIGIN);
    this.log.flush();
    this.changing.add(fence);
  }

  lift(at: number): void {
    const open = [...this.standing.keys()];
    const fence = open[at % open.length];
    if (fence === undefined) return;
    this.log.lift(fence, ORIGIN, false);
    for (const lifted of this.lifted) {
      for (const relation of this.standing.get(fence) ?? []) lifted.add(relation);
    }
    this.standing.delete(fence);
    this.changing.delete(fence);
    if (at % 2 === 0) this.log.flush();
  }

  /** Many short writes. */
  burst(count: number): void {
    for (let n = 0; n < count; n++) {
      const [fence, relation] = [++this.#last, (n % 50) + 1];
      this.log.fence(fence, ORIGIN, fence + 1, [relation]);
      this.log.lift(fence, ORIGIN, false);
      for (const lifted of this.lifted) lifted.add(relation);
    }
    this.log.flush();
  }

  /** @param overtaken how much is written while the reader is at it */
  look(at: number, overtaken: number): void {
    const reader = this.readers[at % this.readers.length] as Reader;
    let isFirst = true;
    this.ring.beforeCount = () => {
      this.ring.beforeCount = () => {
        if (isFirst) this.burst(overtaken);
        isFirst = false;
      };
    };
    reader.catchUp();
    this.ring.beforeCount = () => {};
    this.judge(at % this.readers.length);
  }

  /** Once more, when nothing is written meanwhile. */
  judge(at: number): void {
    const reader = this.readers[at] as Reader;
    this.log.flush();
    reader.catchUp();
    expect([...reader.standing.keys()].sort()).toEqual([...this.standing.keys()].sort());
    for (const [fence, relations] of this.standing) {
      const told = reader.standing.get(fence) as Set<number>;
      const untold = [...relations].filter((relation) => !told.has(relation));
      // When much stands, it is told to be everything.
      if (!told.has(ALL_RELATIONS)) expect(untold).toEqual([]);
    }
    expect([...reader.changing].sort()).toEqual([...this.changing].sort());
    const lifted = this.lifted[at] as Set<number>;
    const unheard = [...lifted].filter((relation) => !reader.changed.has(relation));
    const isAllNew = reader.hasMissed || reader.changed.has(ALL_RELATIONS);
    if (!isAllNew) expect(unheard).toEqual([]);
    lifted.clear();
    reader.changed.clear();
    reader.hasMissed = false;
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('fence' as const), fc.nat(99), fc.nat(5)) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('lift' as const), fc.nat(99), fc.nat(5)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('change' as const), fc.nat(99), fc.nat(5)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('look' as const), fc.nat(99), fc.nat(5)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('burst' as const), fc.nat(99), fc.nat(5)) },
);

describe('a log of writes', () => {
  it('tells every reader what stands, whatever the reader has missed', () => {
    let gaps = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
        const world = new World();
        for (const [what, n, size] of steps) {
          if (what === 'fence')
            world.fence(
              n,
              Array.from({ length: size + 1 }, (_, r) => n + r + 1),
            );
          else if (what === 'lift') world.lift(n);
          else if (what === 'change') world.change(n);
          else if (what === 'burst') world.burst(size * 80);
          else world.look(n, size === 0 ? 600 : 0);
        }
        for (const at of world.readers.keys()) world.judge(at);
        gaps += world.readers.reduce((sum, reader) => sum + reader.gaps, 0);
      }),
      { numRuns: 300 },
    );
    // Readers that miss nothing would be right, too.
    expect(gaps).toBeGreaterThan(100);
  });
});
