import { describe, expect, it } from 'vitest';
import { CpuClock, parseProcessStat } from '../../../../bench/system/cpu-time.ts';

const rest =
  'S 77 4242 4242 0 -1 4194560 1000 2000 0 0 13 17 19 23 20 0 1 0 5000 1000000 250 ' +
  '18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0';

describe('the times of a process', () => {
  it('are its own and those of its ended children', () => {
    expect(parseProcessStat(`4242 (postgres) ${rest}`)).toEqual({
      parentPid: 77,
      own: 13 + 17,
      ended: 19 + 23,
    });
  });

  it('are found behind a name with blanks and parentheses', () => {
    expect(parseProcessStat(`4242 (tricky) R 1 (name) ${rest}`).parentPid).toBe(77);
  });

  it('are refused in a text that is something else', () => {
    expect(() => parseProcessStat('')).toThrow();
    expect(() => parseProcessStat('4242 (short) S 77')).toThrow();
  });
});

describe.runIf(process.platform === 'linux')('the clock of processor time', () => {
  it('sees this process work', () => {
    const clock = new CpuClock();
    const before = clock.ownSeconds(process.pid);
    const usedBefore = process.cpuUsage();
    let used = process.cpuUsage(usedBefore);
    while (used.user + used.system < 60_000) used = process.cpuUsage(usedBefore);
    expect(clock.ownSeconds(process.pid)).toBeGreaterThan(before);
  });

  it('counts nothing for a process that is not there', () => {
    const clock = new CpuClock();
    // Above the largest number that Linux gives.
    expect(clock.familySeconds(4_194_305)).toBe(0);
  });
});
