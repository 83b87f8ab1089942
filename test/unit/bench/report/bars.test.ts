import { describe, expect, it } from 'vitest';
import { type BenchCase, benchCases, type Target } from '../../../bench/cases.ts';
import { type Measurement, summarize } from '../../../bench/summary.ts';
import { markdownTable, report, spreadText } from '../../../bench/table.ts';

const reads = benchCases[0] as BenchCase;
const single = benchCases.find((each) => each.clients === 1) as BenchCase;

function rounds(
  benchCase: BenchCase,
  target: Target,
  tps: readonly number[],
  latencyMs: readonly number[] = tps.map(() => 1),
): Measurement[] {
  return tps.map((value, round) => ({
    caseName: benchCase.name,
    target,
    round,
    tps: value,
    latencyMs: latencyMs[round] as number,
    transactions: value,
    cpuUs: {
      pgbench: 10 + round,
      pooler: target.kind === 'direct' ? null : 20 + round,
      postgres: 30 + round,
    },
  }));
}

const direct: Target = { kind: 'direct' };
const millrace = (poolSize: number): Target => ({ kind: 'millrace', poolSize });
const pgbouncer = (poolSize: number): Target => ({ kind: 'pgbouncer', poolSize });

const measured = [
  ...rounds(reads, direct, [40_000, 20_000, 42_000]),
  ...rounds(reads, millrace(4), [50_000, 30_000, 51_000]),
  ...rounds(reads, millrace(20), [60_000, 20_000, 60_000]),
  ...rounds(reads, pgbouncer(4), [40_000, 20_000, 40_000]),
  ...rounds(reads, pgbouncer(20), [10_000, 90_000, 10_000]),
];

describe('the summary of a case', () => {
  it('takes each pooler at its best pool size by median', () => {
    const summary = summarize(reads, measured);
    expect(summary.millrace.target).toEqual(millrace(20));
    expect(summary.pgbouncer?.target).toEqual(pgbouncer(4));
  });

  it('pairs the rounds of those two', () => {
    const summary = summarize(reads, measured);
    expect(summary.millraceToPgbouncer).toEqual({ min: 1, median: 1.5, max: 1.5 });
    expect(summary.millraceToDirect.min).toBe(1);
  });

  it('pairs rounds by their number, in whatever order they were measured', () => {
    const shuffled = [...measured].sort((a, b) => b.round - a.round);
    expect(summarize(reads, shuffled).millraceToPgbouncer).toEqual({
      min: 1,
      median: 1.5,
      max: 1.5,
    });
  });

  it('has no ratio to a PgBouncer that was not measured', () => {
    const without = measured.filter((each) => each.target.kind !== 'pgbouncer');
    const summary = summarize(reads, without);
    expect(summary.pgbouncer).toBeNull();
    expect(summary.millraceToPgbouncer).toBeNull();
    expect(summary.pgbouncerAddsMs).toBeNull();
  });

  it('tells what a pooler adds to the latency of a direct connection', () => {
    const summary = summarize(single, [
      ...rounds(single, direct, [10, 10], [0.25, 0.5]),
      ...rounds(single, millrace(20), [8, 8], [0.5, 1]),
    ]);
    expect(summary.millraceAddsMs).toEqual({ min: 0.25, median: 0.375, max: 0.5 });
  });

  it('counts no processor time of a pooler on the direct way', () => {
    const [first, second] = summarize(reads, measured).targets;
    expect(first?.cpuUs).toEqual({ pgbench: 11, pooler: null, postgres: 31 });
    expect(second?.cpuUs.pooler).toBe(21);
  });

  it('looks at its own case only, and refuses to compare nothing', () => {
    expect(() => summarize(single, measured)).toThrow('reads-1-simple');
  });
});

describe('the report', () => {
  it('shows medians with their spread, ratios and processor time', () => {
    const text = report([summarize(reads, measured)]);
    expect(text).toContain('| point reads, 64 clients, simple | 40.0 (20.0–42.0) |');
    expect(text).toContain('| 60.0 (20.0–60.0), pool 20 | 1.50 (1.00–1.50) |');
    expect(text).toContain(
      '| reads-64-simple | millrace/4 | 50.0 (30.0–51.0) | 11.0 | 21.0 | 31.0 | 63.0 |',
    );
    expect(text).not.toContain('adds');
  });

  it('says n/a where PgBouncer could not take part', () => {
    const without = measured.filter((each) => each.target.kind !== 'pgbouncer');
    expect(report([summarize(reads, without)])).toContain('| n/a | 60.0');
  });

  it('shows the latency of a single client in microseconds', () => {
    const text = report([
      summarize(single, [
        ...rounds(single, direct, [10], [0.25]),
        ...rounds(single, millrace(20), [8], [0.375]),
      ]),
    ]);
    expect(text).toContain(
      '| point reads, 1 client, simple | 250 (250–250) | n/a | 125 (125–125) |',
    );
  });
});

describe('a table', () => {
  it('has a rule that sets figures to the right', () => {
    expect(markdownTable(['a', 'b'], [['x', '1']])).toBe('| a | b |\n| --- | ---: |\n| x | 1 |\n');
  });

  it('rounds to the digits asked for', () => {
    expect(spreadText({ min: 0.004, median: 1.006, max: 2 }, 2)).toBe('1.01 (0.00–2.00)');
    expect(spreadText(null, 2)).toBe('n/a');
  });
});
