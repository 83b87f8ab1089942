/** What can be done with a configuration besides changing it: restart, test, purge, status. */
import * as z from 'zod';
import type { PurgeProblem, PurgeTarget } from '../../gateway/purge.ts';
import { ApiError } from '../api-error.ts';
import type { ControlContext } from '../context.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { checkOrigin } from '../origin-check.ts';
import { accountParams } from '../schemas/common.ts';
import {
  configurationResult,
  purgeInput,
  purgeResult,
  statusResult,
  testResult,
} from '../schemas/configuration.ts';
import {
  CONFIG_PATH,
  configParams,
  findInFile,
  proveOrigin,
  recordOf,
  view,
} from './configurations.ts';

const shared = { tag: 'Configurations' } as const;

type StatusResult = z.input<typeof statusResult>;

async function statusOf(context: ControlContext): Promise<StatusResult[]> {
  return (await context.status()).map(({ name, clients, waiting, links }) => ({
    name,
    clients,
    waiting_clients: waiting,
    links: { idle: links.idle, checked_out: links.checkedOut, opening: links.opening },
  }));
}

const restart = endpoint(
  {
    ...shared,
    method: 'post',
    path: `${CONFIG_PATH}/restart`,
    operationId: 'restart-hyperdrive',
    summary: 'Replace the connections to the origin; those in use are closed when they come back',
    scope: 'write',
    params: configParams,
    result: configurationResult,
  },
  async ({ params, caller, context }) => {
    const { account_id: accountId, hyperdrive_id: id } = params;
    if (findInFile(context, id) !== null) throw new ApiError('inFile');
    const record = await context.store.configurations.restart(accountId, id, caller.name);
    if (record === null) throw new ApiError('notFound', 'There is no such configuration');
    await context.changesApplied();
    return view(context, record);
  },
);

const test = endpoint(
  {
    ...shared,
    method: 'post',
    path: `${CONFIG_PATH}/test`,
    operationId: 'test-hyperdrive',
    summary: 'Connect to the origin and run an empty query',
    scope: 'write',
    params: configParams,
    result: testResult,
  },
  async ({ params, context }) => {
    const { account_id: accountId, hyperdrive_id: id } = params;
    const inFile = findInFile(context, id);
    const result =
      inFile === null
        ? await proveOrigin(context, accountId, await recordOf(context, accountId, id))
        : await checkOrigin(inFile.origin, context.log);
    return {
      connect_ms: Math.round(result.connectMs * 100) / 100,
      query_ms: Math.round(result.queryMs * 100) / 100,
      encrypted: result.encrypted,
      server_version: result.parameters.get('server_version') ?? null,
    };
  },
);

const PURGE_PROBLEMS: Readonly<Record<PurgeProblem, () => ApiError>> = {
  unserved: () => new ApiError('notFound', 'The gateway does not serve it yet'),
  noSuchTable: () => new ApiError('notFound', 'There is no such table'),
  originAway: () => new ApiError('unpurged', 'The origin, which knows the table, is not reached'),
  unanswered: () => new ApiError('unpurged'),
};

const purge = endpoint(
  {
    ...shared,
    method: 'post',
    path: `${CONFIG_PATH}/purge`,
    operationId: 'purge-hyperdrive',
    summary: 'Forget answers of the query cache: all, those read from a table, or those to a text',
    scope: 'write',
    params: configParams,
    body: purgeInput,
    result: purgeResult,
  },
  async ({ params, body, caller, context }) => {
    const { account_id: accountId, hyperdrive_id: id } = params;
    const { name } = findInFile(context, id) ?? (await recordOf(context, accountId, id));
    const target = targetOf(body);
    const { answers, problem } = await context.purge(name, target);
    if (problem !== null) throw PURGE_PROBLEMS[problem]();
    // Whoever is told of an error here can do it again.
    await context.store.audit.add({
      actor: caller.name,
      action: 'purge',
      target: 'configuration',
      targetId: id,
      targetName: name,
      fields: target.kind === 'all' ? [] : [target.kind],
    });
    return { purged: answers };
  },
);

function targetOf({ table, statement }: z.output<typeof purgeInput>): PurgeTarget {
  if (table !== undefined) return { kind: 'table', table };
  return statement === undefined ? { kind: 'all' } : { kind: 'statement', statement };
}

const status = endpoint(
  {
    ...shared,
    method: 'get',
    path: `${CONFIG_PATH}/status`,
    operationId: 'status-hyperdrive',
    summary: 'Clients and connections of a configuration at this moment',
    scope: 'read',
    params: configParams,
    result: statusResult,
  },
  async ({ params, context }) => {
    const { account_id: accountId, hyperdrive_id: id } = params;
    const { name } = findInFile(context, id) ?? (await recordOf(context, accountId, id));
    const found = (await statusOf(context)).find((one) => one.name === name);
    if (found === undefined) throw new ApiError('notFound', 'The gateway does not serve it yet');
    return found;
  },
);

const statusOfAll = endpoint(
  {
    ...shared,
    method: 'get',
    path: '/accounts/{account_id}/millrace/status',
    operationId: 'status',
    summary: 'Clients and connections of everything that is served at this moment',
    scope: 'read',
    params: accountParams,
    result: z.array(statusResult),
  },
  async ({ context }) => statusOf(context),
);

export const actionEndpoints: readonly Endpoint[] = [restart, test, purge, status, statusOfAll];
