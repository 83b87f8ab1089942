import { RelationVersions } from '../../cache/relation-versions.ts';
import type { OriginConfig } from '../../config/model.ts';
import type { LinkWrites, WriteFence } from '../../session/link-writes.ts';
import type { RelationSet } from '../../sql/catalogue/write-set.ts';

/** Who is told of the catalogue of an origin's database. */
export type CatalogueListener = {
  /** Something is about to be sent that may make it another one. */
  onOriginCatalogueChanging(): void;
  /** It may have changed. */
  onOriginCatalogueChanged(): void;
};

/** What passes through this process to one database, whichever configuration it is for. */
export class OriginWrites implements WriteFence {
  readonly versions = new RelationVersions();
  readonly listeners = new Set<CatalogueListener>();
  readonly #pending = new Set<LinkWrites>();
  /** Those of the pending ones whose changes of the catalogue may take effect. */
  readonly #changing = new Set<LinkWrites>();

  /** Whether what is known of the catalogue may be wrong at any moment. */
  get isCatalogueChanging(): boolean {
    return this.#changing.size > 0;
  }

  fence(writes: RelationSet): void {
    this.versions.fence(writes);
  }

  lift(writes: RelationSet): void {
    this.versions.lift(writes);
  }

  onPending(writes: LinkWrites): void {
    this.#pending.add(writes);
  }

  onCatalogueChanging(writes: LinkWrites): void {
    if (this.#changing.has(writes)) return;
    this.#changing.add(writes);
    for (const listener of this.listeners) listener.onOriginCatalogueChanging();
  }

  onSettled(writes: LinkWrites): void {
    this.#pending.delete(writes);
    this.#changing.delete(writes);
    if (writes.changesCatalogue) this.changeCatalogue();
  }

  /** The catalogue may be another one: what is under way may write more than was thought. */
  changeCatalogue(): void {
    for (const writes of this.#pending) writes.add(this, 'all', false);
    this.versions.changed('all');
    for (const listener of this.listeners) listener.onOriginCatalogueChanged();
  }
}

/** One {@link OriginWrites} for each database that configurations lead to. */
export class OriginWritesTable {
  readonly #table = new Map<string, { readonly writes: OriginWrites; users: number }>();

  /** To be given back by {@link release} with the same origin. */
  take(origin: OriginConfig): OriginWrites {
    const key = keyOf(origin);
    let row = this.#table.get(key);
    if (row === undefined) {
      row = { writes: new OriginWrites(), users: 0 };
      this.#table.set(key, row);
    }
    row.users++;
    return row.writes;
  }

  release(origin: OriginConfig): void {
    const key = keyOf(origin);
    const row = this.#table.get(key);
    if (row !== undefined && --row.users === 0) this.#table.delete(key);
  }
}

function keyOf({ host, port, database }: OriginConfig): string {
  return `${host.toLowerCase()}\0${port}\0${database}`;
}
