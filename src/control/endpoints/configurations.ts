/** `/hyperdrive/configs`: list, create, get, PUT, PATCH, DELETE. */
import * as z from 'zod';
import type { ConfigurationConfig } from '../../config/model.ts';
import type {
  ConfigurationDraft,
  ConfigurationRecord,
  WriteResult,
} from '../../store/configurations.ts';
import { ApiError } from '../api-error.ts';
import {
  createdDraft,
  patchedDraft,
  replacedDraft,
  touchesOrigin,
} from '../configuration-change.ts';
import { viewOfFile, viewOfRecord } from '../configuration-view.ts';
import type { ControlContext } from '../context.ts';
import type { Caller } from '../http/authentication.ts';
import { type Endpoint, endpoint, listEndpoint } from '../http/endpoint.ts';
import { checkOrigin } from '../origin-check.ts';
import { accountParams, givenId, pageQuery } from '../schemas/common.ts';
import {
  type ConfigurationResult,
  configurationInput,
  configurationPatch,
  configurationResult,
} from '../schemas/configuration.ts';
import { fileConfigurationId, originOf } from '../served.ts';
import { newId } from './identity.ts';

export const CONFIGS_PATH = '/accounts/{account_id}/hyperdrive/configs';
export const CONFIG_PATH = `${CONFIGS_PATH}/{hyperdrive_id}`;
export const configParams = accountParams.extend({ hyperdrive_id: givenId });

const shared = { tag: 'Configurations' } as const;

export function findInFile(context: ControlContext, id: string): ConfigurationConfig | null {
  const all = context.fileConfigurations();
  return all.find(({ name }) => fileConfigurationId(name) === id) ?? null;
}

const isInFile = (context: ControlContext, name: string): boolean =>
  context.fileConfigurations().some((one) => one.name === name);

export const view = (context: ControlContext, record: ConfigurationRecord): ConfigurationResult =>
  viewOfRecord(record, !isInFile(context, record.name));

/** @throws ApiError when it is in the file, or nowhere */
export async function recordOf(
  context: ControlContext,
  accountId: string,
  id: string,
): Promise<ConfigurationRecord> {
  if (findInFile(context, id) !== null) throw new ApiError('inFile');
  const record = await context.store.configurations.get(accountId, id);
  if (record === null) throw new ApiError('notFound', 'There is no such configuration');
  return record;
}

/** @throws ApiError when a certificate is missing or of the wrong kind, or the origin fails */
export async function proveOrigin(
  context: ControlContext,
  accountId: string,
  draft: Pick<ConfigurationDraft, 'origin' | 'originPassword' | 'mtls'>,
) {
  const find = async (id: string | undefined, isAuthority: boolean) => {
    if (id === undefined) return null;
    const found = await context.store.certificates.open(accountId, id);
    if (found?.record.isAuthority === isAuthority) {
      return { ...found.record, privateKey: found.privateKey };
    }
    const key = isAuthority ? 'mtls.ca_certificate_id' : 'mtls.mtls_certificate_id';
    const text = `${key}: there is no such ${isAuthority ? 'authority' : 'client certificate'}`;
    throw new ApiError('certificateUnknown', text);
  };
  const { ca_certificate_id: caId, mtls_certificate_id: ownId } = draft.mtls;
  const [ca, own] = [await find(caId, true), await find(ownId, false)];
  const origin = await originOf(draft, (id) => (id === caId ? ca : own));
  return await checkOrigin(origin, context.log);
}

/** What was written, taken over by the running gateway. */
async function finish(context: ControlContext, result: WriteResult): Promise<ConfigurationResult> {
  if (result === 'name-taken') throw new ApiError('nameTaken');
  if (result === 'too-many') throw new ApiError('tooMany');
  if (result === 'changed-meanwhile') throw new ApiError('changedMeanwhile');
  if (result === 'certificate-gone') throw new ApiError('certificateUnknown');
  await context.changesApplied();
  return view(context, result);
}

async function checkName(context: ControlContext, name: string): Promise<void> {
  if (isInFile(context, name) || (await context.store.configurations.idOfName(name)) !== null) {
    throw new ApiError('nameTaken');
  }
}

async function change(
  context: ControlContext,
  accountId: string,
  before: ConfigurationRecord,
  draft: ConfigurationDraft,
  caller: Caller,
): Promise<ConfigurationResult> {
  if (draft.name !== before.name) await checkName(context, draft.name);
  if (touchesOrigin(before, draft)) await proveOrigin(context, accountId, draft);
  return finish(context, await context.store.configurations.replace(before, draft, caller.name));
}

const list = listEndpoint(
  {
    ...shared,
    method: 'get',
    path: CONFIGS_PATH,
    operationId: 'list-hyperdrive',
    summary: 'List configurations: those of the file first, then those of the store',
    scope: 'read',
    params: accountParams,
    query: pageQuery,
    result: configurationResult,
  },
  async ({ params, query, context }) => {
    const file = context.fileConfigurations();
    const first = (query.page - 1) * query.per_page;
    const ofFile = file.slice(first, first + query.per_page);
    const page = {
      limit: query.per_page - ofFile.length,
      offset: Math.max(0, first - file.length),
    };
    const stored = await context.store.configurations.list(params.account_id, page);
    const items = [...ofFile.map(viewOfFile), ...stored.items.map((one) => view(context, one))];
    return { items, total: file.length + stored.total, page: query };
  },
);

const create = endpoint(
  {
    ...shared,
    method: 'post',
    path: CONFIGS_PATH,
    operationId: 'create-hyperdrive',
    summary: 'Make a configuration, after connecting to its origin',
    scope: 'write',
    params: accountParams,
    body: configurationInput,
    result: configurationResult,
  },
  async ({ params, body, caller, context }) => {
    const draft = createdDraft(body);
    await checkName(context, draft.name);
    await proveOrigin(context, params.account_id, draft);
    const { configurations } = context.store;
    const id = newId(context.random);
    return finish(context, await configurations.create(params.account_id, id, draft, caller.name));
  },
);

const get = endpoint(
  {
    ...shared,
    method: 'get',
    path: CONFIG_PATH,
    operationId: 'get-hyperdrive',
    summary: 'Get a configuration',
    scope: 'read',
    params: configParams,
    result: configurationResult,
  },
  async ({ params, context }) => {
    const inFile = findInFile(context, params.hyperdrive_id);
    if (inFile !== null) return viewOfFile(inFile);
    return view(context, await recordOf(context, params.account_id, params.hyperdrive_id));
  },
);

const put = endpoint(
  {
    ...shared,
    method: 'put',
    path: CONFIG_PATH,
    operationId: 'update-hyperdrive',
    summary: 'Replace a configuration',
    scope: 'write',
    params: configParams,
    body: configurationInput,
    result: configurationResult,
  },
  async ({ params, body, caller, context }) => {
    const { account_id: accountId, hyperdrive_id: id } = params;
    const before = await recordOf(context, accountId, id);
    return change(context, accountId, before, replacedDraft(before, body), caller);
  },
);

const patch = endpoint(
  {
    ...shared,
    method: 'patch',
    path: CONFIG_PATH,
    operationId: 'patch-hyperdrive',
    summary: 'Change a part of a configuration',
    scope: 'write',
    params: configParams,
    body: configurationPatch,
    result: configurationResult,
  },
  async ({ params, body, caller, context }) => {
    const { account_id: accountId, hyperdrive_id: id } = params;
    const before = await recordOf(context, accountId, id);
    return change(context, accountId, before, patchedDraft(before, body), caller);
  },
);

const remove = endpoint(
  {
    ...shared,
    method: 'delete',
    path: CONFIG_PATH,
    operationId: 'delete-hyperdrive',
    summary: 'Delete a configuration and its credentials; its clients may end their transactions',
    scope: 'write',
    params: configParams,
    result: z.null(),
  },
  async ({ params, caller, context }) => {
    const { account_id: accountId, hyperdrive_id: id } = params;
    if (findInFile(context, id) !== null) throw new ApiError('inFile');
    const isThere = await context.store.configurations.delete(accountId, id, caller.name);
    if (!isThere) throw new ApiError('notFound', 'There is no such configuration');
    await context.changesApplied();
    return null;
  },
);

export const configurationEndpoints: readonly Endpoint[] = [list, create, get, put, patch, remove];
