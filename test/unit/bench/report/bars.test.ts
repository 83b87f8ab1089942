import { describe, expect, it } from 'vitest';
import type { Bar, BenchCase, Contestant, Side } from '../../../../bench/cases/case.ts';
import { failedCase, type Measurement, summarize } from '../../../../bench/report/bars.ts';
import type { Figures } from '../../../../bench/report/figures.ts';
import {
  barTable,
  detailTable,
  markdownTable,
  report,
  spreadText,
} from '../../../../bench/report/table.ts';

const toPgbouncer: Bar = { kind: 'ratio', of: 'Millrace', to: 'PgBouncer', atLeast: 1.5 };
const toDirect: Bar = { kind: 'ratio', of: 'Millrace', to: 'direct', atLeast: null };

function caseWith(bars: readonly Bar[], headline: BenchCase['headline'] = 'tps'): BenchCase {
  return {
    name: 'reads-64-simple',
    title: 'point reads',
    headline,
    bars,
    isQuick: true,
    roundsMax: 9,
    contestants: () => [],
  };
}

const contestant = (name: string, side: Side): Contestant => ({
  name,
  side,
  subject: { kind: 'facts' },
});

const contestants = [
  contestant('direct', 'direct'),
  contestant('millrace/4', 'Millrace'),
  contestant('millrace/20', 'Millrace'),
  contestant('pgbouncer/4', 'PgBouncer'),
  contestant('pgbouncer/20', 'PgBouncer'),
];

function rounds(name: string, figures: readonly Figures[]): Measurement[] {
  return figures.map((each, round) => ({
    caseName: 'reads-64-simple',
    contestant: name,
    round,
    figures: each,
  }));
}

const speeds = (name: string, tps: readonly number[]) =>
  rounds(
    name,
    tps.map((value) => ({ tps: value, p99Ms: 2 })),
  );

const measured = [
  ...speeds('direct', [40_000, 20_000, 42_000]),
  ...speeds('millrace/4', [50_000, 30_000, 51_000]),
  ...speeds('millrace/20', [60_000, 20_000, 60_000]),
  ...speeds('pgbouncer/4', [40_000, 20_000, 40_000]),
  ...speeds('pgbouncer/20', [10_000, 90_000, 10_000]),
];

describe('the summary of a case', () => {
  const summary = summarize(caseWith([toPgbouncer, toDirect]), contestants, measured);

  it('takes each side at its best by median', () => {
    expect(summary.best.map(({ name }) => name)).toEqual(['direct', 'millrace/20', 'pgbouncer/4']);
  });

  it('takes the smallest where less is better', () => {
    const late = [
      ...rounds('millrace/4', [{ p99Ms: 5 }]),
      ...rounds('millrace/20', [{ p99Ms: 9 }]),
    ];
    const own = contestants.filter(({ side }) => side === 'Millrace');
    expect(summarize(caseWith([], 'p99Ms'), own, late).best[0]?.name).toBe('millrace/4');
  });

  it('pairs the rounds of those, in whatever order they were measured', () => {
    const shuffled = [...measured].sort((a, b) => b.round - a.round);
    for (const all of [measured, shuffled]) {
      const [judgement] = summarize(caseWith([toPgbouncer]), contestants, all).judgements;
      expect(judgement?.value).toEqual({ min: 1, median: 1.5, max: 1.5 });
    }
  });

  it('judges only where every round says the same', () => {
    const verdictAt = (atLeast: number | null): string | undefined =>
      summarize(caseWith([{ ...toPgbouncer, atLeast }]), contestants, measured).judgements[0]
        ?.verdict;
    expect(verdictAt(1)).toBe('met');
    expect(verdictAt(1.5)).toBe('within the spread');
    expect(verdictAt(1.51)).toBe('missed');
    expect(verdictAt(null)).toBe('');
  });

  it('judges a limit by the figure of one side alone', () => {
    const verdictAt = (atMost: number) => {
      const bar: Bar = { kind: 'limit', of: 'Millrace', figure: 'p99Ms', atMost };
      return summarize(caseWith([bar]), contestants, measured).judgements[0]?.verdict;
    };
    expect(verdictAt(2)).toBe('met');
    expect(verdictAt(1.9)).toBe('missed');
  });

  it('compares what poolers add to the direct way', () => {
    const bar: Bar = {
      kind: 'added',
      of: 'Millrace',
      beside: 'PgBouncer',
      figure: 'latencyMs',
      atMostTimes: 1.5,
    };
    const latencies = [
      ...rounds('direct', [{ tps: 1, latencyMs: 1 }]),
      ...rounds('millrace/4', [{ tps: 1, latencyMs: 1.5 }]),
      ...rounds('pgbouncer/4', [{ tps: 1, latencyMs: 1.25 }]),
    ];
    const own = contestants.filter(({ name }) => !name.endsWith('20'));
    const [judgement] = summarize(caseWith([bar]), own, latencies).judgements;
    expect(judgement).toMatchObject({ value: { median: 0.125 }, verdict: 'missed' });
  });

  it('does not judge beside a PgBouncer that was not measured', () => {
    const own = contestants.filter(({ side }) => side !== 'PgBouncer');
    const [judgement] = summarize(caseWith([toPgbouncer]), own, measured).judgements;
    expect(judgement).toMatchObject({ value: null, verdict: 'not measured' });
  });

  it('refuses a contestant without any measurement', () => {
    expect(() => summarize(caseWith([]), contestants, [])).toThrow('direct was not measured');
  });
});

describe('the report', () => {
  const summary = summarize(caseWith([toPgbouncer, toDirect]), contestants, measured);

  it('has a row for each bar, and tells the case once', () => {
    expect(barTable([summary])).toBe(
      '| case | medians, each at its best | compared | by round | bar | verdict |\n' +
        '| --- | --- | --- | ---: | ---: | --- |\n' +
        '| point reads | direct 40.0, millrace/20 60.0, pgbouncer/4 40.0 (k/s) ' +
        '| Millrace ÷ PgBouncer | 1.50 (1.00–1.50) | ≥ 1.5 | within the spread |\n' +
        '|  |  | Millrace ÷ direct | 1.43 (1.00–1.50) |  |  |\n',
    );
  });

  it('has every contestant with every figure that somebody has', () => {
    const text = detailTable([summary]);
    expect(text).toContain('| case | through | k/s | p99, ms |\n| --- | --- | ---: | ---: |\n');
    expect(text).toContain('| reads-64-simple | pgbouncer/20 | 10.0 (10.0–90.0) | 2.00 |\n');
  });

  it('says of a case that failed why it has no figures', () => {
    const text = report([failedCase(caseWith([toPgbouncer]), 'nothing was shared')]);
    expect(text).toContain('| point reads | nothing was shared |');
    expect(text).toContain('| n/a | ≥ 1.5 | not measured |');
    expect(text).toContain('reads-64-simple has failed: nothing was shared');
  });
});

describe('a table', () => {
  it('has a rule that sets figures to the right, and text to the left', () => {
    expect(markdownTable(['a', 'b'], [['x', '1']])).toBe('| a | b |\n| --- | ---: |\n| x | 1 |\n');
    expect(markdownTable(['a', 'b'], [], () => true)).toBe('| a | b |\n| --- | --- |\n');
  });

  it('rounds to the digits asked for, and shows a single figure alone', () => {
    expect(spreadText({ min: 0.004, median: 1.006, max: 2 }, 2)).toBe('1.01 (0.00–2.00)');
    expect(spreadText({ min: 1500, median: 1500, max: 1500 }, 1, 0.001)).toBe('1.5');
    expect(spreadText(null, 2)).toBe('n/a');
  });
});
