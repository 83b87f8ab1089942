import { TransactionStatus } from '../protocol/codes.ts';
import type { RelationSet } from '../sql/catalogue/write-set.ts';
import type { Facts, TransactionKind } from '../sql/facts/facts.ts';

/** More relations than this are taken for all. */
const RELATIONS_MAX = 1_000;

/** Who wants to know what is being written. */
export type WriteFence = {
  onPending(writes: LinkWrites): void;
  /** From now on the catalogue may become another one, until the writes are settled. */
  onCatalogueChanging(writes: LinkWrites): void;
  /** The relations are written from now on. */
  fence(writes: LinkWrites, relations: RelationSet): void;
  /** The outcome is known: what was written is there, or will never be. */
  lift(relations: RelationSet): void;
  onSettled(writes: LinkWrites): void;
  /** The link is gone, and the outcome is not known: {@link LinkWrites.settle} comes later. */
  onLost(writes: LinkWrites, nowMs: number): void;
};

/**
 * What the transaction on a link writes, from before the first of it is sent until the server has
 * said that nothing is outstanding and no transaction is open.
 */
export class LinkWrites {
  readonly #relations = new Set<number>();
  #isAll = false;
  #changesCatalogue = false;
  /** Whether anything has been sent that may commit. */
  #mayCommit = false;
  /** Of the server. */
  processId = 0;
  /** Whether anything may have been written since whoever has the link has set it back. */
  hasWritten = false;
  #fence: WriteFence | null = null;

  /** The catalogue may be another one afterwards. */
  get changesCatalogue(): boolean {
    return this.#changesCatalogue;
  }

  get isPending(): boolean {
    return this.#fence !== null;
  }

  get relations(): RelationSet {
    return this.#isAll ? 'all' : [...this.#relations];
  }

  add(fence: WriteFence, writes: RelationSet, changesCatalogue: boolean): void {
    if (writes.length === 0) return;
    this.hasWritten = true;
    if (this.#fence === null) {
      this.#fence = fence;
      fence.onPending(this);
    }
    this.#changesCatalogue ||= changesCatalogue;
    this.#fenceMore(writes, this.#fence);
    if (changesCatalogue && this.#mayCommit) fence.onCatalogueChanging(this);
  }

  #fenceMore(writes: RelationSet, fence: WriteFence): void {
    if (this.#isAll) return;
    if (writes === 'all' || this.#relations.size + writes.length > RELATIONS_MAX) {
      this.widen();
      return;
    }
    const added = writes.filter((relation) => !this.#relations.has(relation));
    for (const relation of added) this.#relations.add(relation);
    if (added.length > 0) fence.fence(this, added);
  }

  /** What is under way may write anything. */
  widen(): void {
    if (this.#isAll || this.#fence === null) return;
    this.#isAll = true;
    this.#fence.fence(this, 'all');
  }

  /** What is sent next may commit, and so make a changed catalogue everybody's. */
  noteCommit(): void {
    this.#mayCommit = true;
    if (this.#changesCatalogue) this.#fence?.onCatalogueChanging(this);
  }

  /** All that was sent is answered, and a transaction is open. */
  stayOpen(): void {
    this.#mayCommit = false;
  }

  /** The outcome is known. */
  settle(): void {
    const fence = this.#fence;
    this.#mayCommit = false;
    if (fence === null) return;
    const relations = [...this.#relations];
    const isAll = this.#isAll;
    this.#fence = null;
    this.#relations.clear();
    this.#isAll = false;
    if (relations.length > 0) fence.lift(relations);
    if (isAll) fence.lift('all');
    fence.onSettled(this);
    this.#changesCatalogue = false;
  }

  /** The link is gone. */
  lose(nowMs: number): void {
    this.#fence?.onLost(this, nowMs);
  }
}

/** Statements about transactions behind which the one that was open is open still. */
const STAYS_OPEN: ReadonlySet<TransactionKind> = new Set([
  'begin',
  'savepoint',
  'release',
  'rollbackTo',
]);

/**
 * Whether a transaction may end with the statement.
 * @param status of the link, when everything sent before it is answered
 * @param facts null when nobody knows what it is
 */
export function mayCommit(status: number, facts: Facts | null): boolean {
  if (status !== TransactionStatus.InTransaction || facts === null || facts.unparsed) return true;
  return facts.transaction !== null && !STAYS_OPEN.has(facts.transaction);
}
