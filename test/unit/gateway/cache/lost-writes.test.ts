import { describe, expect, it } from 'vitest';
import { LostWrites, type ProcessLook } from '../../../../src/gateway/cache/lost-writes.ts';
import { OriginWrites } from '../../../../src/gateway/cache/origin-writes.ts';
import { LinkWrites } from '../../../../src/session/link-writes.ts';

const RELATION = 5;

/** Writes whose link has broken at the moment 0, and whoever looks after them. */
function lost(...processIds: readonly number[]) {
  const origin = new OriginWrites(1, null);
  const all = new LostWrites();
  const writes = processIds.map((processId) => {
    const one = new LinkWrites();
    one.processId = processId;
    one.add(origin, [RELATION], false);
    all.add(one, 0);
    return one;
  });
  const tick = async (nowMs: number, look: ProcessLook | null): Promise<void> => {
    all.tick(nowMs, look, 60_000);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const isFenced = (): boolean => origin.versions.readTime([RELATION]) === null;
  return { writes, tick, isFenced };
}

const alive =
  (...processIds: readonly number[]): ProcessLook =>
  async (asked) =>
    new Set(asked.filter((processId) => processIds.includes(processId)));

describe('what a link had written that broke', () => {
  it('stays fenced until the server says that the process is gone', async () => {
    const { tick, isFenced } = lost(7);
    await tick(0, alive(7));
    await tick(600_000, alive(7));
    expect(isFenced()).toBe(true);
    await tick(601_000, alive());
    expect(isFenced()).toBe(false);
  });

  it('is told apart from that of others by its process', async () => {
    const { writes, tick, isFenced } = lost(7, 8);
    await tick(0, alive(8));
    expect(writes.map(({ isPending }) => isPending)).toEqual([false, true]);
    expect(isFenced()).toBe(true);
  });

  it('stays fenced while the server cannot be asked', async () => {
    const { tick, isFenced } = lost(7);
    await tick(600_000, async () => null);
    expect(isFenced()).toBe(true);
  });

  it('stays fenced for a minute where processes cannot be told by their number', async () => {
    const { tick, isFenced } = lost(7);
    await tick(59_000, null);
    expect(isFenced()).toBe(true);
    await tick(60_000, null);
    expect(isFenced()).toBe(false);
  });

  it('is asked about twice a second, and by one question at a time', async () => {
    const { tick } = lost(7);
    let count = 0;
    let answer: (alive: null) => void = () => {};
    const look: ProcessLook = () => {
      count++;
      return new Promise((resolve) => {
        answer = resolve;
      });
    };
    await tick(0, look);
    await tick(1_000, look);
    expect(count).toBe(1);
    answer(null);
    await tick(0, null);
    await tick(400, look);
    expect(count).toBe(1);
    await tick(500, look);
    expect(count).toBe(2);
  });
});
