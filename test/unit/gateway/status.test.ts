import { expect, it } from 'vitest';
import { type ConfigurationStatus, sumOfStatus } from '../../../src/gateway/status.ts';

const row = (name: string, n: number): ConfigurationStatus => ({
  name,
  clients: n,
  waiting: 2 * n,
  links: { idle: 3 * n, checkedOut: 4 * n, opening: 5 * n },
});

it('adds up what several workers tell of a configuration, and keeps configurations apart', () => {
  const told = [[row('b', 1), row('a', 10)], [], [row('a', 5), row('c', 7)]];
  expect(sumOfStatus(told)).toEqual([row('a', 15), row('b', 1), row('c', 7)]);
  expect(sumOfStatus([])).toEqual([]);
});
