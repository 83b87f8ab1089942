/** The server of the `pg` project, for tests; see `global-pg.ts`. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import type {} from './global-pg.ts';

/** A connection string of the superuser. */
export function superuserUrl(database = 'postgres'): string {
  const { host, port, user, password } = inject('postgres');
  return `postgres://${user}:${password}@${host}:${port}/${database}`;
}

async function asSuperuser(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: superuserUrl() });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

export type TestDatabase = {
  readonly name: string;
  /** A connection string of the superuser to it. */
  readonly url: string;
  /** Ends what is connected to it, and removes it. */
  drop(): Promise<void>;
};

const freshName = (): string => `test_${randomBytes(6).toString('hex')}`;

/** An empty database of its own for a test. */
export async function createDatabase(name = freshName()): Promise<TestDatabase> {
  await asSuperuser(`CREATE DATABASE ${name}`);
  return {
    name,
    url: superuserUrl(name),
    drop: () => asSuperuser(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

/** Counts the advisory locks in the database at hand: tests in other databases have theirs. */
export const ADVISORY_LOCK_COUNT: string = `(SELECT count(*) FROM pg_locks
  WHERE locktype = 'advisory'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`;
