/**
 * HTTP requests signed in their `Authorization` header, as the SDKs sign what they send to a
 * service. Reading and verifying are apart, as for `presigned-token.ts`.
 */
import {
  ALGORITHM,
  canonicalQuery,
  encodeRfc3986,
  readCredential,
  readDateTime,
  requestSignature,
  type Scope,
} from './signature.ts';
import {
  refuseSignature,
  type SignatureRefusal,
  type Signed,
  type SigningKey,
  SKEW_MAX_MS,
} from './signing-key.ts';

/** A session token makes other headers long, never this one. */
export const AUTHORIZATION_LENGTH_MAX = 4_096;
const SIGNED_HEADERS_MAX = 64;
const QUERY_PARAMETERS_MAX = 512;

/** What was received, before anybody has believed it. */
export type ReceivedRequest = {
  readonly method: string;
  /** As on the wire, still encoded; begins with `/`. */
  readonly path: string;
  /** As on the wire, behind the `?`; empty without any. */
  readonly query: string;
  /** By a name in small letters; null where there is none. */
  header(name: string): string | null;
  /** SHA-256 of the body as received, in hexadecimal. */
  readonly bodyHash: string;
};

export type SignedRequest = Signed & {
  readonly accessKeyId: string;
  readonly scope: Scope;
  readonly dateTime: string;
  /** What the signature must be of. */
  readonly canonicalRequest: string;
};

export type RequestDemand = {
  readonly service: string;
  readonly region: string;
  /** The key of the request's `accessKeyId`, or null when there is none. */
  readonly key: SigningKey | null;
  readonly nowMs: number;
};

/** Why a request is refused; only for `incomplete` is there anything to add. */
export type RequestRefusal =
  | { readonly reason: 'incomplete'; readonly what: string }
  | {
      readonly reason: 'unsigned' | 'wrong-service' | 'wrong-region' | SignatureRefusal;
    };

class Incomplete extends Error {}

function fail(what: string): never {
  throw new Incomplete(what);
}

/** Reads a request without believing anything it says. */
export function readSignedRequest(request: ReceivedRequest): SignedRequest | RequestRefusal {
  const authorization = request.header('authorization');
  if (authorization === null) return { reason: 'unsigned' };
  try {
    return readParts(request, authorization);
  } catch (error) {
    if (error instanceof Incomplete) return { reason: 'incomplete', what: error.message };
    throw error;
  }
}

function readParts(request: ReceivedRequest, authorization: string): SignedRequest {
  if (authorization.length > AUTHORIZATION_LENGTH_MAX) fail('Authorization header is too long.');
  const parts = readAuthorization(authorization);
  const take = (name: string): string =>
    parts.get(name) ?? fail(`Authorization header requires '${name}' parameter.`);
  const { accessKeyId, scope } =
    readCredential(take('Credential')) ??
    fail("Credential must have exactly 5 slash-delimited elements, the last 'aws4_request'.");
  const signature = take('Signature');
  if (!/^[0-9a-f]{64}$/.test(signature)) fail("'Signature' must be 64 hexadecimal digits.");
  const names = readSignedHeaders(take('SignedHeaders'));
  const dateTime = request.header('x-amz-date') ?? fail("'X-Amz-Date' header is missing.");
  const signedAtMs = readDateTime(dateTime) ?? fail("Date must be in ISO-8601 'basic format'.");
  if (scope.date !== dateTime.slice(0, 8)) {
    fail('Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date.');
  }
  const sessionToken = request.header('x-amz-security-token');
  const needed = ['host', 'x-amz-date', ...(sessionToken === null ? [] : ['x-amz-security-token'])];
  const missing = needed.find((name) => !names.includes(name));
  if (missing !== undefined) {
    fail(`'${missing}' must be a 'SignedHeader' in the AWS Authorization.`);
  }
  const canonicalRequest = canonicalOf(request, names);
  return {
    accessKeyId,
    sessionToken,
    scope,
    dateTime,
    signedAtMs,
    expiresAtMs: signedAtMs + SKEW_MAX_MS,
    signature: Buffer.from(signature, 'hex'),
    canonicalRequest,
  };
}

/** `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`, in any order. */
function readAuthorization(text: string): Map<string, string> {
  const space = text.indexOf(' ');
  if (space === -1 || text.slice(0, space) !== ALGORITHM) {
    fail(`Authorization header requires the algorithm ${ALGORITHM}.`);
  }
  const parts = new Map<string, string>();
  for (const part of text.slice(space + 1).split(',')) {
    const equals = part.indexOf('=');
    if (equals === -1) fail('Authorization header has a part that is not key=value.');
    const name = part.slice(0, equals).trim();
    if (parts.has(name)) fail('Authorization header has a parameter twice.');
    parts.set(name, part.slice(equals + 1).trim());
  }
  return parts;
}

function readSignedHeaders(text: string): readonly string[] {
  const names = text.split(';');
  if (names.length > SIGNED_HEADERS_MAX) fail("'SignedHeaders' has too many names.");
  const isSorted = names.every((name, at) => at === 0 || (names[at - 1] as string) < name);
  if (!isSorted || !names.every((name) => /^[!#-'*+.0-9^-z|~-]+$/.test(name))) {
    fail("'SignedHeaders' must be names in small letters, in order and each once.");
  }
  return names;
}

/**
 * As the documentation of Signature Version 4 says for every service but S3: each segment of the
 * path is encoded once more. A path with `.`, `..` or empty segments is none of a service here, so
 * it is left as it is, and does not fit what an SDK would sign. The body counts by its own hash,
 * whatever a header says of it.
 */
function canonicalOf(request: ReceivedRequest, names: readonly string[]): string {
  const path = request.path.split('/').map(encodeRfc3986).join('/');
  const headers = names.map((name) => {
    const value = request.header(name) ?? fail(`The signed header '${name}' is missing.`);
    return `${name}:${value.trim().replaceAll(/ +/g, ' ')}\n`;
  });
  const query = canonicalQuery(readPairs(request.query));
  const { method, bodyHash } = request;
  return `${method}\n${path}\n${query}\n${headers.join('')}\n${names.join(';')}\n${bodyHash}`;
}

/** Decoded names and values, in the order of the wire. */
function readPairs(query: string): (readonly [string, string])[] {
  if (query === '') return [];
  const pairs = query.split('&', QUERY_PARAMETERS_MAX + 1);
  if (pairs.length > QUERY_PARAMETERS_MAX) fail('The query has too many parameters.');
  return pairs.map((pair) => {
    const equals = pair.indexOf('=');
    if (equals === -1) return [decode(pair), ''];
    return [decode(pair.slice(0, equals)), decode(pair.slice(equals + 1))];
  });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return fail('The query is not percent-encoded correctly.');
  }
}

/** Why a request is not good, or null when it is. */
export function refuseRequest(
  request: SignedRequest,
  demand: RequestDemand,
): RequestRefusal | null {
  const { scope, canonicalRequest, dateTime } = request;
  const { service, region, key, nowMs } = demand;
  if (scope.region !== region) return { reason: 'wrong-region' };
  if (scope.service !== service) return { reason: 'wrong-service' };
  const expected = (secretKey: string): Buffer =>
    requestSignature(secretKey, scope, dateTime, canonicalRequest);
  const reason = refuseSignature(request, key, expected, nowMs);
  return reason === null ? null : { reason };
}
