/** A certificate authority that lives as long as the cluster, as the roots of RDS do for real. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  BasicConstraints,
  Certificate,
  Extension,
  Extensions,
  GeneralName,
  id_ce_basicConstraints,
  id_ce_subjectAltName,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509';

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const COMMON_NAME = '2.5.4.3';
const CURVE = 'P-256';
const SERIAL_BYTES = 16;

const DAY_MS = 86_400_000;
/** Clocks of a machine and its containers differ a little. */
const BACKDATED_MS = DAY_MS;
const VALID_MS = 30 * DAY_MS;

/** PEM texts; the key is unencrypted PKCS #8. */
export type KeyPair = { readonly cert: string; readonly key: string };

const nameOf = (commonName: string): Name => {
  const value = new AttributeValue({ utf8String: commonName });
  const attribute = new AttributeTypeAndValue({ type: COMMON_NAME, value });
  return new Name([new RelativeDistinguishedName([attribute])]);
};

const extension = (extnID: string, critical: boolean, value: object): Extension =>
  new Extension({
    extnID,
    critical,
    extnValue: new OctetString(AsnConvert.serialize(value)),
  });

const pemOf = (label: string, der: ArrayBuffer): string => {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
};

type Issue = {
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  readonly issuerKey: KeyObject;
  readonly extensions: readonly Extension[];
};

function issue({ subject, issuer, publicKey, issuerKey, extensions }: Issue): string {
  const nowMs = Date.now();
  const serial = randomBytes(SERIAL_BYTES);
  // Positive, and not one byte longer than it says.
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const signature = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: new Uint8Array(serial).buffer,
    signature,
    issuer: nameOf(issuer),
    subject: nameOf(subject),
    validity: new Validity({
      notBefore: new Date(nowMs - BACKDATED_MS),
      notAfter: new Date(nowMs + VALID_MS),
    }),
    subjectPublicKeyInfo: AsnConvert.parse(spki, SubjectPublicKeyInfo),
    extensions: new Extensions([...extensions]),
  });
  const toSign = Buffer.from(AsnConvert.serialize(tbsCertificate));
  const signatureValue = new Uint8Array(sign('sha256', toSign, issuerKey)).buffer;
  const certificate = new Certificate({
    tbsCertificate,
    signatureAlgorithm: signature,
    signatureValue,
  });
  return pemOf('CERTIFICATE', AsnConvert.serialize(certificate));
}

export class CertificateAuthority {
  /** PEM text of its certificate. */
  readonly cert: string;
  readonly #name: string;
  readonly #key: KeyObject;

  constructor(name: string) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: CURVE });
    const isAuthority = extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: true }));
    this.#name = name;
    this.#key = privateKey;
    this.cert = issue({
      subject: name,
      issuer: name,
      publicKey,
      issuerKey: privateKey,
      extensions: [isAuthority],
    });
  }

  /** @param names host names, the first of which is the common name as well */
  issue(names: readonly [string, ...string[]]): KeyPair {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: CURVE });
    const alternatives = names.map((dNSName) => new GeneralName({ dNSName }));
    const cert = issue({
      // A common name has 64 characters at most; names of endpoints may be longer.
      subject: names[0].slice(0, 64),
      issuer: this.#name,
      publicKey,
      issuerKey: this.#key,
      extensions: [
        extension(id_ce_subjectAltName, false, new SubjectAlternativeName(alternatives)),
      ],
    });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { cert, key };
  }
}
