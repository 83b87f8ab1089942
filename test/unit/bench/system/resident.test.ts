import { describe, expect, it } from 'vitest';
import {
  parseOpenFilesMax,
  parseResidentKiB,
  residentKiB,
} from '../../../../bench/system/resident.ts';

describe('the memory of a process', () => {
  it('is what Linux calls its resident set', () => {
    const status = 'Name:\tnode\nVmPeak:\t  999 kB\nVmRSS:\t   45036 kB\nThreads:\t11\n';
    expect(parseResidentKiB(status)).toBe(45_036);
    expect(() => parseResidentKiB('Name:\tkthreadd\n')).toThrow();
  });

  it.runIf(process.platform === 'linux')('is read for this process', () => {
    expect(residentKiB([process.pid])).toBeGreaterThan(10_000);
  });
});

describe('the limit on open files', () => {
  it('is the soft one', () => {
    const limits =
      'Limit                     Soft Limit           Hard Limit           Units\n' +
      'Max processes             96000                96000                processes\n' +
      'Max open files            1024                 524288               files\n';
    expect(parseOpenFilesMax(limits)).toBe(1024);
    expect(parseOpenFilesMax('Max open files  unlimited  unlimited  files')).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(() => parseOpenFilesMax('')).toThrow();
  });
});
