import { describe, expect, it } from 'vitest';
import { RelationVersions } from '../../../src/cache/relation-versions.ts';

describe('a fence', () => {
  it('keeps its relations from being read for the cache, and no others', () => {
    const versions = new RelationVersions();
    versions.fence([1, 2]);
    expect(versions.readTime([1])).toBeNull();
    expect(versions.readTime([3, 2])).toBeNull();
    expect(versions.readTime([3])).not.toBeNull();
    expect(versions.readTime('all')).toBeNull();
    expect(versions.isCurrent(0, [1])).toBe(false);
    expect(versions.isOutdated(0, [1])).toBe(false);
  });

  it('makes what was read before it old when it is lifted', () => {
    const versions = new RelationVersions();
    const before = versions.readTime([1]) as number;
    versions.fence([1]);
    versions.lift([1]);
    expect(versions.isOutdated(before, [1])).toBe(true);
    expect(versions.isOutdated(before, [2])).toBe(false);
    expect(versions.isOutdated(before, 'all')).toBe(true);
    expect(versions.isCurrent(versions.readTime([1]) as number, [1])).toBe(true);
  });

  it('holds until the last of several writes is over', () => {
    const versions = new RelationVersions();
    versions.fence([1]);
    versions.fence([1]);
    versions.lift([1]);
    expect(versions.readTime([1])).toBeNull();
    versions.lift([1]);
    expect(versions.readTime([1])).not.toBeNull();
  });

  it('around everything leaves nothing out', () => {
    const versions = new RelationVersions();
    const before = versions.readTime([7]) as number;
    versions.fence('all');
    expect(versions.readTime([7])).toBeNull();
    versions.lift('all');
    expect(versions.isOutdated(before, [7])).toBe(true);
    expect(versions.isCurrent(versions.readTime([7]) as number, [7])).toBe(true);
  });

  it('does not let the number of relations grow without end', () => {
    const versions = new RelationVersions();
    const before = versions.readTime([1]) as number;
    for (let first = 0; first < 200_000; first += 1000) {
      versions.changed(Array.from({ length: 1000 }, (_, at) => 10 + first + at));
    }
    expect(versions.isOutdated(before, [10])).toBe(true);
    // What cannot be remembered one by one is taken for changed.
    expect(versions.isOutdated(before, [1])).toBe(true);
  });
});
