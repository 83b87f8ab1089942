/** Signature Version 4 of AWS: what presigned URLs and signed requests have in common. */
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
  const canonical = canonicalQuery([...query]);
  const request = `GET\n/\n${canonical}\nhost:${host}\n\nhost\n${EMPTY_HASH}`;
  return requestSignature(secretKey, scope, dateTime, request);
}

/** @param pairs decoded; a name may be there more than once */
export function canonicalQuery(pairs: readonly (readonly [string, string])[]): string {
  return pairs
    .map(([name, value]) => [encodeRfc3986(name), encodeRfc3986(value)] as const)
    .toSorted(
      ([name, value], [other, its]) => compareBytes(name, other) || compareBytes(value, its),
    )
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** @param canonicalRequest as the documentation of Signature Version 4 has it */
export function requestSignature(
  secretKey: string,
  scope: Scope,
  dateTime: string,
  canonicalRequest: string,
): Buffer {
  const requestHash = createHash('sha256').update(canonicalRequest).digest('hex');
  const place = `${scope.date}/${scope.region}/${scope.service}/aws4_request`;
  const key = hmac(
    hmac(hmac(hmac(`AWS4${secretKey}`, scope.date), scope.region), scope.service),
    'aws4_request',
  );
  return hmac(key, `${ALGORITHM}\n${dateTime}\n${place}\n${requestHash}`);
}

/** Milliseconds since 1970 of `yyyymmddThhmmssZ`, or null when it is none. */
export function readDateTime(text: string): number | null {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (parts === null) return null;
  const [, year, month, day, hour, minute, second] = parts;
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const ms = Date.parse(iso);
  // 30 February is read as a day of March by some, and must not be.
  return Number.isNaN(ms) || new Date(ms).toISOString() !== iso ? null : ms;
}

/** `yyyymmddThhmmssZ` of milliseconds since 1970. */
export function formatDateTime(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
}

/** `<access key>/<yyyymmdd>/<region>/<service>/aws4_request`, or null when it is none. */
export function readCredential(text: string): { accessKeyId: string; scope: Scope } | null {
  const [accessKeyId, date, region, service, end, ...rest] = text.split('/');
  if (!accessKeyId || !date || !region || !service || end !== 'aws4_request' || rest.length > 0) {
    return null;
  }
  return { accessKeyId, scope: { date, region, service } };
}

/** By code unit: no locale may have a say. */
function compareBytes(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
