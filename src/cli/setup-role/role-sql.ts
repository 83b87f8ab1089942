/**
 * The SQL that gives a gateway its own roles, as the guides for RDS and Aurora have it, but right
 * for PostgreSQL 15 and later, where nobody may use schema `public` without being told so: a role
 * without login holds the privileges, and one with login is its member. Pure.
 */

export type RoleRequest = {
  readonly database: string;
  /** Holds the privileges, cannot log in. */
  readonly role: string;
  /** Logs in. */
  readonly user: string;
  /** A SCRAM verifier: the password itself is never sent, so no log of the server has it. */
  readonly verifier: string;
  readonly schemas: readonly string[];
  readonly isReadOnly: boolean;
  /** Whether it may make tables, for applications that migrate their own schema. */
  readonly mayCreate: boolean;
  /** Who makes the tables of the future; null for whoever runs this SQL. */
  readonly owner: string | null;
};

export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const quoteLiteral = (text: string): string => `'${text.replaceAll("'", "''")}'`;

function schemaSql(schema: string, request: RoleRequest): string[] {
  const { isReadOnly, mayCreate, owner } = request;
  const [name, role] = [quoteIdentifier(schema), quoteIdentifier(request.role)];
  const tables = isReadOnly ? 'SELECT' : 'SELECT, INSERT, UPDATE, DELETE';
  const sequences = isReadOnly ? 'SELECT' : 'USAGE, SELECT, UPDATE';
  const future = `ALTER DEFAULT PRIVILEGES${
    owner === null ? '' : ` FOR ROLE ${quoteIdentifier(owner)}`
  } IN SCHEMA ${name}`;
  return [
    `GRANT USAGE${mayCreate ? ', CREATE' : ''} ON SCHEMA ${name} TO ${role};`,
    `GRANT ${tables} ON ALL TABLES IN SCHEMA ${name} TO ${role};`,
    `GRANT ${sequences} ON ALL SEQUENCES IN SCHEMA ${name} TO ${role};`,
    `${future} GRANT ${tables} ON TABLES TO ${role};`,
    `${future} GRANT ${sequences} ON SEQUENCES TO ${role};`,
  ];
}

/** One statement each; they belong into one transaction. */
export function roleStatements(request: RoleRequest): readonly string[] {
  const [role, user] = [quoteIdentifier(request.role), quoteIdentifier(request.user)];
  const readOnly = `ALTER ROLE ${user} SET default_transaction_read_only = on;`;
  return [
    `CREATE ROLE ${role} NOLOGIN;`,
    `CREATE ROLE ${user} LOGIN PASSWORD ${quoteLiteral(request.verifier)};`,
    `GRANT ${role} TO ${user};`,
    `GRANT CONNECT, TEMPORARY ON DATABASE ${quoteIdentifier(request.database)} TO ${role};`,
    ...request.schemas.flatMap((schema) => schemaSql(schema, request)),
    ...(request.isReadOnly ? [readOnly] : []),
  ];
}

/** What to paste into psql, connected to the database in question. */
export function roleScript(request: RoleRequest): string {
  return `${['BEGIN;', ...roleStatements(request), 'COMMIT;'].join('\n')}\n`;
}
