/**
 * The REST API of Aurora DSQL, version 2018-05-10: which operation a request is for. Source: its
 * model, as the SDKs have it.
 */
import { createHash } from 'node:crypto';
import { invalid, unsupportedHere } from './aws-error.ts';
import type { Answer, AwsCall, AwsRequest } from './aws-request.ts';
import { clusterFor } from './cluster-access.ts';
import {
  createCluster,
  deleteCluster,
  getCluster,
  listClusters,
  updateCluster,
} from './cluster-operations.ts';
import {
  deleteClusterPolicy,
  getClusterPolicy,
  listTags,
  putClusterPolicy,
  tagResource,
  untagResource,
} from './policy-operations.ts';

type Operation = (call: AwsCall, request: AwsRequest, label: string) => Promise<Answer>;

/** Whoever may see the cluster is told that it has no streams here, and others not even that. */
const stream =
  (action: string): Operation =>
  async (call, _, id) => {
    await clusterFor(call, action, id);
    throw unsupportedHere('A stream');
  };

/** A name as AWS gives them; no PrivateLink leads there. */
const vpcServiceName: Operation = async (call, _, id) => {
  const { region } = await clusterFor(call, 'GetVpcEndpointServiceName', id);
  const suffix = createHash('sha256').update(region).digest('hex').slice(0, 4);
  return { serviceName: `com.amazonaws.${region}.dsql-${suffix}` };
};

/** `*` stands for one segment, which is handed on decoded; of two, the first. */
const OPERATIONS: readonly (readonly [method: string, path: string, run: Operation])[] = [
  ['POST', '/cluster', createCluster],
  ['GET', '/cluster', listClusters],
  ['GET', '/cluster/*', getCluster],
  ['POST', '/cluster/*', updateCluster],
  ['DELETE', '/cluster/*', deleteCluster],
  ['POST', '/cluster/*/policy', putClusterPolicy],
  ['GET', '/cluster/*/policy', getClusterPolicy],
  ['DELETE', '/cluster/*/policy', deleteClusterPolicy],
  ['GET', '/clusters/*/vpc-endpoint-service-name', vpcServiceName],
  ['POST', '/stream/*', stream('CreateStream')],
  ['GET', '/stream/*', stream('ListStreams')],
  ['GET', '/stream/*/*', stream('GetStream')],
  ['DELETE', '/stream/*/*', stream('DeleteStream')],
  ['POST', '/tags/*', tagResource],
  ['DELETE', '/tags/*', untagResource],
  ['GET', '/tags/*', listTags],
];

/** First segments of all paths above. */
export const DSQL_PATH = /^\/(cluster|clusters|stream|tags)(\/|$)/;

/** @throws AwsError for what is refused */
export async function serveDsql(call: AwsCall, request: AwsRequest): Promise<Answer> {
  const segments = request.path.split('/');
  for (const [method, path, run] of OPERATIONS) {
    const pattern = path.split('/');
    const isIt =
      method === request.method &&
      pattern.length === segments.length &&
      pattern.every((part, at) => (part === '*' ? segments[at] !== '' : part === segments[at]));
    if (isIt) return await run(call, request, decode(segments[pattern.indexOf('*')] ?? ''));
  }
  throw invalid('unknownOperation', 'There is no such operation.');
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw invalid('cannotParse', 'The path is not percent-encoded correctly.');
  }
}
