/** Clusters of the DSQL endpoint: what is kept of them. */
import type { Selectable } from 'kysely';
import { changeIdentities, sealIdentities } from './iam-change.ts';
import type { ClusterTable } from './iam-schema.ts';
import { type Actor, note, type StoreSession, type Trx } from './session.ts';

/** Of one account in one region, as at AWS. */
export const CLUSTERS_MAX = 20;
const TARGET = 'cluster';

export type StoredCluster = {
  /** 26 characters of a-z and 0-9. */
  readonly id: string;
  readonly region: string;
  /** Twelve digits. */
  readonly accountId: string;
  readonly status: ClusterTable['status'];
  /** The place of an embedded server's data, by its name: only who has that can run it. */
  readonly home: string;
  readonly createdAtMs: number;
  readonly isDeletionProtected: boolean;
  readonly tags: Readonly<Record<string, string>>;
  /** JSON text of its resource policy, or null. */
  readonly policy: string | null;
  /** Of the policy, or of the last one that there was; 0 before the first. */
  readonly policyVersion: number;
  /**
   * The PostgreSQL servers below: URLs of one database, of which the one that takes writes is used;
   * empty for an embedded server of its own. They hold passwords.
   */
  readonly originUrls: readonly string[];
  /** 32 random bytes that the passwords of its roles in PostgreSQL are derived from. */
  readonly roleSecret: Buffer;
};

export type ClusterDraft = Omit<StoredCluster, 'status' | 'createdAtMs' | 'policyVersion'> & {
  /** Of the request: one that is sent again with it makes no second cluster. Null for none. */
  readonly clientToken: string | null;
  /** Of all that the request asks for. */
  readonly requestHash: string;
};

export type PolicyChange = {
  readonly policy: string;
  /** Refused unless this is the version now; null for any. */
  readonly expectedVersion: string | null;
  readonly clientToken: string | null;
};

export const originUrlsContext = (id: string): string => `dsql_clusters.origin_urls:${id}`;
export const roleSecretContext = (id: string): string => `dsql_clusters.role_secret:${id}`;

export class ClusterStore {
  readonly #session: StoreSession;

  constructor(session: StoreSession) {
    this.#session = session;
  }

  /** In the order they were made. */
  async list(): Promise<readonly StoredCluster[]> {
    const rows = await this.#session.run((db) =>
      db.selectFrom('dsql_clusters').selectAll().orderBy('created_on').orderBy('id').execute(),
    );
    return rows.map((row) => this.#read(row));
  }

  async get(id: string): Promise<StoredCluster | null> {
    const row = await this.#session.run((db) =>
      db.selectFrom('dsql_clusters').selectAll().where('id', '=', id).executeTakeFirst(),
    );
    return row === undefined ? null : this.#read(row);
  }

  /** In status CREATING; `isNew` is false for what an earlier request with the token has made. */
  async create(
    draft: ClusterDraft,
    actor: Actor,
  ): Promise<{ readonly cluster: StoredCluster; readonly isNew: boolean } | CreateRefusal> {
    const { box } = this.#session;
    return await sealIdentities(this.#session, async (trx) => {
      const { id, accountId, region, clientToken, requestHash, policy } = draft;
      const mine = trx
        .selectFrom('dsql_clusters')
        .selectAll()
        .where('account_id', '=', accountId)
        .where('region', '=', region);
      const known = await mine.execute();
      const same = known.find((row) => clientToken !== null && row.client_token === clientToken);
      if (same !== undefined) {
        if (same.request_hash !== requestHash) return 'token-reused';
        return { cluster: this.#read(same), isNew: false };
      }
      if (known.length >= CLUSTERS_MAX) return 'too-many';
      const row = await trx
        .insertInto('dsql_clusters')
        .values({
          id,
          account_id: accountId,
          region,
          status: 'CREATING',
          home: draft.home,
          created_on: new Date(),
          is_deletion_protected: draft.isDeletionProtected,
          tags: JSON.stringify(draft.tags),
          policy,
          policy_version: policy === null ? 0 : 1,
          policy_token: null,
          origin_urls: box.seal(JSON.stringify(draft.originUrls), originUrlsContext(id)),
          role_secret: box.seal(draft.roleSecret.toString('hex'), roleSecretContext(id)),
          client_token: clientToken,
          request_hash: requestHash,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      await noteOf(trx, id, 'create', actor);
      return { cluster: this.#read(row), isNew: true };
    });
  }

  /** What its making came to; nothing when somebody deletes it meanwhile. */
  async settle(id: string, status: 'ACTIVE' | 'FAILED', actor: Actor): Promise<void> {
    await changeIdentities(this.#session, async (trx) => {
      const row = await trx
        .updateTable('dsql_clusters')
        .set({ status })
        .where('id', '=', id)
        .where('status', '=', 'CREATING')
        .returning('id')
        .executeTakeFirst();
      if (row !== undefined) await noteOf(trx, id, status.toLowerCase(), actor);
    });
  }

  async protect(
    id: string,
    isDeletionProtected: boolean,
    actor: Actor,
  ): Promise<StoredCluster | null> {
    return await this.#change(id, actor, 'update', ['deletionProtectionEnabled'], (row) =>
      row.is_deletion_protected === isDeletionProtected
        ? null
        : { is_deletion_protected: isDeletionProtected },
    );
  }

  /** From now on it is DELETING. */
  async beginDelete(id: string, actor: Actor): Promise<StoredCluster | 'protected' | null> {
    let isProtected = false;
    const changed = await this.#change(id, actor, 'delete', [], (row) => {
      isProtected = row.is_deletion_protected && row.status !== 'DELETING';
      return isProtected || row.status === 'DELETING' ? null : { status: 'DELETING' };
    });
    return isProtected ? 'protected' : changed;
  }

  /** Forgets it at last. */
  async remove(id: string, actor: Actor): Promise<void> {
    await changeIdentities(this.#session, async (trx) => {
      const row = await trx
        .deleteFrom('dsql_clusters')
        .where('id', '=', id)
        .returning('id')
        .executeTakeFirst();
      if (row !== undefined) await noteOf(trx, id, 'deleted', actor);
    });
  }

  /** @param change gives all tags that there are to be, or null to refuse */
  async setTags(
    id: string,
    change: (tags: StoredCluster['tags']) => StoredCluster['tags'] | null,
    actor: Actor,
  ): Promise<StoredCluster | 'refused' | null> {
    let isRefused = false;
    const changed = await this.#change(id, actor, 'tag', ['tags'], (row) => {
      const tags = change(row.tags);
      isRefused = tags === null;
      return tags === null ? null : { tags: JSON.stringify(tags) };
    });
    return isRefused ? 'refused' : changed;
  }

  async putPolicy(
    id: string,
    { policy, expectedVersion, clientToken }: PolicyChange,
    actor: Actor,
  ): Promise<StoredCluster | 'other-version' | 'token-reused' | null> {
    let refusal: 'other-version' | 'token-reused' | null = null;
    const changed = await this.#change(id, actor, 'put-policy', ['policy'], (row) => {
      if (clientToken !== null && row.policy_token === clientToken) {
        if (row.policy !== policy) refusal = 'token-reused';
        return null;
      }
      if (expectedVersion !== null && expectedVersion !== versionOf(row)) {
        refusal = 'other-version';
        return null;
      }
      return { policy, policy_version: row.policy_version + 1, policy_token: clientToken };
    });
    return refusal ?? changed;
  }

  async deletePolicy(
    id: string,
    expectedVersion: string | null,
    actor: Actor,
  ): Promise<StoredCluster | 'other-version' | 'no-policy' | null> {
    let refusal: 'other-version' | 'no-policy' | null = null;
    const changed = await this.#change(id, actor, 'delete-policy', ['policy'], (row) => {
      if (row.policy === null) refusal = 'no-policy';
      else if (expectedVersion !== null && expectedVersion !== versionOf(row)) {
        refusal = 'other-version';
      }
      return refusal === null ? { policy: null, policy_token: null } : null;
    });
    return refusal ?? changed;
  }

  /** @param work what is to be written, or null for nothing */
  async #change(
    id: string,
    actor: Actor,
    action: string,
    fields: readonly string[],
    work: (row: ClusterRow) => ClusterChange | null,
  ): Promise<StoredCluster | null> {
    return await changeIdentities(this.#session, async (trx) => {
      const found = trx.selectFrom('dsql_clusters').selectAll().where('id', '=', id);
      const row = await found.executeTakeFirst();
      if (row === undefined) return null;
      const change = work(row);
      if (change === null) return this.#read(row);
      const changed = await trx
        .updateTable('dsql_clusters')
        .set(change)
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirstOrThrow();
      await noteOf(trx, id, action, actor, fields);
      return this.#read(changed);
    });
  }

  #read(row: ClusterRow): StoredCluster {
    const { box } = this.#session;
    const { id } = row;
    return {
      id,
      region: row.region,
      accountId: row.account_id,
      status: row.status,
      home: row.home,
      createdAtMs: row.created_on.getTime(),
      isDeletionProtected: row.is_deletion_protected,
      tags: row.tags,
      policy: row.policy,
      policyVersion: row.policy_version,
      originUrls: JSON.parse(box.open(row.origin_urls, originUrlsContext(id))) as string[],
      roleSecret: Buffer.from(box.open(row.role_secret, roleSecretContext(id)), 'hex'),
    };
  }
}

/** Too many of the account in the region; or the token stands for something else. */
export type CreateRefusal = 'too-many' | 'token-reused';

type ClusterRow = Selectable<ClusterTable>;

type ClusterChange = {
  readonly status?: ClusterTable['status'];
  readonly is_deletion_protected?: boolean;
  readonly tags?: string;
  readonly policy?: string | null;
  readonly policy_version?: number;
  readonly policy_token?: string | null;
};

/** The version of a policy as the API has it; of none there is no version. */
const versionOf = ({ policy, policy_version }: ClusterRow): string | null =>
  policy === null ? null : String(policy_version);

async function noteOf(
  trx: Trx,
  id: string,
  action: string,
  actor: Actor,
  fields: readonly string[] = [],
): Promise<void> {
  await note(trx, { actor, action, target: TARGET, targetId: id, targetName: id, fields });
}
