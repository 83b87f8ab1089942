/** What is kept of a cluster. */

/** As `ClusterStatus` of the API, as far as there are such clusters here. */
export type ClusterStatus = 'CREATING' | 'ACTIVE' | 'DELETING' | 'FAILED';

export type ClusterRecord = {
  /** 26 characters of a-z and 0-9. */
  readonly id: string;
  readonly region: string;
  /** Twelve digits. */
  readonly accountId: string;
  readonly status: ClusterStatus;
  readonly createdAtMs: number;
  readonly isDeletionProtected: boolean;
  readonly tags: Readonly<Record<string, string>>;
  /** JSON text of its resource policy, or null. */
  readonly policy: string | null;
  /**
   * The PostgreSQL servers below: URLs of one database, of which the one that takes writes is used;
   * empty for an embedded server of its own. They hold passwords.
   */
  readonly originUrls: readonly string[];
  /** 32 random bytes that the passwords of its roles in PostgreSQL are derived from. */
  readonly roleSecret: Buffer;
};

export const clusterArn = ({ region, accountId, id }: ClusterIdentity): string =>
  `arn:aws:dsql:${region}:${accountId}:cluster/${id}`;

/** The name that it is reached by, and that tokens are signed for. */
export const clusterEndpoint = ({ region, id }: ClusterIdentity): string =>
  `${id}.dsql.${region}.on.aws`;

type ClusterIdentity = Pick<ClusterRecord, 'region' | 'accountId' | 'id'>;
