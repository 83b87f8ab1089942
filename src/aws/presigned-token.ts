/**
 * Tokens of IAM that stand for a password: a presigned URL without its scheme, as the signers of
 * RDS (`rds-db`) and Aurora DSQL (`dsql`) make them. Reading and verifying are apart, so that
 * whoever keeps the keys can look one up between the two.
 */
import {
  ALGORITHM,
  presignedSignature,
  readCredential,
  readDateTime,
  type Scope,
} from './signature.ts';
import {
  refuseSignature,
  type SignatureRefusal,
  type Signed,
  type SigningKey,
} from './signing-key.ts';

/** Longer ones are not tokens; a session token makes one 1 to 2 KB long, rarely more. */
export const TOKEN_LENGTH_MAX = 16_384;
const PARAMETERS_MAX = 32;
/** What Signature Version 4 allows: a week. */
const EXPIRES_MAX_S = 604_800;

export type PresignedToken = Signed & {
  /** As signed: `host` or `host:port`. */
  readonly host: string;
  /** `DbConnect`, `DbConnectAdmin`, or `connect` for RDS. */
  readonly action: string;
  /** The user that a token for RDS is for; null where there is none. */
  readonly user: string | null;
  readonly accessKeyId: string;
  readonly scope: Scope;
  readonly dateTime: string;
  /** Every parameter but the signature, decoded. */
  readonly query: ReadonlyMap<string, string>;
};

/** What a token must be for, and the key that it must be signed with. */
export type TokenDemand = {
  /** Names that the endpoint answers to, in small letters, with the port where it is signed. */
  readonly hosts: readonly string[];
  readonly service: 'dsql' | 'rds-db';
  readonly region: string;
  /** The key of the token's `accessKeyId`, or null when there is none. */
  readonly key: SigningKey | null;
  readonly nowMs: number;
};

/** Why a token is refused; only for `malformed` is there anything to add. */
export type TokenRefusal =
  | { readonly reason: 'malformed'; readonly what: string }
  | {
      readonly reason:
        | 'wrong-host'
        | 'wrong-service'
        | 'wrong-region'
        | 'wrong-action'
        | SignatureRefusal;
    };

const ACTIONS: Readonly<Record<TokenDemand['service'], readonly string[]>> = {
  dsql: ['DbConnect', 'DbConnectAdmin'],
  'rds-db': ['connect'],
};

class Malformed extends Error {}

function fail(what: string): never {
  throw new Malformed(what);
}

/** Reads a token without believing anything it says. */
export function readToken(text: string): PresignedToken | TokenRefusal {
  try {
    return readParts(text);
  } catch (error) {
    if (error instanceof Malformed) return { reason: 'malformed', what: error.message };
    throw error;
  }
}

function readParts(text: string): PresignedToken {
  if (text.length > TOKEN_LENGTH_MAX) fail('it is too long');
  const slash = text.indexOf('/?');
  if (slash <= 0) fail('it is not a host with a query behind it');
  const query = readQuery(text.slice(slash + 2));
  const take = (name: string): string => query.get(name) ?? fail(`${name} is missing`);
  if (take('X-Amz-Algorithm') !== ALGORITHM) fail('X-Amz-Algorithm is of another kind');
  if (take('X-Amz-SignedHeaders') !== 'host') fail('X-Amz-SignedHeaders is not host');
  const signature = take('X-Amz-Signature');
  if (!/^[0-9a-f]{64}$/.test(signature)) fail('X-Amz-Signature is not 64 hexadecimal digits');
  query.delete('X-Amz-Signature');
  const dateTime = take('X-Amz-Date');
  const signedAtMs = readDateTime(dateTime) ?? fail('X-Amz-Date is not a date and time');
  const expires = take('X-Amz-Expires');
  const expiresS = /^\d{1,6}$/.test(expires) ? Number(expires) : 0;
  if (expiresS < 1 || expiresS > EXPIRES_MAX_S) fail('X-Amz-Expires is not 1 to 604800');
  const { accessKeyId, scope } =
    readCredential(take('X-Amz-Credential')) ??
    fail('X-Amz-Credential is not a key with its scope');
  if (scope.date !== dateTime.slice(0, 8)) fail('X-Amz-Credential and X-Amz-Date differ');
  return {
    host: text.slice(0, slash),
    action: take('Action'),
    user: query.get('DBUser') ?? null,
    accessKeyId,
    sessionToken: query.get('X-Amz-Security-Token') ?? null,
    scope,
    dateTime,
    signedAtMs,
    expiresAtMs: signedAtMs + expiresS * 1_000,
    query,
    signature: Buffer.from(signature, 'hex'),
  };
}

/** In any order: the signers of different SDKs do not agree on one. */
function readQuery(text: string): Map<string, string> {
  const query = new Map<string, string>();
  const pairs = text.split('&', PARAMETERS_MAX + 1);
  if (pairs.length > PARAMETERS_MAX) fail('it has too many parameters');
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    if (equals <= 0) fail('a parameter has no value');
    const name = decode(pair.slice(0, equals));
    if (query.has(name)) fail('a parameter is there twice');
    query.set(name, decode(pair.slice(equals + 1)));
  }
  return query;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return fail('it is not percent-encoded correctly');
  }
}

/** Why a token is not good for a login, or null when it is. */
export function refuseToken(token: PresignedToken, demand: TokenDemand): TokenRefusal | null {
  const { scope } = token;
  const { service, region, key, nowMs } = demand;
  if (!demand.hosts.includes(token.host.toLowerCase())) return { reason: 'wrong-host' };
  if (scope.service !== service) return { reason: 'wrong-service' };
  if (scope.region !== region) return { reason: 'wrong-region' };
  if (!ACTIONS[service].includes(token.action)) return { reason: 'wrong-action' };
  const { dateTime, host, query } = token;
  const expected = (secretKey: string): Buffer =>
    presignedSignature(secretKey, scope, dateTime, host, query);
  const reason = refuseSignature(token, key, expected, nowMs);
  return reason === null ? null : { reason };
}
