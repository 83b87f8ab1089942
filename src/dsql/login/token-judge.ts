/** Whether the password of a login is a token that opens this cluster to this role. */
import type { Identities, Principal } from '../../aws/identities.ts';
import { type PresignedToken, readToken, refuseToken } from '../../aws/presigned-token.ts';
import { type ClusterRecord, clusterArn } from '../clusters/cluster-record.ts';
import { DsqlError } from '../dsql-error.ts';
import { ADMIN } from '../statements/system-entity.ts';

const EXPIRES_WRONG = 'X-Amz-Expires is not 1 to 604800';

export type TokenCase = {
  /** What came as password. */
  readonly password: string;
  /** The role that asks to be let in. */
  readonly user: string;
  readonly cluster: ClusterRecord;
  /** The names of the cluster that a token may be signed for. */
  readonly hosts: readonly string[];
  readonly identities: Identities;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
};

/** Every refusal of a token says this alone; only its HINT tells more. */
export const accessDenied = (hint = ''): DsqlError =>
  new DsqlError('08006', 'unable to accept connection, access denied', { hint });

const authenticationFailed = (user: string, hint: string): DsqlError =>
  new DsqlError('28000', `IAM authentication failed for user "${user}"`, { hint });

/**
 * Who signed the token.
 * @throws DsqlError when it does not open the cluster to this role
 */
export function judgeToken({ password, user, cluster, ...rest }: TokenCase): Principal {
  const { hosts, identities, nowMs } = rest;
  const token = readToken(password);
  if ('reason' in token) {
    const what = token.reason === 'malformed' ? token.what : token.reason;
    const hint = `The password is not a valid token: ${what}.`;
    throw what === EXPIRES_WRONG ? authenticationFailed(user, hint) : accessDenied(hint);
  }
  const signer = identities.signer(token.accessKeyId);
  const { region } = cluster;
  const demand = { hosts, service: 'dsql', region, key: signer?.key ?? null, nowMs } as const;
  const refusal = refuseToken(token, demand);
  if (refusal?.reason === 'session-expired') {
    throw authenticationFailed(user, 'The session of the credentials that signed it has expired.');
  }
  if (refusal !== null) throw accessDenied(hintOf(refusal.reason, token, hosts, region, nowMs));
  // Without a signer there was a refusal.
  const { principal } = signer as NonNullable<typeof signer>;
  checkAction(token, user, cluster, principal, identities);
  return principal;
}

function checkAction(
  token: PresignedToken,
  user: string,
  cluster: ClusterRecord,
  principal: Principal,
  identities: Identities,
): void {
  const action = user === ADMIN ? 'DbConnectAdmin' : 'DbConnect';
  if (token.action !== action) {
    throw accessDenied(`Wrong user to action mapping. user: ${user}, action: ${token.action}`);
  }
  const resource = clusterArn(cluster);
  const request = { action: `dsql:${action}`, resource, resourcePolicy: cluster.policy };
  if (!identities.isAllowed(principal, request)) {
    const { arn } = principal;
    throw accessDenied(
      `User: ${arn} is not authorized to perform: dsql:${action} on resource: ${resource}`,
    );
  }
}

/** What helps whoever made the token; none tells more of the keys than the caller knows. */
function hintOf(
  reason: string,
  token: PresignedToken,
  hosts: readonly string[],
  region: string,
  nowMs: number,
): string {
  switch (reason) {
    case 'expired':
      return expired(token, nowMs);
    case 'not-yet-valid': {
      const limit = `${dateTimeOf(nowMs + 900_000)} (${dateTimeOf(nowMs)} + 15 min.)`;
      return `Signature not yet current: ${token.dateTime} is still later than ${limit}`;
    }
    case 'wrong-host':
      return `The token is signed for another host than ${hosts[0]}.`;
    case 'wrong-region':
      return `Credential should be scoped to ${region}, not '${token.scope.region}'.`;
    case 'wrong-service':
      return "Credential should be scoped to correct service: 'dsql'.";
    case 'wrong-action':
      return 'The action of the token is neither DbConnect nor DbConnectAdmin.';
    default:
      return (
        'The security token included in the request is invalid, or the request signature we ' +
        'calculated does not match the signature you provided. Check your AWS Secret Access Key ' +
        'and signing method.'
      );
  }
}

/** In AWS's words, which count from the limit of a signature, 15 minutes for most. */
function expired(token: PresignedToken, nowMs: number): string {
  const validMs = token.expiresAtMs - token.signedAtMs;
  const limit = dateTimeOf(nowMs - validMs);
  const minutes = Math.round(validMs / 60_000);
  const length = minutes >= 1 ? `${minutes} min.` : `${validMs / 1_000} s`;
  const bounds = `${limit} (${dateTimeOf(nowMs)} - ${length})`;
  return `Signature expired: ${token.dateTime} is now earlier than ${bounds}`;
}

/** `yyyymmddThhmmssZ`. */
function dateTimeOf(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '');
}
