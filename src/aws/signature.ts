/** Signature Version 4 of AWS, as far as presigned URLs need it. */
import { createHash, createHmac } from 'node:crypto';

export const ALGORITHM = 'AWS4-HMAC-SHA256';

/** SHA-256 of nothing, which the body of a presigned URL for a login hashes to. */
const EMPTY_HASH = createHash('sha256').update('').digest('hex');

/** What a signature is good for, beside the request itself. */
export type Scope = {
  /** `yyyymmdd`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
};

/** Percent-encodes as RFC 3986 says: `encodeURIComponent` leaves five more characters. */
export function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest();

/**
 * The signature of a presigned `GET https://<host>/?<query>`, of which `host` is the only header.
 *
 * @param host as signed: with the port where that is part of it
 * @param query decoded, without the signature
 * @param dateTime `yyyymmddThhmmssZ`
 */
export function presignedSignature(
  secretKey: string,
  scope: Scope,
  dateTime: string,
  host: string,
  query: ReadonlyMap<string, string>,
): Buffer {
  const canonicalQuery = [...query]
    .map(([name, value]) => [encodeRfc3986(name), encodeRfc3986(value)] as const)
    .toSorted(([left], [right]) => compareBytes(left, right))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const request = `GET\n/\n${canonicalQuery}\nhost:${host}\n\nhost\n${EMPTY_HASH}`;
  const requestHash = createHash('sha256').update(request).digest('hex');
  const place = `${scope.date}/${scope.region}/${scope.service}/aws4_request`;
  const key = hmac(
    hmac(hmac(hmac(`AWS4${secretKey}`, scope.date), scope.region), scope.service),
    'aws4_request',
  );
  return hmac(key, `${ALGORITHM}\n${dateTime}\n${place}\n${requestHash}`);
}

/** By code unit: no locale may have a say. */
function compareBytes(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
