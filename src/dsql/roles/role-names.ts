/** Which roles of PostgreSQL are a cluster's, and which a client may change. */
import { hmac } from '../../auth/scram-keys.ts';
import { DsqlError, unsupported } from '../dsql-error.ts';
import type { RoleStatement } from '../statements/judgement.ts';
import { ADMIN } from '../statements/system-entity.ts';

/** The comment that roles of a cluster have: all others of the server are left alone. */
export const ROLE_MARK = 'role of an Aurora DSQL cluster of Millrace';

/**
 * The comment of `admin`, which also tells of which cluster it is: roles are of the whole server,
 * so two clusters on one would take each other's roles over. Without that it is of any who comes.
 */
export const adminMark = (roleSecret: Uint8Array): string =>
  `${ROLE_MARK}, ${hmac(roleSecret, '\0mark').toString('hex', 0, FINGERPRINT_BYTES)}`;

const FINGERPRINT_BYTES = 8;

/** `admin` and the predefined roles of PostgreSQL are what they are. */
const isFixed = (role: string): boolean => role === ADMIN || role.startsWith('pg_');

export const notSupported = (role: string): DsqlError => unsupported(`Role ${role} not supported`);

/** Roles that must exist and be a cluster's for a statement to be run. */
export type NamedRoles = {
  /** What the statement changes, drops, or gives to others: never `admin`. */
  readonly changed: readonly string[];
  /** Who becomes a member of something, or ends to be. */
  readonly members: readonly string[];
};

/** @throws DsqlError for names that no statement may change */
export function namedRoles(statement: RoleStatement): NamedRoles {
  const named = namesIn(statement);
  const own = statement.kind === 'create' ? [statement.role] : [];
  for (const role of [...own, ...named.changed]) if (isFixed(role)) throw notSupported(role);
  for (const role of named.members) if (role.startsWith('pg_')) throw notSupported(role);
  return named;
}

function namesIn(statement: RoleStatement): NamedRoles {
  switch (statement.kind) {
    case 'create':
      return { changed: statement.inRoles, members: [...statement.members, ...statement.admins] };
    case 'alter':
      return { changed: [statement.role], members: [] };
    case 'drop':
      return { changed: statement.roles, members: [] };
    case 'membership':
      return { changed: statement.granted, members: statement.grantees };
    // Whom trust can be established with is decided apart.
    case 'iam':
      return { changed: [], members: [] };
  }
}

/** What PostgreSQL 16 says to a role without the right; of IAM, what Aurora DSQL says. */
export function refusalOf(statement: RoleStatement): DsqlError {
  const [text, detail] = refusalTexts(statement);
  return new DsqlError('42501', text, { detail });
}

function refusalTexts(statement: RoleStatement): readonly [string, string] {
  switch (statement.kind) {
    case 'create':
      return [
        'permission denied to create role',
        'Only roles with the CREATEROLE attribute may create roles.',
      ];
    case 'alter':
      return [
        'permission denied to alter role',
        'Only roles with the CREATEROLE attribute and the ADMIN option on role ' +
          `"${statement.role}" may alter this role.`,
      ];
    case 'drop':
      return [
        'permission denied to drop role',
        'Only roles with the CREATEROLE attribute and the ADMIN option on the target roles ' +
          'may drop roles.',
      ];
    case 'membership': {
      const verb = statement.isGrant ? 'grant' : 'revoke';
      const [role] = statement.granted;
      return [
        `permission denied to ${verb} role "${role}"`,
        `Only roles with the ADMIN option on role "${role}" may ${verb} this role.`,
      ];
    }
    case 'iam':
      return [`permission denied to grant IAM trust with role ${statement.role}`, ''];
  }
}

/** `arn:aws:iam::<account>:role/<path><name>`, or a user's. */
const IAM_ARN = /^arn:aws[a-z-]*:iam::\d{12}:(role|user)\/[\w+=,.@/-]{1,576}$/;

/** @throws DsqlError for what is no ARN of an IAM role or user */
export function checkArn(arn: string): void {
  if (!IAM_ARN.test(arn)) throw new DsqlError('22023', 'IAM role must look like an IAM ARN');
}
