import {
  CreateClusterCommand,
  CreateStreamCommand,
  DeleteClusterCommand,
  DeleteClusterPolicyCommand,
  DeleteStreamCommand,
  GetClusterCommand,
  GetClusterPolicyCommand,
  GetStreamCommand,
  GetVpcEndpointServiceNameCommand,
  ListClustersCommand,
  ListStreamsCommand,
  ListTagsForResourceCommand,
  PutClusterPolicyCommand,
  paginateListClusters,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateClusterCommand,
  waitUntilClusterActive,
  waitUntilClusterNotExists,
} from '@aws-sdk/client-dsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AWS_ACCOUNT, ask, failure, REGION, TestAws } from '../../../support/aws-plane.ts';

let aws: TestAws;

beforeAll(async () => {
  aws = await TestAws.start();
});

afterAll(async () => {
  await aws.stop();
});

const soon = { minDelay: 1, maxDelay: 1, maxWaitTime: 60 };

describe('a cluster made by the SDK', () => {
  // dsql §4.1, §4.15, §8.7
  it('is created, becomes active, is a real PostgreSQL, and is deleted', async () => {
    const client = aws.dsql();
    const made = await client.send(new CreateClusterCommand({ tags: { Name: 'first' } }));
    const id = made.identifier ?? '';
    expect(id).toMatch(/^[a-z0-9]{26}$/);
    expect(made).toMatchObject({
      arn: `arn:aws:dsql:${REGION}:${AWS_ACCOUNT}:cluster/${id}`,
      status: 'CREATING',
      deletionProtectionEnabled: false,
      endpoint: `${id}.dsql.${REGION}.on.aws`,
      encryptionDetails: { encryptionType: 'AWS_OWNED_KMS_KEY', encryptionStatus: 'ENABLED' },
    });
    expect(Math.abs((made.creationTime?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(aws.clusters.find(id)).toBe('waking');
    const waited = await waitUntilClusterActive({ client, ...soon }, { identifier: id });
    expect(waited.state).toBe('SUCCESS');
    const open = aws.clusters.find(id);
    if (open === null || open === 'waking') throw new Error('it is not open');
    const [origin] = open.origins;
    if (origin === undefined) throw new Error('it has no server');
    expect(origin.host).toBe('127.0.0.1');
    expect(await ask(origin, 'SELECT current_database() AS name')).toEqual([{ name: 'postgres' }]);
    const got = await client.send(new GetClusterCommand({ identifier: id }));
    expect(got).toMatchObject({ status: 'ACTIVE', tags: { Name: 'first' } });
    const gone = await client.send(new DeleteClusterCommand({ identifier: id }));
    expect(gone.status).toBe('DELETING');
    expect(aws.clusters.find(id)).toBeNull();
    const away = await waitUntilClusterNotExists({ client, ...soon }, { identifier: id });
    expect(away.state).toBe('SUCCESS');
    await expect(ask(origin, 'SELECT 1')).rejects.toThrow(/ECONNREFUSED/);
    const error = await failure(client.send(new GetClusterCommand({ identifier: id })));
    expect(error).toMatchObject({
      name: 'ResourceNotFoundException',
      resourceId: id,
      resourceType: 'cluster',
      $metadata: { httpStatusCode: 404 },
    });
  });
});

describe('a cluster that exists', () => {
  let id: string;
  let arn: string;

  beforeAll(async () => {
    const client = aws.dsql();
    const made = await client.send(new CreateClusterCommand({ deletionProtectionEnabled: true }));
    id = made.identifier ?? '';
    arn = made.arn ?? '';
    await waitUntilClusterActive({ client, ...soon }, { identifier: id });
  });

  // dsql §4.2, §4.3
  it('is not deleted while it is protected', async () => {
    const client = aws.dsql();
    const error = await failure(client.send(new DeleteClusterCommand({ identifier: id })));
    expect(error).toMatchObject({
      name: 'ValidationException',
      reason: 'deletionProtectionEnabled',
      $metadata: { httpStatusCode: 400 },
    });
    const update = { identifier: id, deletionProtectionEnabled: false };
    const updated = await client.send(new UpdateClusterCommand(update));
    expect(updated).toMatchObject({ identifier: id, arn, status: 'ACTIVE' });
    const got = await client.send(new GetClusterCommand({ identifier: id }));
    expect(got.deletionProtectionEnabled).toBe(false);
  });

  // dsql §4.5
  it('has tags that are added, replaced, listed and removed', async () => {
    const client = aws.dsql();
    const tags = { stage: 'test', 'team:of/x y': 'ä&' };
    await client.send(new TagResourceCommand({ resourceArn: arn, tags }));
    await client.send(new TagResourceCommand({ resourceArn: arn, tags: { stage: 'prod' } }));
    const listed = await client.send(new ListTagsForResourceCommand({ resourceArn: arn }));
    expect(listed.tags).toEqual({ stage: 'prod', 'team:of/x y': 'ä&' });
    const tagKeys = ['stage', 'not there'];
    await client.send(new UntagResourceCommand({ resourceArn: arn, tagKeys }));
    const got = await client.send(new GetClusterCommand({ identifier: id }));
    expect(got.tags).toEqual({ 'team:of/x y': 'ä&' });
    expect(aws.clusters.record(id)?.tags).toEqual(got.tags);
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`k${at}`, '']));
    const error = await failure(
      client.send(new TagResourceCommand({ resourceArn: arn, tags: many })),
    );
    expect(error).toMatchObject({ name: 'ValidationException', fieldList: [{ name: 'tags' }] });
  });

  // dsql §4.4
  it('has a policy with versions', async () => {
    const client = aws.dsql();
    const identifier = id;
    const none = await failure(client.send(new GetClusterPolicyCommand({ identifier })));
    expect(none).toMatchObject({
      name: 'ResourceNotFoundException',
      resourceType: 'cluster-policy',
    });
    const policy = policyOf('Allow', 'dsql:*', aws.admin.arn);
    const put = async (changes: object = {}) =>
      await client.send(new PutClusterPolicyCommand({ identifier, policy, ...changes }));
    expect((await put()).policyVersion).toBe('1');
    expect((await put({ expectedPolicyVersion: '1', clientToken: 'a' })).policyVersion).toBe('2');
    // The same request again.
    expect((await put({ expectedPolicyVersion: '1', clientToken: 'a' })).policyVersion).toBe('2');
    const late = await failure(put({ expectedPolicyVersion: '1' }));
    expect(late).toMatchObject({ name: 'ConflictException', resourceId: id });
    expect(late.$metadata?.httpStatusCode).toBe(409);
    const got = await client.send(new GetClusterPolicyCommand({ identifier }));
    expect(got).toMatchObject({ policy, policyVersion: '2' });
    expect(aws.clusters.record(id)?.policy).toBe(policy);
    const wrong = { identifier, expectedPolicyVersion: '1' };
    const kept = await failure(client.send(new DeleteClusterPolicyCommand(wrong)));
    expect(kept.name).toBe('ConflictException');
    const deleted = await client.send(new DeleteClusterPolicyCommand({ identifier }));
    expect(deleted.policyVersion).toBe('2');
    expect((await put()).policyVersion).toBe('3');
    await client.send(new DeleteClusterPolicyCommand({ identifier }));
  });

  // dsql §4.4
  it('takes no policy that would lock its writer out, unless that is wished for', async () => {
    const client = aws.dsql();
    const identifier = id;
    const policy = policyOf('Deny', 'dsql:PutClusterPolicy', '*');
    const error = await failure(client.send(new PutClusterPolicyCommand({ identifier, policy })));
    expect(error).toMatchObject({ name: 'ValidationException', reason: 'other' });
    const bypassPolicyLockoutSafetyCheck = true;
    const input = { identifier, policy, bypassPolicyLockoutSafetyCheck };
    await client.send(new PutClusterPolicyCommand(input));
    const locked = await failure(client.send(new PutClusterPolicyCommand(input)));
    expect(locked).toMatchObject({
      name: 'AccessDeniedException',
      message: `User: ${aws.admin.arn} is not authorized to perform: dsql:PutClusterPolicy on resource: ${arn}`,
    });
    await client.send(new DeleteClusterPolicyCommand({ identifier }));
  });

  // dsql §4.4, §4.12
  it('takes no policy that nobody could evaluate', async () => {
    const statement = { Effect: 'Allow', Principal: '*', Action: 'dsql:*', Resource: '*' };
    const Condition = { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } };
    const policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: { ...statement, Condition },
    });
    const error = await failure(
      aws.dsql().send(new PutClusterPolicyCommand({ identifier: id, policy })),
    );
    expect(error).toMatchObject({
      name: 'ValidationException',
      reason: 'fieldValidationFailed',
      message: 'Invalid policy: The condition operator IpAddress is not supported.',
    });
  });

  // dsql §4.7-4.9
  it('says honestly what there is not', async () => {
    const client = aws.dsql();
    const target = { kinesis: { streamArn: 'arn:aws:kinesis:us-east-1:1:stream/s', roleArn: arn } };
    const format = { ordering: 'UNORDERED', format: 'JSON' } as const;
    const stream = { clusterIdentifier: id, targetDefinition: target, ...format };
    const regions = { witnessRegion: 'us-west-2' };
    const streamIdentifier = id;
    const key = 'arn:aws:kms:us-east-1:111122223333:key/x';
    const errors = [
      client.send(new CreateStreamCommand(stream)),
      client.send(new ListStreamsCommand({ clusterIdentifier: id })),
      client.send(new GetStreamCommand({ clusterIdentifier: id, streamIdentifier })),
      client.send(new DeleteStreamCommand({ clusterIdentifier: id, streamIdentifier })),
      client.send(new CreateClusterCommand({ multiRegionProperties: regions })),
      client.send(new UpdateClusterCommand({ identifier: id, multiRegionProperties: regions })),
      client.send(new CreateClusterCommand({ kmsEncryptionKey: key })),
    ].map(failure);
    for (const error of await Promise.all(errors)) {
      expect(error).toMatchObject({ name: 'ValidationException', reason: 'other' });
      expect(error.message).toMatch(/is unsupported by this endpoint/);
    }
  });

  // dsql §4.6
  it('has the name of a VPC endpoint service', async () => {
    const command = new GetVpcEndpointServiceNameCommand({ identifier: id });
    const { serviceName } = await aws.dsql().send(command);
    expect(serviceName).toMatch(/^com\.amazonaws\.us-east-1\.dsql-[0-9a-f]{4}$/);
  });
});

function policyOf(Effect: string, Action: string, AWS: string): string {
  const statement = { Effect, Action, Principal: { AWS }, Resource: '*' };
  return JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
}

describe('requests', () => {
  // dsql §4.10
  it('make one cluster when they are sent twice with their token', async () => {
    const client = aws.dsql();
    const input = { clientToken: 'once-only', tags: { a: '1', b: '2' } };
    const first = await client.send(new CreateClusterCommand(input));
    const again = { clientToken: 'once-only', tags: { b: '2', a: '1' } };
    const second = await client.send(new CreateClusterCommand(again));
    expect(second.identifier).toBe(first.identifier);
    const other = { ...input, tags: { a: '2' } };
    const error = await failure(client.send(new CreateClusterCommand(other)));
    expect(error).toMatchObject({ name: 'ConflictException', $metadata: { httpStatusCode: 409 } });
    await client.send(new DeleteClusterCommand({ identifier: first.identifier }));
    await waitUntilClusterNotExists({ client, ...soon }, { identifier: first.identifier });
  });

  // dsql §4.12
  it('that are wrong are told what of them', async () => {
    const client = aws.dsql();
    const missing = 'a'.repeat(26);
    const cases: readonly (readonly [Promise<unknown>, object])[] = [
      [client.send(new GetClusterCommand({ identifier: missing })), { resourceId: missing }],
      [client.send(new DeleteClusterCommand({ identifier: missing })), { resourceId: missing }],
      [
        client.send(new GetClusterCommand({ identifier: 'UPPER' })),
        { reason: 'fieldValidationFailed', fieldList: [{ name: 'identifier' }] },
      ],
      [
        client.send(new CreateClusterCommand({ tags: { 'aws:x': 'y' } })),
        { reason: 'fieldValidationFailed', fieldList: [{ name: 'tags' }] },
      ],
      [
        client.send(new CreateClusterCommand({ policy: '{"Version":' })),
        { reason: 'fieldValidationFailed', message: 'Invalid policy: The policy is not JSON.' },
      ],
      [
        client.send(new ListClustersCommand({ nextToken: 'x' })),
        { reason: 'fieldValidationFailed', fieldList: [{ name: 'nextToken' }] },
      ],
      [
        client.send(new ListTagsForResourceCommand({ resourceArn: 'arn:aws:s3:::b' })),
        { reason: 'fieldValidationFailed', fieldList: [{ name: 'resourceArn' }] },
      ],
    ];
    const errors = await Promise.all(cases.map(([work]) => failure(work)));
    expect(errors).toMatchObject(cases.map(([, what]) => what));
  });
});

describe('a quota', () => {
  // dsql §4.13, §4.14
  it('of 20 clusters is told with status 402, and lists have pages', async () => {
    const foreign = { ...aws.admin };
    const { clusters } = aws.store;
    const before = (await clusters.list()).length;
    const draft = (at: number) => ({
      id: `${'q'.repeat(24)}${String.fromCharCode(97 + at, 97)}`,
      accountId: AWS_ACCOUNT,
      region: REGION,
      // Somebody else's place: nobody starts it here.
      home: 'elsewhere',
      isDeletionProtected: false,
      tags: {},
      policy: null,
      originUrls: [],
      roleSecret: Buffer.alloc(32, 1),
      clientToken: null,
      requestHash: '',
    });
    for (let at = before; at < 20; at++) await clusters.create(draft(at), 'test');
    const client = aws.dsql(foreign);
    const error = await failure(client.send(new CreateClusterCommand({})));
    expect(error).toMatchObject({
      name: 'ServiceQuotaExceededException',
      message: 'You have reached the cluster limit.',
      serviceCode: 'dsql',
      $metadata: { httpStatusCode: 402 },
    });
    const seen: string[] = [];
    let pages = 0;
    for await (const page of paginateListClusters({ client, pageSize: 7 }, {})) {
      pages++;
      seen.push(...(page.clusters ?? []).map(({ identifier }) => identifier ?? ''));
    }
    expect([pages, seen.length, new Set(seen).size]).toEqual([3, 20, 20]);
    for (let at = before; at < 20; at++) await clusters.remove(draft(at).id, 'test');
  });
});
