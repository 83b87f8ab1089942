/** Credentials of a configuration: with these clients log in at the gateway. */
import * as z from 'zod';
import { formatVerifier } from '../../auth/scram-keys.ts';
import { mintVerifier } from '../../gateway/login/login-verifier.ts';
import type { CredentialRecord } from '../../store/credentials.ts';
import { ApiError } from '../api-error.ts';
import type { ControlContext } from '../context.ts';
import type { Caller } from '../http/authentication.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { givenId } from '../schemas/common.ts';
import {
  credentialInput,
  credentialResult,
  mintedCredential,
  rotationInput,
} from '../schemas/credential.ts';
import { CONFIG_PATH, configParams, findInFile, recordOf } from './configurations.ts';
import { newId, newSecret, newSuffix } from './identity.ts';

const CREDENTIALS_PATH = `${CONFIG_PATH}/credentials`;
const CREDENTIAL_PATH = `${CREDENTIALS_PATH}/{credential_id}`;
const credentialParams = configParams.extend({ credential_id: givenId });
const shared = { tag: 'Credentials' } as const;
/** Room for the suffix within 63 bytes. */
const USER_STEM_BYTES_MAX = 54;

/** What the names of a credential and its successors have in common. */
function stemOf(user: string): string {
  const characters = [...user.replace(/_[0-9a-f]{8}$/, '')];
  while (Buffer.byteLength(characters.join('')) > USER_STEM_BYTES_MAX) characters.pop();
  return characters.join('');
}

function viewOf(record: CredentialRecord): z.input<typeof credentialResult> {
  return {
    id: record.id,
    user: record.user,
    created_on: record.createdOn.toISOString(),
    expires_on: record.expiresOn?.toISOString() ?? null,
  };
}

function connectionString(
  context: ControlContext,
  parts: { readonly user: string; readonly password: string; readonly database: string },
): string {
  const { host, port } = context.clientAddress() ?? { host: '127.0.0.1', port: 5432 };
  const place = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const [user, password, database] = [parts.user, parts.password, parts.database].map(
    encodeURIComponent,
  );
  return `postgres://${user}:${password}@${place}/${database}`;
}

async function mint(
  context: ControlContext,
  caller: Caller,
  configuration: { readonly id: string; readonly name: string },
  wanted: { readonly user: string; readonly expiresOn: Date | null },
  replacing: { readonly id: string; readonly until: Date } | null,
): Promise<z.input<typeof mintedCredential>> {
  const { random, store } = context;
  const { user, expiresOn } = wanted;
  const password = newSecret(random);
  const verifier = formatVerifier(await mintVerifier(password, random));
  const draft = { id: newId(random), user, verifier, expiresOn };
  const made = await store.credentials.create(configuration.id, draft, caller.name, replacing);
  if (made === 'too-many') throw new ApiError('tooMany');
  if (made === 'configuration-gone') throw new ApiError('notFound');
  if (made === 'name-taken') throw new ApiError('nameTaken', 'Another credential has this user');
  await context.changesApplied();
  const parts = { user, password, database: configuration.name };
  return { ...viewOf(made), password, connection_string: connectionString(context, parts) };
}

const list = endpoint(
  {
    ...shared,
    method: 'get',
    path: CREDENTIALS_PATH,
    operationId: 'list-credentials',
    summary: 'List the credentials of a configuration, without secrets',
    scope: 'read',
    params: configParams,
    result: z.array(credentialResult),
  },
  async ({ params, context }) => {
    const { account_id: accountId, hyperdrive_id: id } = params;
    const inFile = findInFile(context, id);
    if (inFile !== null) {
      return inFile.credentials.map(({ user }) => ({
        id: null,
        user,
        created_on: null,
        expires_on: null,
      }));
    }
    const record = await recordOf(context, accountId, id);
    return (await context.store.credentials.list(record.id)).map(viewOf);
  },
);

const create = endpoint(
  {
    ...shared,
    method: 'post',
    path: CREDENTIALS_PATH,
    operationId: 'create-credential',
    summary: 'Mint a credential; its password is shown this once',
    scope: 'write',
    params: configParams,
    body: credentialInput,
    result: mintedCredential,
  },
  async ({ params, body, caller, context }) => {
    const record = await recordOf(context, params.account_id, params.hyperdrive_id);
    const user = body.user ?? `client_${newSuffix(context.random)}`;
    const expiresOn =
      body.expires_in === undefined ? null : new Date(Date.now() + body.expires_in * 1000);
    return mint(context, caller, record, { user, expiresOn }, null);
  },
);

const rotate = endpoint(
  {
    ...shared,
    method: 'post',
    path: `${CREDENTIAL_PATH}/rotate`,
    operationId: 'rotate-credential',
    summary: 'Mint a successor; the old one lets clients in for the overlap, and drops nobody',
    scope: 'write',
    params: credentialParams,
    body: rotationInput,
    result: mintedCredential,
  },
  async ({ params, body, caller, context }) => {
    const record = await recordOf(context, params.account_id, params.hyperdrive_id);
    const old = await context.store.credentials.get(record.id, params.credential_id);
    if (old === null) throw new ApiError('notFound', 'There is no such credential');
    // The successor has a name of its own, so both can be used during the overlap.
    const user = `${stemOf(old.user)}_${newSuffix(context.random)}`;
    const until = new Date(Date.now() + body.overlap * 1000);
    const replacing = { id: old.id, until };
    return mint(context, caller, record, { user, expiresOn: null }, replacing);
  },
);

const revoke = endpoint(
  {
    ...shared,
    method: 'delete',
    path: CREDENTIAL_PATH,
    operationId: 'delete-credential',
    summary: 'Revoke a credential: no new client comes in with it',
    scope: 'write',
    params: credentialParams,
    result: z.null(),
  },
  async ({ params, caller, context }) => {
    const record = await recordOf(context, params.account_id, params.hyperdrive_id);
    const { credentials } = context.store;
    const isThere = await credentials.delete(record.id, params.credential_id, caller.name);
    if (!isThere) throw new ApiError('notFound', 'There is no such credential');
    await context.changesApplied();
    return null;
  },
);

export const credentialEndpoints: readonly Endpoint[] = [list, create, rotate, revoke];
