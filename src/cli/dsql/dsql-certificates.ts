/** The certificate of the DSQL endpoint, where nobody has given one. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { GatewayError } from '../../base/errors.ts';
import { CertificateAuthority, type KeyPair } from '../../embedded/certificates.ts';

/** In the data directory; clients are given the first, nobody is given the second. */
const CA_FILE = 'dsql-ca.pem';
const CA_KEY_FILE = 'dsql-ca.key';
const NAME = 'Millrace development authority';

export type DsqlCertificates = {
  readonly authority: CertificateAuthority;
  /** Where clients find the certificate of the authority. */
  readonly caFile: string;
};

/**
 * The authority of this data directory, made at its first use.
 * @param directory exists, and belongs to this user
 * @throws GatewayError `MR_CONFIG_INVALID` when its files cannot be read or used
 */
export async function openAuthority(directory: string): Promise<DsqlCertificates> {
  const caFile = resolve(directory, CA_FILE);
  const keyFile = resolve(directory, CA_KEY_FILE);
  const kept = await readKept(caFile, keyFile);
  try {
    const authority = new CertificateAuthority(NAME, kept ?? undefined);
    if (kept === null) await keep(authority.keyPair(), caFile, keyFile);
    return { authority, caFile };
  } catch (cause) {
    const subject = `the authority in ${caFile} and ${keyFile} cannot be used; remove both`;
    throw new GatewayError('MR_CONFIG_INVALID', { subject, cause });
  }
}

/** Names of clusters in a region, and what stands for this machine. */
export function serverCertificate(
  authority: CertificateAuthority,
  region: string,
  address: string,
): KeyPair {
  return authority.issue([`*.dsql.${region}.on.aws`, 'localhost', '127.0.0.1', address]);
}

async function readKept(caFile: string, keyFile: string): Promise<KeyPair | null> {
  try {
    return { cert: await readFile(caFile, 'utf8'), key: await readFile(keyFile, 'utf8') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    const subject = `${caFile} or ${keyFile} cannot be read`;
    throw new GatewayError('MR_CONFIG_INVALID', { subject, cause: error });
  }
}

async function keep({ cert, key }: KeyPair, caFile: string, keyFile: string): Promise<void> {
  await rm(keyFile, { force: true });
  await rm(caFile, { force: true });
  await writeFile(keyFile, key, { mode: 0o600, flag: 'wx' });
  await writeFile(caFile, cert, { mode: 0o644, flag: 'wx' });
}
