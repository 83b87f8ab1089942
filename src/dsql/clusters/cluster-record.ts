/** What is kept of a cluster. */
import { dsqlClusterArn } from '../../aws/arn.ts';
import type { Random } from '../../base/time.ts';
import type { StoredCluster } from '../../store/clusters.ts';

export type ClusterRecord = Omit<StoredCluster, 'home' | 'policyVersion'>;

export const clusterArn = ({ region, accountId, id }: ClusterIdentity): string =>
  dsqlClusterArn(region, accountId, id);

/** The name that it is reached by, and that tokens are signed for. */
export const clusterEndpoint = ({ region, id }: ClusterIdentity): string =>
  `${id}.dsql.${region}.on.aws`;

type ClusterIdentity = Pick<ClusterRecord, 'region' | 'accountId' | 'id'>;

const ID_ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const ID_LENGTH = 26;

/** What AWS lets an id be; those that are made here are base32. */
export const CLUSTER_ID = /^[a-z0-9]{26}$/;

/** As many as 130 random bits in base32. */
export function newClusterId(random: Random): string {
  return Array.from(random.bytes(ID_LENGTH), (byte) => ID_ALPHABET[byte & 31]).join('');
}
