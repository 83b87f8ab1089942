/** Clusters: create, get, update, delete, list. */
import { createHash } from 'node:crypto';
import { clusterArn, clusterEndpoint } from '../../dsql/clusters/cluster-record.ts';
import { CLUSTERS_MAX, type StoredCluster } from '../../store/clusters.ts';
import { AwsError, conflict, gone, invalid, invalidField } from './aws-error.ts';
import type { Answer, AwsCall, AwsRequest } from './aws-request.ts';
import { anyCluster, authorize, checkClusterPolicy, clusterFor } from './cluster-access.ts';
import {
  bodyOf,
  createInput,
  deleteQuery,
  listQuery,
  queryOf,
  refuseUnsupported,
  updateInput,
} from './dsql-input.ts';

/** Times are seconds since 1970. */
function summaryOf(cluster: StoredCluster): Answer {
  return {
    identifier: cluster.id,
    arn: clusterArn(cluster),
    status: cluster.status,
    creationTime: cluster.createdAtMs / 1000,
  };
}

function detailsOf(cluster: StoredCluster): Answer {
  return {
    ...summaryOf(cluster),
    deletionProtectionEnabled: cluster.isDeletionProtected,
    encryptionDetails: { encryptionType: 'AWS_OWNED_KMS_KEY', encryptionStatus: 'ENABLED' },
    endpoint: clusterEndpoint(cluster),
  };
}

/** The same for the same request, in whatever order its members are. */
export function requestHash(parts: {
  readonly isDeletionProtected: boolean;
  readonly tags: Readonly<Record<string, string>>;
  readonly policy: string | null;
  readonly originUrls: readonly string[];
}): string {
  const tags = Object.entries(parts.tags).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([parts.isDeletionProtected, tags, parts.policy, parts.originUrls]);
  return createHash('sha256').update(text).digest('hex');
}

export async function createCluster(call: AwsCall, request: AwsRequest): Promise<Answer> {
  const { aws, principal } = call;
  const input = bodyOf(createInput, request);
  const resource = anyCluster(aws.region, principal);
  authorize(call, 'CreateCluster', resource, null);
  const tags = input.tags ?? {};
  const policy = input.policy ?? null;
  if (Object.keys(tags).length > 0) authorize(call, 'TagResource', resource, null);
  if (policy !== null) {
    authorize(call, 'PutClusterPolicy', resource, null);
    const isBypassed = input.bypassPolicyLockoutSafetyCheck === true;
    checkClusterPolicy(call, resource, policy, isBypassed);
  }
  refuseUnsupported(input);
  const parts = {
    // What the API does when nothing is said is not public; only what is said is done.
    isDeletionProtected: input.deletionProtectionEnabled === true,
    tags,
    policy,
    originUrls: [],
  };
  const draft = {
    ...parts,
    accountId: principal.accountId,
    region: aws.region,
    clientToken: input.clientToken ?? null,
    requestHash: requestHash(parts),
  };
  const made = await aws.clusters.create(draft, principal.arn);
  if (made === 'too-many') throw quotaExceeded();
  if (made === 'token-reused') {
    throw conflict('', 'The clientToken was used for another request.');
  }
  await aws.identities.refresh();
  return detailsOf(made.cluster);
}

const quotaExceeded = (): AwsError =>
  new AwsError('ServiceQuotaExceededException', 402, 'You have reached the cluster limit.', {
    resourceId: String(CLUSTERS_MAX),
    resourceType: 'cluster',
    serviceCode: 'dsql',
    quotaCode: 'clusters',
  });

export async function getCluster(call: AwsCall, _: AwsRequest, id: string): Promise<Answer> {
  const cluster = await clusterFor(call, 'GetCluster', id);
  return { ...detailsOf(cluster), tags: cluster.tags };
}

export async function updateCluster(
  call: AwsCall,
  request: AwsRequest,
  id: string,
): Promise<Answer> {
  const input = bodyOf(updateInput, request);
  const cluster = await clusterFor(call, 'UpdateCluster', id);
  refuseUnsupported(input);
  if (cluster.status === 'DELETING') throw conflict(id, 'The cluster is being deleted.');
  const { deletionProtectionEnabled: isProtected } = input;
  if (isProtected === undefined || isProtected === null) return summaryOf(cluster);
  const { store } = call.context;
  const changed = await store.clusters.protect(id, isProtected, call.principal.arn);
  return summaryOf(changed ?? gone(id));
}

export async function deleteCluster(
  call: AwsCall,
  request: AwsRequest,
  id: string,
): Promise<Answer> {
  queryOf(deleteQuery, request);
  await clusterFor(call, 'DeleteCluster', id);
  const deleted = await call.aws.clusters.delete(id, call.principal.arn);
  if (deleted === 'protected') {
    const text = 'The cluster has deletion protection enabled. Disable it first.';
    throw invalid('deletionProtectionEnabled', text);
  }
  return summaryOf(deleted ?? gone(id));
}

export async function listClusters(call: AwsCall, request: AwsRequest): Promise<Answer> {
  const { aws, context, principal } = call;
  const query = queryOf(listQuery, request);
  const { accountId } = principal;
  authorize(call, 'ListClusters', `arn:aws:dsql:${aws.region}:${accountId}:*`, null);
  const after = readMark(query['next-token']);
  const all = await context.store.clusters.list();
  const rest = all.filter(
    (one) => one.accountId === accountId && one.region === aws.region && isBehind(one, after),
  );
  const page = rest.slice(0, query['max-results']);
  const last = page.at(-1);
  const clusters = page.map((one) => ({ identifier: one.id, arn: clusterArn(one) }));
  return page.length === rest.length || last === undefined
    ? { clusters }
    : { clusters, nextToken: markOf(last) };
}

/** A place in the list: behind the cluster that was made then. */
type Mark = Pick<StoredCluster, 'createdAtMs' | 'id'>;

const markOf = ({ createdAtMs, id }: Mark): string =>
  Buffer.from(`${createdAtMs} ${id}`).toString('base64url');

function readMark(text: string | undefined): Mark | null {
  if (text === undefined) return null;
  const parts = /^(\d{1,15}) ([a-z0-9]{26})$/.exec(Buffer.from(text, 'base64url').toString());
  if (parts === null) throw invalidField('nextToken', 'is none that ListClusters has given');
  return { createdAtMs: Number(parts[1]), id: parts[2] ?? '' };
}

const isBehind = ({ createdAtMs, id }: Mark, mark: Mark | null): boolean =>
  mark === null ||
  createdAtMs > mark.createdAtMs ||
  (createdAtMs === mark.createdAtMs && id > mark.id);
