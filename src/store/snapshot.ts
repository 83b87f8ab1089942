/** Everything that a gateway serves from the store, as of one moment, secrets opened. */
import type { Log } from '../base/log.ts';
import { type CertificateRecord, privateKeyContext, readCertificate } from './certificates.ts';
import { type ConfigurationRecord, passwordContext, readConfiguration } from './configurations.ts';
import { type CredentialRecord, readCredential, verifierContext } from './credentials.ts';
import { CHECK_CONTEXT } from './held-key.ts';
import type { SecretBox } from './secrets.ts';
import type { Db } from './session.ts';

export type Snapshot = {
  readonly configurations: readonly ConfigurationRecord[];
  readonly credentials: readonly (CredentialRecord & { readonly verifier: string })[];
  readonly certificates: readonly (CertificateRecord & { readonly privateKey: string | null })[];
};

/**
 * Rows whose secrets cannot be opened are left out and told: the others are served anyway.
 * @throws GatewayError `MR_STORE_KEY` when all are under another key: they are not gone then
 */
export async function readSnapshot(db: Db, box: SecretBox, log: Log): Promise<Snapshot> {
  const rows = await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (trx) => {
      const key = await trx.selectFrom('key_check').selectAll().executeTakeFirstOrThrow();
      box.open(key.sealed, CHECK_CONTEXT);
      return {
        configurations: await trx.selectFrom('configurations').selectAll().execute(),
        credentials: await trx.selectFrom('credentials').selectAll().execute(),
        certificates: await trx.selectFrom('certificates').selectAll().execute(),
      };
    });
  const opened = <Row extends { readonly id: string }, T>(
    table: string,
    list: readonly Row[],
    open: (row: Row) => T,
  ): T[] =>
    list.flatMap((row) => {
      try {
        return [open(row)];
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        log.error({ table, id: row.id, reason }, 'a row of the store is left out');
        return [];
      }
    });
  return {
    configurations: opened('configurations', rows.configurations, (row) =>
      readConfiguration(row, box.open(row.origin_password, passwordContext(row.id))),
    ),
    credentials: opened('credentials', rows.credentials, (row) => ({
      ...readCredential(row),
      verifier: box.open(row.verifier, verifierContext(row.id)),
    })),
    certificates: opened('certificates', rows.certificates, (row) => ({
      ...readCertificate(row),
      privateKey: row.private_key && box.open(row.private_key, privateKeyContext(row.id)),
    })),
  };
}
