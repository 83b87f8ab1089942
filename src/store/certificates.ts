/** Certificates for origins: authorities to trust, and certificates to show, keys under seal. */
import { type Selectable, sql } from 'kysely';
import { holdKey } from './held-key.ts';
import {
  type Actor,
  isFull,
  type Listed,
  lockTable,
  note,
  type Page,
  type StoreSession,
} from './session.ts';
import type { CertificateTable } from './tables.ts';

const CERTIFICATES_MAX = 1_000;
const TARGET = 'certificate';

export type CertificateRecord = {
  readonly id: string;
  readonly accountId: string;
  readonly name: string;
  /** An authority; otherwise a certificate to show, with its key. */
  readonly isAuthority: boolean;
  /** PEM text. */
  readonly certificates: string;
  readonly issuer: string;
  readonly serialNumber: string;
  readonly signature: string;
  readonly uploadedOn: Date;
  readonly expiresOn: Date;
};

/** @param privateKey PEM text, or null for an authority */
export type CertificateDraft = Omit<CertificateRecord, 'uploadedOn'> & {
  readonly privateKey: string | null;
};

export const privateKeyContext = (id: string): string => `certificates.private_key:${id}`;

export class CertificateStore {
  readonly #session: StoreSession;

  constructor(session: StoreSession) {
    this.#session = session;
  }

  /** @param name of those that are wanted; null for all */
  async list(
    accountId: string,
    page: Page,
    name: string | null,
  ): Promise<Listed<CertificateRecord>> {
    return await this.#session.run(async (db) => {
      const all = db.selectFrom('certificates').where('account_id', '=', accountId);
      const mine = name === null ? all : all.where('name', '=', name);
      const { total } = await mine
        .select((eb) => eb.fn.countAll<string>().as('total'))
        .executeTakeFirstOrThrow();
      const rows = await mine
        .selectAll()
        .orderBy('uploaded_on')
        .orderBy('id')
        .limit(page.limit)
        .offset(page.offset)
        .execute();
      return { items: rows.map(readCertificate), total: Number(total) };
    });
  }

  async get(accountId: string, id: string): Promise<CertificateRecord | null> {
    const row = await this.#find(accountId, id);
    return row === undefined ? null : readCertificate(row);
  }

  /** With its key, or null when there is no such certificate. */
  async open(
    accountId: string,
    id: string,
  ): Promise<{ record: CertificateRecord; privateKey: string | null } | null> {
    const row = await this.#find(accountId, id);
    if (row === undefined) return null;
    const sealed = row.private_key;
    const privateKey = sealed && this.#session.box.open(sealed, privateKeyContext(id));
    return { record: readCertificate(row), privateKey };
  }

  #find(accountId: string, id: string): Promise<Selectable<CertificateTable> | undefined> {
    return this.#session.run((db) =>
      db
        .selectFrom('certificates')
        .selectAll()
        .where('account_id', '=', accountId)
        .where('id', '=', id)
        .executeTakeFirst(),
    );
  }

  async create(draft: CertificateDraft, actor: Actor): Promise<CertificateRecord | 'too-many'> {
    return await this.#session.run((db) =>
      db.transaction().execute(async (trx) => {
        await holdKey(trx, this.#session.box);
        if (await isFull(trx, 'certificates', CERTIFICATES_MAX)) return 'too-many' as const;
        const { id, name, privateKey } = draft;
        const row = await trx
          .insertInto('certificates')
          .values({
            id,
            account_id: draft.accountId,
            name,
            ca: draft.isAuthority,
            certificates: draft.certificates,
            private_key:
              privateKey === null
                ? null
                : this.#session.box.seal(privateKey, privateKeyContext(id)),
            issuer: draft.issuer,
            serial_number: draft.serialNumber,
            signature: draft.signature,
            uploaded_on: new Date(),
            expires_on: draft.expiresOn,
          })
          .returningAll()
          .executeTakeFirstOrThrow();
        await note(trx, {
          actor,
          action: 'create',
          target: TARGET,
          targetId: id,
          targetName: name,
        });
        return readCertificate(row);
      }),
    );
  }

  /** What was deleted; `in-use` while a configuration names it; null when it is not there. */
  async delete(
    accountId: string,
    id: string,
    actor: Actor,
  ): Promise<CertificateRecord | 'in-use' | null> {
    return await this.#session.run((db) =>
      db.transaction().execute(async (trx) => {
        await lockTable(trx, 'configurations');
        const user = await trx
          .selectFrom('configurations')
          .select('id')
          .where(sql<boolean>`${id} in (mtls->>'ca_certificate_id', mtls->>'mtls_certificate_id')`)
          .executeTakeFirst();
        if (user !== undefined) return 'in-use' as const;
        const row = await trx
          .deleteFrom('certificates')
          .where('account_id', '=', accountId)
          .where('id', '=', id)
          .returningAll()
          .executeTakeFirst();
        if (row === undefined) return null;
        const { name: targetName } = row;
        await note(trx, { actor, action: 'delete', target: TARGET, targetId: id, targetName });
        return readCertificate(row);
      }),
    );
  }
}

export function readCertificate(row: Selectable<CertificateTable>): CertificateRecord {
  return {
    id: row.id,
    accountId: row.account_id,
    name: row.name,
    isAuthority: row.ca,
    certificates: row.certificates,
    issuer: row.issuer,
    serialNumber: row.serial_number,
    signature: row.signature,
    uploadedOn: row.uploaded_on,
    expiresOn: row.expires_on,
  };
}
