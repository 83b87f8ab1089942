/** Access keys of users, and the policies of users and roles. */
import * as z from 'zod';
import type { AccessKeyRecord } from '../../store/access-keys.ts';
import type { PolicyRecord, PrincipalKind, PrincipalRecord } from '../../store/principals.ts';
import { ApiError } from '../api-error.ts';
import { newAccessKeyId, newSecretKey } from '../aws/minting.ts';
import type { ControlContext } from '../context.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { givenId } from '../schemas/common.ts';
import {
  awsAccountParams,
  iamName,
  keyInput,
  keyResult,
  mintedKey,
  policyInput,
  policyResult,
} from '../schemas/iam.ts';
import { IAM_PATH, identitiesApplied, parsed, policyText, principalOf } from './iam-principals.ts';

const shared = { tag: 'Identities' } as const;
const KEYS_PATH = `${IAM_PATH}/users/{user_name}/keys`;
const userParams = awsAccountParams.extend({ user_name: iamName });
const keyParams = userParams.extend({ key_id: givenId });

function viewKey({ id, isActive, createdOn }: AccessKeyRecord): z.input<typeof keyResult> {
  return { id, status: isActive ? 'Active' : 'Inactive', created_on: createdOn.toISOString() };
}

const userOf = (context: ControlContext, params: z.output<typeof userParams>) =>
  principalOf(context, params.account_id, 'user', params.user_name);

const listKeys = endpoint(
  {
    ...shared,
    method: 'get',
    path: KEYS_PATH,
    operationId: 'list-access-keys',
    summary: 'List the keys of a user, without secrets',
    scope: 'read',
    params: userParams,
    result: keyResult.array(),
  },
  async ({ params, context }) => {
    const user = await userOf(context, params);
    return (await context.store.accessKeys.list(user.id)).map(viewKey);
  },
);

const createKey = endpoint(
  {
    ...shared,
    method: 'post',
    path: KEYS_PATH,
    operationId: 'create-access-key',
    summary: 'Mint a key; its secret is shown this once',
    scope: 'write',
    params: userParams,
    result: mintedKey,
  },
  async ({ params, caller, context }) => {
    const { random, store } = context;
    const user = await userOf(context, params);
    const key = { id: newAccessKeyId(random), secretKey: newSecretKey(random) };
    const made = await store.accessKeys.create(user.id, key, caller.name);
    if (made === 'gone') throw new ApiError('notFound', 'There is no such user');
    if (made === 'too-many') throw new ApiError('tooMany', 'The user has two keys already');
    await identitiesApplied(context);
    return { ...viewKey(made), secret_access_key: key.secretKey };
  },
);

const updateKey = endpoint(
  {
    ...shared,
    method: 'put',
    path: `${KEYS_PATH}/{key_id}`,
    operationId: 'update-access-key',
    summary: 'Switch a key on or off',
    scope: 'write',
    params: keyParams,
    body: keyInput,
    result: z.null(),
  },
  async ({ params, body, caller, context }) => {
    const user = await userOf(context, params);
    const isActive = body.status === 'Active';
    const { accessKeys } = context.store;
    const isThere = await accessKeys.setActive(user.id, params.key_id, isActive, caller.name);
    if (!isThere) throw new ApiError('notFound', 'There is no such key');
    await identitiesApplied(context);
    return null;
  },
);

const deleteKey = endpoint(
  {
    ...shared,
    method: 'delete',
    path: `${KEYS_PATH}/{key_id}`,
    operationId: 'delete-access-key',
    summary: 'Delete a key',
    scope: 'write',
    params: keyParams,
    result: z.null(),
  },
  async ({ params, caller, context }) => {
    const user = await userOf(context, params);
    const isThere = await context.store.accessKeys.delete(user.id, params.key_id, caller.name);
    if (!isThere) throw new ApiError('notFound', 'There is no such key');
    await identitiesApplied(context);
    return null;
  },
);

function viewPolicy({ name, document, modifiedOn }: PolicyRecord): z.input<typeof policyResult> {
  return { name, document: parsed(document), modified_on: modifiedOn.toISOString() };
}

/** The same for users and for roles. */
function policyEndpoints(kind: PrincipalKind): readonly Endpoint[] {
  const params = awsAccountParams.extend({ name: iamName });
  const policyParams = params.extend({ policy_name: iamName });
  const path = `${IAM_PATH}/${kind}s/{name}/policies`;
  const ownerOf = (
    context: ControlContext,
    given: z.output<typeof params>,
  ): Promise<PrincipalRecord> => principalOf(context, given.account_id, kind, given.name);
  const list = endpoint(
    {
      ...shared,
      method: 'get',
      path,
      operationId: `list-${kind}-policies`,
      summary: `List the policies of a ${kind}`,
      scope: 'read',
      params,
      result: policyResult.array(),
    },
    async ({ params: given, context }) => {
      const owner = await ownerOf(context, given);
      return (await context.store.principals.policies(owner.id)).map(viewPolicy);
    },
  );
  const put = endpoint(
    {
      ...shared,
      method: 'put',
      path: `${path}/{policy_name}`,
      operationId: `put-${kind}-policy`,
      summary: `Write a policy of a ${kind}, in place of one of that name`,
      scope: 'write',
      params: policyParams,
      body: policyInput,
      result: z.null(),
    },
    async ({ params: given, body, caller, context }) => {
      const document = policyText(body.document, 'identity');
      const owner = await ownerOf(context, given);
      const policy = { name: given.policy_name, document };
      const done = await context.store.principals.putPolicy(owner.id, policy, caller.name);
      if (done === 'gone') throw new ApiError('notFound', `There is no such ${kind}`);
      if (done === 'too-many') throw new ApiError('tooMany');
      await identitiesApplied(context);
      return null;
    },
  );
  const remove = endpoint(
    {
      ...shared,
      method: 'delete',
      path: `${path}/{policy_name}`,
      operationId: `delete-${kind}-policy`,
      summary: `Delete a policy of a ${kind}`,
      scope: 'write',
      params: policyParams,
      result: z.null(),
    },
    async ({ params: given, caller, context }) => {
      const owner = await ownerOf(context, given);
      const { principals } = context.store;
      const isThere = await principals.deletePolicy(owner.id, given.policy_name, caller.name);
      if (!isThere) throw new ApiError('notFound', 'There is no such policy');
      await identitiesApplied(context);
      return null;
    },
  );
  return [list, put, remove];
}

export const iamCredentialEndpoints: readonly Endpoint[] = [
  listKeys,
  createKey,
  updateKey,
  deleteKey,
  ...policyEndpoints('user'),
  ...policyEndpoints('role'),
];
