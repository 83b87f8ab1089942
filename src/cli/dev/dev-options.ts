/** What `millrace dev` was asked for, and the configuration that follows from it. */
import { cachingDefaults } from '../../config/caching.ts';
import type { MillraceConfig, OriginConfig, WorkerCount } from '../../config/model.ts';
import { readOriginUrl } from '../../config/origin-url.ts';
import { poolingDefaults } from '../../config/pooling.ts';
import { timeoutsDefaults } from '../../config/timeouts.ts';
import { usageError } from '../failure.ts';
import { parsePort, parseWorkers } from '../usage.ts';

export const DATA_DIR_DEFAULT = '.millrace';
export const DEV_PORT_DEFAULT = 5432;
/** Whom the demo database and the gateway in front of it know; both listen on loopback only. */
export const DEV_ROLE = { user: 'millrace', password: 'millrace' } as const;
export const DEV_DATABASE = 'demo';
export const DEV_ADDRESS = '127.0.0.1';

/** What `--like` knows. */
export const LIKES = ['aurora'] as const;
export type Like = (typeof LIKES)[number];

export type DevOptions = {
  readonly port: number;
  /** Whether the user asked for this very port. */
  readonly isPortExplicit: boolean;
  readonly isJson: boolean;
  /** A connection URL, or null for the embedded PostgreSQL. May hold a password. */
  readonly originUrl: string | null;
  readonly dataDir: string;
  readonly isEphemeral: boolean;
  /** What the embedded PostgreSQL is to be like, or null for itself. */
  readonly like: Like | null;
  /** A connection URL, or null for the embedded PostgreSQL. May hold a password. */
  readonly storeUrl: string | null;
  readonly workers: WorkerCount;
  /** Whether there is to be a DSQL endpoint, where there is a store for it. */
  readonly hasDsql: boolean;
  readonly dsqlPort: number;
  /** Whether the user asked for this very port. */
  readonly isDsqlPortExplicit: boolean;
};

export type DevArgs = {
  readonly port?: string | undefined;
  readonly json?: boolean | undefined;
  readonly origin?: string | undefined;
  readonly 'data-dir'?: string | undefined;
  readonly ephemeral?: boolean | undefined;
  readonly like?: string | undefined;
  readonly store?: string | undefined;
  readonly workers?: string | undefined;
  readonly dsql?: boolean | undefined;
  readonly 'dsql-port'?: string | undefined;
};

/** Throws MR_USAGE for options that cannot be read, or that contradict each other. */
export function devOptions(args: DevArgs): DevOptions {
  const isEphemeral = args.ephemeral === true;
  const dataDir = args['data-dir'];
  if (isEphemeral && dataDir !== undefined) {
    throw usageError('--ephemeral and --data-dir exclude each other', 'dev');
  }
  if (args.origin !== undefined && (isEphemeral || dataDir !== undefined)) {
    const other = isEphemeral ? '--ephemeral' : '--data-dir';
    throw usageError(`--origin and ${other} exclude each other`, 'dev');
  }
  const like = LIKES.find((each) => each === args.like) ?? null;
  if (args.like !== undefined) {
    if (like === null) throw usageError(`--like must be ${LIKES.join(' or ')}`, 'dev');
    const other = args.origin !== undefined ? '--origin' : '--data-dir';
    if (args.origin !== undefined || dataDir !== undefined) {
      throw usageError(`--like and ${other} exclude each other`, 'dev');
    }
  }
  const problem = args.origin === undefined ? null : readOriginUrl(args.origin).problem;
  if (problem !== null) throw usageError(`--origin: the URL ${problem}`, 'dev');
  const storeProblem = args.store === undefined ? null : readOriginUrl(args.store).problem;
  if (storeProblem !== null) throw usageError(`--store: the URL ${storeProblem}`, 'dev');
  return {
    port: args.port === undefined ? DEV_PORT_DEFAULT : parsePort(args.port, 'dev'),
    isPortExplicit: args.port !== undefined,
    isJson: args.json === true,
    originUrl: args.origin ?? null,
    dataDir: dataDir ?? DATA_DIR_DEFAULT,
    isEphemeral,
    like,
    storeUrl: args.store ?? null,
    workers: args.workers === undefined ? 1 : parseWorkers(args.workers, 'dev'),
    ...dsqlOptions(args),
  };
}

/** Who wants any port for the gateway wants it for everything, unless told otherwise. */
function dsqlOptions(
  args: DevArgs,
): Pick<DevOptions, 'hasDsql' | 'dsqlPort' | 'isDsqlPortExplicit'> {
  const isAny = args.port !== undefined && Number(args.port) === 0;
  const given = args['dsql-port'] ?? (isAny ? '0' : undefined);
  return {
    hasDsql: args.dsql !== false,
    dsqlPort: given === undefined ? DEV_PORT_DEFAULT : parsePort(given, 'dev', '--dsql-port'),
    isDsqlPortExplicit: given !== undefined,
  };
}

/** Clients of `dev` log in as at the origin, with the password `millrace` when that has none. */
export function devConfig(origin: OriginConfig, port: number): MillraceConfig {
  return {
    workers: 1,
    listeners: [
      {
        address: DEV_ADDRESS,
        port,
        tls: 'off',
        tlsCert: null,
        tlsKey: null,
        tlsClientCa: null,
        tlsClientCert: 'off',
        loginTimeoutMs: 15_000,
        clientsMax: 10_000,
      },
    ],
    configurations: [
      {
        name: origin.database,
        origin,
        ...poolingDefaults,
        timeouts: timeoutsDefaults,
        caching: cachingDefaults,
        credentials: [
          {
            user: origin.user,
            verifier: null,
            password: origin.password ?? DEV_ROLE.password,
          },
        ],
      },
    ],
    // Somebody is waiting for the prompt.
    drainTimeoutMs: 2000,
  };
}

/** The demo database of an embedded server. */
export function demoOrigin(server: { readonly host: string; readonly port: number }): OriginConfig {
  return {
    host: server.host,
    port: server.port,
    database: DEV_DATABASE,
    ...DEV_ROLE,
    sslmode: 'disable',
    kind: 'postgres',
    auth: { method: 'password' },
    instanceHostPattern: null,
    readerLagMsMax: null,
    tlsServerName: null,
    dnsServers: null,
    sslnegotiation: 'postgres',
    channelBinding: 'prefer',
    ca: null,
    clientCert: null,
    clientKey: null,
  };
}
