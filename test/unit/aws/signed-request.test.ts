import { createHash } from 'node:crypto';
import {
  DSQLClient,
  GetClusterCommand,
  ListClustersCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-dsql';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  AUTHORIZATION_LENGTH_MAX,
  type ReceivedRequest,
  type RequestDemand,
  readSignedRequest,
  refuseRequest,
} from '../../../src/aws/signed-request.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const KEY = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG' };
const SESSION_TOKEN = 'FwoG/+Z=='.repeat(40);
const ID = 'a'.repeat(26);
const ARN = `arn:aws:dsql:us-east-1:111122223333:cluster/${ID}`;

afterEach(() => {
  vi.useRealTimers();
});

/** What a client of the SDK sends: caught instead of being sent. */
type Sent = {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string | string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
};

function catcher(): { caught: Sent[]; requestHandler: { handle(request: Sent): Promise<never> } } {
  const caught: Sent[] = [];
  const handle = async (request: Sent) => {
    caught.push(request);
    throw new Error('caught');
  };
  return { caught, requestHandler: { handle } };
}

const COMMON = { region: 'us-east-1', endpoint: 'http://127.0.0.1:8787', maxAttempts: 1 };

type Sending = (client: DSQLClient) => Promise<unknown>;

/** As it was on the wire. */
async function signed(send: Sending, sessionToken?: string): Promise<ReceivedRequest> {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW });
  const { caught, requestHandler } = catcher();
  const credentials = sessionToken === undefined ? KEY : { ...KEY, sessionToken };
  const client = new DSQLClient({ ...COMMON, credentials, requestHandler });
  await send(client).catch(() => {});
  return received(caught[0] as Sent);
}

function received({ method, path, query, headers, body = '' }: Sent): ReceivedRequest {
  const encode = (text: string) => encodeURIComponent(text);
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value ?? ''].flat().map((one) => `${encode(name)}=${encode(one)}`),
  );
  return {
    method,
    path,
    query: pairs.join('&'),
    header: (name) =>
      Object.entries(headers).find(([each]) => each.toLowerCase() === name)?.[1] ?? null,
    bodyHash: createHash('sha256').update(body).digest('hex'),
  };
}

const DEMAND: RequestDemand = {
  service: 'dsql',
  region: 'us-east-1',
  key: { secretKey: KEY.secretAccessKey, session: null },
  nowMs: NOW,
};

/** Why a request is refused, or null. */
function refusal(request: ReceivedRequest, changes: Partial<RequestDemand> = {}): string | null {
  const read = readSignedRequest(request);
  const refused = 'reason' in read ? read : refuseRequest(read, { ...DEMAND, ...changes });
  if (refused === null) return null;
  return refused.reason === 'incomplete' ? `incomplete: ${refused.what}` : refused.reason;
}

const withHeaders = (
  request: ReceivedRequest,
  changes: Readonly<Record<string, string | null>>,
): ReceivedRequest => ({
  ...request,
  header: (name) => (name in changes ? (changes[name] ?? null) : request.header(name)),
});

describe('a request that an SDK signed', () => {
  const commands: readonly (readonly [string, Sending])[] = [
    ['without anything', (client) => client.send(new ListClustersCommand({}))],
    [
      'with a query',
      (client) => client.send(new ListClustersCommand({ maxResults: 7, nextToken: 'a b/+=&ä~*' })),
    ],
    ['with a label', (client) => client.send(new GetClusterCommand({ identifier: ID }))],
    [
      'with a body',
      (client) => client.send(new TagResourceCommand({ resourceArn: ARN, tags: { ä: '€ "x"' } })),
    ],
    [
      'with one name more than once in its query',
      (client) =>
        client.send(
          new UntagResourceCommand({ resourceArn: ARN, tagKeys: ['b', 'a', 'a b', 'ä'] }),
        ),
    ],
  ];

  // dsql §4.11
  it.each(commands)('%s is good', async (_, send) => {
    expect(refusal(await signed(send))).toBeNull();
  });

  it('for STS is good, with a form as its body', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: NOW });
    const { caught, requestHandler } = catcher();
    const client = new STSClient({ ...COMMON, credentials: KEY, requestHandler });
    await client.send(new GetCallerIdentityCommand()).catch(() => {});
    const request = received(caught[0] as Sent);
    expect(refusal(request, { service: 'sts' })).toBeNull();
    expect(refusal(request)).toBe('wrong-service');
  });

  // dsql §4.11
  it('with the credentials of a session is good until that ends', async () => {
    const request = await signed(
      (client) => client.send(new ListClustersCommand({})),
      SESSION_TOKEN,
    );
    const keyOf = (token: string, expiresAtMs: number) => ({
      key: { secretKey: KEY.secretAccessKey, session: { token, expiresAtMs } },
    });
    expect(refusal(request, keyOf(SESSION_TOKEN, NOW))).toBeNull();
    expect(refusal(request, keyOf(SESSION_TOKEN, NOW - 1))).toBe('session-expired');
    expect(refusal(request, keyOf('another', NOW))).toBe('wrong-session-token');
    expect(refusal(request)).toBe('wrong-session-token');
    const without = withHeaders(request, { 'x-amz-security-token': null });
    expect(refusal(without)).toMatch(/^incomplete: The signed header 'x-amz-security-token'/);
  });

  it('with lasting credentials is not good for a session', async () => {
    const session = { token: SESSION_TOKEN, expiresAtMs: NOW };
    const key = { secretKey: KEY.secretAccessKey, session };
    expect(
      refusal(await signed((client) => client.send(new ListClustersCommand({}))), { key }),
    ).toBe('wrong-session-token');
  });

  it('is good for a quarter of an hour before and after', async () => {
    const request = await signed((client) => client.send(new ListClustersCommand({})));
    const quarter = 15 * 60_000;
    expect(refusal(request, { nowMs: NOW + quarter })).toBeNull();
    expect(refusal(request, { nowMs: NOW + quarter + 1 })).toBe('expired');
    expect(refusal(request, { nowMs: NOW - quarter })).toBeNull();
    expect(refusal(request, { nowMs: NOW - quarter - 1 })).toBe('not-yet-valid');
  });

  it('is refused with another key, region or service', async () => {
    const request = await signed((client) => client.send(new ListClustersCommand({})));
    const key = { secretKey: 'other', session: null };
    expect(refusal(request, { key })).toBe('wrong-signature');
    expect(refusal(request, { key: null })).toBe('unknown-key');
    expect(refusal(request, { region: 'us-east-2' })).toBe('wrong-region');
    expect(refusal(request, { service: 'sts' })).toBe('wrong-service');
  });

  // dsql §4.11
  it('is refused when anything that was signed is changed', async () => {
    const request = await signed((client) =>
      client.send(new ListClustersCommand({ maxResults: 7 })),
    );
    for (const changed of [
      { ...request, method: 'POST' },
      { ...request, path: '/clusters' },
      { ...request, path: '//cluster' },
      { ...request, path: '/./cluster' },
      { ...request, path: '/x/../cluster' },
      { ...request, query: 'max-results=8' },
      { ...request, query: '' },
      { ...request, query: `${request.query}&a` },
      { ...request, bodyHash: createHash('sha256').update('x').digest('hex') },
      withHeaders(request, { host: '127.0.0.1' }),
      withHeaders(request, { 'x-amz-date': '20261121T120001Z' }),
      withHeaders(request, { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }),
    ]) {
      expect(refusal(changed)).toBe('wrong-signature');
    }
  });

  it('is the same with spaces around and within the values of headers', async () => {
    const request = await signed((client) => client.send(new ListClustersCommand({})));
    const agent = request.header('x-amz-user-agent') ?? '';
    const wide = withHeaders(request, { 'x-amz-user-agent': `  ${agent}  ` });
    expect(refusal(wide)).toBeNull();
  });
});

describe('an Authorization header', () => {
  const EMPTY = createHash('sha256').update('').digest('hex');
  const DATE = '20261121T120000Z';
  const GOOD = {
    Credential: 'AKIAEXAMPLE/20261121/us-east-1/dsql/aws4_request',
    SignedHeaders: 'host;x-amz-date',
    Signature: '0'.repeat(64),
  };

  const plain = (authorization: string | null, date: string | null = DATE): ReceivedRequest => ({
    method: 'GET',
    path: '/cluster',
    query: '',
    header: (name) => ({ authorization, host: 'h', 'x-amz-date': date })[name as 'host'] ?? null,
    bodyHash: EMPTY,
  });

  const spell = (parts: Readonly<Record<string, string>>, scheme = 'AWS4-HMAC-SHA256'): string =>
    `${scheme} ${Object.entries(parts)
      .map(([name, value]) => `${name}=${value}`)
      .join(', ')}`;

  it('is read in any order, and without spaces', () => {
    const { Credential, SignedHeaders, Signature } = GOOD;
    expect(refusal(plain(spell({ Signature, SignedHeaders, Credential })))).toBe('wrong-signature');
    expect(refusal(plain(spell(GOOD).replaceAll(', ', ',')))).toBe('wrong-signature');
  });

  it('that is missing is no signature', () => {
    expect(refusal(plain(null))).toBe('unsigned');
  });

  const { Credential: _c, ...noCredential } = GOOD;
  const { SignedHeaders: _h, ...noHeaders } = GOOD;
  const { Signature: _s, ...noSignature } = GOOD;
  it.each([
    [spell(noCredential), "requires 'Credential' parameter"],
    [spell(noHeaders), "requires 'SignedHeaders' parameter"],
    [spell(noSignature), "requires 'Signature' parameter"],
    [spell(GOOD, 'Bearer'), 'requires the algorithm'],
    ['AWS4-HMAC-SHA256', 'requires the algorithm'],
    [`${spell(GOOD)}, Signature=${'0'.repeat(64)}`, 'a parameter twice'],
    [`${spell(GOOD)}, x`, 'not key=value'],
    [spell({ ...GOOD, Signature: 'g'.repeat(64) }), '64 hexadecimal digits'],
    [spell({ ...GOOD, Signature: '0'.repeat(63) }), '64 hexadecimal digits'],
    [spell({ ...GOOD, Credential: 'a/b/c/d' }), 'exactly 5 slash-delimited elements'],
    [spell({ ...GOOD, Credential: 'a/20261122/c/d/aws4_request' }), 'does not match YYYYMMDD'],
    [spell({ ...GOOD, SignedHeaders: 'x-amz-date' }), "'host' must be a 'SignedHeader'"],
    [spell({ ...GOOD, SignedHeaders: 'host' }), "'x-amz-date' must be a 'SignedHeader'"],
    [spell({ ...GOOD, SignedHeaders: 'x-amz-date;host' }), 'in order and each once'],
    [spell({ ...GOOD, SignedHeaders: 'Host;x-amz-date' }), 'small letters'],
    [spell({ ...GOOD, SignedHeaders: 'a;host;x-amz-date' }), "The signed header 'a' is missing"],
    [spell({ ...GOOD, x: 'y'.repeat(AUTHORIZATION_LENGTH_MAX) }), 'too long'],
  ])('%.90s is incomplete', (text, what) => {
    expect(refusal(plain(text))).toContain(`incomplete: `);
    expect(refusal(plain(text))).toContain(what);
  });

  it('without a good date is incomplete', () => {
    expect(refusal(plain(spell(GOOD), null))).toContain("'X-Amz-Date' header is missing");
    for (const date of ['2026-11-21T12:00:00Z', '20261321T120000Z', '20260230T120000Z']) {
      expect(refusal(plain(spell(GOOD), date))).toContain('ISO-8601');
    }
  });

  it('of any form is refused without an exception, and never good', () => {
    const part = fc.oneof(
      fc.constantFrom('AWS4-HMAC-SHA256', ' ', ',', '=', ';', '/', '%', '\0', ...Object.keys(GOOD)),
      fc.constantFrom(...Object.values(GOOD), 'host', 'x-amz-date', 'x-amz-security-token'),
      fc.string({ maxLength: 8 }),
    );
    const text = fc.oneof(
      fc.array(part, { maxLength: 24 }).map((parts) => parts.join('')),
      fc.array(part, { maxLength: 3 }).map((parts) => spell(GOOD) + parts.join('')),
      fc.nat(spell(GOOD).length).map((at) => spell(GOOD).slice(0, at)),
    );
    const target = fc.string({ maxLength: 40 });
    fc.assert(
      fc.property(text, target, target, (authorization, query, path) => {
        const request = { ...plain(authorization), query, path: `/${path}` };
        expect(refusal(request)).not.toBeNull();
      }),
      { numRuns: 5_000 },
    );
  });
});
