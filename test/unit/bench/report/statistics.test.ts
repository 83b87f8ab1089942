import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, pairedRatios, spread } from '../../../../bench/report/statistics.ts';

const figure = fc.double({ min: 0.001, max: 1e9, noNaN: true });
const figures = fc.array(figure, { minLength: 1, maxLength: 20 });

describe('the median', () => {
  it('is the middle of an odd number of figures, sorted as numbers', () => {
    expect(median([100, 9, 20])).toBe(20);
  });

  it('is the mean of the two in the middle of an even number', () => {
    expect(median([4, 1, 3, 100])).toBe(3.5);
  });

  it('does not exist without figures', () => {
    expect(() => median([])).toThrow(RangeError);
  });

  it('leaves its argument in order', () => {
    const given = [3, 1, 2];
    median(given);
    expect(given).toEqual([3, 1, 2]);
  });

  it('has as many figures below as above', () => {
    fc.assert(
      fc.property(figures, (values) => {
        const middle = median(values);
        const below = values.filter((value) => value < middle).length;
        const above = values.filter((value) => value > middle).length;
        expect(Math.max(below, above) * 2).toBeLessThanOrEqual(values.length);
      }),
    );
  });
});

describe('paired ratios', () => {
  it('are taken round by round, so that what slows a whole round falls out', () => {
    // The second round ran at a quarter of the speed: ratios of medians would not be 2.
    expect(pairedRatios([200, 50, 210], [100, 25, 105])).toEqual({ min: 2, median: 2, max: 2 });
  });

  it('show how far the rounds disagree', () => {
    expect(pairedRatios([1, 3, 2], [1, 1, 1])).toEqual({ min: 1, median: 2, max: 3 });
  });

  it('refuse series of different lengths, and empty ones', () => {
    expect(() => pairedRatios([1, 2], [1])).toThrow(RangeError);
    expect(() => pairedRatios([], [])).toThrow(RangeError);
  });
});

describe('a spread', () => {
  it('holds its median', () => {
    fc.assert(
      fc.property(figures, (values) => {
        const { min, median: middle, max } = spread(values);
        expect(min).toBeLessThanOrEqual(middle);
        expect(middle).toBeLessThanOrEqual(max);
        expect(values).toContain(min);
        expect(values).toContain(max);
      }),
    );
  });
});
