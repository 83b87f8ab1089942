import { describe, expect, it } from 'vitest';
import { settledOrigin, verifiedOrigin } from '../../../../src/cli/doctor/tls-modes.ts';
import { parseOriginUrl } from '../../../../src/config/resolve-origin.ts';

const originAt = async (host: string, sslmode: string) =>
  (await parseOriginUrl(`postgres://me:secret@${host}/app?sslmode=${sslmode}`)).origin;

describe('what the doctor proves a certificate with', () => {
  it('are the roots that verify-full would take, whatever the sslmode of the URL', async () => {
    const host = 'db.abc123.eu-central-1.rds.amazonaws.com';
    const advised = await originAt(host, 'verify-full');
    expect(advised.ca).toContain('BEGIN CERTIFICATE');
    expect(await verifiedOrigin(await originAt(host, 'require'))).toEqual(advised);
  });

  it('are the public ones where none are shipped', async () => {
    const verified = await verifiedOrigin(await originAt('db.example.com', 'require'));
    expect(verified).toMatchObject({ sslmode: 'verify-full', ca: null });
  });
});

describe('how the doctor connects again', () => {
  it.each([
    ['allow', true, 'require'],
    ['prefer', true, 'require'],
    ['verify-ca', true, 'verify-ca'],
    ['allow', false, 'disable'],
    ['prefer', false, 'disable'],
  ])('is, after %s, as it was (encrypted: %s): %s', async (sslmode, isEncrypted, expected) => {
    const origin = await originAt('127.0.0.1', sslmode);
    expect(settledOrigin(origin, isEncrypted).sslmode).toBe(expected);
  });
});
