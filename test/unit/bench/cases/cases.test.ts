import { describe, expect, it } from 'vitest';
import { type BenchCase, groupOf, roundOrder, type Setup } from '../../../../bench/cases/case.ts';
import { benchCases, benchGroups, poolSizesNeeded } from '../../../../bench/cases/cases.ts';
import { estimateSeconds } from '../../../../bench/cases/estimate.ts';
import { pgbouncerAbility } from '../../../../bench/cases/way.ts';
import { scriptText } from '../../../../bench/load/scripts.ts';

function caseOf(name: string): BenchCase {
  return benchCases.find((each) => each.name === name) as BenchCase;
}

function setupOf(version: string | null): Setup {
  const pgbouncer = version === null ? null : pgbouncerAbility(`PgBouncer ${version}\n`);
  return { poolSizes: [4, 20], pgbouncer, hasAwsWrapper: true };
}

function through(name: string, version: string | null): readonly string[] {
  return caseOf(name)
    .contestants(setupOf(version))
    .map((each) => each.name);
}

describe('the cases', () => {
  it('have names of their own, by which they fall into groups', () => {
    expect(new Set(benchCases.map(({ name }) => name)).size).toBe(benchCases.length);
    expect(benchGroups).toEqual([
      'reads',
      'mixed',
      'tpcb',
      'cores',
      'cached',
      'strangers',
      'logins',
      'memory',
      'failover',
      'facts',
    ]);
  });

  it.each(['1.18.0', '1.25.2', null])(
    'compare sides that take part, with PgBouncer %s',
    (version) => {
      for (const each of benchCases) {
        const contestants = each.contestants(setupOf(version));
        const sides = contestants.map(({ side }) => side);
        expect(new Set(contestants.map(({ name }) => name)).size).toBe(contestants.length);
        for (const bar of each.bars) {
          const needed = bar.kind === 'ratio' ? [bar.of, bar.to] : [bar.of];
          const missing = needed.filter((side) => side !== 'PgBouncer' && !sides.includes(side));
          expect([each.name, missing]).toEqual([each.name, []]);
        }
      }
    },
  );

  it('run scripts that there are, with clients that a crowd can divide', () => {
    const loads = benchCases
      .flatMap((each) => each.contestants(setupOf('1.25.2')))
      .flatMap(({ subject }) => (subject.kind === 'load' ? [subject.load] : []));
    const own = loads
      .flatMap(({ scripts }) => scripts.map(({ name }) => name))
      .filter((name) => name !== 'select-only' && name !== 'tpcb-like');
    expect(own.length).toBeGreaterThan(0);
    for (const name of own) expect(scriptText(name)).toMatch(/;$/);
    for (const { clients, crowd } of loads) if (crowd !== null) expect(clients % 8).toBe(0);
  });

  it('have a limit where a figure stands alone', () => {
    const limits = benchCases.flatMap(({ bars }) => bars).filter(({ kind }) => kind === 'limit');
    expect(limits).toHaveLength(6);
  });

  it('take forty minutes together, and the quick ones less than two minutes', () => {
    const setup = { ...setupOf('1.18.0'), poolSizes: [4, 8, 20] };
    expect(estimateSeconds(benchCases, setup, 4, 2)).toBeLessThan(40 * 60);
    const quick = benchCases.filter(({ isQuick }) => isQuick);
    const small = { ...setup, poolSizes: [8] };
    expect(estimateSeconds(quick, small, 2, 1)).toBeLessThan(110);
    expect(new Set(quick.map(groupOf)).size).toBeGreaterThan(4);
  });
});

describe('the ways that a case is measured through', () => {
  it('are each pooler at each size, side by side', () => {
    expect(through('reads-64-simple', '1.18.0')).toEqual([
      'direct',
      'millrace/4',
      'pgbouncer/4',
      'millrace/20',
      'pgbouncer/20',
    ]);
  });

  it('leave PgBouncer out of prepared statements where it has none', () => {
    expect(through('reads-64-prepared', '1.18.0')).not.toContain('pgbouncer/4');
    expect(through('reads-64-prepared', '1.21.0')).toContain('pgbouncer/4');
    expect(through('reads-64-prepared', '2.0')).toContain('pgbouncer/4');
  });

  it('are the direct one and the gateway where PgBouncer is not installed', () => {
    expect(through('reads-1-simple', null)).toEqual(['direct', 'millrace/20']);
    expect(through('logins-scram', null)).toEqual(['Millrace']);
  });

  it('keep to the size that a case asks for', () => {
    expect(through('tpcb-16-simple', '1.25.2')).toEqual(['direct', 'millrace/16', 'pgbouncer/16']);
  });

  it('have the gateway with its cache at one size, beside PgBouncer at its best', () => {
    expect(through('cached-1k-100-simple', '1.18.0')).toEqual([
      'direct',
      'millrace-cache/8',
      'pgbouncer/4',
      'pgbouncer/20',
    ]);
  });

  it('are two gateways where a miss is compared with no cache', () => {
    expect(through('cached-miss-0-simple', '1.18.0')).toEqual(['millrace/8', 'millrace-cache/8']);
  });
});

describe('what the poolers are started with', () => {
  it('is every size of every case, once', () => {
    const needed = poolSizesNeeded(benchCases, { ...setupOf('1.18.0'), poolSizes: [4, 8, 20] });
    expect(needed.get('millrace')).toEqual([4, 8, 16, 20]);
    expect(needed.get('millrace-cache')).toEqual([8]);
    expect(needed.get('pgbouncer-cores')).toEqual([8, 20]);
    expect([...poolSizesNeeded([caseOf('tpcb-16-simple')], setupOf(null))]).toEqual([
      ['millrace', [16]],
    ]);
  });

  it('is not guessed from an output without a version', () => {
    expect(() => pgbouncerAbility('usage: pgbouncer')).toThrow();
    expect(pgbouncerAbility('PgBouncer 1.18.0\nlibevent 2.1').version).toBe('1.18.0');
  });
});

describe('the order of a round', () => {
  it('begins with another contestant every time and leaves none out', () => {
    expect(roundOrder(['a', 'b', 'c'], 0)).toEqual(['a', 'b', 'c']);
    expect(roundOrder(['a', 'b', 'c'], 1)).toEqual(['b', 'c', 'a']);
    expect(roundOrder(['a', 'b', 'c'], 5)).toEqual(['c', 'a', 'b']);
    expect(roundOrder([], 3)).toEqual([]);
  });
});
