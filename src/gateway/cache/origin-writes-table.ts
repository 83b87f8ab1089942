import { createHash } from 'node:crypto';
import type { OriginConfig } from '../../config/model.ts';
import { type OriginSubscriber, OriginWrites } from './origin-writes.ts';
import type { BoardOrigins, WriteBoard } from './write-board.ts';

/** One {@link OriginWrites} for each database that a configuration leads to, or one writes to. */
export class OriginWritesTable implements BoardOrigins {
  readonly #board: WriteBoard | null;
  readonly #table = new Map<number, OriginWrites>();

  /** @param board where workers tell each other what they write; null when there is but one */
  constructor(board: WriteBoard | null) {
    this.#board = board;
    board?.serve(this);
  }

  /** To be given back by {@link leave}. */
  join(origin: OriginConfig, subscriber: OriginSubscriber): OriginWrites {
    const writes = this.of(idOf(origin));
    writes.subscribers.add(subscriber);
    return writes;
  }

  leave(writes: OriginWrites, subscriber: OriginSubscriber): void {
    writes.subscribers.delete(subscriber);
  }

  of(id: number): OriginWrites {
    let writes = this.#table.get(id);
    if (writes === undefined) {
      writes = new OriginWrites(id, this.#board);
      this.#table.set(id, writes);
    }
    return writes;
  }

  all(): Iterable<OriginWrites> {
    return this.#table.values();
  }

  /** To be called every now and then. */
  tick(nowMs: number): void {
    this.#board?.catchUp();
    for (const [id, writes] of this.#table) {
      writes.tick(nowMs);
      if (!writes.isNeeded) this.#table.delete(id);
    }
  }

  /** Tells other workers what is left to tell. */
  flush(): void {
    this.#board?.flush();
  }
}

/** The same in every worker. */
function idOf({ host, port, database }: OriginConfig): number {
  const name = `${host.toLowerCase()}\0${port}\0${database}`;
  return createHash('sha256').update(name).digest().readUInt32LE(0);
}
