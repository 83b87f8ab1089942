import { describe, expect, it } from 'vitest';
import { originOf, servedOf } from '../../../src/control/served.ts';
import type { StoredMtls } from '../../../src/store/tables.ts';

const RDS = 'db.xyz123.eu-central-1.rds.amazonaws.com';

function originAt(host: string, mtls: StoredMtls = {}) {
  const origin = { scheme: 'postgres', host, port: 5432, database: 'd', user: 'u' } as const;
  return originOf({ origin, originPassword: 'p', mtls }, () => null);
}

describe('what a gateway serves', () => {
  // Fails when a certificate that is missing is taken for none.
  it('is no configuration whose certificate is not there', async () => {
    const origin = {
      scheme: 'postgres',
      host: 'db',
      port: 5432,
      database: 'd',
      user: 'u',
    } as const;
    const common = {
      origin,
      originPassword: 'p',
      accountId: 'a',
      caching: { disabled: true },
      originConnectionLimit: null,
      createdOn: new Date(),
      modifiedOn: new Date(),
      restartedOn: null,
      version: 1,
    };
    const configurations = [
      { ...common, id: '1', name: 'plain', mtls: {} },
      { ...common, id: '2', name: 'dangling', mtls: { ca_certificate_id: 'gone' } },
    ];
    const served = await servedOf({ configurations, certificates: [], credentials: [] }, 0);
    expect(served.configurations.map(({ name }) => name)).toEqual(['plain']);
    expect(served.leftOut).toEqual(['dangling']);
  });
});

describe('the origin of a stored configuration', () => {
  it('is verified in full at RDS and Aurora, by the roots of the region', async () => {
    const instance = await originAt(RDS);
    expect(instance).toMatchObject({ kind: 'rds', sslmode: 'verify-full' });
    expect(instance.ca?.match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
    const cluster = await originAt('app.cluster-xyz123.eu-central-1.rds.amazonaws.com');
    expect(cluster).toMatchObject({ kind: 'aurora', sslmode: 'verify-full', ca: instance.ca });
  });

  it('is verified by the public roots behind RDS Proxy', async () => {
    expect(await originAt('app.proxy-xyz123.eu-central-1.rds.amazonaws.com')).toMatchObject({
      kind: 'rds-proxy',
      sslmode: 'verify-full',
      ca: null,
    });
  });

  it('has the mode that it was given', async () => {
    expect(await originAt(RDS, { sslmode: 'require' })).toMatchObject({
      kind: 'rds',
      sslmode: 'require',
      ca: null,
    });
  });

  it('has TLS anywhere else, but for this machine', async () => {
    const elsewhere = { kind: 'postgres', sslmode: 'require', ca: null };
    expect(await originAt('db.example.com')).toMatchObject(elsewhere);
    expect(await originAt('127.0.0.1')).toMatchObject({ ...elsewhere, sslmode: 'prefer' });
  });
});
