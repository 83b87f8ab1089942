/** What belongs to the system, and is not changed by clients. */
import { type DsqlError, unsupported } from '../dsql-error.ts';
import type { RelationName } from './judgement.ts';

const schemas: ReadonlySet<string> = new Set([
  'pg_catalog',
  'information_schema',
  'sys',
  'pg_toast',
]);

export const systemEntity = (): DsqlError => unsupported('feature not supported on system entity');

export const isSystemSchema = (schema: string): boolean => schemas.has(schema);

/** @throws DsqlError for what is in a schema of the system, or named like its catalogues */
export function refuseSystemEntity({ schema, name }: RelationName): void {
  const isSystem = schema === null ? name.startsWith('pg_') : isSystemSchema(schema);
  if (isSystem) throw systemEntity();
}

/** @throws DsqlError for the predefined roles of PostgreSQL */
export function refuseSystemRole(role: string): void {
  if (role.startsWith('pg_')) throw unsupported(`Role ${role} not supported`);
}
