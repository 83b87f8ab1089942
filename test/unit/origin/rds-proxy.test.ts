/** RDS Proxy as the origin, by a stand-in that lets in and refuses in its words. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { readToken } from '../../../src/aws/presigned-token.ts';
import type { SigningKey } from '../../../src/aws/signing-key.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { OriginConfig } from '../../../src/config/model.ts';
import { parseOriginUrl } from '../../../src/config/resolve-origin.ts';
import { WriterDestination } from '../../../src/gateway/links/destination.ts';
import { judgeToken, type Refusal, type ShownLogin } from '../../support/rds-judge.ts';
import { type AwsDatabase, awsDatabase, outcome, securely } from './aws-database.ts';

const REGION = 'eu-central-1';
const PROXY = `shop.proxy-abc123.${REGION}.rds.amazonaws.com`;
const BEHIND = `shop.cluster-abc123.${REGION}.rds.amazonaws.com`;
const MINUTE_MS = 60_000;

const keys = new Map<string, SigningKey>([['AKIAPROXY', { secretKey: 'proxy', session: null }]]);
const databases: AwsDatabase[] = [];

beforeAll(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAPROXY');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'proxy');
});

afterAll(() => {
  vi.unstubAllEnvs();
});

afterEach(() => {
  vi.useRealTimers();
  for (const database of databases.splice(0)) database.close();
});

async function proxy(judge: (login: ShownLogin) => Refusal | null): Promise<AwsDatabase> {
  const made = await awsDatabase(judge);
  databases.push(made);
  return made;
}

const refusing = (sqlstate: string, message: string) => (): Refusal => ({ sqlstate, message });

/** At the stand-in, with a token for the endpoint. */
const at = (port: number, host = PROXY): OriginConfig =>
  securely(port, {
    kind: 'rds-proxy',
    auth: {
      method: 'rds-iam',
      host,
      port: 5432,
      region: REGION,
      profile: null,
      roleArn: null,
      externalId: null,
    },
  });

const taking = (login: ShownLogin): Refusal | null => {
  const judged = judgeToken({ keys, hosts: [`${PROXY}:5432`], region: REGION }, login);
  const message = `IAM authentication failed for user "${login.user}"`;
  return judged === null ? null : { sqlstate: '28000', message };
};

describe('an RDS Proxy', () => {
  it('is known by its name: verified in full by the public roots, and nobody looks behind it', async () => {
    const { origin } = await parseOriginUrl(`postgres://u:p@${PROXY}/shop`);
    expect(origin).toMatchObject({
      kind: 'rds-proxy',
      sslmode: 'verify-full',
      // None of its own: those that Node brings along.
      ca: null,
      instanceHostPattern: null,
    });
  });

  it('takes a token that was signed for its own endpoint, and no other', async () => {
    const { port, logins } = await proxy(taking);
    expect(await outcome(at(port))).toBe('in');
    expect(readToken(logins[0]?.password ?? '')).toMatchObject({ user: 'joe', action: 'connect' });
    expect(await outcome(at(port, BEHIND))).toBe('MR_ORIGIN_AUTH');
    expect(logins).toHaveLength(2);
  });

  it('is asked for nothing but the login when a link is opened', async () => {
    const { port, logins, sockets } = await proxy(taking);
    const events = { onPlace: () => {}, onPlaceLost: () => {}, onReaders: () => {} };
    const origin = at(port);
    const destination = new WriterDestination(() => origin, events, silentLog);
    const { established } = await destination.open(5_000);
    destination.suspect();
    expect(destination.isCertain).toBe(false);
    expect([logins.length, sockets.length]).toEqual([1, 1]);
    established.socket.destroy();
  });

  it('gets a newer token when it has not taken one that was kept, once', async () => {
    const takes = { any: true };
    const message = 'IAM authentication failed for user "joe"';
    const { port, logins } = await proxy(() => (takes.any ? null : { sqlstate: '28000', message }));
    const origin = at(port);
    const beganMs = Date.now();
    expect(await outcome(origin)).toBe('in');
    takes.any = false;
    vi.useFakeTimers({ toFake: ['Date'], now: beganMs + MINUTE_MS });
    expect(await outcome(origin)).toBe('MR_ORIGIN_AUTH');
    expect(logins).toHaveLength(3);
    expect(logins[2]?.password).not.toBe(logins[1]?.password);
  });

  it.each([
    ['28000', 'IAM authentication is allowed only with SSL connections.', 'MR_ORIGIN_AUTH'],
    ['28000', 'This RDS Proxy requires TLS connections.', 'MR_ORIGIN_AUTH'],
    ['28000', 'This RDS proxy has no credentials for the role joe.', 'MR_ORIGIN_AUTH'],
    ['28000', 'RDS supports only IAM, MD5, or SCRAM authentication.', 'MR_ORIGIN_AUTH'],
    ['3D000', 'database "shop" does not exist', 'MR_ORIGIN_AUTH'],
    ['08000', 'Timed-out waiting to acquire database connection.', 'MR_ORIGIN_BUSY'],
    ['53300', 'Rate of connection to proxy exceeded 1000 per second.', 'MR_ORIGIN_BUSY'],
    [
      '53300',
      'The maximum number of client connections to the proxy exceeded 4000.',
      'MR_ORIGIN_BUSY',
    ],
    [
      '28000',
      'The IAM authentication failed because of too many competing requests.',
      'MR_ORIGIN_BUSY',
    ],
    [
      '0A000',
      "Feature not supported: RDS Proxy currently doesn't support the option x.",
      'MR_ORIGIN_REJECTED',
    ],
  ])('that says %s, %s, is tried once: %s', async (sqlstate, message, code) => {
    const { port, logins } = await proxy(refusing(sqlstate, message));
    expect(await outcome(at(port))).toBe(code);
    expect(logins).toHaveLength(1);
  });
});
