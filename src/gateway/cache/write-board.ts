import { LogFollower, type LogListener } from '../../cache/log-follower.ts';
import { ALL_RELATIONS, WriteLog } from '../../cache/write-log.ts';
import { LinkWrites } from '../../session/link-writes.ts';
import type { RelationSet } from '../../sql/catalogue/write-set.ts';
import { type BoardFile, CELLS, Cells } from './board-file.ts';
import type { OriginWrites } from './origin-writes.ts';

/** Others write while one reads; but not so often between two looks. */
const ROUNDS_MAX = 100_000;

/** The origins that this process knows, or has to know because somebody writes to them. */
export type BoardOrigins = {
  /** @param origin see {@link OriginWrites.id} */
  of(origin: number): OriginWrites;
  all(): Iterable<OriginWrites>;
};

/** Another worker, as far as it says what it writes. */
type Sibling = {
  readonly follower: LogFollower;
  readonly standing: Map<number, { readonly writes: LinkWrites; readonly origin: OriginWrites }>;
};

/**
 * What all workers write, as one of them takes part in it: it says what it writes itself, and
 * learns what the others have said. Neither waits for anybody.
 */
export class WriteBoard {
  readonly #file: BoardFile;
  /** The number of this one. */
  readonly #worker: number;
  readonly #log: WriteLog;
  /** By their numbers. */
  readonly #siblings: readonly Sibling[];
  readonly #fences = new Map<LinkWrites, number>();
  #lastFence = 0;
  #origins: BoardOrigins | null = null;
  /** The cells as they were when everything they announce was learned. */
  readonly #seen = new Cells();
  readonly #cells = new Cells();
  readonly #changed = new Set<OriginWrites>();
  readonly #changing = new Set<OriginWrites>();
  #isCatchingUp = false;
  #flushing: NodeJS.Immediate | null = null;

  /** @param worker the number of this one */
  constructor(file: BoardFile, worker: number) {
    this.#file = file;
    this.#worker = worker;
    this.#log = new WriteLog(file.storeOf(worker));
    this.#siblings = Array.from({ length: CELLS }, (_, sibling) => {
      const standing: Sibling['standing'] = new Map();
      const follower = new LogFollower(file.storeOf(sibling), this.#listenerOf(standing));
      return { follower, standing };
    });
  }

  /** To be called once, before anything else. */
  serve(origins: BoardOrigins): void {
    this.#origins = origins;
    this.catchUp();
  }

  /** Whoever looks from now on sees that the relations are being written. */
  fence(writes: LinkWrites, origin: number, relations: RelationSet): void {
    let fence = this.#fences.get(writes);
    if (fence === undefined) {
      fence = ++this.#lastFence;
      this.#fences.set(writes, fence);
    }
    this.#log.fence(fence, origin, writes.processId, relations);
    this.flush();
  }

  /** Whoever looks from now on sees that the catalogue may be another one at any moment. */
  changing(writes: LinkWrites, origin: number): void {
    const fence = this.#fences.get(writes);
    if (fence === undefined) return;
    this.#log.changing(fence, origin);
    this.flush();
  }

  /**
   * The outcome is known. Others hear of it soon: what comes late costs them hits, never truth. Of
   * a change of the catalogue they hear at once: who fences something from then on knows of it,
   * and the fences of before are there to be read.
   */
  lift(writes: LinkWrites, origin: number): void {
    const fence = this.#fences.get(writes);
    if (fence === undefined) return;
    this.#fences.delete(writes);
    this.#log.lift(fence, origin, writes.changesCatalogue);
    if (writes.changesCatalogue) this.flush();
    else this.#flushing ??= setImmediate(() => this.flush());
  }

  /**
   * Learns everything that any worker has said before the call, and so all that could be known to
   * whoever has sent what is worked on now.
   */
  catchUp(): void {
    if (this.#isCatchingUp) return;
    this.#isCatchingUp = true;
    try {
      this.#learn();
    } finally {
      this.#isCatchingUp = false;
    }
    // Last of all, as it makes others send what they will have to look here for.
    const changing = [...this.#changing];
    this.#changing.clear();
    for (const origin of changing) origin.doubtCatalogue();
    // And this makes more of every fence that stood at that time.
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const origin of changed) origin.changeCatalogue();
  }

  /**
   * Takes over what a worker wrote that is no more. Its log may begin anew afterwards.
   * @param worker the number that it had
   */
  takeOver(worker: number, nowMs: number): void {
    this.catchUp();
    for (const { writes, origin } of this.#siblings[worker]?.standing.values() ?? []) {
      const own = new LinkWrites();
      own.processId = writes.processId;
      // Of a fence around everything nobody knows why, nor whether what it is for is done.
      own.noteCommit();
      own.add(origin, writes.relations, writes.relations === 'all');
      own.lose(nowMs);
    }
  }

  /** Whatever this worker has said can be read by others when this returns. */
  flush(): void {
    if (this.#flushing !== null) clearImmediate(this.#flushing);
    this.#flushing = null;
    this.#log.flush();
  }

  /**
   * Reads until nothing has changed from one look at all cells to the next: they have then been all
   * like that at one moment, and who has been heard has nobody before him who has not.
   */
  #learn(): void {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      this.#file.readCells(this.#cells);
      // What this worker says it knows.
      this.#seen.take(this.#cells, this.#worker);
      let isSame = true;
      for (let worker = 0; worker < CELLS; worker++) {
        if (this.#cells.isSame(this.#seen, worker)) continue;
        isSame = false;
        const count = this.#cells.countOf(worker);
        // It is being written at this moment.
        if (count === null) continue;
        this.#seen.take(this.#cells, worker);
        this.#siblings[worker]?.follower.catchUp(count);
      }
      if (isSame) return;
    }
    throw new Error('the board changes faster than it can be read');
  }

  #listenerOf(standing: Sibling['standing']): LogListener {
    const settle = (fence: number): void => {
      standing.get(fence)?.writes.settle();
      standing.delete(fence);
    };
    return {
      onFence: (fence, id, processId, relation) => {
        const origin = (this.#origins as BoardOrigins).of(id);
        const entry = standing.get(fence) ?? { writes: new LinkWrites(), origin };
        standing.set(fence, entry);
        entry.writes.processId = processId;
        const relations: RelationSet = relation === ALL_RELATIONS ? 'all' : [relation];
        // What becomes of the catalogue is said when it is lifted.
        entry.writes.add(origin.elsewhere, relations, false);
      },
      onChanging: (fence, id) => {
        const entry = standing.get(fence);
        if (entry === undefined) return;
        this.#changing.add((this.#origins as BoardOrigins).of(id));
        entry.writes.noteCommit();
        entry.writes.add(entry.origin.elsewhere, 'all', true);
      },
      onLift: (fence, id, changesCatalogue) => {
        if (changesCatalogue) this.#changed.add((this.#origins as BoardOrigins).of(id));
        settle(fence);
      },
      onRestart: () => {
        for (const fence of standing.keys()) settle(fence);
      },
      onGap: () => {
        for (const fence of standing.keys()) settle(fence);
        for (const origin of (this.#origins as BoardOrigins).all()) this.#changed.add(origin);
      },
    };
  }
}
