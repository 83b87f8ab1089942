/** What the APIs of AWS work with, beside the store. */
import type { ClusterLifecycle } from '../../dsql/clusters/clusters.ts';
import type { StoreIdentities } from '../../store/identities.ts';

export type AwsPlane = {
  readonly identities: StoreIdentities;
  readonly clusters: ClusterLifecycle;
  /** The one region that there is; requests for another one are refused. */
  readonly region: string;
};

export const REGION_DEFAULT = 'us-east-1';
/** The account that is used when none is wished for. */
export const AWS_ACCOUNT_DEFAULT = '000000000000';
