/** `millrace token`: a token of IAM for psql and the like. */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { readEndpointName } from '../../aws/endpoint-name.ts';
import { GatewayError } from '../../base/errors.ts';
import { withoutCredentials } from '../../origin/aws-credentials.ts';
import { mintToken, type TokenAuth } from '../../origin/token-source.ts';
import { usageError } from '../failure.ts';
import type { Terminal } from '../terminal.ts';
import { parsePort } from '../usage.ts';

export const tokenArgs = {
  for: { type: 'positional', required: true, description: 'rds (also Aurora) or dsql' },
  host: { type: 'string', required: true, description: 'The endpoint, as AWS named it' },
  user: { type: 'string', required: true, description: 'The role to log in as' },
  port: { type: 'string', description: 'The port of the endpoint, for rds', valueHint: '5432' },
  region: { type: 'string', description: 'Its region, where the name does not tell' },
  profile: { type: 'string', description: 'Profile of the shared files of AWS' },
  'role-arn': { type: 'string', description: 'A role to assume' },
  'external-id': { type: 'string', description: 'External ID that the role asks for' },
} as const satisfies ArgsDef;

/** The options as they come from the command line. */
export type TokenArgs = {
  readonly for: string;
  readonly host: string;
  readonly port?: string | undefined;
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
  readonly 'role-arn'?: string | undefined;
  readonly 'external-id'?: string | undefined;
};

const PORT_DEFAULT = '5432';

/** Throws MR_USAGE for what cannot be signed for. */
export function tokenAuth(args: TokenArgs): TokenAuth {
  const endpoint = readEndpointName(args.host);
  const region = args.region ?? endpoint?.region ?? null;
  if (region === null) {
    throw usageError('--region is missing: the host does not tell it', 'token');
  }
  const { host } = args;
  const identity = {
    profile: args.profile ?? null,
    roleArn: args['role-arn'] ?? null,
    externalId: args['external-id'] ?? null,
  };
  const isDsqlHost = endpoint?.kind === 'dsql';
  if (args.for === 'rds' && !isDsqlHost) {
    const port = parsePort(args.port ?? PORT_DEFAULT, 'token');
    return { method: 'rds-iam', host, port, region, ...identity };
  }
  if (args.for === 'dsql' && (endpoint === null || isDsqlHost)) {
    if (args.port !== undefined)
      throw usageError('--port is not part of a token for dsql', 'token');
    return { method: 'dsql-iam', host, region, ...identity };
  }
  const isKnown = args.for === 'rds' || args.for === 'dsql';
  throw usageError(
    isKnown ? `the host is not one of ${args.for}` : 'a token is for rds or for dsql',
    'token',
  );
}

/** An error of {@link mintToken} in words for who has no configuration to look at. */
function unsigned(error: unknown, profile: string | null): unknown {
  if (!(error instanceof GatewayError)) return error;
  const { cause, detail } = error;
  const subject = withoutCredentials(cause, profile) ?? `AWS answered with ${detail}`;
  return new GatewayError('MR_TOKEN_UNSIGNED', { subject, cause });
}

export function tokenCommand(terminal: Terminal): CommandDef<typeof tokenArgs> {
  return defineCommand({
    meta: {
      name: 'token',
      description: 'Print a token of IAM that is good as a password for 15 minutes',
    },
    args: tokenArgs,
    run: async ({ args }) => {
      const auth = tokenAuth(args);
      const { token } = await mintToken(auth, args.user).catch((error: unknown) => {
        throw unsigned(error, auth.profile);
      });
      terminal.out(`${token}\n`);
      return 0;
    },
  });
}
