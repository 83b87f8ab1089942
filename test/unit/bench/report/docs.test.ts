import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { benchCases, benchGroups } from '../../../../bench/cases/cases.ts';
import { type CaseSummary, failedCase } from '../../../../bench/report/bars.ts';
import { runText, wholeGroups, withSections } from '../../../../bench/report/docs.ts';

const info = {
  startedAt: '2026-11-21T10:00:00.000Z',
  rounds: 4,
  roundSeconds: 2,
  poolSizes: [4, 8],
  machine: {
    processors: 2,
    processor: 'Some CPU',
    memoryMiB: 24_100,
    system: 'linux',
    node: 'v20.19.0',
  },
  versions: { pgbench: 'pgbench (PostgreSQL) 15.20 (Debian)', pgbouncer: '1.18.0' },
};

const good = (name: string): CaseSummary => ({
  name,
  title: `title of ${name}`,
  headline: 'tps',
  contestants: [],
  best: [],
  judgements: [],
  failure: null,
});

describe('what is written into the documentation', () => {
  it('says when, where and how it was measured', () => {
    expect(runText(info)).toBe(
      '2026-11-21, 2 processors (Some CPU), 24 GiB, Node 20.19.0, pgbench 15.20, ' +
        'PgBouncer 1.18.0, 4 rounds of 2 s, pool sizes 4, 8.',
    );
  });

  it('is the groups that were measured as a whole and without a failure', () => {
    const memory = benchCases.filter(({ name }) => name.startsWith('memory'));
    const [first] = memory;
    const all = memory.map(({ name }) => good(name));
    expect(wholeGroups(benchCases, all)).toEqual(['memory']);
    expect(wholeGroups(benchCases, all.slice(1))).toEqual([]);
    const failed = first === undefined ? [] : [failedCase(first, 'no'), ...all.slice(1)];
    expect(wholeGroups(benchCases, failed)).toEqual([]);
  });

  it('takes the place of what was there, and leaves the rest', () => {
    const document =
      'a\n<!-- bench:reads -->\nold\n<!-- /bench:reads -->\nb\n' +
      '<!-- bench:tpcb -->\nkept\n<!-- /bench:tpcb -->\n';
    const text = withSections(document, ['reads'], [good('reads-1'), good('tpcb-1')], info);
    expect(text).toMatch(/^a\n<!-- bench:reads -->\n\n2026-11-21/);
    expect(text).toContain('<!-- /bench:reads -->\nb\n<!-- bench:tpcb -->\nkept\n');
    expect(text).not.toContain('old');
    const again = withSections(text, ['reads'], [good('reads-1')], info);
    expect(again).toBe(text);
  });

  it('is refused where it has no place', () => {
    expect(() => withSections('nothing', ['reads'], [], info)).toThrow('no place for reads');
  });

  it('has a place for every group', () => {
    const url = new URL('../../../../docs/performance.md', import.meta.url);
    const document = readFileSync(url, 'utf8');
    expect(() => withSections(document, benchGroups, [], info)).not.toThrow();
  });
});
