import { describe, expect, it } from 'vitest';
import { RelationVersions } from '../../../src/cache/relation-versions.ts';
import { OriginWrites } from '../../../src/gateway/cache/origin-writes.ts';
import { LinkWrites } from '../../../src/session/link-writes.ts';

describe('the writes of a link', () => {
  it('are fenced until their outcome is known, and new afterwards', () => {
    const origin = new OriginWrites(1, null);
    const writes = new LinkWrites();
    const before = origin.versions.readTime([1]) as number;
    writes.add(origin, [1, 2], false);
    writes.add(origin, [2], false);
    expect(origin.versions.readTime([2])).toBeNull();
    expect(origin.versions.readTime([3])).not.toBeNull();
    writes.settle();
    expect(origin.versions.readTime([2])).not.toBeNull();
    expect(origin.versions.isCurrent(before, [1])).toBe(false);
    expect(origin.versions.isCurrent(before, [3])).toBe(true);
    writes.settle();
    expect(writes.isPending).toBe(false);
  });

  it('are taken for all relations when there are many', () => {
    const origin = new OriginWrites(1, null);
    const writes = new LinkWrites();
    writes.add(origin, [7], false);
    writes.add(
      origin,
      Array.from({ length: 1_000 }, (_, n) => n),
      false,
    );
    expect(origin.versions.readTime([999_999])).toBeNull();
    writes.settle();
    expect(origin.versions.readTime([7, 999_999])).not.toBeNull();
  });

  it('count as everything when the catalogue changes beneath them', () => {
    const origin = new OriginWrites(1, null);
    const [writer, altering] = [new LinkWrites(), new LinkWrites()];
    writer.add(origin, [1], false);
    altering.add(origin, 'all', true);
    altering.settle();
    expect(origin.versions.readTime([2])).toBeNull();
    writer.settle();
    expect(origin.versions.readTime([2])).not.toBeNull();
  });

  it('may make the catalogue another one from when they may be committed', () => {
    const origin = new OriginWrites(1, null);
    const told: string[] = [];
    origin.subscribers.add({
      onOriginCatalogueChanging: () => told.push('changing'),
      onOriginCatalogueChanged: () => told.push('changed'),
      processLook: null,
      lostWriteMs: null,
    });
    const [writing, altering] = [new LinkWrites(), new LinkWrites()];
    writing.add(origin, [1], false);
    writing.noteCommit();
    altering.add(origin, 'all', true);
    expect(origin.isCatalogueChanging).toBe(false);
    altering.noteCommit();
    altering.noteCommit();
    expect(origin.isCatalogueChanging).toBe(true);
    altering.settle();
    writing.settle();
    expect(origin.isCatalogueChanging).toBe(false);
    altering.noteCommit();
    altering.add(origin, 'all', true);
    expect(origin.isCatalogueChanging).toBe(true);
    altering.settle();
    expect(told).toEqual(['changing', 'changed', 'changing', 'changed']);
  });

  it('of relations without fences are nothing', () => {
    expect(new RelationVersions().readTime('all')).toBe(0);
  });
});
