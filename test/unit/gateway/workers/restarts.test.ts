import { describe, expect, it } from 'vitest';
import { Restarts } from '../../../../src/gateway/workers/restarts.ts';

describe('Restarts', () => {
  it('replaces the first at once, and waits longer and longer for those that end early', () => {
    const restarts = new Restarts();
    const delays = Array.from({ length: 9 }, () => restarts.delayMs(50, 1));
    expect(delays).toEqual([0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  });

  it('begins anew after one that has lived', () => {
    const restarts = new Restarts();
    for (let n = 0; n < 5; n++) restarts.delayMs(50, 1);
    expect(restarts.delayMs(60_000, 1)).toBe(0);
    expect([restarts.delayMs(50, 1), restarts.delayMs(50, 1)]).toEqual([0, 100]);
  });

  it('gives up after six in a row, but never while another one is at work', () => {
    const restarts = new Restarts();
    for (let n = 0; n < 6; n++) expect(restarts.delayMs(50, 0)).not.toBe(null);
    expect(restarts.delayMs(50, 1)).not.toBe(null);
    expect(restarts.delayMs(50, 0)).toBe(null);
  });
});
