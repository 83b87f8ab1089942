import { describe, expect, it } from 'vitest';
import { prove, UnprovenError } from '../../../../bench/load/counters.ts';

const before = { hits: 1000, shared: 500, statuses: { hit: 1000, miss: 7 } };
const run = (hits: number, shared: number) => ({
  hits: 1000 + hits,
  shared: 500 + shared,
  statuses: { hit: 1000 + hits, miss: 7 + 100 - hits },
});

describe('what a row says of its statements', () => {
  it('is believed when the counters of its run say so', () => {
    prove({ hits: { min: 0.85, max: 0.95 } }, before, run(90, 0), 100);
    prove({ shared: { min: 0.5 } }, before, run(0, 50), 100);
    prove({ hits: { min: 0.99, max: 1 } }, before, run(101, 0), 100);
    prove({}, before, run(0, 0), 100);
  });

  it.each([
    ['too few hits', { hits: { min: 0.99, max: 1 } }, run(98, 0), '98.0 %'],
    [
      'words for what became of the others',
      { hits: { min: 1, max: 1 } },
      run(98, 0),
      '98 hit, 2 miss',
    ],
    ['hits where there must be none', { hits: { min: 0, max: 0.01 } }, run(2, 0), '2.0 %'],
    ['reads that did not share', { shared: { min: 0.5 } }, run(100, 49), '49.0 %'],
  ])('is refused with %s', (_, proof, after, said) => {
    expect(() => prove(proof, before, after, 100)).toThrow(UnprovenError);
    expect(() => prove(proof, before, after, 100)).toThrow(said);
  });
});
