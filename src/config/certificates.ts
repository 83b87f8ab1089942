/** Checks PEM texts before anything uses them, so that a bad file is found at the start. */
import { createPrivateKey, X509Certificate } from 'node:crypto';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** What is wrong with a chain or bundle of certificates, or null. */
export function certificatesProblem(pem: string): string | null {
  const blocks = pem.match(CERTIFICATE);
  if (blocks === null) return 'holds no certificate';
  for (const [at, block] of blocks.entries()) {
    try {
      new X509Certificate(block);
    } catch {
      return `holds a certificate that does not parse (number ${at + 1})`;
    }
  }
  return null;
}

/** What is wrong with a private key, or null. */
export function privateKeyProblem(pem: string): string | null {
  if (!pem.includes('PRIVATE KEY-----')) return 'holds no private key';
  // Both forms of an encrypted key: PKCS #8, and the older header of OpenSSL.
  if (pem.includes('ENCRYPTED PRIVATE KEY') || pem.includes('Proc-Type: 4,ENCRYPTED')) {
    return 'is encrypted';
  }
  try {
    createPrivateKey(pem);
    return null;
  } catch {
    return 'holds a private key that does not parse';
  }
}

/** Whether the first certificate of the chain belongs to the key; both must have parsed. */
export function isPair(certPem: string, keyPem: string): boolean {
  return firstCertificate(certPem).checkPrivateKey(createPrivateKey(keyPem));
}

/** When the first certificate of the chain ends, in milliseconds since 1970. */
export function validUntilMs(certPem: string): number {
  return Date.parse(firstCertificate(certPem).validTo);
}

function firstCertificate(pem: string): X509Certificate {
  return new X509Certificate(pem.match(CERTIFICATE)?.[0] ?? pem);
}
