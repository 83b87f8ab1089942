/** What is kept of a cluster. */

import type { Random } from '../../base/time.ts';
import type { StoredCluster } from '../../store/clusters.ts';

/** As `ClusterStatus` of the API, as far as there are such clusters here. */
export type ClusterStatus = StoredCluster['status'];

export type ClusterRecord = Omit<StoredCluster, 'home' | 'policyVersion'>;

export const clusterArn = ({ region, accountId, id }: ClusterIdentity): string =>
  `arn:aws:dsql:${region}:${accountId}:cluster/${id}`;

/** The name that it is reached by, and that tokens are signed for. */
export const clusterEndpoint = ({ region, id }: ClusterIdentity): string =>
  `${id}.dsql.${region}.on.aws`;

type ClusterIdentity = Pick<ClusterRecord, 'region' | 'accountId' | 'id'>;

const ID_ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const ID_LENGTH = 26;

/** As many as 130 random bits in base32. */
export function newClusterId(random: Random): string {
  return Array.from(random.bytes(ID_LENGTH), (byte) => ID_ALPHABET[byte & 31]).join('');
}
