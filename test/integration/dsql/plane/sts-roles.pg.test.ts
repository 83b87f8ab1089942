import { ListClustersCommand } from '@aws-sdk/client-dsql';
import { AssumeRoleCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { AWS_ACCOUNT, type AwsCredentials, failure, TestAws } from '../../../support/aws-plane.ts';
import { allow, mayGet, user, well } from '../../../support/iam-command.ts';

let aws: TestAws;

beforeAll(async () => {
  aws = await TestAws.start();
});

afterAll(async () => {
  await aws.stop();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a role', () => {
  const trust = (statement: object): string =>
    JSON.stringify({
      Version: '2012-10-17',
      Statement: { Action: 'sts:AssumeRole', ...statement },
    });

  async function role(name: string, statement: object, ...more: string[]): Promise<string> {
    const args = ['--trust-policy', trust(statement), ...more, '--json'];
    return (JSON.parse(await well(aws, 'iam', 'role', 'create', name, ...args)) as { arn: string })
      .arn;
  }

  const assume = async (credentials: AwsCredentials, RoleArn: string, more: object = {}) =>
    await aws
      .sts(credentials)
      .send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'session', ...more }));

  async function assumed(credentials: AwsCredentials, arn: string): Promise<AwsCredentials> {
    const { Credentials: made } = await assume(credentials, arn);
    return {
      accessKeyId: made?.AccessKeyId ?? '',
      secretAccessKey: made?.SecretAccessKey ?? '',
      sessionToken: made?.SessionToken ?? '',
    };
  }

  // dsql §4.17, §2.13
  it('is assumed by whom it trusts, and what it may the session may', async () => {
    const arn = await role('app', { Effect: 'Allow', Principal: { AWS: AWS_ACCOUNT } });
    const { AssumedRoleUser, Credentials } = await assume(aws.admin, arn, { DurationSeconds: 900 });
    expect(AssumedRoleUser).toEqual({
      Arn: `arn:aws:sts::${AWS_ACCOUNT}:assumed-role/app/session`,
      AssumedRoleId: expect.stringMatching(/^AROA[A-Z2-7]{17}:session$/),
    });
    const lasts = (Credentials?.Expiration?.getTime() ?? 0) - Date.now();
    expect(Math.abs(lasts - 900_000)).toBeLessThan(30_000);
    const session = await assumed(aws.admin, arn);
    const said = await aws.sts(session).send(new GetCallerIdentityCommand());
    expect(said.Arn).toBe(AssumedRoleUser?.Arn);
    expect(said.UserId).toBe(AssumedRoleUser?.AssumedRoleId);
    expect(await mayGet(aws, session)).toBe(false);
    await allow(aws, 'role', 'app', { Effect: 'Allow', Action: 'dsql:*', Resource: '*' });
    expect(await mayGet(aws, session)).toBe(true);
    const { sessionToken: _, ...without } = session;
    const naked = await failure(aws.sts(without).send(new GetCallerIdentityCommand()));
    expect(naked.name).toBe('InvalidClientTokenId');
    const other = { ...session, sessionToken: `${session.sessionToken}x` };
    const wrong = await failure(aws.sts(other).send(new GetCallerIdentityCommand()));
    expect(wrong.name).toBe('InvalidClientTokenId');
    await well(aws, 'iam', 'role', 'delete', 'app');
    expect((await failure(aws.sts(session).send(new GetCallerIdentityCommand()))).name).toBe(
      'InvalidClientTokenId',
    );
  });

  // dsql §4.17
  it('needs the trust of the role; and of an account, a policy of the user as well', async () => {
    const named = `arn:aws:iam::${AWS_ACCOUNT}:user/plain`;
    const plain = await user(aws, 'plain');
    const account = await role('of-account', { Effect: 'Allow', Principal: { AWS: AWS_ACCOUNT } });
    const direct = await role('of-user', { Effect: 'Allow', Principal: { AWS: named } });
    const other = await role('of-other', { Effect: 'Allow', Principal: { AWS: '999988887777' } });
    await assume(plain, direct);
    for (const arn of [account, other, `arn:aws:iam::${AWS_ACCOUNT}:role/none`]) {
      expect(await failure(assume(plain, arn))).toMatchObject({
        name: 'AccessDenied',
        message: `User: ${named} is not authorized to perform: sts:AssumeRole on resource: ${arn}`,
      });
    }
    await allow(aws, 'user', 'plain', {
      Effect: 'Allow',
      Action: 'sts:AssumeRole',
      Resource: account,
    });
    await assume(plain, account);
    expect((await failure(assume(plain, other))).name).toBe('AccessDenied');
    await allow(aws, 'user', 'plain', { Effect: 'Deny', Action: 'sts:*', Resource: '*' });
    expect((await failure(assume(plain, direct))).name).toBe('AccessDenied');
  });

  // dsql §4.17
  it('asks for its external id', async () => {
    const Condition = { StringEquals: { 'sts:ExternalId': 'the-id' } };
    const arn = await role('external', { Effect: 'Allow', Principal: '*', Condition });
    await assume(aws.admin, arn, { ExternalId: 'the-id' });
    expect((await failure(assume(aws.admin, arn))).name).toBe('AccessDenied');
    expect((await failure(assume(aws.admin, arn, { ExternalId: 'other' }))).name).toBe(
      'AccessDenied',
    );
  });

  // dsql §4.17
  it('lasts as long as it may', async () => {
    const arn = await role('brief', { Effect: 'Allow', Principal: '*' });
    const long = await failure(assume(aws.admin, arn, { DurationSeconds: 3_601 }));
    expect(long).toMatchObject({ name: 'ValidationError', $metadata: { httpStatusCode: 400 } });
    const longer = await role(
      'long',
      { Effect: 'Allow', Principal: '*' },
      '--max-session-duration',
      '7200',
    );
    await assume(aws.admin, longer, { DurationSeconds: 7_200 });
    const chained = await failure(
      assume(await assumed(aws.admin, arn), longer, { DurationSeconds: 7_200 }),
    );
    expect(chained.message).toMatch(/role chaining/);
  });

  it('gives no session that would be more than was asked for', async () => {
    const arn = await role('whole', { Effect: 'Allow', Principal: '*' });
    const Policy = JSON.stringify({ Statement: { Effect: 'Deny', Action: '*', Resource: '*' } });
    const errors = await Promise.all([
      failure(assume(aws.admin, arn, { Policy })),
      failure(assume(aws.admin, arn, { PolicyArns: [{ arn }] })),
      failure(assume(aws.admin, arn, { Tags: [{ Key: 'a', Value: 'b' }] })),
      failure(assume(aws.admin, arn, { RoleSessionName: 'a b' })),
    ]);
    expect(errors.map(({ name }) => name)).toEqual(Array(4).fill('ValidationError'));
    expect(errors[0]?.message).toBe('Policy is unsupported by this endpoint');
  });

  // dsql §2.10, §4.17
  it('ends: its session is refused from then on', async () => {
    const arn = await role('ending', { Effect: 'Allow', Principal: '*' });
    const session = await assumed(aws.admin, arn);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_601_000 });
    const error = await failure(aws.sts(session).send(new GetCallerIdentityCommand()));
    expect(error).toMatchObject({
      name: 'ExpiredToken',
      message: 'The security token included in the request is expired',
    });
    const dsql = await failure(aws.dsql(session).send(new ListClustersCommand({})));
    expect(dsql.name).toBe('ExpiredTokenException');
  });
});
