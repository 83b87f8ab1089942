/** What the parts of the store share: its database when it is ready, and its secrets. */
import { type Kysely, sql, type Transaction } from 'kysely';
import type { SecretBox } from './secrets.ts';
import type { AuditTable, Tables } from './tables.ts';

export type Db = Kysely<Tables>;
export type Trx = Transaction<Tables>;

export type StoreSession = {
  /**
   * Runs work on the store, which is made ready first.
   * @throws GatewayError `MR_STORE_UNAVAILABLE`, and what the work throws
   */
  run<T>(work: (db: Db) => Promise<T>): Promise<T>;
  readonly box: SecretBox;
};

/** Who changes something: the name of a token, or of a part of the program. */
export type Actor = string;

/** What an entry of the audit log says, without its time. */
export type AuditNote = {
  readonly actor: Actor;
  readonly action: string;
  readonly target: string;
  readonly targetId: string;
  readonly targetName: string;
  readonly fields?: readonly string[];
};

/** The log keeps so many entries; the oldest go. */
const AUDIT_ENTRIES_MAX = 100_000;

/** Writes an entry in the transaction of the change itself: neither is there without the other. */
export async function note(trx: Trx, entry: AuditNote): Promise<void> {
  const { id } = await trx
    .insertInto('audit')
    .values({
      at: new Date(),
      actor: entry.actor,
      action: entry.action,
      target: entry.target,
      target_id: entry.targetId,
      target_name: entry.targetName,
      fields: [...(entry.fields ?? [])],
    } satisfies Omit<Record<keyof AuditTable, unknown>, 'id'>)
    .returning('id')
    .executeTakeFirstOrThrow();
  const outdated = Number(id) - AUDIT_ENTRIES_MAX;
  if (outdated > 0) await trx.deleteFrom('audit').where('id', '<=', String(outdated)).execute();
}

/** Two writers that look for a free place wait for each other. */
export async function lockTable(trx: Trx, table: keyof Tables): Promise<void> {
  await sql`LOCK TABLE ${sql.table(`millrace.${table}`)} IN SHARE ROW EXCLUSIVE MODE`.execute(trx);
}

/** Whether a table has no place for another row; until the transaction ends it gets none. */
export async function isFull(trx: Trx, table: keyof Tables, rowsMax: number): Promise<boolean> {
  await lockTable(trx, table);
  const counted = sql<{ count: string }>`SELECT count(*) FROM ${sql.table(`millrace.${table}`)}`;
  const { rows } = await counted.execute(trx);
  return Number(rows[0]?.count) >= rowsMax;
}

/** Whether a unique key stood in the way. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '23505';
}

export type Page = { readonly limit: number; readonly offset: number };
export type Listed<T> = { readonly items: readonly T[]; readonly total: number };
