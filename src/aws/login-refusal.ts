/**
 * What a database at AWS means when it refuses a login. The texts are those that RDS, RDS Proxy
 * and Aurora DSQL send; their SQLSTATEs alone do not tell a stale credential from a wrong
 * configuration.
 */

/** What was shown: a token of IAM, or user and password from a secret. */
export type ShownCredential = 'token' | 'secret';

/** `stale` may be mended by a newer credential; `refused` cannot. */
export type LoginRefusal = 'stale' | 'refused';

const INVALID_PASSWORD = '28P01';
const INVALID_AUTHORIZATION = '28000';
/** The SQLSTATE of every refusal of Aurora DSQL. */
const DSQL_REFUSAL = '08006';

/** Of a token that is expired, wrongly signed, or whose signer is not trusted any more. */
const STALE_TOKEN = [/^PAM authentication failed\b/, /^IAM authentication failed for user\b/];

const DSQL_DENIED = /^unable to accept connection, access denied\b/;
/** Reasons that stay the same with any token of this user. */
const DSQL_FINAL = [/^Wrong user to action mapping\b/, /\bis not authorized to\b/];

/** Whether a login was refused for who it was, however the SQLSTATE says it. */
export function isLoginRefusal(sqlstate: string, message: string): boolean {
  return sqlstate.startsWith('28') || (sqlstate === DSQL_REFUSAL && DSQL_DENIED.test(message));
}

/**
 * What is there, and lets nobody in for the moment: Aurora DSQL by its quotas, or while it wakes
 * up; RDS Proxy by its own, or while it has no connection to its database.
 */
const BUSY = [
  /^unable to accept connection, (too many open connections|rate exceeded|waking up cluster)\b/i,
  /^Timed-out waiting to acquire database connection\b/i,
  /^Rate of connection to proxy exceeded\b/i,
  /^The maximum number of client connections to the proxy exceeded\b/i,
  /^The IAM authentication failed because of too many competing requests\b/i,
];

export function isBusy(message: string): boolean {
  return BUSY.some((pattern) => pattern.test(message));
}

/** @param hint the HINT of the server's error, which Aurora DSQL gives its reason in */
export function judgeRefusal(
  shown: ShownCredential,
  sqlstate: string,
  message: string,
  hint: string,
): LoginRefusal {
  if (sqlstate === INVALID_PASSWORD) return 'stale';
  // With a secret this is a user who was granted rds_iam: no password lets it in any more.
  if (shown === 'secret') return 'refused';
  if (sqlstate === DSQL_REFUSAL && DSQL_DENIED.test(message)) {
    return DSQL_FINAL.some((pattern) => pattern.test(hint)) ? 'refused' : 'stale';
  }
  const isStale =
    sqlstate === INVALID_AUTHORIZATION && STALE_TOKEN.some((pattern) => pattern.test(message));
  return isStale ? 'stale' : 'refused';
}
