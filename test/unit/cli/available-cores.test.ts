import { describe, expect, it } from 'vitest';
import { availableCores, cgroupCores } from '../../../src/cli/available-cores.ts';

const from = (files: Readonly<Record<string, string>>) => (path: string) => files[path] ?? null;

describe('the cores of a control group', () => {
  it('are no limit without a group, or with a group without one', () => {
    expect(cgroupCores(from({}))).toBe(null);
    const files = { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' };
    expect(cgroupCores(from(files))).toBe(null);
  });

  it('are the smallest limit on the way up, in version 2', () => {
    const files = {
      '/proc/self/cgroup': '0::/system.slice/millrace.service\n',
      '/sys/fs/cgroup/cpu.max': 'max 100000\n',
      '/sys/fs/cgroup/system.slice/cpu.max': '250000 100000\n',
      '/sys/fs/cgroup/system.slice/millrace.service/cpu.max': '400000 100000\n',
    };
    expect(cgroupCores(from(files))).toBe(2.5);
  });

  it('are read from the cpu controller of version 1, where -1 is no limit', () => {
    const files = {
      '/proc/self/cgroup': '5:memory:/a\n4:cpu,cpuacct:/docker/x\n',
      '/sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us': '150000\n',
      '/sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us': '100000\n',
      '/sys/fs/cgroup/cpu/docker/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu/docker/cpu.cfs_period_us': '100000\n',
    };
    expect(cgroupCores(from(files))).toBe(1.5);
  });

  it('give this process at least one', () => {
    expect(availableCores()).toBeGreaterThanOrEqual(1);
    expect(Number.isInteger(availableCores())).toBe(true);
  });
});
