/** Clusters of the DSQL endpoint, for those who have a token of this API. */
import * as z from 'zod';
import { GatewayError } from '../../base/errors.ts';
import { parseOriginUrl } from '../../config/resolve-origin.ts';
import { CLUSTER_ID, clusterArn, clusterEndpoint } from '../../dsql/clusters/cluster-record.ts';
import type { StoredCluster } from '../../store/clusters.ts';
import { ApiError } from '../api-error.ts';
import type { AwsPlane } from '../aws/aws-plane.ts';
import { requestHash } from '../aws/cluster-operations.ts';
import type { ControlContext } from '../context.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { awsAccountParams, clusterInput, clusterResult } from '../schemas/iam.ts';

const CLUSTERS_PATH = '/accounts/{account_id}/dsql/clusters';
const CLUSTER_PATH = `${CLUSTERS_PATH}/{cluster_id}`;
const clusterParams = awsAccountParams.extend({
  cluster_id: z.string().regex(CLUSTER_ID, 'must be 26 of the characters a-z and 0-9'),
});
const shared = { tag: 'Clusters' } as const;

function view(cluster: StoredCluster): z.input<typeof clusterResult> {
  return {
    id: cluster.id,
    arn: clusterArn(cluster),
    endpoint: clusterEndpoint(cluster),
    status: cluster.status,
    created_on: new Date(cluster.createdAtMs).toISOString(),
    deletion_protection: cluster.isDeletionProtected,
    tags: { ...cluster.tags },
    origin: cluster.originUrls.length === 0 ? 'embedded' : 'given',
  };
}

/** @throws ApiError when no clusters can run here */
function planeOf({ aws }: ControlContext): AwsPlane {
  if (aws === null) throw new ApiError('noClusters');
  return aws;
}

async function clusterOf(
  { store }: ControlContext,
  { account_id: accountId, cluster_id: id }: z.output<typeof clusterParams>,
): Promise<StoredCluster> {
  const found = await store.clusters.get(id);
  if (found?.accountId !== accountId) throw new ApiError('notFound', 'There is no such cluster');
  return found;
}

/** @throws ApiError that does not quote it */
async function checkUrl(url: string): Promise<void> {
  try {
    await parseOriginUrl(url);
  } catch (error) {
    if (error instanceof GatewayError) throw new ApiError('invalid', error.message, error);
    throw error;
  }
}

const list = endpoint(
  {
    ...shared,
    method: 'get',
    path: CLUSTERS_PATH,
    operationId: 'list-clusters',
    summary: 'List the clusters of an account',
    scope: 'read',
    params: awsAccountParams,
    result: clusterResult.array(),
  },
  async ({ params, context }) => {
    const all = await context.store.clusters.list();
    return all.filter(({ accountId }) => accountId === params.account_id).map(view);
  },
);

const create = endpoint(
  {
    ...shared,
    method: 'post',
    path: CLUSTERS_PATH,
    operationId: 'create-cluster',
    summary: 'Make a cluster, with a PostgreSQL of its own or on given ones',
    scope: 'write',
    params: awsAccountParams,
    body: clusterInput,
    result: clusterResult,
  },
  async ({ params, body, caller, context }) => {
    const { clusters, identities, region } = planeOf(context);
    for (const url of body.origin_urls) await checkUrl(url);
    const parts = {
      isDeletionProtected: body.deletion_protection,
      tags: body.tags,
      policy: null,
      originUrls: body.origin_urls,
    };
    const named = { accountId: params.account_id, region, clientToken: null };
    const request = { ...parts, ...named, requestHash: requestHash(parts) };
    const made = await clusters.create(request, caller.name);
    if (typeof made === 'string') throw new ApiError('tooMany');
    await identities.refresh();
    return view(made.cluster);
  },
);

const get = endpoint(
  {
    ...shared,
    method: 'get',
    path: CLUSTER_PATH,
    operationId: 'get-cluster',
    summary: 'Get a cluster',
    scope: 'read',
    params: clusterParams,
    result: clusterResult,
  },
  async ({ params, context }) => view(await clusterOf(context, params)),
);

const remove = endpoint(
  {
    ...shared,
    method: 'delete',
    path: CLUSTER_PATH,
    operationId: 'delete-cluster',
    summary: 'Delete a cluster, with the data of a PostgreSQL of its own',
    scope: 'write',
    params: clusterParams,
    result: z.null(),
  },
  async ({ params, caller, context }) => {
    const { clusters } = planeOf(context);
    const { id } = await clusterOf(context, params);
    const deleted = await clusters.delete(id, caller.name);
    if (deleted === 'protected') {
      throw new ApiError('inUse', 'The cluster has deletion protection; switch it off first');
    }
    return null;
  },
);

export const clusterEndpoints: readonly Endpoint[] = [list, create, get, remove];
