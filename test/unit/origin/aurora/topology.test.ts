import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../../src/base/log.ts';
import type { OriginConfig } from '../../../../src/config/model.ts';
import { instanceOrigin } from '../../../../src/origin/aurora/instances.ts';
import { readRole, readTopology } from '../../../../src/origin/aurora/topology.ts';
import { originAt } from '../fake-server.ts';

describe('what a node says', () => {
  it('of its role is believed only when it says that it writes', () => {
    const role = (isInRecovery: boolean, identity: string) => ({
      isInRecovery,
      instance: null,
      identity,
      instances: [],
    });
    const [one, other] = ['10.0.0.1 2026-01-01', '10.0.0.2 2026-01-01'];
    expect(readRole([['f', 't', one]])).toEqual({ answer: role(false, one), isAurora: true });
    expect(readRole([['t', 'f', other]])).toEqual({ answer: role(true, other), isAurora: false });
    expect(readRole([])).toEqual({ answer: role(true, ''), isAurora: false });
    expect(readTopology([]).isInRecovery).toBe(true);
  });

  it('of the others is read by their names, roles and lags', () => {
    const rows = [
      ['f', 'db-1', 'db-1', 't', '0', '0'],
      ['f', 'db-1', 'db-2', 'f', '17.5', '950.2'],
      ['f', 'db-1', 'DB-3', null, null, null],
    ];
    expect(readTopology(rows)).toEqual({
      isInRecovery: false,
      instance: 'db-1',
      identity: 'db-1',
      instances: [
        { name: 'db-1', isWriter: true, lagMs: 0, silentMs: 0 },
        { name: 'db-2', isWriter: false, lagMs: 17.5, silentMs: 950.2 },
        { name: 'DB-3', isWriter: false, lagMs: 0, silentMs: 0 },
      ],
    });
  });

  it('leads nowhere but to instances, and to no more than a cluster has', () => {
    const row = (name: string | null) => ['t', 'db-1', name, 'f', '0'];
    for (const name of [null, '', 'a.evil.test', '?', 'a b', '-a', `a${'b'.repeat(63)}`]) {
      expect(readTopology([row(name)]).instances, String(name)).toEqual([]);
    }
    const many = Array.from({ length: 100 }, (_, n) => row(`db-${n}`));
    expect(readTopology(many).instances).toHaveLength(32);
  });
});

describe('an instance', () => {
  const pattern = '?.xyz123.eu-central-1.rds.amazonaws.com';
  const cluster = (changes: Partial<OriginConfig> = {}): OriginConfig =>
    originAt(5433, {
      host: 'shop.cluster-xyz123.eu-central-1.rds.amazonaws.com',
      instanceHostPattern: pattern,
      tlsServerName: 'elsewhere.example.com',
      ...changes,
    });

  it('is at the port of its cluster under a name of its own, which it is verified by', () => {
    const origin = instanceOrigin(cluster(), 'db-2', silentLog);
    const host = 'db-2.xyz123.eu-central-1.rds.amazonaws.com';
    expect(origin).toMatchObject({ host, port: 5433, tlsServerName: null, user: 'joe' });
  });

  it('has tokens that are signed for it', () => {
    const nobody = { profile: null, roleArn: null, externalId: null };
    const auth = { method: 'rds-iam', port: 5432, region: 'eu-central-1', ...nobody } as const;
    const of = cluster({ auth: { ...auth, host: 'shop.example.com' } });
    expect(instanceOrigin(of, 'db-2', silentLog).auth).toEqual({
      ...auth,
      host: 'db-2.xyz123.eu-central-1.rds.amazonaws.com',
      port: 5433,
    });
  });

  it('is the same each time, so that it keeps its tokens and TLS sessions', () => {
    const of = cluster();
    const first = instanceOrigin(of, 'db-2', silentLog);
    expect(instanceOrigin(of, 'db-2', silentLog)).toBe(first);
    expect(instanceOrigin(of, 'db-3', silentLog)).not.toBe(first);
  });
});
