/** Whom a configuration of the store lets in. */
import type { Selectable } from 'kysely';
import { holdKey } from './held-key.ts';
import { type Actor, isDuplicate, lockTable, note, type StoreSession } from './session.ts';
import type { CredentialTable } from './tables.ts';

const CREDENTIALS_PER_CONFIGURATION_MAX = 1_000;
const TARGET = 'credential';

export type CredentialRecord = {
  readonly id: string;
  readonly configurationId: string;
  readonly user: string;
  readonly createdOn: Date;
  /** From then on it lets nobody in. */
  readonly expiresOn: Date | null;
};

export type CredentialDraft = {
  readonly id: string;
  readonly user: string;
  /** As in `pg_authid`. */
  readonly verifier: string;
  readonly expiresOn: Date | null;
};

export const verifierContext = (id: string): string => `credentials.verifier:${id}`;

export class CredentialStore {
  readonly #session: StoreSession;

  constructor(session: StoreSession) {
    this.#session = session;
  }

  async list(configurationId: string): Promise<readonly CredentialRecord[]> {
    const rows = await this.#session.run((db) =>
      db
        .selectFrom('credentials')
        .selectAll()
        .where('configuration_id', '=', configurationId)
        .orderBy('created_on')
        .orderBy('id')
        .execute(),
    );
    return rows.map(readCredential);
  }

  async get(configurationId: string, id: string): Promise<CredentialRecord | null> {
    const row = await this.#session.run((db) =>
      db
        .selectFrom('credentials')
        .selectAll()
        .where('configuration_id', '=', configurationId)
        .where('id', '=', id)
        .executeTakeFirst(),
    );
    return row === undefined ? null : readCredential(row);
  }

  /** @param replacing expires at `replacedUntil` unless it does so earlier */
  async create(
    configurationId: string,
    draft: CredentialDraft,
    actor: Actor,
    replacing: { readonly id: string; readonly until: Date } | null = null,
  ): Promise<CredentialRecord | 'name-taken' | 'too-many' | 'configuration-gone'> {
    try {
      return await this.#session.run((db) =>
        db.transaction().execute(async (trx) => {
          await holdKey(trx, this.#session.box);
          // In the order in which a configuration is deleted with what it has.
          const owner = await trx
            .selectFrom('configurations')
            .select('id')
            .where('id', '=', configurationId)
            .forKeyShare()
            .executeTakeFirst();
          if (owner === undefined) return 'configuration-gone' as const;
          await lockTable(trx, 'credentials');
          const { count } = await trx
            .selectFrom('credentials')
            .select((eb) => eb.fn.countAll<string>().as('count'))
            .where('configuration_id', '=', configurationId)
            .executeTakeFirstOrThrow();
          if (Number(count) >= CREDENTIALS_PER_CONFIGURATION_MAX) return 'too-many' as const;
          const row = await trx
            .insertInto('credentials')
            .values({
              id: draft.id,
              configuration_id: configurationId,
              user_name: draft.user,
              verifier: this.#session.box.seal(draft.verifier, verifierContext(draft.id)),
              created_on: new Date(),
              expires_on: draft.expiresOn,
            })
            .returningAll()
            .executeTakeFirstOrThrow();
          if (replacing !== null) {
            await trx
              .updateTable('credentials')
              .set({ expires_on: replacing.until })
              .where('id', '=', replacing.id)
              .where((eb) =>
                eb.or([eb('expires_on', 'is', null), eb('expires_on', '>', replacing.until)]),
              )
              .execute();
          }
          await note(trx, {
            actor,
            action: replacing === null ? 'create' : 'rotate',
            target: TARGET,
            targetId: draft.id,
            targetName: draft.user,
          });
          return readCredential(row);
        }),
      );
    } catch (error) {
      if (isDuplicate(error)) return 'name-taken';
      throw error;
    }
  }

  /** Whether it was there. */
  async delete(configurationId: string, id: string, actor: Actor): Promise<boolean> {
    return await this.#session.run((db) =>
      db.transaction().execute(async (trx) => {
        const row = await trx
          .deleteFrom('credentials')
          .where('configuration_id', '=', configurationId)
          .where('id', '=', id)
          .returningAll()
          .executeTakeFirst();
        if (row === undefined) return false;
        const { user_name: targetName } = row;
        await note(trx, { actor, action: 'delete', target: TARGET, targetId: id, targetName });
        return true;
      }),
    );
  }
}

export function readCredential(row: Selectable<CredentialTable>): CredentialRecord {
  return {
    id: row.id,
    configurationId: row.configuration_id,
    user: row.user_name,
    createdOn: row.created_on,
    expiresOn: row.expires_on,
  };
}
