/** `--rds` and `--aurora` of `millrace config create`: AWS is asked for host and port. */
import type { ArgsDef } from 'citty';
import {
  type AwsPlace,
  type FoundEndpoint,
  findCluster,
  findInstance,
} from '../../origin/find-endpoint.ts';
import { usageError } from '../failure.ts';
import type { Terminal } from '../terminal.ts';
import type { OriginArgs } from './origin-options.ts';

export const endpointArgs = {
  rds: {
    type: 'string',
    valueHint: 'instance',
    description: 'Ask AWS for host and port of this instance of RDS',
  },
  aurora: {
    type: 'string',
    valueHint: 'cluster',
    description: 'Ask AWS for the Writer endpoint of this cluster, and its port',
  },
  region: {
    type: 'string',
    valueHint: 'region',
    description: 'Where it is, with --rds or --aurora. Without it as the AWS SDK finds it',
  },
  profile: {
    type: 'string',
    valueHint: 'name',
    description: 'Profile of the shared files of AWS, with --rds or --aurora',
  },
} as const satisfies ArgsDef;

export type EndpointArgs = { readonly [K in keyof typeof endpointArgs]?: string | undefined };

const COMMAND = 'config create';
/** Options that say where the origin is. */
const PLACES = ['connection-string', 'origin-host', 'origin-port'] as const;

/**
 * The options with host, port and, unless it is given, database as AWS tells them; as they are
 * without `--rds` and `--aurora`.
 *
 * @throws GatewayError MR_USAGE, MR_ENDPOINT_UNKNOWN
 */
export async function withEndpoint<T extends OriginArgs & EndpointArgs>(
  args: T,
  terminal: Terminal,
): Promise<OriginArgs> {
  const { rds, aurora } = args;
  if (rds === undefined && aurora === undefined) {
    const lonely = (['region', 'profile'] as const).find((name) => args[name] !== undefined);
    if (lonely !== undefined) throw usageError(`--${lonely} needs --rds or --aurora`, COMMAND);
    return args;
  }
  const option = rds === undefined ? 'aurora' : 'rds';
  const other = [...PLACES, ...(rds === undefined ? [] : (['aurora'] as const))].find(
    (name) => args[name] !== undefined,
  );
  if (other !== undefined) {
    throw usageError(`--${option} and --${other} exclude each other`, COMMAND);
  }
  const found = await find(args, { region: args.region ?? null, profile: args.profile ?? null });
  terminal.err(`found ${found.host}:${found.port}\n`);
  for (const warning of found.warnings) terminal.err(`millrace: note: ${warning}\n`);
  const database = args.database ?? found.database ?? undefined;
  return { ...args, 'origin-host': found.host, 'origin-port': `${found.port}`, database };
}

function find({ rds, aurora = '' }: EndpointArgs, place: AwsPlace): Promise<FoundEndpoint> {
  return rds === undefined ? findCluster(aurora, place) : findInstance(rds, place);
}
