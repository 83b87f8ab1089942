/**
 * The channel binding `tls-server-end-point` (RFC 5929, section 4): a hash over the certificate of
 * a server, by the hash function of the certificate's own signature, but SHA-256 for MD5 and SHA-1.
 */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import type * as AsnRsa from '@peculiar/asn1-rsa';
import type * as AsnSchema from '@peculiar/asn1-schema';
import type * as AsnX509 from '@peculiar/asn1-x509';

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

/** What reads certificates. */
type Asn1 = {
  readonly AsnConvert: typeof AsnSchema.AsnConvert;
  readonly Certificate: typeof AsnX509.Certificate;
  readonly RsaSaPssParams: typeof AsnRsa.RsaSaPssParams;
};

const require = createRequire(import.meta.url);
let loaded: Asn1 | null = null;

/** Loaded when the first certificate is seen: it takes as long as half of the program's start. */
function asn1(): Asn1 {
  loaded ??= {
    AsnConvert: (require('@peculiar/asn1-schema') as typeof AsnSchema).AsnConvert,
    Certificate: (require('@peculiar/asn1-x509') as typeof AsnX509).Certificate,
    RsaSaPssParams: (require('@peculiar/asn1-rsa') as typeof AsnRsa).RsaSaPssParams,
  };
  return loaded;
}

/**
 * The hash that binds a SCRAM exchange to the certificate of its server, or null when the signature
 * names no hash function (Ed25519) or one that is not known: RFC 5929 defines no binding then.
 * PostgreSQL and libpq offer and choose it all the same, and fail; without it they log in.
 *
 * @param certificate as it went over the wire: DER. What is none has no binding.
 */
export function endPointHash(certificate: Uint8Array): Buffer | null {
  const name = hashNameOf(certificate);
  return name === null ? null : createHash(name).update(certificate).digest();
}

/** The hash function of the signature of a DER certificate; null when none is known. */
export function hashNameOf(certificate: Uint8Array): string | null {
  const { AsnConvert, Certificate, RsaSaPssParams } = asn1();
  try {
    const { algorithm, parameters } = AsnConvert.parse(certificate, Certificate).signatureAlgorithm;
    if (algorithm !== RSA_PSS) return HASH_OF_SIGNATURE[algorithm] ?? null;
    if (!parameters) return null;
    // Where the parameters name no hash function, it is SHA-1 (RFC 4055), which SHA-256 replaces.
    const { hashAlgorithm } = AsnConvert.parse(parameters, RsaSaPssParams);
    return HASH_OF_DIGEST[hashAlgorithm.algorithm] ?? null;
  } catch {
    return null;
  }
}
