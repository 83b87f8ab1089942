import { describe, expect, it } from 'vitest';
import { benchCases, benchGroups } from '../../../bench/cases/cases.ts';
import { parseOptions, UsageError, usageText } from '../../../bench/options.ts';

function names(args: readonly string[]): readonly string[] {
  return parseOptions(args)?.cases.map((each) => each.name) ?? [];
}

describe('the options of the benchmark', () => {
  it('measure four rounds of two seconds of everything unless told otherwise', () => {
    const options = parseOptions([]);
    expect(options).toMatchObject({ rounds: 4, roundSeconds: 2, poolSizes: [4, 8, 20] });
    expect(options?.cases).toEqual(benchCases);
  });

  it('measure less in a quick run, which the other options still change', () => {
    expect(parseOptions(['--quick'])).toMatchObject({ rounds: 2, roundSeconds: 1, poolSizes: [8] });
    expect(parseOptions(['--quick', '--rounds', '3'])).toMatchObject({ rounds: 3 });
    expect(names(['--quick']).length).toBeLessThan(names([]).length);
  });

  it('choose cases by name or by the beginning of it, in the order of the table', () => {
    expect(names(['--only', 'tpcb-16,reads-1-'])).toEqual([
      'reads-1-simple',
      'reads-1-extended',
      'reads-1-prepared',
      'tpcb-16-simple',
      'tpcb-16-extended',
      'tpcb-16-prepared',
    ]);
    expect(names(['--only', 'reads-64-simple'])).toEqual(['reads-64-simple']);
  });

  it('choose groups', () => {
    expect(names(['--only', 'memory'])).toEqual([
      'memory-idle-plain',
      'memory-idle-tls',
      'memory-slow',
    ]);
  });

  it('write documentation only from a run that is long enough for it', () => {
    expect(parseOptions(['--write-docs'])).toMatchObject({ isDocumented: true });
    expect(parseOptions([])).toMatchObject({ isDocumented: false });
    expect(() => parseOptions(['--write-docs', '--quick'])).toThrow(UsageError);
  });

  it('tell in the usage how long it takes, and the groups', () => {
    expect(usageText).toMatch(/\d+ cases, \d+ minutes/);
    for (const group of benchGroups) expect(usageText).toMatch(new RegExp(`${group} \\d+`));
  });

  it('give a case that the quick run leaves out when it is asked for', () => {
    expect(names(['--quick', '--only', 'reads-1-extended'])).toEqual(['reads-1-extended']);
  });

  it.each([
    ['--rounds', '0'],
    ['--rounds', '1.5'],
    ['--seconds', '-1'],
    ['--seconds', '601'],
    ['--only', 'writes'],
    ['--only', 'tpcb,'],
    ['--fast', 'yes'],
  ])('refuse %s %s', (flag, value) => {
    expect(() => parseOptions([`${flag}=${value}`])).toThrow(UsageError);
  });

  it('time pieces of the gateway alone', () => {
    expect(parseOptions(['--micro', '--rounds', '9'])).toMatchObject({ isMicro: true, rounds: 9 });
    expect(parseOptions([])).toMatchObject({ isMicro: false });
  });

  it('ask for the usage only', () => {
    expect(parseOptions(['--help'])).toBeNull();
  });
});
