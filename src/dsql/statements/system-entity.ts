/** What belongs to the system, and is not changed by clients. */
import { type DsqlError, unsupported } from '../dsql-error.ts';
import type { RelationName } from './judgement.ts';

/** The role that every cluster has from its start, and that nobody can change. */
export const ADMIN = 'admin';

const schemas: ReadonlySet<string> = new Set(['information_schema', 'sys']);

export const systemEntity = (): DsqlError => unsupported('feature not supported on system entity');

/** PostgreSQL keeps names with `pg_` for itself; the temporary schema of a link is one of them. */
export const isSystemSchema = (schema: string): boolean =>
  schema.startsWith('pg_') || schemas.has(schema);

/** @throws DsqlError for what is in a schema of the system, or named like its catalogues */
export function refuseSystemEntity({ schema, name }: RelationName): void {
  const isSystem = schema === null ? name.startsWith('pg_') : isSystemSchema(schema);
  if (isSystem) throw systemEntity();
}

/** @throws DsqlError for the predefined roles of PostgreSQL */
export function refuseSystemRole(role: string): void {
  if (role.startsWith('pg_')) throw unsupported(`Role ${role} not supported`);
}
