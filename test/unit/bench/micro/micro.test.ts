import { describe, expect, it } from 'vitest';
import { microCases } from '../../../../bench/micro/cases.ts';
import { measureMicro, microTable } from '../../../../bench/micro/harness.ts';

describe('the micro-benchmark', () => {
  it('does the work that it times', async () => {
    const cases = await microCases();
    expect(cases.map(({ name }) => name)).toEqual([
      'shape-200',
      'facts-200',
      'shape-short',
      'facts-short',
      'framing',
      'ledger',
    ]);
    const of = (name: string): number => cases.find((each) => each.name === name)?.run() ?? 0;
    // Each text was read as one statement; each message passed on; nothing mismatched.
    expect(of('facts-200')).toBe(64);
    expect(of('facts-short')).toBe(64);
    expect(of('framing')).toBe(100 * 45);
    expect(of('ledger')).toBe(0);
  });

  it('tells the time of one, in nanoseconds, with its spread', () => {
    const wait = (): number => {
      const endMs = performance.now() + 1;
      while (performance.now() < endMs);
      return 1;
    };
    const results = measureMicro([{ name: 'wait', title: 'waiting', perRun: 10, run: wait }], 3, 5);
    const [{ ns }] = results as [(typeof results)[number]];
    expect(ns.min).toBeGreaterThanOrEqual(1e5);
    expect(ns.min).toBeLessThanOrEqual(ns.median);
    expect(microTable(results)).toMatch(
      /^\| what \| ns \|\n.*\n\| waiting \| \d+ \(\d+–\d+\) \|\n$/,
    );
  });
});
