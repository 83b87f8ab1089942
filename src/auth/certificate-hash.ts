/**
 * The channel binding `tls-server-end-point` (RFC 5929, section 4): a hash over the certificate of
 * a server, by the hash function of the certificate's own signature, but SHA-256 for MD5 and SHA-1.
 */
import { createHash } from 'node:crypto';

/** Hash functions by the OID of a signature algorithm that names one. */
const HASH_OF_SIGNATURE: Readonly<Record<string, string>> = {
  // RSA, PKCS #1 v1.5
  '1.2.840.113549.1.1.4': 'sha256',
  '1.2.840.113549.1.1.5': 'sha256',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.113549.1.1.14': 'sha224',
  '1.2.840.113549.1.1.15': 'sha512-224',
  '1.2.840.113549.1.1.16': 'sha512-256',
  '2.16.840.1.101.3.4.3.13': 'sha3-224',
  '2.16.840.1.101.3.4.3.14': 'sha3-256',
  '2.16.840.1.101.3.4.3.15': 'sha3-384',
  '2.16.840.1.101.3.4.3.16': 'sha3-512',
  // ECDSA
  '1.2.840.10045.4.1': 'sha256',
  '1.2.840.10045.4.3.1': 'sha224',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '2.16.840.1.101.3.4.3.9': 'sha3-224',
  '2.16.840.1.101.3.4.3.10': 'sha3-256',
  '2.16.840.1.101.3.4.3.11': 'sha3-384',
  '2.16.840.1.101.3.4.3.12': 'sha3-512',
  // DSA
  '1.2.840.10040.4.3': 'sha256',
  '2.16.840.1.101.3.4.3.1': 'sha224',
  '2.16.840.1.101.3.4.3.2': 'sha256',
};

const RSA_PSS = '1.2.840.113549.1.1.10';

/** Hash functions by their own OID, as the parameters of RSA-PSS name them. */
const HASH_OF_DIGEST: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.5': 'sha256',
  '1.3.14.3.2.26': 'sha256',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
  '2.16.840.1.101.3.4.2.4': 'sha224',
  '2.16.840.1.101.3.4.2.5': 'sha512-224',
  '2.16.840.1.101.3.4.2.6': 'sha512-256',
};

const SEQUENCE = 0x30;
const OBJECT_IDENTIFIER = 0x06;
/** `[0] EXPLICIT`, where RSA-PSS names its hash function. */
const CONTEXT_0 = 0xa0;

/**
 * The hash that binds a SCRAM exchange to the certificate of its server, or null when the signature
 * names no hash function (Ed25519) or one that is not known: RFC 5929 defines no binding then.
 * PostgreSQL and libpq offer and choose it all the same, and fail; without it they log in.
 *
 * @param certificate as it went over the wire: DER
 */
export function endPointHash(certificate: Uint8Array): Buffer | null {
  const name = hashNameOf(certificate);
  return name === null ? null : createHash(name).update(certificate).digest();
}

/** One element of DER: `[start, end)` of what it holds. */
type Element = { readonly start: number; readonly end: number };

function hashNameOf(certificate: Uint8Array): string | null {
  // Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }
  const whole = elementAt(certificate, 0, certificate.length, SEQUENCE);
  const body = whole && elementAt(certificate, whole.start, whole.end, SEQUENCE);
  const algorithm = body && whole && elementAt(certificate, body.end, whole.end, SEQUENCE);
  if (!algorithm) return null;
  const oid = identifierAt(certificate, algorithm);
  if (oid === null) return null;
  return oid.text === RSA_PSS
    ? hashNameOfPss(certificate, oid.end, algorithm.end)
    : (HASH_OF_SIGNATURE[oid.text] ?? null);
}

/** RSASSA-PSS-params ::= SEQUENCE { [0] hashAlgorithm DEFAULT sha1, … } */
function hashNameOfPss(bytes: Uint8Array, start: number, end: number): string | null {
  const parameters = elementAt(bytes, start, end, SEQUENCE);
  if (parameters === null) return null;
  const explicit = elementAt(bytes, parameters.start, parameters.end, CONTEXT_0);
  // The default, SHA-1, is replaced like a SHA-1 that is spelled out.
  if (explicit === null) return 'sha256';
  const algorithm = elementAt(bytes, explicit.start, explicit.end, SEQUENCE);
  const oid = algorithm && identifierAt(bytes, algorithm);
  return oid === null ? null : (HASH_OF_DIGEST[oid.text] ?? null);
}

/** The element that begins at `start`, or null when it has another tag or does not fit. */
function elementAt(
  bytes: Uint8Array,
  start: number,
  end: number,
  expectedTag: number,
): Element | null {
  if (end - start < 2) return null;
  const tag = bytes[start] as number;
  let length = bytes[start + 1] as number;
  let at = start + 2;
  if (length >= 0x80) {
    // Four bytes of length are more than any certificate has.
    const count = length - 0x80;
    if (count === 0 || count > 4 || end - at < count) return null;
    length = 0;
    for (let left = count; left > 0; left--) length = length * 256 + (bytes[at++] as number);
  }
  return tag === expectedTag && length <= end - at ? { start: at, end: at + length } : null;
}

/** The object identifier that an AlgorithmIdentifier begins with, and where it ends. */
function identifierAt(
  bytes: Uint8Array,
  algorithm: Element,
): { readonly text: string; readonly end: number } | null {
  const element = elementAt(bytes, algorithm.start, algorithm.end, OBJECT_IDENTIFIER);
  if (element === null) return null;
  const numbers: number[] = [];
  let number = 0;
  for (let at = element.start; at < element.end; at++) {
    const byte = bytes[at] as number;
    number = number * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    if (numbers.length === 0) {
      // The first two numbers share a byte.
      const first = Math.min(Math.floor(number / 40), 2);
      numbers.push(first);
      number -= first * 40;
    }
    numbers.push(number);
    number = 0;
  }
  return { text: numbers.join('.'), end: element.end };
}
