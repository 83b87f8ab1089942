/** Amazon Resource Names: their six parts, and those of identities and clusters. */

export type Arn = {
  readonly partition: string;
  readonly service: string;
  /** Empty where the service has none. */
  readonly region: string;
  /** Twelve digits, or empty. */
  readonly accountId: string;
  /** Everything behind, with its own colons and slashes. */
  readonly resource: string;
};

/** What IAM allows in names of users, roles and policies. */
export const IAM_NAME = /^[\w+=,.@-]{1,64}$/;
/** `RoleSessionName` of STS. */
export const SESSION_NAME = /^[\w+=,.@-]{2,64}$/;
export const ACCOUNT_ID = /^\d{12}$/;
const ARN_LENGTH_MAX = 2_048;

/** The parts, or null when it is no ARN; what is in them is not judged, but the account. */
export function parseArn(text: string): Arn | null {
  if (text.length > ARN_LENGTH_MAX) return null;
  const [head, partition = '', service = '', region = '', accountId = '', ...rest] =
    text.split(':');
  const resource = rest.join(':');
  if (head !== 'arn' || !/^aws(-[a-z-]+)?$/.test(partition) || service === '') return null;
  if (resource === '' || (accountId !== '' && !ACCOUNT_ID.test(accountId))) return null;
  return { partition, service, region, accountId, resource };
}

export const userArn = (accountId: string, name: string): string =>
  `arn:aws:iam::${accountId}:user/${name}`;

export const roleArn = (accountId: string, name: string): string =>
  `arn:aws:iam::${accountId}:role/${name}`;

export const assumedRoleArn = (accountId: string, role: string, session: string): string =>
  `arn:aws:sts::${accountId}:assumed-role/${role}/${session}`;

export const dsqlClusterArn = (region: string, accountId: string, id: string): string =>
  `arn:aws:dsql:${region}:${accountId}:cluster/${id}`;

/** The account of an ARN, or null when it has none. */
export const accountOf = (arn: string): string | null => parseArn(arn)?.accountId || null;
