/**
 * The SQL of role statements. It is written from what the statement says rather than being the
 * client's text: what runs with more rights than the client has can then hold nothing else.
 */
import { quoteName, quoteText } from '../sql-text.ts';
import type { RoleStatement } from '../statements/judgement.ts';
import { ROLE_MARK } from './role-names.ts';

type Of<Kind extends RoleStatement['kind']> = Extract<RoleStatement, { readonly kind: Kind }>;

export type CreateParts = {
  /** What PostgreSQL keeps of its password. */
  readonly verifier: string;
  /** The database that its settings are of; null where the endpoint may not give any. */
  readonly database: string | null;
};

const list = (roles: readonly string[]): string => roles.map(quoteName).join(', ');

export function createSql(statement: Of<'create'>, parts: CreateParts): readonly string[] {
  const { role, isLogin, isInherit, inRoles, members, admins } = statement;
  const name = quoteName(role);
  const flags = `${isLogin ? 'LOGIN' : 'NOLOGIN'} ${isInherit ? 'INHERIT' : 'NOINHERIT'}`;
  return [
    `CREATE ROLE ${name} ${flags} PASSWORD${quoteText(parts.verifier)}`,
    ...ownSql(role, parts.database),
    ...(inRoles.length === 0 ? [] : [`GRANT ${list(inRoles)} TO ${name}`]),
    ...(members.length === 0 ? [] : [`GRANT ${name} TO ${list(members)}`]),
    ...(admins.length === 0 ? [] : [`GRANT ${name} TO ${list(admins)} WITH ADMIN OPTION`]),
  ];
}

/**
 * What makes a role a cluster's. The adjudicator has PostgreSQL look for deadlocks, and so for who
 * waits for whom, at once: only a superuser may set that.
 */
export function ownSql(role: string, database: string | null, text = ROLE_MARK): readonly string[] {
  const name = quoteName(role);
  const mark = `COMMENT ON ROLE ${name} IS${quoteText(text)}`;
  if (database === null) return [mark];
  const where = `${name} IN DATABASE ${quoteName(database)}`;
  return [mark, `ALTER ROLE ${where} SET deadlock_timeout = '10ms'`];
}

export function alterSql({ role, isLogin, isInherit }: Of<'alter'>): readonly string[] {
  const flags: string[] = [];
  if (isLogin !== null) flags.push(isLogin ? 'LOGIN' : 'NOLOGIN');
  if (isInherit !== null) flags.push(isInherit ? 'INHERIT' : 'NOINHERIT');
  return flags.length === 0 ? [] : [`ALTER ROLE ${quoteName(role)} ${flags.join(' ')}`];
}

/** @param roles those that there are: the others are passed over by IF EXISTS */
export function dropSql(roles: readonly string[]): readonly string[] {
  return roles.length === 0 ? [] : [`DROP ROLE ${list(roles)}`];
}

export function membershipSql(statement: Of<'membership'>): readonly string[] {
  const { isGrant, granted, grantees, hasAdminOption } = statement;
  const [roles, others] = [list(granted), list(grantees)];
  if (isGrant) return [`GRANT ${roles} TO ${others}${hasAdminOption ? ' WITH ADMIN OPTION' : ''}`];
  return [`REVOKE ${hasAdminOption ? 'ADMIN OPTION FOR ' : ''}${roles} FROM ${others}`];
}

/** As PostgreSQL tells them; those of IAM are not public. */
export function tagOf(statement: RoleStatement): string {
  switch (statement.kind) {
    case 'create':
      return 'CREATE ROLE';
    case 'alter':
      return 'ALTER ROLE';
    case 'drop':
      return 'DROP ROLE';
    case 'membership':
      return statement.isGrant ? 'GRANT ROLE' : 'REVOKE ROLE';
    case 'iam':
      return statement.isGrant ? 'GRANT' : 'REVOKE';
  }
}
