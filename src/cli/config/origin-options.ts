/** The options of wrangler that describe a configuration, and the request that they make. */
import type { ArgsDef } from 'citty';
import { readOriginUrl } from '../../config/origin-url.ts';
import { usageError } from '../failure.ts';
import type { Terminal } from '../terminal.ts';
import { readSecret } from './secret-options.ts';

const SECRET = '; env:NAME, file:PATH or - for standard input keep it out of the history';

/** As wrangler's, with its names. */
export const originArgs = {
  'connection-string': {
    type: 'string',
    valueHint: 'url',
    description: `The origin as postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…${SECRET}`,
  },
  'origin-host': { type: 'string', valueHint: 'host', description: 'Host of the origin (--host)' },
  'origin-port': { type: 'string', valueHint: 'port', description: 'Its port (--port)' },
  'origin-scheme': {
    type: 'string',
    valueHint: 'scheme',
    description: 'postgres or postgresql (--scheme)',
  },
  database: { type: 'string', valueHint: 'name', description: 'Database at the origin' },
  'origin-user': { type: 'string', valueHint: 'name', description: 'Role there (--user)' },
  'origin-password': {
    type: 'string',
    valueHint: 'password',
    description: `Password of that role (--password)${SECRET}`,
  },
  'caching-disabled': { type: 'boolean', description: 'Turn the cache off (false: on)' },
  'max-age': { type: 'string', valueHint: 'seconds', description: 'How long an answer is fresh' },
  swr: {
    type: 'string',
    valueHint: 'seconds',
    description: 'How long after that it is served while a new one is fetched',
  },
  'ca-certificate-id': { type: 'string', valueHint: 'id', description: 'Authority to trust' },
  'mtls-certificate-id': { type: 'string', valueHint: 'id', description: 'Certificate to show' },
  sslmode: {
    type: 'string',
    valueHint: 'mode',
    description: 'disable, allow, prefer, require, verify-ca or verify-full',
  },
  'origin-connection-limit': {
    type: 'string',
    valueHint: 'number',
    description: 'Most connections to the origin, 5 to 1500',
  },
} as const satisfies ArgsDef;

/** Other spellings that wrangler knows. */
export const originAliases: Readonly<Record<string, string>> = {
  host: 'origin-host',
  port: 'origin-port',
  scheme: 'origin-scheme',
  user: 'origin-user',
  password: 'origin-password',
  'ca-certificate-uuid': 'ca-certificate-id',
  'mtls-certificate-uuid': 'mtls-certificate-id',
};

export type OriginArgs = { readonly [K in keyof typeof originArgs]?: string | boolean | undefined };

function text(args: OriginArgs, name: keyof typeof originArgs): string | undefined {
  const value = args[name];
  return typeof value === 'string' ? value : undefined;
}

function integer(args: OriginArgs, name: keyof typeof originArgs): number | undefined {
  const value = text(args, name);
  if (value === undefined) return undefined;
  if (!/^\d{1,9}$/.test(value)) throw usageError(`--${name} must be a whole number`);
  return Number(value);
}

const PARTS = [
  'origin-host',
  'origin-port',
  'origin-scheme',
  'database',
  'origin-user',
  'origin-password',
] as const;

/** Without the keys whose values are undefined; undefined when none is left. */
function given(object: Record<string, unknown>): Record<string, unknown> | undefined {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** What a connection string says; its demands on TLS are respected, not dropped. */
function fromString(secret: string): { origin: object; sslmode: string | undefined } {
  const { url, problem } = readOriginUrl(secret);
  if (url === null) throw usageError(`--connection-string: the URL ${problem}`);
  if (url.password === null) throw usageError('--connection-string: the URL has no password');
  const paths = [url.caPath, url.clientCertPath, url.clientKeyPath];
  if (paths.some((path) => path !== null)) {
    const what = 'certificates cannot be given by path: upload them, and give their ids';
    throw usageError(`--connection-string: ${what}`);
  }
  const { host, port, database, user, password } = url;
  const scheme = secret.startsWith('postgresql:') ? 'postgresql' : 'postgres';
  const origin = { scheme, host, port, database, user, password };
  return { origin, sslmode: url.sslmode ?? undefined };
}

function originOf(args: OriginArgs, terminal: Terminal) {
  const string = text(args, 'connection-string');
  if (string === undefined) {
    const password = text(args, 'origin-password');
    const origin = given({
      scheme: text(args, 'origin-scheme'),
      host: text(args, 'origin-host'),
      port: integer(args, 'origin-port'),
      database: text(args, 'database'),
      user: text(args, 'origin-user'),
      password: password && readSecret(password, '--origin-password', terminal),
    });
    return { origin, sslmode: undefined };
  }
  const other = PARTS.find((name) => args[name] !== undefined);
  if (other !== undefined) {
    throw usageError(`--connection-string and --${other} exclude each other`);
  }
  return fromString(readSecret(string, '--connection-string', terminal));
}

/** The body of a request: only what was given is in it. Throws MR_USAGE. */
export function configurationBody(args: OriginArgs, terminal: Terminal): Record<string, unknown> {
  const { origin, sslmode } = originOf(args, terminal);
  const caching = given({
    disabled: args['caching-disabled'],
    max_age: integer(args, 'max-age'),
    stale_while_revalidate: integer(args, 'swr'),
  });
  const mtls = given({
    ca_certificate_id: text(args, 'ca-certificate-id'),
    mtls_certificate_id: text(args, 'mtls-certificate-id'),
    sslmode: text(args, 'sslmode') ?? sslmode,
  });
  const limit = integer(args, 'origin-connection-limit');
  return given({ origin, caching, mtls, origin_connection_limit: limit }) ?? {};
}
