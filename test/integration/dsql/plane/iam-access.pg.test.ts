import {
  CreateClusterCommand,
  DSQLClient,
  GetClusterCommand,
  ListClustersCommand,
  TagResourceCommand,
} from '@aws-sdk/client-dsql';
import { AssumeRoleCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { runCli } from '../../../../src/cli/run.ts';
import {
  AWS_ACCOUNT,
  type AwsCredentials,
  failure,
  REGION,
  TestAws,
} from '../../../support/aws-plane.ts';

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

type Said = { readonly code: number; readonly out: string; readonly err: string };

/** The command line, as in a terminal, with the API of this test in its environment. */
async function millrace(...words: string[]): Promise<Said> {
  const said = { out: '', err: '' };
  const terminal = {
    out: (text: string) => {
      said.out += text;
    },
    err: (text: string) => {
      said.err += text;
    },
    env: { MILLRACE_API_URL: aws.apiUrl, MILLRACE_API_TOKEN: aws.token },
    usesColor: false,
  };
  const account = ['--account-id', AWS_ACCOUNT];
  return { code: await runCli([...words, ...account], terminal), ...said };
}

async function well(...words: string[]): Promise<string> {
  const { code, out, err } = await millrace(...words);
  expect([code, code === 0 ? '' : err]).toEqual([0, '']);
  return out;
}

/** A fresh user with a key and, when it is given, a policy. */
async function user(name: string, policy: object | null = null): Promise<AwsCredentials> {
  await well('iam', 'user', 'create', name);
  if (policy !== null) await allow('user', name, policy);
  return await mint(name);
}

async function mint(name: string): Promise<AwsCredentials> {
  const minted = JSON.parse(await well('iam', 'key', 'create', name, '--json')) as {
    readonly id: string;
    readonly secret_access_key: string;
  };
  return { accessKeyId: minted.id, secretAccessKey: minted.secret_access_key };
}

async function allow(kind: string, name: string, statement: object): Promise<void> {
  const document = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  await well('iam', 'policy', 'put', 'its', `--${kind}`, name, '--document', document);
}

const clusterArn = (id: string): string => `arn:aws:dsql:${REGION}:${AWS_ACCOUNT}:cluster/${id}`;
const MISSING = 'm'.repeat(26);

/** What a GetCluster of one that there is not comes to: who may not is not told even that. */
async function mayGet(credentials: AwsCredentials, id = MISSING): Promise<boolean> {
  const command = new GetClusterCommand({ identifier: id });
  const error = await failure(aws.dsql(credentials).send(command));
  expect(['ResourceNotFoundException', 'AccessDeniedException']).toContain(error.name);
  return error.name === 'ResourceNotFoundException';
}

describe('a user', () => {
  it('may do nothing without a policy, and is told what and to what', async () => {
    const credentials = await user('nobody');
    const arn = `arn:aws:iam::${AWS_ACCOUNT}:user/nobody`;
    const said = await aws.sts(credentials).send(new GetCallerIdentityCommand());
    expect(said.Arn).toBe(arn);
    const command = new GetClusterCommand({ identifier: MISSING });
    expect(await failure(aws.dsql(credentials).send(command))).toMatchObject({
      name: 'AccessDeniedException',
      $metadata: { httpStatusCode: 403 },
      message: `User: ${arn} is not authorized to perform: dsql:GetCluster on resource: ${clusterArn(MISSING)}`,
    });
  });

  it('may what a policy says from when it is written until it is deleted', async () => {
    const credentials = await user('reader');
    expect(await mayGet(credentials)).toBe(false);
    await allow('user', 'reader', { Effect: 'Allow', Action: 'dsql:Get*', Resource: '*' });
    expect(await mayGet(credentials)).toBe(true);
    const shown = JSON.parse(await well('iam', 'policy', 'get', 'its', '--user', 'reader'));
    expect(shown).toMatchObject({ Statement: [{ Action: 'dsql:Get*' }] });
    await well('iam', 'policy', 'delete', 'its', '--user', 'reader');
    expect(await mayGet(credentials)).toBe(false);
  });

  it('with a key that is switched off, or deleted, is nobody', async () => {
    const credentials = await user('off', { Effect: 'Allow', Action: '*', Resource: '*' });
    const call = () => aws.sts(credentials).send(new GetCallerIdentityCommand());
    await call();
    await well('iam', 'key', 'deactivate', 'off', credentials.accessKeyId);
    expect(await failure(call())).toMatchObject({
      name: 'InvalidClientTokenId',
      $metadata: { httpStatusCode: 403 },
    });
    const dsql = await failure(aws.dsql(credentials).send(new ListClustersCommand({})));
    expect(dsql).toMatchObject({ name: 'UnrecognizedClientException' });
    await well('iam', 'key', 'activate', 'off', credentials.accessKeyId);
    await call();
    await well('iam', 'key', 'delete', 'off', credentials.accessKeyId);
    expect((await failure(call())).name).toBe('InvalidClientTokenId');
  });

  it('has two keys at most, and goes with them', async () => {
    const first = await user('twice');
    await mint('twice');
    const { code, err } = await millrace('iam', 'key', 'create', 'twice');
    expect([code, err]).toEqual([1, expect.stringContaining('two keys')]);
    const listed = await well('iam', 'key', 'list', 'twice');
    expect(listed).toContain(first.accessKeyId);
    expect(listed).not.toContain(first.secretAccessKey);
    await well('iam', 'user', 'delete', 'twice');
    const error = await failure(aws.sts(first).send(new GetCallerIdentityCommand()));
    expect(error.name).toBe('InvalidClientTokenId');
    expect(await well('iam', 'user', 'list')).not.toContain('twice');
  });

  it.each([
    [{ Effect: 'Allow', Action: 'dsql:GetCluster', Resource: clusterArn(MISSING) }, true],
    [{ Effect: 'Allow', Action: 'DSQL:getcluster', Resource: clusterArn('*') }, true],
    [{ Effect: 'Allow', Action: 'dsql:Get?luster', Resource: '*' }, true],
    [{ Effect: 'Allow', NotAction: 'dsql:Delete*', Resource: '*' }, true],
    [{ Effect: 'Allow', NotAction: 'dsql:*', Resource: '*' }, false],
    [{ Effect: 'Allow', Action: '*', NotResource: clusterArn('*') }, false],
    [{ Effect: 'Allow', Action: 'dsql:DbConnect*', Resource: '*' }, false],
    [{ Effect: 'Allow', Action: '*', Resource: `arn:aws:dsql:*:${AWS_ACCOUNT}:*` }, true],
    [{ Effect: 'Allow', Action: '*', Resource: 'arn:aws:dsql:eu-west-1:*:cluster/*' }, false],
    [{ Effect: 'Deny', Action: '*', Resource: '*' }, false],
  ])('with %j may get a cluster: %s', async (statement, expected) => {
    await well('iam', 'user', 'create', 'matrix');
    try {
      await allow('user', 'matrix', statement);
      expect(await mayGet(await mint('matrix'))).toBe(expected);
    } finally {
      await well('iam', 'user', 'delete', 'matrix');
    }
  });

  it('is denied explicitly whatever else is allowed, and by tags of the cluster', async () => {
    const { identifier = '' } = await aws
      .dsql()
      .send(new CreateClusterCommand({ tags: { stage: 'prod' } }));
    const condition = { StringEquals: { 'aws:ResourceTag/stage': 'test' } };
    const statement = { Effect: 'Allow', Action: 'dsql:*', Resource: '*', Condition: condition };
    const credentials = await user('tester', statement);
    const get = () => aws.dsql(credentials).send(new GetClusterCommand({ identifier }));
    expect((await failure(get())).name).toBe('AccessDeniedException');
    const tags = { stage: 'test' };
    const tag = new TagResourceCommand({ resourceArn: clusterArn(identifier), tags });
    await aws.dsql().send(tag);
    expect((await get()).tags).toEqual(tags);
    const deny = { Effect: 'Deny', Action: 'dsql:GetCluster', Resource: '*' };
    const document = JSON.stringify({ Version: '2012-10-17', Statement: deny });
    await well('iam', 'policy', 'put', 'deny', '--user', 'tester', '--document', document);
    expect((await failure(get())).name).toBe('AccessDeniedException');
  });

  it('is given no policy that could not be evaluated', async () => {
    await user('careful');
    const statement = { Effect: 'Allow', Action: '*', Resource: '*' };
    const dated = { DateLessThan: { 'aws:CurrentTime': '2030-01-01T00:00:00Z' } };
    const document = JSON.stringify({ Statement: { ...statement, Condition: dated } });
    const words = ['iam', 'policy', 'put', 'its', '--user', 'careful', '--document', document];
    const { code, err } = await millrace(...words);
    expect(code).toBe(1);
    expect(err).toContain('The condition operator DateLessThan is not supported');
    expect(await well('iam', 'policy', 'list', '--user', 'careful')).not.toContain('its');
  });
});

describe('a request that is not as it was signed', () => {
  /** Changes what the SDK sends after it has signed it. */
  function tampered(change: (request: SentRequest) => void): DSQLClient {
    const client = aws.dsql();
    client.middlewareStack.add(
      (next) => (args) => {
        change(args.request as SentRequest);
        return next(args);
      },
      { step: 'finalizeRequest', priority: 'low', name: 'tamper' },
    );
    return client;
  }
  type SentRequest = {
    path: string;
    query: Record<string, string>;
    headers: Record<string, string>;
    body: unknown;
  };

  /** As long as before: otherwise the connection would notice it first. */
  function changeBody(request: SentRequest): void {
    const before = new TextDecoder().decode(request.body as Uint8Array);
    request.body = before.replace('"a":"b"', '"a":"c"');
    expect(request.body).not.toBe(before);
  }

  it.each<[string, (request: SentRequest) => void, string]>([
    ['its body', changeBody, 'InvalidSignatureException'],
    ['its path', (r) => (r.path += '/policy'), 'InvalidSignatureException'],
    ['its query', (r) => (r.query = { a: 'b' }), 'InvalidSignatureException'],
    [
      'a signed header',
      (r) => (r.headers['x-amz-user-agent'] = 'other'),
      'InvalidSignatureException',
    ],
    [
      'its hash of the body',
      (r) => {
        r.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
        changeBody(r);
      },
      'InvalidSignatureException',
    ],
    [
      'its key',
      (r) => edit(r, aws.admin.accessKeyId, `AKIA${'A'.repeat(16)}`),
      'UnrecognizedClientException',
    ],
    ['its region', (r) => edit(r, `/${REGION}/`, '/eu-west-1/'), 'InvalidSignatureException'],
    ['its service', (r) => edit(r, '/dsql/', '/sts/'), 'InvalidSignatureException'],
    ['its signed headers', (r) => edit(r, 'host;', ''), 'IncompleteSignatureException'],
    [
      'its signature',
      (r) => edit(r, /Signature=..../, 'Signature=0000'),
      'InvalidSignatureException',
    ],
    ['its scheme', (r) => edit(r, 'HMAC', 'RSA'), 'IncompleteSignatureException'],
    [
      'no signature',
      (r) => {
        delete r.headers['authorization'];
      },
      'MissingAuthenticationTokenException',
    ],
    [
      'a session token that it never had',
      (r) => (r.headers['x-amz-security-token'] = 'x'),
      'IncompleteSignatureException',
    ],
  ])('in %s is refused', async (_, change, name) => {
    const input = { tags: { a: 'b' } };
    const error = await failure(tampered(change).send(new CreateClusterCommand(input)));
    expect([error.name, error.$metadata?.httpStatusCode]).toEqual([name, 403]);
    expect(error.message).not.toContain(aws.admin.secretAccessKey);
  });

  function edit(request: SentRequest, from: string | RegExp, to: string): void {
    const before = request.headers['authorization'] ?? '';
    request.headers['authorization'] = before.replace(from, to);
    expect(request.headers['authorization']).not.toBe(before);
  }

  it('is refused in another region, and at another time', async () => {
    const elsewhere = await failure(
      aws.dsql(aws.admin, 'eu-west-1').send(new ListClustersCommand({})),
    );
    expect(elsewhere).toMatchObject({
      name: 'InvalidSignatureException',
      message: 'Credential should be scoped to a valid region.',
    });
    const signedAt = async (offsetMs: number) => {
      const options = { region: REGION, credentials: aws.admin, maxAttempts: 1 };
      const clock = { systemClockOffset: offsetMs };
      const client = new DSQLClient({ endpoint: aws.url, ...options, ...clock });
      return await client.send(new ListClustersCommand({}));
    };
    await signedAt(-14 * 60_000);
    await signedAt(14 * 60_000);
    const early = await failure(signedAt(16 * 60_000));
    expect(early.message).toMatch(
      /^Signature not yet current: \d{8}T\d{6}Z is still later than \d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 15 min\.\)$/,
    );
    const late = await failure(signedAt(-16 * 60_000));
    expect(late.name).toBe('InvalidSignatureException');
    expect(late.message).toMatch(
      /^Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 15 min\.\)$/,
    );
  });
});

describe('a role', () => {
  const trust = (statement: object): string =>
    JSON.stringify({
      Version: '2012-10-17',
      Statement: { Action: 'sts:AssumeRole', ...statement },
    });

  async function role(name: string, statement: object, ...more: string[]): Promise<string> {
    const args = ['--trust-policy', trust(statement), ...more, '--json'];
    return (JSON.parse(await well('iam', 'role', 'create', name, ...args)) as { arn: string }).arn;
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
    expect(await mayGet(session)).toBe(false);
    await allow('role', 'app', { Effect: 'Allow', Action: 'dsql:*', Resource: '*' });
    expect(await mayGet(session)).toBe(true);
    const { sessionToken: _, ...without } = session;
    const naked = await failure(aws.sts(without).send(new GetCallerIdentityCommand()));
    expect(naked.name).toBe('InvalidClientTokenId');
    const other = { ...session, sessionToken: `${session.sessionToken}x` };
    const wrong = await failure(aws.sts(other).send(new GetCallerIdentityCommand()));
    expect(wrong.name).toBe('InvalidClientTokenId');
    await well('iam', 'role', 'delete', 'app');
    expect((await failure(aws.sts(session).send(new GetCallerIdentityCommand()))).name).toBe(
      'InvalidClientTokenId',
    );
  });

  it('needs the trust of the role; and of an account, a policy of the user as well', async () => {
    const named = `arn:aws:iam::${AWS_ACCOUNT}:user/plain`;
    const plain = await user('plain');
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
    await allow('user', 'plain', { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: account });
    await assume(plain, account);
    expect((await failure(assume(plain, other))).name).toBe('AccessDenied');
    await allow('user', 'plain', { Effect: 'Deny', Action: 'sts:*', Resource: '*' });
    expect((await failure(assume(plain, direct))).name).toBe('AccessDenied');
  });

  it('asks for its external id', async () => {
    const Condition = { StringEquals: { 'sts:ExternalId': 'the-id' } };
    const arn = await role('external', { Effect: 'Allow', Principal: '*', Condition });
    await assume(aws.admin, arn, { ExternalId: 'the-id' });
    expect((await failure(assume(aws.admin, arn))).name).toBe('AccessDenied');
    expect((await failure(assume(aws.admin, arn, { ExternalId: 'other' }))).name).toBe(
      'AccessDenied',
    );
  });

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

describe('the first identity', () => {
  it('is the same at every start, and keeps what somebody made of it', async () => {
    const { arn, accessKeyId, secretAccessKey } = aws.admin;
    await aws.end();
    await aws.begin();
    expect(aws.admin).toMatchObject({ arn, accessKeyId, secretAccessKey });
    await aws.dsql().send(new ListClustersCommand({}));
  });
});
