/** Medians and spreads: on a machine that others use too, single figures mean nothing. */

export type Spread = { readonly min: number; readonly median: number; readonly max: number };

/** @throws RangeError for an empty list */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('there is no median of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2;
}

/** @throws RangeError for an empty list */
export function spread(values: readonly number[]): Spread {
  return { min: Math.min(...values), median: median(values), max: Math.max(...values) };
}

/**
 * The smallest value that a part of all, such as 0.99, does not exceed; NaN of nothing.
 * @param sorted from the smallest to the largest
 */
export function percentile(sorted: ArrayLike<number>, part: number): number {
  const at = Math.max(0, Math.ceil(sorted.length * part) - 1);
  return sorted[at] ?? Number.NaN;
}

/**
 * The ratio of two series round by round, then its spread: what slows the whole machine for a while
 * slows both members of a pair, and falls out.
 *
 * @throws RangeError when the series are empty or differ in length
 */
export function pairedRatios(
  numerators: readonly number[],
  denominators: readonly number[],
): Spread {
  if (numerators.length !== denominators.length) {
    throw new RangeError('only series of the same length can be paired');
  }
  return spread(numerators.map((value, at) => value / (denominators[at] as number)));
}
