import { describe, expect, it } from 'vitest';
import { type Machine, workerCount } from '../../../src/cli/worker-count.ts';
import type { ConfigurationConfig } from '../../../src/config/model.ts';

const GIB = 1024 ** 3;

function auto(machine: Partial<Machine>, ...limits: readonly number[]): number {
  const configurations = limits.map(
    (originConnectionLimit) => ({ originConnectionLimit }) as ConfigurationConfig,
  );
  const all = { cores: 8, memoryBytes: 16 * GIB, ...machine };
  return workerCount('auto', { configurations }, () => all);
}

describe('the number of workers', () => {
  it('is what was asked for, whatever the machine is', () => {
    const machine = () => ({ cores: 1, memoryBytes: 0 });
    expect(workerCount(5, { configurations: [] }, machine)).toBe(5);
  });

  it('is one for each core, at most as many as process IDs have room for', () => {
    expect(auto({}, 20)).toBe(8);
    expect(auto({ cores: 1 }, 20)).toBe(1);
    expect(auto({ cores: 300, memoryBytes: 512 * GIB }, 1_000)).toBe(63);
  });

  it('is no more than memory is there for, with the primary', () => {
    expect(auto({ memoryBytes: GIB }, 20)).toBe(7);
    expect(auto({ memoryBytes: GIB / 2 }, 20)).toBe(3);
    expect(auto({ memoryBytes: GIB / 4 }, 20)).toBe(1);
    expect(auto({ memoryBytes: GIB / 16 }, 20)).toBe(1);
  });

  it('leaves at least two connections to each, of the configuration that has most', () => {
    expect(auto({}, 1)).toBe(1);
    expect(auto({}, 3)).toBe(1);
    expect(auto({}, 5)).toBe(2);
    expect(auto({}, 1, 6)).toBe(3);
    expect(auto({})).toBe(8);
  });

  it('is found for this machine', () => {
    const count = workerCount('auto', { configurations: [] });
    expect(count).toBeGreaterThanOrEqual(1);
    expect(Number.isInteger(count)).toBe(true);
  });
});
