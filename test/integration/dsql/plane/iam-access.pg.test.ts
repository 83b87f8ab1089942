import {
  CreateClusterCommand,
  DSQLClient,
  GetClusterCommand,
  ListClustersCommand,
  TagResourceCommand,
} from '@aws-sdk/client-dsql';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AWS_ACCOUNT, failure, REGION, TestAws } from '../../../support/aws-plane.ts';
import {
  allow,
  MISSING,
  mayGet,
  millrace,
  mint,
  user,
  well,
} from '../../../support/iam-command.ts';

let aws: TestAws;

beforeAll(async () => {
  aws = await TestAws.start();
});

afterAll(async () => {
  await aws.stop();
});

const clusterArn = (id: string): string => `arn:aws:dsql:${REGION}:${AWS_ACCOUNT}:cluster/${id}`;
describe('a user', () => {
  // dsql §4.11
  it('may do nothing without a policy, and is told what and to what', async () => {
    const credentials = await user(aws, 'nobody');
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

  // dsql §4.18, §2.17
  it('may what a policy says from when it is written until it is deleted', async () => {
    const credentials = await user(aws, 'reader');
    expect(await mayGet(aws, credentials)).toBe(false);
    await allow(aws, 'user', 'reader', { Effect: 'Allow', Action: 'dsql:Get*', Resource: '*' });
    expect(await mayGet(aws, credentials)).toBe(true);
    const shown = JSON.parse(await well(aws, 'iam', 'policy', 'get', 'its', '--user', 'reader'));
    expect(shown).toMatchObject({ Statement: [{ Action: 'dsql:Get*' }] });
    await well(aws, 'iam', 'policy', 'delete', 'its', '--user', 'reader');
    expect(await mayGet(aws, credentials)).toBe(false);
  });

  // dsql §4.18
  it('with a key that is switched off, or deleted, is nobody', async () => {
    const credentials = await user(aws, 'off', { Effect: 'Allow', Action: '*', Resource: '*' });
    const call = () => aws.sts(credentials).send(new GetCallerIdentityCommand());
    await call();
    await well(aws, 'iam', 'key', 'deactivate', 'off', credentials.accessKeyId);
    expect(await failure(call())).toMatchObject({
      name: 'InvalidClientTokenId',
      $metadata: { httpStatusCode: 403 },
    });
    const dsql = await failure(aws.dsql(credentials).send(new ListClustersCommand({})));
    expect(dsql).toMatchObject({ name: 'UnrecognizedClientException' });
    await well(aws, 'iam', 'key', 'activate', 'off', credentials.accessKeyId);
    await call();
    await well(aws, 'iam', 'key', 'delete', 'off', credentials.accessKeyId);
    expect((await failure(call())).name).toBe('InvalidClientTokenId');
  });

  it('has two keys at most, and goes with them', async () => {
    const first = await user(aws, 'twice');
    await mint(aws, 'twice');
    const { code, err } = await millrace(aws, 'iam', 'key', 'create', 'twice');
    expect([code, err]).toEqual([1, expect.stringContaining('two keys')]);
    const listed = await well(aws, 'iam', 'key', 'list', 'twice');
    expect(listed).toContain(first.accessKeyId);
    expect(listed).not.toContain(first.secretAccessKey);
    await well(aws, 'iam', 'user', 'delete', 'twice');
    const error = await failure(aws.sts(first).send(new GetCallerIdentityCommand()));
    expect(error.name).toBe('InvalidClientTokenId');
    expect(await well(aws, 'iam', 'user', 'list')).not.toContain('twice');
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
    await well(aws, 'iam', 'user', 'create', 'matrix');
    try {
      await allow(aws, 'user', 'matrix', statement);
      expect(await mayGet(aws, await mint(aws, 'matrix'))).toBe(expected);
    } finally {
      await well(aws, 'iam', 'user', 'delete', 'matrix');
    }
  });

  // dsql §4.11
  it('is denied explicitly whatever else is allowed, and by tags of the cluster', async () => {
    const { identifier = '' } = await aws
      .dsql()
      .send(new CreateClusterCommand({ tags: { stage: 'prod' } }));
    const condition = { StringEquals: { 'aws:ResourceTag/stage': 'test' } };
    const statement = { Effect: 'Allow', Action: 'dsql:*', Resource: '*', Condition: condition };
    const credentials = await user(aws, 'tester', statement);
    const get = () => aws.dsql(credentials).send(new GetClusterCommand({ identifier }));
    expect((await failure(get())).name).toBe('AccessDeniedException');
    const tags = { stage: 'test' };
    const tag = new TagResourceCommand({ resourceArn: clusterArn(identifier), tags });
    await aws.dsql().send(tag);
    expect((await get()).tags).toEqual(tags);
    const deny = { Effect: 'Deny', Action: 'dsql:GetCluster', Resource: '*' };
    const document = JSON.stringify({ Version: '2012-10-17', Statement: deny });
    await well(aws, 'iam', 'policy', 'put', 'deny', '--user', 'tester', '--document', document);
    expect((await failure(get())).name).toBe('AccessDeniedException');
  });

  it('is given no policy that could not be evaluated', async () => {
    await user(aws, 'careful');
    const statement = { Effect: 'Allow', Action: '*', Resource: '*' };
    const dated = { DateLessThan: { 'aws:CurrentTime': '2030-01-01T00:00:00Z' } };
    const document = JSON.stringify({ Statement: { ...statement, Condition: dated } });
    const words = ['iam', 'policy', 'put', 'its', '--user', 'careful', '--document', document];
    const { code, err } = await millrace(aws, ...words);
    expect(code).toBe(1);
    expect(err).toContain('The condition operator DateLessThan is not supported');
    expect(await well(aws, 'iam', 'policy', 'list', '--user', 'careful')).not.toContain('its');
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

  // dsql §4.11
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

describe('the first identity', () => {
  it('is the same at every start, and keeps what somebody made of it', async () => {
    const { arn, accessKeyId, secretAccessKey } = aws.admin;
    await aws.end();
    await aws.begin();
    expect(aws.admin).toMatchObject({ arn, accessKeyId, secretAccessKey });
    await aws.dsql().send(new ListClustersCommand({}));
  });
});
