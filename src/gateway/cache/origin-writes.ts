import { RelationVersions } from '../../cache/relation-versions.ts';
import type { LinkWrites, WriteFence } from '../../session/link-writes.ts';
import type { RelationSet } from '../../sql/catalogue/write-set.ts';
import { LostWrites, type ProcessLook } from './lost-writes.ts';
import type { WriteBoard } from './write-board.ts';

/** Where processes of the server cannot be told by their number, they are given so long to end. */
const UNSEEN_MS = 60_000;

/** A configuration that leads to the origin, and hears of what becomes of its catalogue. */
export type OriginSubscriber = {
  /** Something is about to be sent that may make the catalogue of the database another one. */
  onOriginCatalogueChanging(): void;
  /** It may have changed. */
  onOriginCatalogueChanged(): void;
  /** See {@link LostWrites.tick}. */
  readonly processLook: ProcessLook | null;
  /** The like, where there is no look. */
  readonly lostWriteMs: number | null;
};

/** What is written to one database by this gateway, whichever configuration it is for. */
export class OriginWrites implements WriteFence {
  /** Two databases that have the same one, by accident, share their fences. */
  readonly id: number;
  readonly versions = new RelationVersions();
  readonly subscribers = new Set<OriginSubscriber>();
  /** To what other workers write. */
  readonly elsewhere: WriteFence;
  readonly #board: WriteBoard | null;
  readonly #pending = new Set<LinkWrites>();
  /** Those of the pending ones whose changes of the catalogue may take effect. */
  readonly #changing = new Set<LinkWrites>();
  readonly #lost = new LostWrites();

  /** @param board where other workers are told; null when there are none */
  constructor(id: number, board: WriteBoard | null) {
    this.id = id;
    this.#board = board;
    this.elsewhere = {
      onPending: (writes) => this.#pending.add(writes),
      onCatalogueChanging: (writes) => this.#changing.add(writes),
      fence: (_writes, relations) => this.versions.fence(relations),
      lift: (relations) => this.versions.lift(relations),
      onSettled: (writes) => {
        this.#pending.delete(writes);
        this.#changing.delete(writes);
      },
      onLost: () => {},
    };
  }

  /** Whether anything is being written, or anybody would want to know. */
  get isNeeded(): boolean {
    return this.subscribers.size > 0 || this.#pending.size > 0;
  }

  /** Whether what is known of the catalogue may be wrong at any moment. */
  get isCatalogueChanging(): boolean {
    return this.#changing.size > 0;
  }

  /**
   * Takes in what other workers have said. To be called before an answer is given or taken from
   * memory, and before it is said what a statement writes.
   */
  catchUp(): void {
    this.#board?.catchUp();
  }

  onPending(writes: LinkWrites): void {
    this.#pending.add(writes);
  }

  onCatalogueChanging(writes: LinkWrites): void {
    if (this.#changing.has(writes)) return;
    this.#changing.add(writes);
    // Before it is sent: what any worker's client runs behind it finds that it was said.
    this.#board?.changing(writes, this.id);
    this.doubtCatalogue();
  }

  /** What is under way was judged by a catalogue that may be another one at any moment. */
  doubtCatalogue(): void {
    for (const subscriber of this.subscribers) subscriber.onOriginCatalogueChanging();
  }

  fence(writes: LinkWrites, relations: RelationSet): void {
    this.versions.fence(relations);
    if (this.#board === null) return;
    this.#board.fence(writes, this.id, relations);
    // It was judged by a catalogue that may be changed by now. Who changes it from here on finds
    // the fence, and so knows that there is more to it.
    this.#board.catchUp();
  }

  lift(relations: RelationSet): void {
    this.versions.lift(relations);
  }

  onSettled(writes: LinkWrites): void {
    this.#pending.delete(writes);
    this.#changing.delete(writes);
    this.#board?.lift(writes, this.id);
    if (writes.changesCatalogue) this.changeCatalogue();
  }

  onLost(writes: LinkWrites, nowMs: number): void {
    this.#lost.add(writes, nowMs);
  }

  /** The catalogue may be another one: what is under way may write more than was thought. */
  changeCatalogue(): void {
    // Whoever has fenced something before he could hear of it.
    this.#board?.catchUp();
    for (const writes of this.#pending) writes.widen();
    this.versions.changed('all');
    for (const subscriber of this.subscribers) subscriber.onOriginCatalogueChanged();
  }

  /** To be called every now and then. */
  tick(nowMs: number): void {
    const all = [...this.subscribers];
    const look = all.map(({ processLook }) => processLook).find((one) => one !== null) ?? null;
    const waits = all.map(({ lostWriteMs }) => lostWriteMs ?? UNSEEN_MS);
    this.#lost.tick(nowMs, look, Math.max(UNSEEN_MS, ...waits));
  }
}
