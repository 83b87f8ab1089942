import { describe, expect, it } from 'vitest';
import { Estimate } from '../../../../src/session/sharing/estimate.ts';

const LONG_MS = 20;

function estimateAfter(times: number, tookMs: number, bytes = 100): Estimate {
  const estimate = new Estimate();
  for (let n = 0; n < times; n++) estimate.noteAlone(bytes, tookMs, LONG_MS, 0);
  return estimate;
}

describe('the estimate of a shape', () => {
  it('is short after eight results that were', () => {
    expect(estimateAfter(7, 1).isShort(0)).toBe(false);
    expect(estimateAfter(8, 1).isShort(0)).toBe(true);
    expect(estimateAfter(100, 101).isShort(0)).toBe(false);
  });

  it('forgives a busy machine when it goes alone, as long as some results are fast', () => {
    const estimate = new Estimate();
    for (let n = 0; n < 12; n++) estimate.noteAlone(100, n % 4 === 0 ? 50 : 500, LONG_MS, 0);
    expect(estimate.isShort(0)).toBe(true);
  });

  it('is long again after some long results on shared links', () => {
    const estimate = estimateAfter(16, 1);
    estimate.noteShared(100, 30, LONG_MS, 0);
    estimate.noteShared(100, 30, LONG_MS, 0);
    expect(estimate.isShort(0)).toBe(true);
    estimate.noteShared(100, 30, LONG_MS, 0);
    expect(estimate.isShort(0)).toBe(false);
  });

  it('is large for a minute, and must then be short eight times anew', () => {
    const estimate = estimateAfter(16, 1);
    estimate.noteShared(65_537, 1, LONG_MS, 1_000);
    for (let n = 0; n < 16; n++) estimate.noteAlone(100, 1, LONG_MS, 1_000);
    expect(estimate.isShort(60_999)).toBe(false);
    expect(estimate.isShort(61_000)).toBe(true);
    expect(estimateAfter(50, 1, 65_537).isShort(1e9)).toBe(false);
  });

  it('is banned for a minute', () => {
    const estimate = estimateAfter(16, 1);
    estimate.ban(5);
    expect(estimate.isShort(60_004)).toBe(false);
    expect(estimate.isShort(60_005)).toBe(true);
  });
});
