import { CACHE_STATUSES, type CacheStatus } from '../../session/reads/read-cache.ts';

/** How many statements of a configuration had which status, since it was first served. */
export class CacheCounts {
  readonly #counts = new Map<CacheStatus, number>(CACHE_STATUSES.map((status) => [status, 0]));

  add(status: CacheStatus): void {
    this.#counts.set(status, (this.#counts.get(status) as number) + 1);
  }

  get(status: CacheStatus): number {
    return this.#counts.get(status) as number;
  }

  /** In the order of {@link CACHE_STATUSES}. */
  entries(): IterableIterator<[CacheStatus, number]> {
    return this.#counts.entries();
  }
}
