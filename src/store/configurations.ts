/** Configurations in the store, and their origin passwords under seal. */
import type { Selectable } from 'kysely';
import { holdKey } from './held-key.ts';
import {
  type Actor,
  isDuplicate,
  isFull,
  type Listed,
  note,
  type Page,
  type StoreSession,
  type Trx,
} from './session.ts';
import type { ConfigurationTable, StoredCaching, StoredMtls, StoredOrigin } from './tables.ts';

const CONFIGURATIONS_MAX = 10_000;

export type ConfigurationDraft = {
  readonly name: string;
  readonly origin: StoredOrigin;
  readonly originPassword: string;
  readonly caching: StoredCaching;
  readonly mtls: StoredMtls;
  /** Null for the default. */
  readonly originConnectionLimit: number | null;
};

export type ConfigurationRecord = ConfigurationDraft & {
  readonly id: string;
  readonly accountId: string;
  readonly createdOn: Date;
  readonly modifiedOn: Date;
  readonly restartedOn: Date | null;
  readonly version: number;
};

/** What can stand in the way of a write, as a value. */
export type WriteResult =
  | ConfigurationRecord
  | 'name-taken'
  | 'too-many'
  | 'changed-meanwhile'
  | 'certificate-gone';

/** Takes a write back whose certificate somebody has deleted since it was looked for. */
class CertificateGone extends Error {}

const TARGET = 'configuration';
export const passwordContext = (id: string): string => `configurations.origin_password:${id}`;

export class ConfigurationStore {
  readonly #session: StoreSession;

  constructor(session: StoreSession) {
    this.#session = session;
  }

  async list(accountId: string, page: Page): Promise<Listed<ConfigurationRecord>> {
    return await this.#session.run(async (db) => {
      const mine = db.selectFrom('configurations').where('account_id', '=', accountId);
      const { total } = await mine
        .select((eb) => eb.fn.countAll<string>().as('total'))
        .executeTakeFirstOrThrow();
      const rows = await mine
        .selectAll()
        .orderBy('created_on')
        .orderBy('id')
        .limit(page.limit)
        .offset(page.offset)
        .execute();
      return { items: rows.map((row) => this.#read(row)), total: Number(total) };
    });
  }

  async get(accountId: string, id: string): Promise<ConfigurationRecord | null> {
    const row = await this.#session.run((db) =>
      db
        .selectFrom('configurations')
        .selectAll()
        .where('account_id', '=', accountId)
        .where('id', '=', id)
        .executeTakeFirst(),
    );
    return row === undefined ? null : this.#read(row);
  }

  /** Names are those of the whole store; null when it is free. */
  async idOfName(name: string): Promise<string | null> {
    const row = await this.#session.run((db) =>
      db.selectFrom('configurations').select('id').where('name', '=', name).executeTakeFirst(),
    );
    return row?.id ?? null;
  }

  async create(
    accountId: string,
    id: string,
    draft: ConfigurationDraft,
    actor: Actor,
  ): Promise<WriteResult> {
    const now = new Date();
    return await this.#write(async (trx) => {
      await holdKey(trx, this.#session.box);
      if (await isFull(trx, 'configurations', CONFIGURATIONS_MAX)) return 'too-many';
      const row = await trx
        .insertInto('configurations')
        .values({
          id,
          account_id: accountId,
          ...this.#columns(id, draft),
          created_on: now,
          modified_on: now,
          restarted_on: null,
          version: 1,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      await this.#holdCertificates(trx, draft.mtls);
      await this.#note(trx, row, 'create', actor);
      return this.#read(row);
    });
  }

  /** Replaces what `before` was read as; refuses when somebody changed it since. */
  async replace(
    before: ConfigurationRecord,
    draft: ConfigurationDraft,
    actor: Actor,
  ): Promise<WriteResult> {
    return await this.#write(async (trx) => {
      await holdKey(trx, this.#session.box);
      const row = await trx
        .updateTable('configurations')
        .set({
          ...this.#columns(before.id, draft),
          modified_on: new Date(),
          version: before.version + 1,
        })
        .where('id', '=', before.id)
        .where('version', '=', before.version)
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) return 'changed-meanwhile';
      await this.#holdCertificates(trx, draft.mtls);
      await this.#note(trx, row, 'update', actor, changedFields(before, draft));
      return this.#read(row);
    });
  }

  /** Asks every gateway for fresh links; null when there is no such configuration. */
  async restart(accountId: string, id: string, actor: Actor): Promise<ConfigurationRecord | null> {
    return await this.#session.run((db) =>
      db.transaction().execute(async (trx) => {
        const row = await trx
          .updateTable('configurations')
          .set({ restarted_on: new Date() })
          .where('account_id', '=', accountId)
          .where('id', '=', id)
          .returningAll()
          .executeTakeFirst();
        if (row === undefined) return null;
        await this.#note(trx, row, 'restart', actor);
        return this.#read(row);
      }),
    );
  }

  /** Whether it was there. Its credentials go with it. */
  async delete(accountId: string, id: string, actor: Actor): Promise<boolean> {
    return await this.#session.run((db) =>
      db.transaction().execute(async (trx) => {
        const row = await trx
          .deleteFrom('configurations')
          .where('account_id', '=', accountId)
          .where('id', '=', id)
          .returningAll()
          .executeTakeFirst();
        if (row === undefined) return false;
        await this.#note(trx, row, 'delete', actor);
        return true;
      }),
    );
  }

  async #write(work: (trx: Trx) => Promise<WriteResult>): Promise<WriteResult> {
    try {
      return await this.#session.run((db) => db.transaction().execute(work));
    } catch (error) {
      if (isDuplicate(error)) return 'name-taken';
      if (error instanceof CertificateGone) return 'certificate-gone';
      throw error;
    }
  }

  /** Who deletes one waits for the end of the write, and then finds it in use. */
  async #holdCertificates(trx: Trx, mtls: StoredMtls): Promise<void> {
    const wanted = certificateIds(mtls);
    if (wanted.length === 0) return;
    const found = await trx
      .selectFrom('certificates')
      .select('id')
      .where('id', 'in', wanted)
      .execute();
    if (found.length < new Set(wanted).size) throw new CertificateGone();
  }

  async #note(
    trx: Trx,
    row: { readonly id: string; readonly name: string },
    action: string,
    actor: Actor,
    fields: readonly string[] = [],
  ): Promise<void> {
    const { id: targetId, name: targetName } = row;
    await note(trx, { actor, action, target: TARGET, targetId, targetName, fields });
  }

  #columns(id: string, draft: ConfigurationDraft) {
    return {
      name: draft.name,
      origin: JSON.stringify(draft.origin),
      origin_password: this.#session.box.seal(draft.originPassword, passwordContext(id)),
      caching: JSON.stringify(draft.caching),
      mtls: JSON.stringify(draft.mtls),
      origin_connection_limit: draft.originConnectionLimit,
    };
  }

  #read(row: Selectable<ConfigurationTable>): ConfigurationRecord {
    return readConfiguration(
      row,
      this.#session.box.open(row.origin_password, passwordContext(row.id)),
    );
  }
}

/** The certificates that a configuration cannot be served without. */
export function certificateIds(mtls: StoredMtls): string[] {
  const { ca_certificate_id: authority, mtls_certificate_id: own } = mtls;
  return [authority, own].filter((id) => id !== undefined);
}

export function readConfiguration(
  row: Selectable<ConfigurationTable>,
  originPassword: string,
): ConfigurationRecord {
  return {
    id: row.id,
    accountId: row.account_id,
    name: row.name,
    origin: row.origin,
    originPassword,
    caching: row.caching,
    mtls: row.mtls,
    originConnectionLimit: row.origin_connection_limit,
    createdOn: row.created_on,
    modifiedOn: row.modified_on,
    restartedOn: row.restarted_on,
    version: row.version,
  };
}

/** Names as in the API of what differs, for the audit log. */
function changedFields(before: ConfigurationDraft, after: ConfigurationDraft): string[] {
  const changed: string[] = [];
  const compare = (field: string, left: unknown, right: unknown) => {
    if (JSON.stringify(left) !== JSON.stringify(right)) changed.push(field);
  };
  compare('name', before.name, after.name);
  for (const key of ['scheme', 'host', 'port', 'database', 'user'] as const) {
    compare(`origin.${key}`, before.origin[key], after.origin[key]);
  }
  compare('origin.password', before.originPassword, after.originPassword);
  for (const key of ['disabled', 'max_age', 'stale_while_revalidate'] as const) {
    compare(`caching.${key}`, before.caching[key], after.caching[key]);
  }
  for (const key of ['ca_certificate_id', 'mtls_certificate_id', 'sslmode'] as const) {
    compare(`mtls.${key}`, before.mtls[key], after.mtls[key]);
  }
  compare('origin_connection_limit', before.originConnectionLimit, after.originConnectionLimit);
  return changed;
}
