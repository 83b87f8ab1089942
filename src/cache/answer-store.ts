import type { Answer } from '../session/reads/read-cache.ts';
import type { RelationSet } from '../sql/catalogue/write-set.ts';
import { answerBytes } from './answer.ts';
import type { Habit } from './habit.ts';

/** An answer with the times that decide how long it may be given. */
export type DatedAnswer = Answer & {
  /** When it was asked for, by the clock of the relations. */
  readonly readTime: number;
  /** When it was asked for, in milliseconds: it is as old as the moment it was true. */
  readonly askedAtMs: number;
};

export type StoredAnswer = DatedAnswer & {
  readonly reads: RelationSet;
  /** Of the reads that are as this one. */
  readonly habit: Habit;
};

/** An answer in its place between one that was used later and one that was used earlier. */
type Entry = {
  readonly key: string;
  readonly answer: StoredAnswer;
  later: Entry | null;
  earlier: Entry | null;
};

/**
 * Answers within a budget of bytes; what was used longest ago makes room for what comes. Their
 * order is a list of its own: a map's would be searched past all that was deleted before.
 */
export class AnswerStore {
  readonly #entries = new Map<string, Entry>();
  #latest: Entry | null = null;
  #earliest: Entry | null = null;
  #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that are taken of the budget. */
  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Marks it as used; undefined when there is none. */
  get(key: string): StoredAnswer | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry !== this.#latest) {
      this.#unlink(entry);
      this.#linkAsLatest(entry);
    }
    return entry.answer;
  }

  /** False when it alone is larger than the budget. */
  set(key: string, answer: StoredAnswer): boolean {
    this.delete(key);
    const size = answerBytes(key, answer);
    if (size > this.#bytesMax) return false;
    this.#shrinkTo(this.#bytesMax - size);
    const entry: Entry = { key, answer, later: null, earlier: null };
    this.#entries.set(key, entry);
    this.#linkAsLatest(entry);
    this.#bytes += size;
    return true;
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#forget(entry);
  }

  /** Forgets those that are meant; how many. */
  deleteWhere(isMeant: (key: string, reads: RelationSet) => boolean): number {
    const before = this.#entries.size;
    for (const entry of this.#entries.values()) {
      if (isMeant(entry.key, entry.answer.reads)) this.#forget(entry);
    }
    return before - this.#entries.size;
  }

  clear(): void {
    this.#entries.clear();
    this.#latest = null;
    this.#earliest = null;
    this.#bytes = 0;
  }

  /** A smaller budget takes effect at once. */
  resize(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#shrinkTo(bytesMax);
  }

  #shrinkTo(bytes: number): void {
    while (this.#bytes > bytes && this.#earliest !== null) this.#forget(this.#earliest);
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.key);
    this.#unlink(entry);
    this.#bytes -= answerBytes(entry.key, entry.answer);
  }

  #linkAsLatest(entry: Entry): void {
    entry.later = null;
    entry.earlier = this.#latest;
    if (this.#latest === null) this.#earliest = entry;
    else this.#latest.later = entry;
    this.#latest = entry;
  }

  #unlink({ later, earlier }: Entry): void {
    if (later === null) this.#latest = earlier;
    else later.earlier = earlier;
    if (earlier === null) this.#earliest = later;
    else earlier.later = later;
  }
}
