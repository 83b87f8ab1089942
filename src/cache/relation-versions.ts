import type { RelationSet } from '../sql/catalogue/write-set.ts';

/** Relations whose version is kept one by one; beyond, all answers are taken for old. */
const RELATIONS_MAX = 100_000;

/**
 * The fence between answers that are kept and writes that pass by (DESIGN §7). Every write is put
 * up before it is sent and taken down when its outcome is known; in between its relations neither
 * give nor take an answer, and afterwards they are newer than every answer from before.
 *
 * One clock counts the writes of the database, so that an answer needs to remember one number, the
 * time at which it was asked for, whatever it was read from.
 */
export class RelationVersions {
  #clock = 0;
  /** When everything was last taken for changed. */
  #allChangedAt = 0;
  readonly #changedAt = new Map<number, number>();
  readonly #fences = new Map<number, number>();
  #allFences = 0;

  /** The time of a read that is sent now, or null when what it reads is being written. */
  readTime(reads: RelationSet): number | null {
    return this.#isFenced(reads) ? null : this.#clock;
  }

  /** Whether what was read at that time is still all there is to see, and nobody writes it. */
  isCurrent(readTime: number, reads: RelationSet): boolean {
    return !this.isOutdated(readTime, reads) && !this.#isFenced(reads);
  }

  /** Whether what was read at that time has changed since. */
  isOutdated(readTime: number, reads: RelationSet): boolean {
    if (this.#allChangedAt > readTime) return true;
    if (reads === 'all') return this.#clock !== readTime;
    for (const relation of reads) {
      if ((this.#changedAt.get(relation) ?? 0) > readTime) return true;
    }
    return false;
  }

  /** A write is about to be sent, or a transaction that wrote is about to commit. */
  fence(writes: RelationSet): void {
    if (writes === 'all') this.#allFences++;
    else {
      for (const relation of writes) {
        this.#fences.set(relation, (this.#fences.get(relation) ?? 0) + 1);
      }
    }
  }

  /** The outcome of a write is known, or can no longer come: what it wrote is new. */
  lift(writes: RelationSet): void {
    this.changed(writes);
    if (writes === 'all') this.#allFences--;
    else for (const relation of writes) this.#liftOne(relation);
  }

  /** Relations have changed, or are to be taken for changed: nothing older is an answer. */
  changed(writes: RelationSet): void {
    this.#clock++;
    if (writes === 'all' || this.#changedAt.size + writes.length > RELATIONS_MAX) {
      this.#allChangedAt = this.#clock;
      this.#changedAt.clear();
      return;
    }
    for (const relation of writes) this.#changedAt.set(relation, this.#clock);
  }

  #liftOne(relation: number): void {
    const count = (this.#fences.get(relation) ?? 0) - 1;
    if (count > 0) this.#fences.set(relation, count);
    else this.#fences.delete(relation);
  }

  #isFenced(reads: RelationSet): boolean {
    if (this.#allFences > 0) return true;
    if (this.#fences.size === 0) return false;
    if (reads === 'all') return true;
    for (const relation of reads) if (this.#fences.has(relation)) return true;
    return false;
  }
}
