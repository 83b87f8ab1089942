/** GRANT and REVOKE, and roles. */
import { asList, type JsonObject } from '../../sql/facts/parser.ts';
import { DsqlError, unsupported } from '../dsql-error.ts';
import type { Action, RoleStatement } from './judgement.ts';
import {
  ADMIN,
  isSystemSchema,
  refuseSystemEntity,
  refuseSystemRole,
  systemEntity,
} from './system-entity.ts';
import {
  constantOf,
  isTrue,
  nodesOf,
  type Option,
  optionsOf,
  qualifiedName,
  relationOf,
  roleOf,
  textOf,
  unwrap,
} from './tree.ts';

/** What rights can be given on. */
const objects: ReadonlySet<string> = new Set(
  'OBJECT_TABLE OBJECT_SEQUENCE OBJECT_SCHEMA OBJECT_FUNCTION OBJECT_DOMAIN'.split(' '),
);

/** @throws DsqlError */
export function judgeGrant(node: JsonObject): Action {
  const verb = isTrue(node, 'is_grant') ? 'GRANT' : 'REVOKE';
  const type = textOf(node, 'objtype');
  if (!objects.has(type)) throw unsupported(`unsupported object in ${verb} statement`);
  if (node['grantor'] !== undefined) throw unsupported('GRANTED BY not supported');
  const grantees = asList(node['grantees']).map(roleOf);
  for (const grantee of grantees) refuseSystemRole(grantee ?? '');
  const isForAdmin = grantees.every((grantee) => grantee === ADMIN);
  const isOfSchemas = node['targtype'] === 'ACL_TARGET_ALL_IN_SCHEMA' || type === 'OBJECT_SCHEMA';
  for (const object of asList(node['objects'])) {
    const found = unwrap(object);
    if (isOfSchemas) {
      const schema = constantOf(object) ?? '';
      const isPublic = schema === 'public' && type === 'OBJECT_SCHEMA' && !isForAdmin;
      if (isPublic || isSystemSchema(schema)) throw systemEntity();
    } else if (found?.kind === 'RangeVar') refuseSystemEntity(relationOf(found.node));
    else if (found?.kind === 'ObjectWithArgs') {
      refuseSystemEntity(qualifiedName(found.node['objname']));
    }
  }
  return { kind: 'ddl', guards: [] };
}

const roleAction = (role: RoleStatement): Action => ({ kind: 'role', role });

/** The name of a role that a client may change. */
function ownRole(name: string): string {
  refuseSystemRole(name);
  if (name === ADMIN) throw unsupported(`Role ${name} not supported`);
  return name;
}

/** A role that is written as a name: who CURRENT_USER is, the link that runs it does not know. */
function namedRole(value: Parameters<typeof roleOf>[0]): string {
  const name = roleOf(value);
  if (name !== null) return name;
  const type = textOf(unwrap(value)?.node ?? (value as JsonObject), 'roletype');
  if (type === 'ROLESPEC_PUBLIC') throw new DsqlError('42939', 'role name "public" is reserved');
  throw unsupported(`${type.replace('ROLESPEC_', '')} not supported for roles`);
}

/** How PostgreSQL writes an option of a role, by the parser's name. */
const roleOptions: ReadonlyMap<string, string> = new Map([
  ['superuser', 'SUPERUSER'],
  ['createdb', 'CREATEDB'],
  ['createrole', 'CREATEROLE'],
  ['isreplication', 'REPLICATION'],
  ['bypassrls', 'BYPASSRLS'],
  ['password', 'PASSWORD'],
  ['connectionlimit', 'CONNECTION LIMIT'],
  ['validUntil', 'VALID UNTIL'],
  ['sysid', 'SYSID'],
]);

const createOptions: ReadonlySet<string> = new Set(
  'canlogin inherit addroleto rolemembers adminmembers'.split(' '),
);
const alterOptions: ReadonlySet<string> = new Set(['canlogin', 'inherit']);

function refuseOptions(
  options: readonly Option[],
  allowed: ReadonlySet<string>,
  statement: string,
): void {
  for (const { name } of options) {
    if (allowed.has(name)) continue;
    const word = roleOptions.get(name) ?? name.toUpperCase();
    throw unsupported(`${word} not supported for ${statement} ROLE`);
  }
}

function flagOf(options: readonly Option[], name: string): boolean | null {
  const option = options.find((one) => one.name === name);
  return option === undefined ? null : constantOf(option.value) === 'true';
}

function rolesOf(options: readonly Option[], name: string): string[] {
  const option = options.find((one) => one.name === name);
  const list = asList(unwrap(option?.value)?.node['items']);
  return list.map((item) => {
    const role = namedRole(item);
    refuseSystemRole(role);
    return role;
  });
}

/** @throws DsqlError */
export function judgeCreateRole(node: JsonObject): Action {
  const role = textOf(node, 'role');
  refuseSystemRole(role);
  const options = optionsOf(node['options']);
  refuseOptions(options, createOptions, 'CREATE');
  const isUser = node['stmt_type'] === 'ROLESTMT_USER';
  return roleAction({
    kind: 'create',
    role,
    isLogin: flagOf(options, 'canlogin') ?? isUser,
    isInherit: flagOf(options, 'inherit') ?? true,
    inRoles: rolesOf(options, 'addroleto').map(ownRole),
    members: rolesOf(options, 'rolemembers'),
    admins: rolesOf(options, 'adminmembers'),
  });
}

/** @throws DsqlError */
export function judgeAlterRole(node: JsonObject): Action {
  const role = ownRole(namedRole(node['role']));
  const options = optionsOf(node['options']);
  refuseOptions(options, alterOptions, 'ALTER');
  return roleAction({
    kind: 'alter',
    role,
    isLogin: flagOf(options, 'canlogin'),
    isInherit: flagOf(options, 'inherit'),
  });
}

/** @throws DsqlError */
export function judgeDropRole(node: JsonObject): Action {
  const roles = asList(node['roles']).map((role) => ownRole(namedRole(role)));
  return roleAction({ kind: 'drop', roles, isIfExists: isTrue(node, 'missing_ok') });
}

/** @throws DsqlError */
export function judgeGrantRole(node: JsonObject): Action {
  const isGrant = isTrue(node, 'is_grant');
  if (node['grantor'] !== undefined) throw unsupported('GRANTED BY not supported');
  if (node['behavior'] === 'DROP_CASCADE') throw unsupported('CASCADE not supported for roles');
  const options = optionsOf(node['opt']);
  refuseOptions(options, new Set(['admin']), isGrant ? 'GRANT' : 'REVOKE');
  const granted = nodesOf('AccessPriv', node['granted_roles']).map((privilege) => {
    if ('cols' in privilege) throw unsupported('columns not supported for roles');
    return ownRole(textOf(privilege, 'priv_name'));
  });
  const grantees = asList(node['grantee_roles']).map(namedRole);
  for (const grantee of grantees) refuseSystemRole(grantee);
  // REVOKE ADMIN OPTION FOR says that it is to be false.
  const hasAdminOption = isGrant ? (flagOf(options, 'admin') ?? false) : options.length > 0;
  return roleAction({ kind: 'membership', isGrant, granted, grantees, hasAdminOption });
}
