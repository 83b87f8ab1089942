/** Users and roles of the DSQL endpoint. */
import * as z from 'zod';
import { roleArn, userArn } from '../../aws/arn.ts';
import { type PolicyKind, readPolicy } from '../../aws/iam-policy.ts';
import type { PrincipalKind, PrincipalRecord } from '../../store/principals.ts';
import { ApiError } from '../api-error.ts';
import { newPrincipalId } from '../aws/minting.ts';
import type { ControlContext } from '../context.ts';
import type { Caller } from '../http/authentication.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import {
  awsAccountParams,
  iamName,
  roleInput,
  roleResult,
  userInput,
  userResult,
} from '../schemas/iam.ts';

export const IAM_PATH = '/accounts/{account_id}/iam';
const shared = { tag: 'Identities' } as const;
const userParams = awsAccountParams.extend({ user_name: iamName });
const roleParams = awsAccountParams.extend({ role_name: iamName });

/** Settles when this process judges by what has been changed. */
export async function identitiesApplied({ aws }: ControlContext): Promise<void> {
  await aws?.identities.refresh();
}

/** As it is kept. @throws ApiError for a policy that could not be evaluated */
export function policyText(document: object, kind: PolicyKind): string {
  const text = JSON.stringify(document);
  const read = readPolicy(text, kind);
  if ('problem' in read) throw new ApiError('invalid', `The policy is not valid: ${read.problem}`);
  return text;
}

export const parsed = (text: string): Record<string, unknown> =>
  JSON.parse(text) as Record<string, unknown>;

/** @throws ApiError when there is none */
export async function principalOf(
  { store }: ControlContext,
  accountId: string,
  kind: PrincipalKind,
  name: string,
): Promise<PrincipalRecord> {
  const found = await store.principals.get({ accountId, kind, name });
  if (found === null) throw new ApiError('notFound', `There is no such ${kind}`);
  return found;
}

function viewUser(record: PrincipalRecord): z.input<typeof userResult> {
  const { id, accountId, name, createdOn } = record;
  return { id, name, arn: userArn(accountId, name), created_on: createdOn.toISOString() };
}

function viewRole(record: PrincipalRecord): z.input<typeof roleResult> {
  const { id, accountId, name, createdOn, trustPolicy, maxSessionS } = record;
  return {
    id,
    name,
    arn: roleArn(accountId, name),
    created_on: createdOn.toISOString(),
    trust_policy: parsed(trustPolicy ?? '{}'),
    max_session_duration: maxSessionS,
  };
}

type Draft = Pick<PrincipalRecord, 'accountId' | 'kind' | 'name' | 'trustPolicy' | 'maxSessionS'>;

async function create(
  context: ControlContext,
  caller: Caller,
  draft: Draft,
): Promise<PrincipalRecord> {
  const id = newPrincipalId(draft.kind, context.random);
  const made = await context.store.principals.create({ ...draft, id }, caller.name);
  if (made === 'name-taken') {
    throw new ApiError('nameTaken', `Another ${draft.kind} has this name`);
  }
  if (made === 'too-many') throw new ApiError('tooMany');
  await identitiesApplied(context);
  return made;
}

async function remove(
  context: ControlContext,
  caller: Caller,
  name: Pick<PrincipalRecord, 'accountId' | 'kind' | 'name'>,
): Promise<null> {
  const isThere = await context.store.principals.delete(name, caller.name);
  if (!isThere) throw new ApiError('notFound', `There is no such ${name.kind}`);
  await identitiesApplied(context);
  return null;
}

const listUsers = endpoint(
  {
    ...shared,
    method: 'get',
    path: `${IAM_PATH}/users`,
    operationId: 'list-iam-users',
    summary: 'List the users of an account',
    scope: 'read',
    params: awsAccountParams,
    result: userResult.array(),
  },
  async ({ params, context }) =>
    (await context.store.principals.list(params.account_id, 'user')).map(viewUser),
);

const createUser = endpoint(
  {
    ...shared,
    method: 'post',
    path: `${IAM_PATH}/users`,
    operationId: 'create-iam-user',
    summary: 'Make a user, who may do nothing until a policy allows it',
    scope: 'write',
    params: awsAccountParams,
    body: userInput,
    result: userResult,
  },
  async ({ params, body, caller, context }) => {
    const { account_id: accountId } = params;
    const rest = { trustPolicy: null, maxSessionS: 0 };
    const draft: Draft = { accountId, kind: 'user', name: body.name, ...rest };
    return viewUser(await create(context, caller, draft));
  },
);

const deleteUser = endpoint(
  {
    ...shared,
    method: 'delete',
    path: `${IAM_PATH}/users/{user_name}`,
    operationId: 'delete-iam-user',
    summary: 'Delete a user with keys and policies',
    scope: 'write',
    params: userParams,
    result: z.null(),
  },
  ({ params, caller, context }) => {
    const { account_id: accountId, user_name: name } = params;
    return remove(context, caller, { accountId, kind: 'user', name });
  },
);

const listRoles = endpoint(
  {
    ...shared,
    method: 'get',
    path: `${IAM_PATH}/roles`,
    operationId: 'list-iam-roles',
    summary: 'List the roles of an account',
    scope: 'read',
    params: awsAccountParams,
    result: roleResult.array(),
  },
  async ({ params, context }) =>
    (await context.store.principals.list(params.account_id, 'role')).map(viewRole),
);

const createRole = endpoint(
  {
    ...shared,
    method: 'post',
    path: `${IAM_PATH}/roles`,
    operationId: 'create-iam-role',
    summary: 'Make a role, with who may assume it',
    scope: 'write',
    params: awsAccountParams,
    body: roleInput,
    result: roleResult,
  },
  async ({ params, body, caller, context }) => {
    const { account_id: accountId } = params;
    const trustPolicy = policyText(body.trust_policy, 'trust');
    const rest = { trustPolicy, maxSessionS: body.max_session_duration };
    const draft: Draft = { accountId, kind: 'role', name: body.name, ...rest };
    return viewRole(await create(context, caller, draft));
  },
);

const getRole = endpoint(
  {
    ...shared,
    method: 'get',
    path: `${IAM_PATH}/roles/{role_name}`,
    operationId: 'get-iam-role',
    summary: 'Get a role with its trust policy',
    scope: 'read',
    params: roleParams,
    result: roleResult,
  },
  async ({ params, context }) =>
    viewRole(await principalOf(context, params.account_id, 'role', params.role_name)),
);

const deleteRole = endpoint(
  {
    ...shared,
    method: 'delete',
    path: `${IAM_PATH}/roles/{role_name}`,
    operationId: 'delete-iam-role',
    summary: 'Delete a role with policies and sessions',
    scope: 'write',
    params: roleParams,
    result: z.null(),
  },
  ({ params, caller, context }) => {
    const { account_id: accountId, role_name: name } = params;
    return remove(context, caller, { accountId, kind: 'role', name });
  },
);

export const principalEndpoints: readonly Endpoint[] = [
  listUsers,
  createUser,
  deleteUser,
  listRoles,
  createRole,
  getRole,
  deleteRole,
];
