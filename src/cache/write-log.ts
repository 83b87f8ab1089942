import type { RelationSet } from '../sql/catalogue/write-set.ts';

/**
 * What one worker writes, as records in a ring that the others can read at any time: a fence before
 * a statement is sent, a lift when its outcome is known. There is one writer, who never waits for
 * anybody; see "Several workers" in `SPEC.md`.
 */
export const RECORD_WORDS = 5;

/** The words of a record: what it is, of which fence, of which origin, by whom, and of what. */
export const Word = { Kind: 0, Fence: 1, Origin: 2, ProcessId: 3, Relation: 4 } as const;

/** What a record says. A ring that was never written to is all zeros. */
export const Kind = {
  /** The relation is being written, by a process of the server. */
  Fence: 1,
  /** The outcome is known of all that is under the number. */
  Lift: 2,
  /** The same, and the catalogue of the origin may be another one. */
  LiftCatalogue: 3,
  /** Nothing of before stands any more. */
  Restart: 4,
  /** What is sent from now on may make a changed catalogue everybody's. */
  Changing: 5,
} as const;

/** Stands for all relations; it is nobody's OID. */
export const ALL_RELATIONS = 0;

/** What stands is found in this share of the ring, the last: who has missed some begins there. */
export const KEPT_SHARE = 1 / 2;
/** More are never written at once, and so never overwritten before they are announced. */
export const BATCH_SHARE = 1 / 64;
/** A fence that is older than this is written once more, while the ring still has it. */
const CARRIED_SHARE = 1 / 4;
/** When more stand, further fences are of all relations: they must fit among what is kept. */
const STANDING_SHARE = 1 / 16;

/** The ring of one worker, and how many records were ever announced in it. */
export type LogStore = {
  /** Records that fit. */
  readonly capacity: number;
  count(): number;
  /** The records `[start, end)`, of which there are at most {@link LogStore.capacity}. */
  read(start: number, end: number): Uint32Array;
  /** Writes records from `start` on; nobody reads them before they are announced. */
  write(start: number, records: Uint32Array): void;
  announce(count: number): void;
};

type Standing = {
  /** Where the first of its records is. */
  start: number;
  readonly words: number[];
};

/** The writer's side. Pure but for the store. */
export class WriteLog {
  readonly #store: LogStore;
  #count: number;
  /** Not yet written. */
  readonly #words: number[] = [];
  /** By their numbers; the one that begins first is first. */
  readonly #standing = new Map<number, Standing>();
  #standingRecords = 0;

  constructor(store: LogStore) {
    this.#store = store;
    this.#count = store.count();
  }

  /** @param processId of the server, which is asked for when this worker is no more */
  fence(fence: number, origin: number, processId: number, writes: RelationSet): void {
    const standingMax = this.#store.capacity * STANDING_SHARE;
    const isAll = writes === 'all' || this.#standingRecords + writes.length > standingMax;
    const words: number[] = [];
    for (const relation of isAll ? [ALL_RELATIONS] : writes) {
      words.push(Kind.Fence, fence, origin, processId, relation);
    }
    const standing = this.#standing.get(fence);
    if (standing !== undefined) standing.words.push(...words);
    else if (this.#standing.size < standingMax) {
      this.#standing.set(fence, { start: this.#end, words: [...words] });
    } else throw new Error('too many transactions write at once');
    this.#standingRecords += words.length / RECORD_WORDS;
    this.#append(words);
  }

  /** The catalogue of a fence's origin may be another one at any moment, until it is lifted. */
  changing(fence: number, origin: number): void {
    const standing = this.#standing.get(fence);
    if (standing === undefined) return;
    const words = [Kind.Changing, fence, origin, 0, 0];
    standing.words.push(...words);
    this.#standingRecords++;
    this.#append(words);
  }

  /** The fence stands no more. Others hear of it with the next {@link flush}. */
  lift(fence: number, origin: number, changesCatalogue: boolean): void {
    const standing = this.#standing.get(fence);
    if (standing === undefined) return;
    this.#standing.delete(fence);
    this.#standingRecords -= standing.words.length / RECORD_WORDS;
    this.#append([changesCatalogue ? Kind.LiftCatalogue : Kind.Lift, fence, origin, 0, 0]);
  }

  /** Whoever wrote here before is gone, and nothing of it stands any more. */
  restart(): void {
    this.#append([Kind.Restart, 0, 0, 0, 0]);
    this.flush();
  }

  /** Everything that was said can be read by others when this returns. */
  flush(): void {
    this.#carry();
    while (this.#words.length > 0) {
      const batch = Uint32Array.from(this.#words.slice(0, this.#batchWords));
      const count = this.#count + batch.length / RECORD_WORDS;
      // What cannot be written is kept, and written with what comes next.
      this.#store.write(this.#count, batch);
      this.#store.announce(count);
      this.#count = count;
      this.#words.splice(0, batch.length);
    }
  }

  get #batchWords(): number {
    return this.#store.capacity * BATCH_SHARE * RECORD_WORDS;
  }

  get #end(): number {
    return this.#count + this.#words.length / RECORD_WORDS;
  }

  #append(words: readonly number[]): void {
    for (const word of words) this.#words.push(word);
    if (this.#words.length >= this.#batchWords) this.flush();
  }

  /** What stands for long is said again before it falls out of what is kept. */
  #carry(): void {
    for (const [fence, { start, words }] of this.#standing) {
      if (start >= this.#end - this.#store.capacity * CARRIED_SHARE) return;
      this.#standing.delete(fence);
      this.#standing.set(fence, { start: this.#end, words });
      for (const word of words) this.#words.push(word);
    }
  }
}
