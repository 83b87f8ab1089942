import { DsqlSigner } from '@aws-sdk/dsql-signer';
import { Signer } from '@aws-sdk/rds-signer';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type PresignedToken,
  readToken,
  refuseToken,
  type TokenDemand,
} from '../../../src/aws/presigned-token.ts';

const KEY = {
  accessKeyId: 'AKIAEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLE',
};
const SESSION = { ...KEY, sessionToken: `${'Fw/oG+Z=='.repeat(60)}%&` };
const CLUSTER = 'abcdefghijklmnopqrstuvwxyz.dsql.us-east-1.on.aws';
const INSTANCE = 'db.xyz.eu-central-1.rds.amazonaws.com';
const NOW = Date.parse('2026-11-21T12:00:00Z');

afterEach(() => {
  vi.useRealTimers();
});

const at = (nowMs: number) => vi.useFakeTimers({ toFake: ['Date'], now: nowMs });

function dsqlToken(credentials: typeof KEY = KEY, expiresIn = 900): Promise<string> {
  const signer = new DsqlSigner({ hostname: CLUSTER, region: 'us-east-1', credentials, expiresIn });
  return signer.getDbConnectAdminAuthToken();
}

const DEMAND: TokenDemand = {
  hosts: [CLUSTER],
  service: 'dsql',
  region: 'us-east-1',
  key: { secretKey: KEY.secretAccessKey, session: null },
  nowMs: NOW,
};

/** Why a token is refused, or null. */
function refusal(text: string, changes: Partial<TokenDemand> = {}): string | null {
  const token = readToken(text);
  const refused = 'reason' in token ? token : refuseToken(token, { ...DEMAND, ...changes });
  if (refused === null) return null;
  return refused.reason === 'malformed' ? `malformed: ${refused.what}` : refused.reason;
}

describe('a token of the SDK for Aurora DSQL', () => {
  // dsql §2.1
  it('is good, with lasting credentials and with those of a session', async () => {
    at(NOW);
    expect(refusal(await dsqlToken())).toBeNull();
    const session = { token: SESSION.sessionToken, expiresAtMs: NOW + 1 };
    const key = { secretKey: KEY.secretAccessKey, session };
    const text = await dsqlToken(SESSION);
    expect(refusal(text, { key })).toBeNull();
    expect(readToken(text)).toMatchObject({
      action: 'DbConnectAdmin',
      accessKeyId: 'AKIAEXAMPLE',
      sessionToken: SESSION.sessionToken,
      signedAtMs: NOW,
      expiresAtMs: NOW + 900_000,
    });
  });

  // dsql §1.47, §2.2
  it('is good in any order of its parameters, and for any spelling of the host', async () => {
    at(NOW);
    const [host, query = ''] = (await dsqlToken()).split('/?');
    expect(refusal(`${host}/?${query.split('&').toReversed().join('&')}`)).toBeNull();
    const upper = new DsqlSigner({
      hostname: CLUSTER.toUpperCase(),
      region: 'us-east-1',
      credentials: KEY,
    });
    expect(refusal(await upper.getDbConnectAdminAuthToken())).toBeNull();
  });

  // dsql §2.5, §2.7
  it('is refused for every demand that it does not meet, with the reason', async () => {
    at(NOW);
    const text = await dsqlToken();
    expect(refusal(text, { hosts: [`x${CLUSTER}`] })).toBe('wrong-host');
    expect(refusal(text, { service: 'rds-db' })).toBe('wrong-service');
    expect(refusal(text, { region: 'us-east-2' })).toBe('wrong-region');
    expect(refusal(text, { key: null })).toBe('unknown-key');
    const other = { secretKey: 'another', session: null };
    expect(refusal(text, { key: other })).toBe('wrong-signature');
    const secretKey = KEY.secretAccessKey;
    const session = { token: SESSION.sessionToken, expiresAtMs: NOW + 1 };
    expect(refusal(text, { key: { secretKey, session } })).toBe('wrong-session-token');
    const ofSession = await dsqlToken(SESSION);
    expect(refusal(ofSession)).toBe('wrong-session-token');
    const ended = { secretKey, session: { ...session, expiresAtMs: NOW - 1 } };
    expect(refusal(ofSession, { key: ended })).toBe('session-expired');
  });

  // dsql §2.4, §2.9
  it('is good from 15 minutes before its time until its end', async () => {
    at(NOW);
    const text = await dsqlToken(KEY, 60);
    expect(refusal(text, { nowMs: NOW + 60_000 })).toBeNull();
    expect(refusal(text, { nowMs: NOW + 60_001 })).toBe('expired');
    expect(refusal(text, { nowMs: NOW - 900_000 })).toBeNull();
    expect(refusal(text, { nowMs: NOW - 900_001 })).toBe('not-yet-valid');
    expect(refusal(await dsqlToken(KEY, 604_800))).toBeNull();
  });

  // dsql §2.8
  it('is refused when any of its characters is another', async () => {
    at(NOW);
    const text = await dsqlToken();
    for (let place = 0; place < text.length; place++) {
      const changed = text[place] === 'b' ? 'c' : 'b';
      const broken = text.slice(0, place) + changed + text.slice(place + 1);
      expect(refusal(broken), broken).not.toBeNull();
    }
  });
});

describe('a token of the SDK for RDS', () => {
  it('is bound to host, port and user', async () => {
    at(NOW);
    const signer = new Signer({
      hostname: INSTANCE,
      port: 5433,
      region: 'eu-central-1',
      username: 'bad user+é',
      credentials: KEY,
    });
    const text = await signer.getAuthToken();
    const demand = { service: 'rds-db', region: 'eu-central-1' } as const;
    expect(refusal(text, { ...demand, hosts: [`${INSTANCE}:5433`] })).toBeNull();
    expect(refusal(text, { ...demand, hosts: [INSTANCE] })).toBe('wrong-host');
    expect((readToken(text) as PresignedToken).user).toBe('bad user+é');
  });
});

describe('a text', () => {
  const parts = {
    Action: 'DbConnect',
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': 'AKIA/20261121/us-east-1/dsql/aws4_request',
    'X-Amz-Date': '20261121T120000Z',
    'X-Amz-Expires': '900',
    'X-Amz-SignedHeaders': 'host',
    'X-Amz-Signature': '0'.repeat(64),
  };
  const text = (changes: Readonly<Record<string, string | null>>): string => {
    const pairs = Object.entries<string | null>({ ...parts, ...changes });
    const given = pairs.filter(([, value]) => value !== null);
    return `${CLUSTER}/?${given.map(([name, value]) => `${name}=${value}`).join('&')}`;
  };

  it('is a token as soon as it has all parts', () => {
    expect(refusal(text({}))).toBe('wrong-signature');
  });

  // dsql §2.6
  it.each([
    [{ Action: null }, 'Action is missing'],
    [{ 'X-Amz-Algorithm': 'AWS4-ECDSA-P256-SHA256' }, 'X-Amz-Algorithm is of another kind'],
    [{ 'X-Amz-Credential': 'AKIA/20261121/us-east-1/dsql' }, 'X-Amz-Credential is not a key'],
    [{ 'X-Amz-Credential': 'AKIA/20261120/us-east-1/dsql/aws4_request' }, 'X-Amz-Credential and'],
    [
      { 'X-Amz-Date': '20260230T120000Z', 'X-Amz-Credential': 'A/20260230/r/s/aws4_request' },
      'X-Amz-Date is not a date',
    ],
    [{ 'X-Amz-Date': '2026-11-21' }, 'X-Amz-Date is not a date'],
    [{ 'X-Amz-Expires': '0' }, 'X-Amz-Expires is not'],
    [{ 'X-Amz-Expires': '604801' }, 'X-Amz-Expires is not'],
    [{ 'X-Amz-Expires': '9e2' }, 'X-Amz-Expires is not'],
    [{ 'X-Amz-SignedHeaders': 'host;x' }, 'X-Amz-SignedHeaders is not host'],
    [{ 'X-Amz-Signature': 'ABC' }, 'X-Amz-Signature is not'],
    [{ Other: '%zz' }, 'it is not percent-encoded'],
    [{ 'Acti%6fn': 'DbConnect' }, 'a parameter is there twice'],
  ])('with %j is none', (changes, what) => {
    expect(refusal(text(changes))).toContain(`malformed: ${what}`);
  });

  // dsql §2.6
  it('of another shape or size is none', () => {
    expect(refusal('s3cret')).toContain('malformed: it is not a host');
    expect(refusal('/?Action=x')).toContain('malformed: it is not a host');
    expect(refusal(`${CLUSTER}/?${'a&'.repeat(5)}`)).toContain('malformed: a parameter has no');
    expect(refusal(`${CLUSTER}/?${'a=b&'.repeat(50)}`)).toContain('malformed: it has too many');
    expect(refusal('x'.repeat(20_000))).toBe('malformed: it is too long');
    expect(refusal(text({ Action: 'connect' }))).toBe('wrong-action');
  });
});
