/** Faults of the cache's fence that a model of the cache has to find out. */
import { vi } from 'vitest';
import { RelationVersions } from '../../src/cache/relation-versions.ts';

const nothing = (): void => {};

export function noFence(): void {
  vi.spyOn(RelationVersions.prototype, 'fence').mockImplementation(nothing);
  vi.spyOn(RelationVersions.prototype, 'lift').mockImplementation(nothing);
}

/** Makes of a fence what counts only once the outcome is known. */
export function countAtAnswer(): void {
  vi.spyOn(RelationVersions.prototype, 'fence').mockImplementation(nothing);
  vi.spyOn(RelationVersions.prototype, 'lift').mockImplementation(function (
    this: RelationVersions,
    writes,
  ) {
    this.changed(writes);
  });
}
