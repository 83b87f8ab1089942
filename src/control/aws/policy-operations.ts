/** The policy of a cluster, and its tags. */
import { parseArn } from '../../aws/arn.ts';
import { clusterArn } from '../../dsql/clusters/cluster-record.ts';
import type { StoredCluster } from '../../store/clusters.ts';
import { conflict, gone, invalidField, notFound, unsupportedHere } from './aws-error.ts';
import type { Answer, AwsCall, AwsRequest } from './aws-request.ts';
import { checkClusterPolicy, clusterFor } from './cluster-access.ts';
import {
  bodyOf,
  deletePolicyQuery,
  hasRoomFor,
  putPolicyInput,
  queryOf,
  tagInput,
} from './dsql-input.ts';

const POLICY = 'cluster-policy';

const otherVersion = (id: string) => conflict(id, 'The policy has another version by now.');

export async function putClusterPolicy(
  call: AwsCall,
  request: AwsRequest,
  id: string,
): Promise<Answer> {
  const input = bodyOf(putPolicyInput, request);
  const cluster = await clusterFor(call, 'PutClusterPolicy', id);
  const { policy } = input;
  const isBypassed = input.bypassPolicyLockoutSafetyCheck === true;
  checkClusterPolicy(call, clusterArn(cluster), policy, isBypassed);
  const change = {
    policy,
    expectedVersion: input.expectedPolicyVersion ?? null,
    clientToken: input.clientToken ?? null,
  };
  const put = await call.context.store.clusters.putPolicy(id, change, call.principal.arn);
  if (put === 'other-version') throw otherVersion(id);
  if (put === 'token-reused') throw conflict(id, 'The clientToken was used for another policy.');
  await changed(call);
  return { policyVersion: String((put ?? gone(id)).policyVersion) };
}

export async function getClusterPolicy(call: AwsCall, _: AwsRequest, id: string): Promise<Answer> {
  const { policy, policyVersion } = await clusterFor(call, 'GetClusterPolicy', id);
  if (policy === null) throw notFound(id, POLICY);
  return { policy, policyVersion: String(policyVersion) };
}

export async function deleteClusterPolicy(
  call: AwsCall,
  request: AwsRequest,
  id: string,
): Promise<Answer> {
  const { 'expected-policy-version': expected = null } = queryOf(deletePolicyQuery, request);
  await clusterFor(call, 'DeleteClusterPolicy', id);
  const deleted = await call.context.store.clusters.deletePolicy(id, expected, call.principal.arn);
  if (deleted === 'other-version') throw otherVersion(id);
  if (deleted === 'no-policy') throw notFound(id, POLICY);
  await changed(call);
  return { policyVersion: String((deleted ?? gone(id)).policyVersion) };
}

/** What logins and requests are judged by from now on. */
async function changed({ aws }: AwsCall): Promise<void> {
  await Promise.all([aws.identities.refresh(), aws.clusters.refresh()]);
}

/** The cluster that an ARN of the tags' operations names. */
async function taggedCluster(
  call: AwsCall,
  action: string,
  resourceArn: string,
): Promise<StoredCluster> {
  const arn = parseArn(resourceArn);
  const [kind, id = '', stream] = arn?.resource.split('/') ?? [];
  if (arn?.service !== 'dsql' || kind !== 'cluster') {
    throw invalidField('resourceArn', 'must be the ARN of a cluster');
  }
  if (stream !== undefined) throw unsupportedHere('A stream');
  const { region, accountId } = arn;
  const isHere = region === call.aws.region && accountId === call.principal.accountId;
  if (!isHere) throw notFound(resourceArn);
  return await clusterFor(call, action, id);
}

export async function tagResource(
  call: AwsCall,
  request: AwsRequest,
  arn: string,
): Promise<Answer> {
  const { tags } = bodyOf(tagInput, request);
  const { id } = await taggedCluster(call, 'TagResource', arn);
  const merge = (known: StoredCluster['tags']) => {
    const all = { ...known, ...tags };
    return hasRoomFor(all) ? all : null;
  };
  await setTags(call, id, merge);
  return {};
}

export async function untagResource(
  call: AwsCall,
  request: AwsRequest,
  arn: string,
): Promise<Answer> {
  const keys = new URLSearchParams(request.query).getAll('tagKeys');
  const { id } = await taggedCluster(call, 'UntagResource', arn);
  await setTags(call, id, (known) =>
    Object.fromEntries(Object.entries(known).filter(([key]) => !keys.includes(key))),
  );
  return {};
}

async function setTags(
  call: AwsCall,
  id: string,
  change: (tags: StoredCluster['tags']) => StoredCluster['tags'] | null,
): Promise<void> {
  const done = await call.context.store.clusters.setTags(id, change, call.principal.arn);
  if (done === 'refused') throw invalidField('tags', 'the cluster would have too many');
  if (done === null) gone(id);
  await changed(call);
}

export async function listTags(call: AwsCall, _: AwsRequest, arn: string): Promise<Answer> {
  return { tags: (await taggedCluster(call, 'ListTagsForResource', arn)).tags };
}
