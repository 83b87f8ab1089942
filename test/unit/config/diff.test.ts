import { describe, expect, it } from 'vitest';
import { demoOrigin, devConfig } from '../../../src/cli/dev/dev-options.ts';
import { diffConfig } from '../../../src/config/diff.ts';
import type { ConfigurationConfig, MillraceConfig } from '../../../src/config/model.ts';

const base = devConfig(demoOrigin({ host: 'h', port: 1 }), 7000);
const [listener] = base.listeners;
const [configuration] = base.configurations;
if (listener === undefined || configuration === undefined) throw new Error('no fixture');

const withConfiguration = (changes: Partial<ConfigurationConfig>): MillraceConfig => ({
  ...base,
  configurations: [{ ...configuration, ...changes }],
});

describe('the difference of two configurations', () => {
  it('is empty between equals', () => {
    const diff = diffConfig(base, structuredClone(base));
    expect(diff).toMatchObject({
      listeners: { added: [], removed: [], changed: [], kept: [listener] },
      configurations: { added: [], removed: [], changed: [], kept: [configuration] },
      isDrainTimeoutChanged: false,
      isWorkersChanged: false,
    });
    expect(diffConfig(base, { ...base, workers: 7 }).isWorkersChanged).toBe(true);
  });

  it('notices a key that only one of them has', () => {
    const restarted = withConfiguration({ restartedOn: '2026-01-01T00:00:00.000Z' });
    for (const [before, after] of [
      [base, restarted],
      [restarted, base],
    ] as const) {
      expect(diffConfig(before, after).configurations.changed).toMatchObject([
        { keys: ['restartedOn'] },
      ]);
    }
  });

  it('tells a changed origin from other changes, by names only', () => {
    const origin = { ...configuration.origin, password: 'new' };
    const timeouts = { ...configuration.timeouts, waitTimeoutMs: 1 };
    expect(diffConfig(base, withConfiguration({ origin })).configurations.changed).toMatchObject([
      { keys: ['origin.password'], isOriginAffected: true },
    ]);
    expect(diffConfig(base, withConfiguration({ timeouts })).configurations.changed).toMatchObject([
      { keys: ['timeouts.waitTimeoutMs'], isOriginAffected: false },
    ]);
    expect(
      diffConfig(base, withConfiguration({ credentials: [] })).configurations.changed,
    ).toMatchObject([{ keys: ['credentials'], isOriginAffected: false }]);
  });

  it('sees a new name as one removed and one added', () => {
    const { configurations } = diffConfig(base, withConfiguration({ name: 'other' }));
    expect(configurations.removed.map(({ name }) => name)).toEqual(['demo']);
    expect(configurations.added.map(({ name }) => name)).toEqual(['other']);
  });

  it('keeps the socket of a listener whose settings change', () => {
    const next = { ...base, listeners: [{ ...listener, clientsMax: 1 }] };
    expect(diffConfig(base, next).listeners).toMatchObject({
      added: [],
      removed: [],
      changed: [{ keys: ['clientsMax'] }],
    });
  });

  it('matches listeners on port 0 in their order', () => {
    const zero = { ...listener, port: 0 };
    const two = { ...base, listeners: [zero, zero] };
    const { listeners } = diffConfig(two, { ...base, listeners: [zero, zero, zero] });
    expect([listeners.kept.length, listeners.added.length]).toEqual([2, 1]);
  });
});
