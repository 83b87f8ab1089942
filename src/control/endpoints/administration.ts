/** Tokens of the API, the audit log, and who one is. */
import * as z from 'zod';
import { type TokenRecord, tokenHash } from '../../store/tokens.ts';
import { ApiError } from '../api-error.ts';
import { type Endpoint, endpoint, listEndpoint } from '../http/endpoint.ts';
import { accountParams, givenId, pageQuery } from '../schemas/common.ts';
import { auditResult, mintedToken, tokenInput, tokenResult } from '../schemas/credential.ts';
import { ACCOUNT_ID_DEFAULT, newId, newSecret } from './identity.ts';

const TOKENS_PATH = '/accounts/{account_id}/millrace/tokens';
const TOKEN_PREFIX = 'mrt_';
const shared = { tag: 'Administration' } as const;
const noParams = z.object({});
const ACCOUNT = { id: ACCOUNT_ID_DEFAULT, name: 'Millrace' } as const;
const accountResult = z.object({ id: z.string(), name: z.string() });

function viewOf(record: TokenRecord): z.input<typeof tokenResult> {
  return {
    id: record.id,
    name: record.name,
    scope: record.scope,
    created_on: record.createdOn.toISOString(),
    expires_on: record.expiresOn?.toISOString() ?? null,
  };
}

const listTokens = endpoint(
  {
    ...shared,
    method: 'get',
    path: TOKENS_PATH,
    operationId: 'list-tokens',
    summary: 'List the tokens of the API, without their values',
    scope: 'write',
    params: accountParams,
    result: z.array(tokenResult),
  },
  async ({ context }) => (await context.store.tokens.list()).map(viewOf),
);

const createToken = endpoint(
  {
    ...shared,
    method: 'post',
    path: TOKENS_PATH,
    operationId: 'create-token',
    summary: 'Mint a token of the API; its value is shown this once',
    scope: 'write',
    params: accountParams,
    body: tokenInput,
    result: mintedToken,
  },
  async ({ body, caller, context }) => {
    const { random, store } = context;
    const value = TOKEN_PREFIX + newSecret(random);
    const { name, scope, expires_in: seconds } = body;
    const expiresOn = seconds === undefined ? null : new Date(Date.now() + seconds * 1000);
    const draft = { id: newId(random), name, scope, expiresOn };
    const made = await store.tokens.create(draft, tokenHash(value), caller.name);
    if (made === 'too-many') throw new ApiError('tooMany');
    return { ...viewOf(made), value };
  },
);

const deleteToken = endpoint(
  {
    ...shared,
    method: 'delete',
    path: `${TOKENS_PATH}/{token_id}`,
    operationId: 'delete-token',
    summary: 'Revoke a token of the API',
    scope: 'write',
    params: accountParams.extend({ token_id: givenId }),
    result: z.null(),
  },
  async ({ params, caller, context }) => {
    const isThere = await context.store.tokens.delete(params.token_id, caller.name);
    if (!isThere) throw new ApiError('notFound', 'There is no such token');
    return null;
  },
);

const audit = listEndpoint(
  {
    ...shared,
    method: 'get',
    path: '/accounts/{account_id}/millrace/audit_log',
    operationId: 'list-audit-log',
    summary: 'Who changed what, the youngest first',
    scope: 'read',
    params: accountParams,
    query: pageQuery,
    result: auditResult,
  },
  async ({ query, context }) => {
    const page = { limit: query.per_page, offset: (query.page - 1) * query.per_page };
    const { items, total } = await context.store.audit.list(page);
    const views = items.map((entry) => ({
      id: entry.id,
      when: entry.at.toISOString(),
      actor: entry.actor,
      action: entry.action,
      target: entry.target,
      target_id: entry.targetId,
      target_name: entry.targetName,
      fields: [...entry.fields],
    }));
    return { items: views, total, page: query };
  },
);

const verifyToken = endpoint(
  {
    ...shared,
    method: 'get',
    path: '/user/tokens/verify',
    operationId: 'verify-token',
    summary: 'Whether the token is good',
    scope: 'read',
    params: noParams,
    result: z.object({ id: z.string(), status: z.literal('active') }),
  },
  async ({ caller }) => ({ id: caller.id, status: 'active' as const }),
);

const listAccounts = listEndpoint(
  {
    ...shared,
    method: 'get',
    path: '/accounts',
    operationId: 'list-accounts',
    summary: 'The one account to use when none is wished for',
    scope: 'read',
    params: noParams,
    query: pageQuery,
    result: accountResult,
  },
  async ({ query }) => ({ items: query.page === 1 ? [ACCOUNT] : [], total: 1, page: query }),
);

const listMemberships = listEndpoint(
  {
    ...shared,
    method: 'get',
    path: '/memberships',
    operationId: 'list-memberships',
    summary: 'The same as accounts, as wrangler asks for it',
    scope: 'read',
    params: noParams,
    query: pageQuery,
    result: z.object({ id: z.string(), account: accountResult }),
  },
  async ({ query }) => {
    const items = query.page === 1 ? [{ id: ACCOUNT.id, account: ACCOUNT }] : [];
    return { items, total: 1, page: query };
  },
);

export const administrationEndpoints: readonly Endpoint[] = [
  listTokens,
  createToken,
  deleteToken,
  audit,
  verifyToken,
  listAccounts,
  listMemberships,
];
