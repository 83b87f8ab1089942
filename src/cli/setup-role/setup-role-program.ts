/** Makes the roles, or prints how, and tells the connection string of the new one. */
import { formatVerifier } from '../../auth/scram-keys.ts';
import { GatewayError } from '../../base/errors.ts';
import type { OriginConfig } from '../../config/model.ts';
import { parseOriginUrl } from '../../config/resolve-origin.ts';
import { mintVerifier } from '../../gateway/login/login-verifier.ts';
import { random } from '../../gateway/system.ts';
import { makeClient } from '../../store/connection.ts';
import { readSecret } from '../config/secret-options.ts';
import { freshPassword } from '../control/open-store.ts';
import { connectionUrl } from '../dev/connection-strings.ts';
import { usageError } from '../failure.ts';
import type { Terminal } from '../terminal.ts';
import { type RoleRequest, roleScript, roleStatements } from './role-sql.ts';

const COMMAND = 'setup-role';
const NAME_BYTES_MAX = 63;

export type SetupRoleArgs = {
  readonly url: string;
  readonly apply?: boolean | undefined;
  readonly role?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly schemas?: string | undefined;
  readonly 'read-only'?: boolean | undefined;
  readonly create?: boolean | undefined;
  readonly owner?: string | undefined;
};

function checkName(name: string, option: string): string {
  if (name !== '' && !/\p{Cc}/u.test(name) && Buffer.byteLength(name) <= NAME_BYTES_MAX)
    return name;
  throw usageError(`--${option} must have 1 to ${NAME_BYTES_MAX} bytes`, COMMAND);
}

async function requestOf(
  args: SetupRoleArgs,
  database: string,
  password: string,
): Promise<RoleRequest> {
  const isReadOnly = args['read-only'] === true;
  if (isReadOnly && args.create === true) {
    throw usageError('--read-only and --create exclude each other', COMMAND);
  }
  const schemas = (args.schemas ?? 'public').split(',').map((name) => name.trim());
  return {
    database,
    role: checkName(args.role ?? 'hyperdrive', 'role'),
    user: checkName(args.user ?? 'hyperdrive_user', 'user'),
    verifier: formatVerifier(await mintVerifier(password, random)),
    schemas: schemas.map((name) => checkName(name, 'schemas')),
    isReadOnly,
    mayCreate: args.create === true,
    owner: args.owner === undefined ? null : checkName(args.owner, 'owner'),
  };
}

/** All or nothing. @throws GatewayError with the words of the server */
async function apply(origin: OriginConfig, request: RoleRequest): Promise<void> {
  const client = makeClient(origin);
  client.on('error', () => {});
  const wordsOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause));
  try {
    await client.connect().catch((cause: unknown) => {
      throw new GatewayError('MR_ORIGIN_REJECTED', { detail: wordsOf(cause), cause });
    });
    await client.query('BEGIN');
    for (const statement of roleStatements(request)) await client.query(statement);
    await client.query('COMMIT');
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError('MR_SETUP_REFUSED', { subject: wordsOf(cause), cause });
  } finally {
    await client.end().catch(() => {});
  }
}

export async function runSetupRole(args: SetupRoleArgs, terminal: Terminal): Promise<number> {
  const given = readSecret(args.url, 'URL', terminal);
  const { origin, warnings } = await parseOriginUrl(given);
  if (origin.kind === 'dsql') {
    // Nobody has a password there, and nothing is granted to roles in a transaction with others.
    throw usageError(
      'Aurora DSQL has no passwords: CREATE ROLE r WITH LOGIN, AWS IAM GRANT r TO the ARN of an ' +
        'IAM role, and GRANT what it needs, each alone',
      COMMAND,
    );
  }
  for (const warning of warnings) terminal.err(`millrace: warning: ${warning}\n`);
  const password =
    args.password === undefined
      ? freshPassword()
      : readSecret(args.password, '--password', terminal);
  const request = await requestOf(args, origin.database, password);
  // How to get there, such as sslmode, holds for the new user as well.
  const url = connectionUrl({ ...origin, user: request.user, password }) + new URL(given).search;
  if (args.apply !== true) {
    terminal.out(roleScript(request));
    if (args.password === undefined) terminal.err(`After that, the gateway connects by:\n${url}\n`);
    return 0;
  }
  await apply(origin, request);
  if (args.password === undefined) terminal.out(`${url}\n`);
  else terminal.err('done\n');
  return 0;
}
