import { describe, expect, it } from 'vitest';
import {
  type BenchCase,
  benchCases,
  pgbouncerAbility,
  poolSizesNeeded,
  roundOrder,
  targetName,
  targetsOf,
} from '../../../bench/cases.ts';

function caseOf(name: string): BenchCase {
  return benchCases.find((each) => each.name === name) as BenchCase;
}

function through(name: string, version: string | null): readonly string[] {
  const ability = version === null ? null : pgbouncerAbility(`PgBouncer ${version}\n`);
  return targetsOf(caseOf(name), [4, 20], ability).map(targetName);
}

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
  });

  it('keep to the size that a case asks for', () => {
    expect(through('tpcb-16-simple', '1.25.2')).toEqual(['direct', 'millrace/16', 'pgbouncer/16']);
  });
});

describe('what the poolers are started with', () => {
  it('is every size of every case, once', () => {
    expect(poolSizesNeeded(benchCases, [4, 8, 20])).toEqual([4, 8, 16, 20]);
    expect(poolSizesNeeded([caseOf('tpcb-16-simple')], [4, 8, 20])).toEqual([16]);
  });

  it('is not guessed from an output without a version', () => {
    expect(() => pgbouncerAbility('usage: pgbouncer')).toThrow();
    expect(pgbouncerAbility('PgBouncer 1.18.0\nlibevent 2.1').version).toBe('1.18.0');
  });
});

describe('the order of a round', () => {
  it('begins with another target every time and leaves none out', () => {
    expect(roundOrder(['a', 'b', 'c'], 0)).toEqual(['a', 'b', 'c']);
    expect(roundOrder(['a', 'b', 'c'], 1)).toEqual(['b', 'c', 'a']);
    expect(roundOrder(['a', 'b', 'c'], 5)).toEqual(['c', 'a', 'b']);
    expect(roundOrder([], 3)).toEqual([]);
  });
});
