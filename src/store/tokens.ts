/** Tokens of the API and the audit log. Of a token only its hash is kept. */
import { createHash } from 'node:crypto';
import type { Selectable } from 'kysely';
import {
  type Actor,
  type AuditNote,
  isFull,
  type Listed,
  note,
  type Page,
  type StoreSession,
} from './session.ts';
import type { AuditTable, TokenTable } from './tables.ts';

const TOKENS_MAX = 1_000;
const TARGET = 'token';

export type TokenScope = 'read' | 'write';

export type TokenRecord = {
  readonly id: string;
  readonly name: string;
  readonly scope: TokenScope;
  readonly createdOn: Date;
  readonly expiresOn: Date | null;
};

export type AuditEntry = {
  readonly id: string;
  readonly at: Date;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly targetId: string;
  readonly targetName: string;
  readonly fields: readonly string[];
};

/** What is kept of a token: it has 256 random bits, so nothing slower is needed. */
export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

export class TokenStore {
  readonly #session: StoreSession;

  constructor(session: StoreSession) {
    this.#session = session;
  }

  async list(): Promise<readonly TokenRecord[]> {
    const rows = await this.#session.run((db) =>
      db.selectFrom('tokens').selectAll().orderBy('created_on').orderBy('id').execute(),
    );
    return rows.map(readToken);
  }

  /** By its hash, so that the time of the look-up says nothing of the token; null when expired. */
  async find(hash: Buffer, now: Date): Promise<TokenRecord | null> {
    const row = await this.#session.run((db) =>
      db.selectFrom('tokens').selectAll().where('hash', '=', hash).executeTakeFirst(),
    );
    if (row === undefined || (row.expires_on !== null && row.expires_on <= now)) return null;
    return readToken(row);
  }

  async create(
    draft: Omit<TokenRecord, 'createdOn'>,
    hash: Buffer,
    actor: Actor,
  ): Promise<TokenRecord | 'too-many'> {
    return await this.#session.run((db) =>
      db.transaction().execute(async (trx) => {
        if (await isFull(trx, 'tokens', TOKENS_MAX)) return 'too-many' as const;
        const { id, name, scope, expiresOn } = draft;
        const row = await trx
          .insertInto('tokens')
          .values({ id, name, scope, hash, created_on: new Date(), expires_on: expiresOn })
          .returningAll()
          .executeTakeFirstOrThrow();
        await note(trx, {
          actor,
          action: 'create',
          target: TARGET,
          targetId: id,
          targetName: name,
        });
        return readToken(row);
      }),
    );
  }

  /** Whether it was there. */
  async delete(id: string, actor: Actor): Promise<boolean> {
    return await this.#session.run((db) =>
      db.transaction().execute(async (trx) => {
        const row = await trx
          .deleteFrom('tokens')
          .where('id', '=', id)
          .returningAll()
          .executeTakeFirst();
        if (row === undefined) return false;
        const { name: targetName } = row;
        await note(trx, { actor, action: 'delete', target: TARGET, targetId: id, targetName });
        return true;
      }),
    );
  }
}

export class AuditStore {
  readonly #session: StoreSession;

  constructor(session: StoreSession) {
    this.#session = session;
  }

  /** Notes what has been done without a change of the store. */
  async add(entry: AuditNote): Promise<void> {
    await this.#session.run((db) => db.transaction().execute((trx) => note(trx, entry)));
  }

  /** The youngest first. */
  async list(page: Page): Promise<Listed<AuditEntry>> {
    return await this.#session.run(async (db) => {
      const { total } = await db
        .selectFrom('audit')
        .select((eb) => eb.fn.countAll<string>().as('total'))
        .executeTakeFirstOrThrow();
      const rows = await db
        .selectFrom('audit')
        .selectAll()
        .orderBy('id', 'desc')
        .limit(page.limit)
        .offset(page.offset)
        .execute();
      return { items: rows.map(readEntry), total: Number(total) };
    });
  }
}

function readToken(row: Selectable<TokenTable>): TokenRecord {
  return {
    id: row.id,
    name: row.name,
    scope: row.scope,
    createdOn: row.created_on,
    expiresOn: row.expires_on,
  };
}

function readEntry(row: Selectable<AuditTable>): AuditEntry {
  return {
    id: String(row.id),
    at: row.at,
    actor: row.actor,
    action: row.action,
    target: row.target,
    targetId: row.target_id,
    targetName: row.target_name,
    fields: row.fields,
  };
}
