import type { RelationSet } from '../sql/catalogue/write-set.ts';

/** More relations than this are taken for all. */
const RELATIONS_MAX = 1_000;

/** Who wants to know what is being written. */
export type WriteFence = {
  /** The relations are written from now on. */
  fence(writes: RelationSet): void;
  /** The outcome is known: what was written is there, or will never be. */
  lift(writes: RelationSet): void;
  onPending(writes: LinkWrites): void;
  onSettled(writes: LinkWrites): void;
};

/**
 * What the transaction on a link writes, from before the first of it is sent until the server has
 * said that nothing is outstanding and no transaction is open.
 */
export class LinkWrites {
  readonly #relations = new Set<number>();
  #isAll = false;
  /** The catalogue may be another one afterwards. */
  changesCatalogue = false;
  #fence: WriteFence | null = null;

  get isPending(): boolean {
    return this.#fence !== null;
  }

  add(fence: WriteFence, writes: RelationSet): void {
    if (this.#isAll || writes.length === 0) return;
    if (this.#fence === null) {
      this.#fence = fence;
      fence.onPending(this);
    }
    if (writes === 'all' || this.#relations.size + writes.length > RELATIONS_MAX) {
      this.#isAll = true;
      fence.fence('all');
      return;
    }
    const added = writes.filter((relation) => !this.#relations.has(relation));
    for (const relation of added) this.#relations.add(relation);
    if (added.length > 0) fence.fence(added);
  }

  /** The outcome is known. */
  settle(): void {
    const fence = this.#fence;
    if (fence === null) return;
    const relations = [...this.#relations];
    const isAll = this.#isAll;
    this.#fence = null;
    this.#relations.clear();
    this.#isAll = false;
    if (relations.length > 0) fence.lift(relations);
    if (isAll) fence.lift('all');
    fence.onSettled(this);
    this.changesCatalogue = false;
  }
}
