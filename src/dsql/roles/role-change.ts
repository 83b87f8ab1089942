/** What a role statement does, in a transaction of the endpoint's own link. */
import type { Invoker } from '../deferred.ts';
import { DsqlError } from '../dsql-error.ts';
import type { ServerLink } from '../server/server-link.ts';
import type { RoleStatement } from '../statements/judgement.ts';
import { ADMIN } from '../statements/system-entity.ts';
import { checkArn, namedRoles, notSupported, ROLE_MARK, refusalOf } from './role-names.ts';
import { alterSql, createSql, dropSql, membershipSql } from './role-sql.ts';
import { type Endpoint, ROLES_LOCK } from './set-up.ts';

export type ChangeParts = {
  readonly invoker: Invoker;
  readonly endpoint: Endpoint;
  /** What PostgreSQL is to keep of the password of a role that is made. */
  readonly verifier: string;
};

/** A role of the cluster. */
type Found = { readonly oid: string; readonly canLogIn: boolean };

/** @throws DsqlError | ServerError the transaction is to be rolled back then */
export async function changeRoles(
  link: ServerLink,
  statement: RoleStatement,
  parts: ChangeParts,
): Promise<void> {
  const { invoker, endpoint, verifier } = parts;
  await link.query(`SELECT pg_advisory_xact_lock(${ROLES_LOCK})`);
  await checkRight(link, statement, invoker);
  if (statement.kind === 'iam') {
    await changeTrust(link, statement, invoker);
    return;
  }
  const isLenient = statement.kind === 'drop' && statement.isIfExists;
  const { changed, members } = namedRoles(statement);
  const there: string[] = [];
  for (const role of [...changed, ...members]) {
    const found = await findRole(link, role);
    if (found === null && !isLenient) throw noRole(role);
    if (found !== null) there.push(role);
    if (found !== null && statement.kind === 'drop') await checkUntrusted(link, role, found);
  }
  const database = endpoint.isSuperuser ? endpoint.database : null;
  for (const sql of sqlOf(statement, there, { verifier, database })) await link.query(sql);
}

function sqlOf(
  statement: Exclude<RoleStatement, { readonly kind: 'iam' }>,
  there: readonly string[],
  parts: { readonly verifier: string; readonly database: string | null },
): readonly string[] {
  switch (statement.kind) {
    case 'create':
      return createSql(statement, parts);
    case 'alter':
      return alterSql(statement);
    case 'drop':
      return dropSql(there);
    case 'membership':
      return membershipSql(statement);
  }
}

/** As PostgreSQL judges: whoever has the admin option on a role may give it to others. */
async function checkRight(
  link: ServerLink,
  statement: RoleStatement,
  { role, isAdmin }: Invoker,
): Promise<void> {
  if (isAdmin) return;
  if (statement.kind !== 'membership') throw refusalOf(statement);
  for (const granted of statement.granted) {
    const { rows } = await link.query(
      `SELECT pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION')
       FROM pg_roles AS r, pg_roles AS me WHERE r.rolname = $1 AND me.rolname = $2`,
      [granted, role],
    );
    if (rows.length === 0) throw noRole(granted);
    if (rows[0]?.[0] !== 't') throw refusalOf({ ...statement, granted: [granted] });
  }
}

/**
 * @returns null when there is none of that name
 * @throws DsqlError when it is not a cluster's
 */
async function findRole(link: ServerLink, role: string): Promise<Found | null> {
  const { rows } = await link.query(
    `SELECT r.oid, r.rolcanlogin, starts_with(shobj_description(r.oid, 'pg_authid'), $2)
     FROM pg_roles AS r WHERE r.rolname = $1`,
    [role, ROLE_MARK],
  );
  const [found] = rows;
  if (found === undefined) return null;
  const [oid, canLogIn, isOurs] = found;
  if (isOurs !== 't') throw notSupported(role);
  return { oid: oid ?? '', canLogIn: canLogIn === 't' };
}

async function checkUntrusted(link: ServerLink, role: string, { oid }: Found): Promise<void> {
  const trust = 'SELECT FROM sys.iam_trusts WHERE pg_role_oid = $1 LIMIT 1';
  const { rows } = await link.query(trust, [oid]);
  if (rows.length === 0) return;
  const text = `role ${role} cannot be dropped because some objects depend on it`;
  throw new DsqlError('2BP01', text);
}

async function changeTrust(
  link: ServerLink,
  statement: Extract<RoleStatement, { readonly kind: 'iam' }>,
  invoker: Invoker,
): Promise<void> {
  const { role, arn, isGrant } = statement;
  if (role.startsWith('pg_')) throw notSupported(role);
  checkArn(arn);
  const found = role === ADMIN ? null : await findRole(link, role);
  if (role === ADMIN) throw new DsqlError('0A000', `Cannot establish trust with role ${role}`);
  if (found === null) throw noRole(role);
  if (!isGrant) {
    const sql = 'DELETE FROM sys.iam_trusts WHERE pg_role_oid = $1 AND arn = $2';
    const { tag } = await link.query(sql, [found.oid, arn]);
    if (tag === 'DELETE 0') throw new DsqlError('42704', `IAM role ${arn} does not exist`);
    return;
  }
  if (!found.canLogIn) throw new DsqlError('42501', `role ${role} must have the LOGIN attribute`);
  await link.query(
    `INSERT INTO sys.iam_trusts (arn, pg_role_oid, grantor_pg_role_oid)
     SELECT $1, $2::oid, r.oid FROM pg_roles AS r WHERE r.rolname = $3 ON CONFLICT DO NOTHING`,
    [arn, found.oid, invoker.role],
  );
}

const noRole = (role: string): DsqlError => new DsqlError('42704', `role "${role}" does not exist`);
