import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { PresignedToken } from '../../../src/aws/presigned-token.ts';
import { readToken } from '../../../src/aws/presigned-token.ts';
import type { OriginAuth } from '../../../src/config/model.ts';
import { AwsStandIn } from '../../support/aws.ts';
import { judgeToken, pamRefusal, type ShownLogin } from '../../support/rds-judge.ts';
import { type AwsDatabase, awsDatabase, outcome, securely } from './aws-database.ts';

const KEY_ID = 'AKIAGATEWAY';
const HOST = 'db.xyz.eu-central-1.rds.amazonaws.com';
const ROLE = 'arn:aws:iam::123456789012:role/gateway';
const SECRET = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf';

let aws: AwsStandIn;
const databases: AwsDatabase[] = [];

beforeAll(async () => {
  aws = await AwsStandIn.start();
  aws.keys.set(KEY_ID, { secretKey: 'gateway-secret', session: null });
  vi.stubEnv('AWS_ACCESS_KEY_ID', KEY_ID);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'gateway-secret');
  vi.stubEnv('AWS_ENDPOINT_URL_STS', aws.url);
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', aws.url);
  vi.stubEnv('AWS_MAX_ATTEMPTS', '1');
});

afterAll(() => {
  vi.unstubAllEnvs();
  aws.close();
});

afterEach(() => {
  vi.useRealTimers();
  for (const database of databases.splice(0)) database.close();
  aws.isDown = false;
  aws.asked.splice(0);
  aws.secretsAsked.splice(0);
});

async function database(judge: Parameters<typeof awsDatabase>[0]): Promise<AwsDatabase> {
  const made = await awsDatabase(judge);
  databases.push(made);
  return made;
}

const atTime = (nowMs: number) => vi.useFakeTimers({ toFake: ['Date'], now: nowMs });
const MINUTE_MS = 60_000;

const NOBODY = { profile: null, roleArn: null, externalId: null };
const iam = (changes: Partial<OriginAuth & { method: 'rds-iam' }> = {}): OriginAuth => ({
  method: 'rds-iam',
  host: HOST,
  port: 5432,
  region: 'eu-central-1',
  ...NOBODY,
  ...changes,
});

describe('a token of IAM', () => {
  const judge = () => (login: ShownLogin) =>
    judgeToken({ keys: aws.keys, hosts: [`${HOST}:5432`], region: 'eu-central-1' }, login);

  it('is minted for the endpoint and not for where the gateway connects to', async () => {
    const { port, logins } = await database(judge());
    expect(await outcome(securely(port, { auth: iam() }))).toBe('in');
    expect(logins).toHaveLength(1);
    expect(readToken(logins[0]?.password ?? '')).toMatchObject({ user: 'joe', action: 'connect' });
    // It is signed here: nobody is asked for it.
    expect(aws.asked).toEqual([]);
  });

  it('is refused for another endpoint, port, region or user, without a second try', async () => {
    const { port, logins } = await database(judge());
    const wrong = [{ host: `x${HOST}` }, { port }, { region: 'eu-central-2' }];
    for (const changes of wrong) {
      expect(await outcome(securely(port, { auth: iam(changes) }))).toBe('MR_ORIGIN_AUTH');
    }
    expect(logins).toHaveLength(3);
  });

  it('serves every login of an origin for ten minutes, also those that begin at once', async () => {
    const { port, logins } = await database(judge());
    const origin = securely(port, { auth: iam() });
    const beganMs = Date.now();
    await Promise.all([outcome(origin), outcome(origin), outcome(origin)]);
    atTime(beganMs + 9 * MINUTE_MS);
    expect(await outcome(origin)).toBe('in');
    expect(new Set(logins.map(({ password }) => password)).size).toBe(1);
    atTime(beganMs + 11 * MINUTE_MS);
    expect(await outcome(origin)).toBe('in');
    expect(new Set(logins.map(({ password }) => password)).size).toBe(2);
    expect(logins).toHaveLength(5);
  });

  it('that was kept and is refused is replaced once', async () => {
    const refused = new Set<string>();
    const { port, logins } = await database(({ password }) =>
      refused.has(password) ? pamRefusal('joe') : null,
    );
    const origin = securely(port, { auth: iam() });
    expect(await outcome(origin)).toBe('in');
    refused.add(logins[0]?.password ?? '');
    atTime(Date.now() + 2_000);
    expect(await outcome(origin)).toBe('in');
    expect(logins).toHaveLength(3);
    const none = await database(() => pamRefusal('joe'));
    const hopeless = securely(none.port, { auth: iam() });
    expect(await outcome(hopeless)).toBe('MR_ORIGIN_AUTH');
    expect(await outcome(hopeless)).toBe('MR_ORIGIN_AUTH');
    expect(none.logins).toHaveLength(2);
  });

  it('is not replaced for a refusal that no token can mend', async () => {
    let isOpen = true;
    const noTls = { sqlstate: '28000', message: 'no pg_hba.conf entry for host "h", SSL off' };
    const { port, logins } = await database(() => (isOpen ? null : noTls));
    const origin = securely(port, { auth: iam() });
    await outcome(origin);
    isOpen = false;
    expect(await outcome(origin)).toBe('MR_ORIGIN_AUTH');
    expect(logins).toHaveLength(2);
  });

  it('is signed by the role that is assumed, and dies with its session', async () => {
    aws.roles.set(ROLE, 'shop-7');
    aws.sessionMs = 20 * MINUTE_MS;
    const { port, logins } = await database(judge());
    const origin = securely(port, { auth: iam({ roleArn: ROLE, externalId: 'shop-7' }) });
    const beganMs = Date.now();
    expect(await outcome(origin)).toBe('in');
    const token = readToken(logins[0]?.password ?? '') as PresignedToken;
    expect(token.sessionToken).not.toBeNull();
    // Less than a quarter of an hour of the session is left then: another session is begun.
    atTime(beganMs + 11 * MINUTE_MS);
    expect(await outcome(origin)).toBe('in');
    expect(aws.asked).toEqual(['AssumeRole', 'AssumeRole']);
  });

  it('arrives whole when its session makes it very long', async () => {
    const role = `${ROLE}-long`;
    aws.roles.set(role, null);
    aws.sessionTokenSize = 6_000;
    const { port, logins } = await database(judge());
    expect(await outcome(securely(port, { auth: iam({ roleArn: role }) }))).toBe('in');
    aws.sessionTokenSize = 300;
    expect(logins[0]?.password.length).toBeGreaterThan(8_192);
  });

  it('of a short session is not kept longer than that', async () => {
    const role = `${ROLE}-short`;
    aws.roles.set(role, null);
    aws.sessionMs = 5 * MINUTE_MS;
    const { port, logins } = await database(judge());
    const origin = securely(port, { auth: iam({ roleArn: role }) });
    const beganMs = Date.now();
    await outcome(origin);
    atTime(beganMs + 3 * MINUTE_MS);
    await outcome(origin);
    expect(logins[1]?.password).toBe(logins[0]?.password);
    atTime(beganMs + 4.5 * MINUTE_MS);
    expect(await outcome(origin)).toBe('in');
    expect(logins[2]?.password).not.toBe(logins[0]?.password);
  });

  it('that cannot be had is an error of its own, which names no secret', async () => {
    const { port, logins } = await database(judge());
    const origin = securely(port, { auth: iam({ roleArn: `${ROLE}-unknown` }) });
    expect(await outcome(origin)).toBe('MR_ORIGIN_CREDENTIALS');
    expect(logins).toHaveLength(0);
  });

  it('of Aurora DSQL has the action of its user', async () => {
    const host = 'abcdefghijklmnopqrstuvwxyz.dsql.us-east-1.on.aws';
    const { port, logins } = await database(() => null);
    const auth = { method: 'dsql-iam', host, region: 'us-east-1', ...NOBODY } as const;
    await outcome(securely(port, { auth, user: 'admin' }));
    await outcome(securely(port, { auth, user: 'shop' }));
    const tokens = logins.map(({ password }) => readToken(password));
    expect(tokens).toMatchObject([
      { host, action: 'DbConnectAdmin' },
      { host, action: 'DbConnect' },
    ]);
  });
});

describe('a secret', () => {
  const auth: OriginAuth = {
    method: 'secrets-manager',
    secretId: SECRET,
    region: 'eu-central-1',
    usernameKey: 'username',
    passwordKey: 'password',
    ...NOBODY,
  };
  const put = (versionId: string, value: object): void => {
    aws.secrets.set(SECRET, { versionId, text: JSON.stringify(value) });
  };
  const WRONG = { sqlstate: '28P01', message: 'password authentication failed' };
  /** A database in which these users have these passwords. */
  const withUsers = (users: Record<string, string>) => ({
    users,
    judge: (shown: { user: string; password: string }) =>
      users[shown.user] === shown.password ? null : WRONG,
  });

  it('says user and password, and is read once for a quarter of an hour', async () => {
    put('v1', { username: 'shop', password: 'p1', host: 'ignored' });
    const { port, logins } = await database(withUsers({ shop: 'p1' }).judge);
    const origin = securely(port, { auth, user: '' });
    const beganMs = Date.now();
    expect(await Promise.all([outcome(origin), outcome(origin)])).toEqual(['in', 'in']);
    atTime(beganMs + 14 * MINUTE_MS);
    expect(await outcome(origin)).toBe('in');
    expect(aws.asked).toEqual(['GetSecretValue']);
    atTime(beganMs + 15 * MINUTE_MS);
    expect(await outcome(origin)).toBe('in');
    expect(aws.asked).toHaveLength(2);
    expect(logins[0]).toEqual({ user: 'shop', password: 'p1' });
  });

  it('that was rotated is read again when its password is refused', async () => {
    put('v1', { username: 'shop', password: 'p1' });
    const { users, judge } = withUsers({ shop: 'p1' });
    const { port, logins } = await database(judge);
    const origin = securely(port, { auth, user: '' });
    await outcome(origin);
    users['shop'] = 'p2';
    put('v2', { username: 'shop', password: 'p2' });
    expect(await Promise.all([outcome(origin), outcome(origin)])).toEqual(['in', 'in']);
    expect(logins).toHaveLength(5);
    expect(aws.asked).toHaveLength(2);
  });

  it('is waited for while a rotation has changed the password but not the label', async () => {
    put('v1', { username: 'shop', password: 'p1' });
    const { users, judge } = withUsers({ shop: 'p1' });
    const { port } = await database(judge);
    const origin = securely(port, { auth, user: '' });
    await outcome(origin);
    users['shop'] = 'p2';
    setTimeout(() => put('v2', { username: 'shop', password: 'p2' }), 500);
    expect(await outcome(origin)).toBe('in');
    expect(aws.asked).toHaveLength(3);
  });

  it('that stays wrong is asked for less and less often', async () => {
    put('v1', { username: 'shop', password: 'wrong' });
    const { port, logins } = await database(withUsers({ shop: 'p1' }).judge);
    const origin = securely(port, { auth, user: '' });
    // The connection's own limit ends the wait for the label; the refusal is what is told.
    expect(await outcome(origin, 1_500)).toBe('MR_ORIGIN_AUTH');
    expect(await outcome(origin, 200)).toBe('MR_ORIGIN_AUTH');
    expect(logins).toHaveLength(2);
    expect(aws.asked.length).toBeLessThanOrEqual(3);
  });

  it('is only ever asked for as it is, and not as a rotation will make it', async () => {
    put('v1', { username: 'shop', password: 'p1' });
    const { port } = await database(withUsers({ shop: 'p2' }).judge);
    await outcome(securely(port, { auth, user: '' }), 1_500);
    expect(aws.secretsAsked.length).toBeGreaterThan(1);
    for (const asked of aws.secretsAsked) expect(Object.keys(asked)).toEqual(['SecretId']);
  });

  it('may change the user too, and both are of one version', async () => {
    put('v1', { username: 'shop', password: 'p1' });
    const { users, judge } = withUsers({ shop: 'p1', shop_clone: 'p2' });
    const { port, logins } = await database(judge);
    const origin = securely(port, { auth, user: '' });
    await outcome(origin);
    put('v2', { username: 'shop_clone', password: 'p2' });
    // Both users are valid after a rotation; the first is changed by the next one.
    expect(await outcome(origin)).toBe('in');
    users['shop'] = 'p3';
    expect(await outcome(origin)).toBe('in');
    expect(logins.at(-1)).toEqual({ user: 'shop_clone', password: 'p2' });
  });

  it('of before is used while Secrets Manager is down', async () => {
    put('v1', { username: 'shop', password: 'p1' });
    const { port } = await database(withUsers({ shop: 'p1' }).judge);
    const origin = securely(port, { auth, user: '' });
    const beganMs = Date.now();
    await outcome(origin);
    aws.isDown = true;
    atTime(beganMs + 30 * MINUTE_MS);
    expect(await outcome(origin)).toBe('in');
    expect(await outcome(origin)).toBe('in');
    expect(aws.asked).toHaveLength(2);
    const fresh = securely(port, { auth, user: '' });
    expect(await outcome(fresh)).toBe('MR_ORIGIN_CREDENTIALS');
  });

  it('is not tried again for a user who must log in by IAM', async () => {
    put('v1', { username: 'shop', password: 'p1' });
    const { port, logins } = await database(() => pamRefusal('joe'));
    expect(await outcome(securely(port, { auth, user: '' }))).toBe('MR_ORIGIN_AUTH');
    expect(logins).toHaveLength(1);
    expect(aws.asked).toHaveLength(1);
  });

  it('that is missing, or has other keys, is an error of its own', async () => {
    const { port } = await database(() => null);
    put('v1', { user: 'shop', pass: 'p1' });
    expect(await outcome(securely(port, { auth, user: '' }))).toBe('MR_ORIGIN_CREDENTIALS');
    const renamed = { ...auth, usernameKey: 'user', passwordKey: 'pass' };
    expect(await outcome(securely(port, { auth: renamed, user: '' }))).toBe('in');
    const missing = { ...auth, secretId: 'nothing' };
    expect(await outcome(securely(port, { auth: missing, user: '' }))).toBe(
      'MR_ORIGIN_CREDENTIALS',
    );
  });
});
