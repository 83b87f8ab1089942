/** Keys that users sign with, and those of sessions of roles. */
import type { Selectable } from 'kysely';
import { changeIdentities, sealIdentities } from './iam-change.ts';
import type { AccessKeyTable } from './iam-schema.ts';
import { lockPrincipal } from './principals.ts';
import { type Actor, isFull, note, type StoreSession } from './session.ts';

/** As at AWS. */
const KEYS_PER_USER_MAX = 2;
/** Sessions that have not ended. */
const SESSIONS_MAX = 10_000;
const TARGET = 'access-key';

export type AccessKeyRecord = {
  readonly id: string;
  readonly principalId: string;
  readonly isActive: boolean;
  readonly createdOn: Date;
};

export type StsSessionDraft = {
  readonly id: string;
  /** Of the role. */
  readonly principalId: string;
  readonly sessionName: string;
  readonly secretKey: string;
  readonly token: string;
  readonly expiresOn: Date;
};

export const secretContext = (id: string): string => `iam_access_keys.secret:${id}`;
export const credentialContext = (id: string): string => `sts_sessions.credential:${id}`;

export class AccessKeyStore {
  readonly #session: StoreSession;

  constructor(session: StoreSession) {
    this.#session = session;
  }

  async list(principalId: string): Promise<readonly AccessKeyRecord[]> {
    const rows = await this.#session.run((db) =>
      db
        .selectFrom('iam_access_keys')
        .selectAll()
        .where('principal_id', '=', principalId)
        .orderBy('created_on')
        .orderBy('id')
        .execute(),
    );
    return rows.map(readAccessKey);
  }

  /** The secret of a key; for whoever shows it again to the one it was made for. */
  async secretOf(id: string): Promise<string | null> {
    const row = await this.#session.run((db) =>
      db.selectFrom('iam_access_keys').select('secret').where('id', '=', id).executeTakeFirst(),
    );
    return row === undefined ? null : this.#session.box.open(row.secret, secretContext(id));
  }

  async create(
    principalId: string,
    key: { readonly id: string; readonly secretKey: string },
    actor: Actor,
  ): Promise<AccessKeyRecord | 'gone' | 'too-many'> {
    const { box } = this.#session;
    return await sealIdentities(this.#session, async (trx) => {
      const owner = await lockPrincipal(trx, principalId);
      if (owner === null) return 'gone' as const;
      const others = await trx
        .selectFrom('iam_access_keys')
        .select('id')
        .where('principal_id', '=', principalId)
        .execute();
      if (others.length >= KEYS_PER_USER_MAX) return 'too-many' as const;
      const row = await trx
        .insertInto('iam_access_keys')
        .values({
          id: key.id,
          principal_id: principalId,
          secret: box.seal(key.secretKey, secretContext(key.id)),
          is_active: true,
          created_on: new Date(),
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      const { name: targetName } = owner;
      await note(trx, { actor, action: 'create', target: TARGET, targetId: key.id, targetName });
      return readAccessKey(row);
    });
  }

  /** Whether it was there. */
  async setActive(
    principalId: string,
    id: string,
    isActive: boolean,
    actor: Actor,
  ): Promise<boolean> {
    return await changeIdentities(this.#session, async (trx) => {
      const owner = await lockPrincipal(trx, principalId);
      const row = await trx
        .updateTable('iam_access_keys')
        .set({ is_active: isActive })
        .where('principal_id', '=', principalId)
        .where('id', '=', id)
        .returning('id')
        .executeTakeFirst();
      if (owner === null || row === undefined) return false;
      const action = isActive ? 'activate' : 'deactivate';
      await note(trx, { actor, action, target: TARGET, targetId: id, targetName: owner.name });
      return true;
    });
  }

  /** Whether it was there. */
  async delete(principalId: string, id: string, actor: Actor): Promise<boolean> {
    return await changeIdentities(this.#session, async (trx) => {
      const owner = await lockPrincipal(trx, principalId);
      const { numDeletedRows: count } = await trx
        .deleteFrom('iam_access_keys')
        .where('principal_id', '=', principalId)
        .where('id', '=', id)
        .executeTakeFirstOrThrow();
      if (owner === null || count === 0n) return false;
      const { name: targetName } = owner;
      await note(trx, { actor, action: 'delete', target: TARGET, targetId: id, targetName });
      return true;
    });
  }

  /** Keeps a session of a role; those that have ended are removed on the way. */
  async addSession(draft: StsSessionDraft, actor: Actor): Promise<'done' | 'gone' | 'too-many'> {
    const { box } = this.#session;
    const now = new Date();
    return await sealIdentities(this.#session, async (trx) => {
      const role = await lockPrincipal(trx, draft.principalId);
      if (role === null) return 'gone';
      await trx.deleteFrom('sts_sessions').where('expires_on', '<=', now).execute();
      if (await isFull(trx, 'sts_sessions', SESSIONS_MAX)) return 'too-many';
      const { id, principalId, sessionName, secretKey, token, expiresOn } = draft;
      const credential = JSON.stringify({ secretKey, token });
      await trx
        .insertInto('sts_sessions')
        .values({
          id,
          principal_id: principalId,
          session_name: sessionName,
          credential: box.seal(credential, credentialContext(id)),
          created_on: now,
          expires_on: expiresOn,
        })
        .execute();
      const entry = { target: 'role', targetId: principalId, targetName: role.name };
      await note(trx, { actor, action: 'assume', ...entry, fields: [sessionName] });
      return 'done';
    });
  }
}

function readAccessKey(row: Selectable<AccessKeyTable>): AccessKeyRecord {
  return {
    id: row.id,
    principalId: row.principal_id,
    isActive: row.is_active,
    createdOn: row.created_on,
  };
}
