/** Finding a cluster for somebody, and whether they may. */
import { dsqlClusterArn } from '../../aws/arn.ts';
import { readPolicy } from '../../aws/iam-policy.ts';
import type { Principal } from '../../aws/identities.ts';
import { CLUSTER_ID, clusterArn } from '../../dsql/clusters/cluster-record.ts';
import type { StoredCluster } from '../../store/clusters.ts';
import { denied, invalid, invalidField, notFound } from './aws-error.ts';
import type { AwsCall } from './aws-request.ts';

/**
 * The cluster, of the caller's own account. Who may not see it is told so, and not whether there is
 * one.
 *
 * @throws AwsError `ValidationException`, `AccessDeniedException`, `ResourceNotFoundException`
 */
export async function clusterFor(
  call: AwsCall,
  action: string,
  id: string,
): Promise<StoredCluster> {
  if (!CLUSTER_ID.test(id))
    throw invalidField('identifier', 'must be 26 of the characters a-z and 0-9');
  const { aws, context, principal } = call;
  const { accountId } = principal;
  const found = await context.store.clusters.get(id);
  const isHere = found?.accountId === accountId && found.region === aws.region;
  const cluster = isHere ? found : null;
  const resource = clusterArn({ region: aws.region, accountId, id });
  authorize(call, action, resource, cluster?.policy ?? null);
  if (cluster === null) throw notFound(id);
  return cluster;
}

/** @throws AwsError `AccessDeniedException` */
export function authorize(
  { aws, principal }: AwsCall,
  action: string,
  resource: string,
  resourcePolicy: string | null,
): void {
  const full = `dsql:${action}`;
  const request = { action: full, resource, resourcePolicy };
  if (!aws.identities.isAllowed(principal, request)) throw denied(principal.arn, full, resource);
}

/** What stands for any cluster, before there is one. */
export const anyCluster = (region: string, { accountId }: Principal): string =>
  dsqlClusterArn(region, accountId, '*');

/**
 * A policy that can be evaluated; and, unless it is bypassed, one under which whoever writes it may
 * write the next one.
 *
 * @throws AwsError `ValidationException`
 */
export function checkClusterPolicy(
  { aws, principal }: AwsCall,
  resource: string,
  policy: string,
  isBypassed: boolean,
): void {
  const read = readPolicy(policy, 'resource');
  if ('problem' in read) throw invalidField('policy', read.problem);
  if (isBypassed) return;
  const action = 'dsql:PutClusterPolicy';
  if (aws.identities.isAllowed(principal, { action, resource, resourcePolicy: policy })) return;
  const text = 'The policy would keep you from changing it again; bypassPolicyLockoutSafetyCheck';
  throw invalid('other', `${text} writes it nevertheless.`);
}
