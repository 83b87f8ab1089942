/** A certificate authority of Millrace's own, where AWS has one that the world trusts. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
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
/** Of a server's certificate; who keeps a server up for longer asks for another one in time. */
export const CERTIFICATE_MS = 30 * DAY_MS;
const AUTHORITY_MS = 3_650 * DAY_MS;

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
  readonly validMs: number;
};

function issue({ subject, issuer, publicKey, issuerKey, extensions, validMs }: Issue): string {
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
      notAfter: new Date(nowMs + validMs),
    }),
    subjectPublicKeyInfo: AsnConvert.parse(spki, SubjectPublicKeyInfo),
    extensions: new Extensions([...extensions, ...keyIdentifiers(publicKey, issuerKey)]),
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

/** Which keys belong together: some clients take no chain that does not say it (RFC 5280). */
function keyIdentifiers(publicKey: KeyObject, issuerKey: KeyObject): Extension[] {
  const own = new SubjectKeyIdentifier(identifierOf(publicKey));
  const keyIdentifier = new KeyIdentifier(identifierOf(createPublicKey(issuerKey)));
  return [
    extension(id_ce_subjectKeyIdentifier, false, own),
    extension(id_ce_authorityKeyIdentifier, false, new AuthorityKeyIdentifier({ keyIdentifier })),
  ];
}

function identifierOf(publicKey: KeyObject): ArrayBuffer {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return new Uint8Array(createHash('sha1').update(der).digest()).buffer;
}

/** No name of a host is made of digits and dots alone, or has a colon. */
const isAddress = (name: string): boolean => /^[\d.]+$|:/.test(name);

const newKeys = () => generateKeyPairSync('ec', { namedCurve: CURVE });

export class CertificateAuthority {
  /** PEM text of its certificate. */
  readonly cert: string;
  readonly #name: string;
  readonly #key: KeyObject;

  /** @param kept what {@link keyPair} gave before; without it the authority is a new one */
  constructor(name: string, kept?: KeyPair) {
    this.#name = name;
    const key = kept === undefined ? newKeys().privateKey : createPrivateKey(kept.key);
    this.#key = key;
    this.cert = kept?.cert ?? authorityCertificate(name, key);
  }

  /** To be kept where nobody else reads it. */
  keyPair(): KeyPair {
    return { cert: this.cert, key: pemOfKey(this.#key) };
  }

  /** @param names host names and addresses; the first is the common name as well */
  issue(names: readonly [string, ...string[]]): KeyPair {
    const { publicKey, privateKey } = newKeys();
    const alternatives = names.map((name) =>
      isAddress(name) ? new GeneralName({ iPAddress: name }) : new GeneralName({ dNSName: name }),
    );
    const cert = issue({
      // A common name has 64 characters at most; names of endpoints may be longer.
      subject: names[0].slice(0, 64),
      issuer: this.#name,
      publicKey,
      issuerKey: this.#key,
      validMs: CERTIFICATE_MS,
      extensions: [
        extension(id_ce_subjectAltName, false, new SubjectAlternativeName(alternatives)),
        extension(id_ce_extKeyUsage, false, new ExtendedKeyUsage([id_kp_serverAuth])),
      ],
    });
    return { cert, key: pemOfKey(privateKey) };
  }
}

function authorityCertificate(name: string, key: KeyObject): string {
  const usage = new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign);
  return issue({
    subject: name,
    issuer: name,
    publicKey: createPublicKey(key),
    issuerKey: key,
    validMs: AUTHORITY_MS,
    extensions: [
      extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: true })),
      extension(id_ce_keyUsage, true, usage),
    ],
  });
}

const pemOfKey = (key: KeyObject): string =>
  key.export({ type: 'pkcs8', format: 'pem' }).toString();
