/** Users and roles, and the policies that are written into them. */
import type { Selectable } from 'kysely';
import { changeIdentities } from './iam-change.ts';
import type { PrincipalTable } from './iam-schema.ts';
import { type Actor, isDuplicate, isFull, note, type StoreSession, type Trx } from './session.ts';

/** Users and roles of all accounts: gateways have them in memory, with their policies. */
const PRINCIPALS_MAX = 1_000;
const POLICIES_PER_PRINCIPAL_MAX = 10;

export type PrincipalKind = PrincipalTable['kind'];

export type PrincipalRecord = {
  readonly id: string;
  readonly accountId: string;
  readonly kind: PrincipalKind;
  readonly name: string;
  /** Null of a user. */
  readonly trustPolicy: string | null;
  readonly maxSessionS: number;
  readonly createdOn: Date;
};

export type PolicyRecord = {
  readonly name: string;
  /** JSON text, as it was given. */
  readonly document: string;
  readonly modifiedOn: Date;
};

/** Who is meant: names of users and of roles do not stand in each other's way. */
export type PrincipalName = Pick<PrincipalRecord, 'accountId' | 'kind' | 'name'>;

/** Documents are checked by whoever writes them. */
export class PrincipalStore {
  readonly #session: StoreSession;

  constructor(session: StoreSession) {
    this.#session = session;
  }

  async list(accountId: string, kind: PrincipalKind): Promise<readonly PrincipalRecord[]> {
    const rows = await this.#session.run((db) =>
      db
        .selectFrom('iam_principals')
        .selectAll()
        .where('account_id', '=', accountId)
        .where('kind', '=', kind)
        .orderBy('name')
        .execute(),
    );
    return rows.map(readPrincipal);
  }

  async get({ accountId, kind, name }: PrincipalName): Promise<PrincipalRecord | null> {
    const row = await this.#session.run((db) =>
      db
        .selectFrom('iam_principals')
        .selectAll()
        .where('account_id', '=', accountId)
        .where('kind', '=', kind)
        .where('name', '=', name)
        .executeTakeFirst(),
    );
    return row === undefined ? null : readPrincipal(row);
  }

  async create(
    draft: Omit<PrincipalRecord, 'createdOn'>,
    actor: Actor,
  ): Promise<PrincipalRecord | 'name-taken' | 'too-many'> {
    try {
      return await changeIdentities(this.#session, async (trx) => {
        if (await isFull(trx, 'iam_principals', PRINCIPALS_MAX)) return 'too-many' as const;
        const row = await trx
          .insertInto('iam_principals')
          .values({
            id: draft.id,
            account_id: draft.accountId,
            kind: draft.kind,
            name: draft.name,
            trust_policy: draft.trustPolicy,
            max_session_s: draft.maxSessionS,
            created_on: new Date(),
          })
          .returningAll()
          .executeTakeFirstOrThrow();
        await noteOf(trx, row, 'create', actor);
        return readPrincipal(row);
      });
    } catch (error) {
      if (isDuplicate(error)) return 'name-taken';
      throw error;
    }
  }

  /** With its keys, policies and sessions. Whether it was there. */
  async delete({ accountId, kind, name }: PrincipalName, actor: Actor): Promise<boolean> {
    return await changeIdentities(this.#session, async (trx) => {
      const row = await trx
        .deleteFrom('iam_principals')
        .where('account_id', '=', accountId)
        .where('kind', '=', kind)
        .where('name', '=', name)
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) return false;
      await noteOf(trx, row, 'delete', actor);
      return true;
    });
  }

  async policies(principalId: string): Promise<readonly PolicyRecord[]> {
    const rows = await this.#session.run((db) =>
      db
        .selectFrom('iam_policies')
        .selectAll()
        .where('principal_id', '=', principalId)
        .orderBy('name')
        .execute(),
    );
    return rows.map((row) => ({
      name: row.name,
      document: row.document,
      modifiedOn: row.modified_on,
    }));
  }

  /** Writes a policy, in place of one of the same name. */
  async putPolicy(
    principalId: string,
    policy: Pick<PolicyRecord, 'name' | 'document'>,
    actor: Actor,
  ): Promise<'done' | 'gone' | 'too-many'> {
    return await changeIdentities(this.#session, async (trx) => {
      const owner = await lockPrincipal(trx, principalId);
      if (owner === null) return 'gone';
      const { name, document } = policy;
      const others = await trx
        .selectFrom('iam_policies')
        .select('name')
        .where('principal_id', '=', principalId)
        .where('name', '!=', name)
        .execute();
      if (others.length >= POLICIES_PER_PRINCIPAL_MAX) return 'too-many';
      const changed = { document, modified_on: new Date() };
      await trx
        .insertInto('iam_policies')
        .values({ principal_id: principalId, name, ...changed })
        .onConflict((conflict) => conflict.columns(['principal_id', 'name']).doUpdateSet(changed))
        .execute();
      await noteOf(trx, owner, 'put-policy', actor, [name]);
      return 'done';
    });
  }

  /** Whether it was there. */
  async deletePolicy(principalId: string, name: string, actor: Actor): Promise<boolean> {
    return await changeIdentities(this.#session, async (trx) => {
      const owner = await lockPrincipal(trx, principalId);
      if (owner === null) return false;
      const { numDeletedRows: count } = await trx
        .deleteFrom('iam_policies')
        .where('principal_id', '=', principalId)
        .where('name', '=', name)
        .executeTakeFirstOrThrow();
      if (count > 0n) await noteOf(trx, owner, 'delete-policy', actor, [name]);
      return count > 0n;
    });
  }
}

export type PrincipalRow = Selectable<PrincipalTable>;

/** Holds a principal until the transaction ends; null when there is none. */
export async function lockPrincipal(trx: Trx, id: string): Promise<PrincipalRow | null> {
  const row = await trx
    .selectFrom('iam_principals')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
  return row ?? null;
}

async function noteOf(
  trx: Trx,
  row: PrincipalRow,
  action: string,
  actor: Actor,
  fields: readonly string[] = [],
): Promise<void> {
  const { id: targetId, name: targetName, kind: target } = row;
  await note(trx, { actor, action, target, targetId, targetName, fields });
}

export function readPrincipal(row: PrincipalRow): PrincipalRecord {
  return {
    id: row.id,
    accountId: row.account_id,
    kind: row.kind,
    name: row.name,
    trustPolicy: row.trust_policy,
    maxSessionS: row.max_session_s,
    createdOn: row.created_on,
  };
}
