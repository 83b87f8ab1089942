/**
 * Reads a PostgreSQL connection URL as libpq does (manual, "Connection URIs"), except for what the
 * gateway cannot honour, which is refused instead of dropped: a URL may carry a security demand.
 */

import type { ChannelBinding, SslMode, SslNegotiation } from './model.ts';
import { nearestWord } from './nearest.ts';

/** What a URL says; paths are not read yet, null is "does not say". */
export type OriginUrl = {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | null;
  readonly sslmode: SslMode | null;
  readonly sslnegotiation: SslNegotiation | null;
  readonly channelBinding: ChannelBinding | null;
  readonly caPath: string | null;
  readonly clientCertPath: string | null;
  readonly clientKeyPath: string | null;
  /** Parameters that were passed over because they do not change where or as whom to connect. */
  readonly ignored: readonly string[];
};

/** The problem never quotes the URL, which may hold a password. */
export type OriginUrlResult =
  | { readonly url: OriginUrl; readonly problem: null }
  | { readonly url: null; readonly problem: string };

const URL_LENGTH_MAX = 8192;
const SSL_MODES: readonly string[] = [
  'disable',
  'allow',
  'prefer',
  'require',
  'verify-ca',
  'verify-full',
] satisfies SslMode[];
const SSL_NEGOTIATIONS: readonly string[] = ['postgres', 'direct'] satisfies SslNegotiation[];
const CHANNEL_BINDINGS: readonly string[] = [
  'disable',
  'prefer',
  'require',
] satisfies ChannelBinding[];
const READ_PARAMETERS: readonly string[] = [
  'host',
  'port',
  'user',
  'password',
  'dbname',
  'sslmode',
  'sslnegotiation',
  'channel_binding',
  'sslrootcert',
  'sslcert',
  'sslkey',
];
/** Dropping one of these would connect elsewhere, or less safely, than the user asked for. */
const REFUSED_PARAMETERS: readonly string[] = [
  'options',
  'service',
  'hostaddr',
  'replication',
  'require_auth',
  'requirepeer',
  'sslcrl',
  'sslcrldir',
  'sslpassword',
  'passfile',
];
/** Refused only when they demand something; this value of theirs changes nothing. */
const REFUSED_UNLESS: Readonly<Record<string, readonly string[]>> = {
  gssencmode: ['', 'disable', 'prefer'],
  target_session_attrs: ['', 'any'],
};
/** Of libpq and of common drivers: they do not change where or as whom to connect. */
const HARMLESS_PARAMETERS: readonly string[] = [
  'application_name',
  'client_encoding',
  'connect_timeout',
  'connection_limit',
  'fallback_application_name',
  'gsslib',
  'keepalives',
  'keepalives_count',
  'keepalives_idle',
  'keepalives_interval',
  'krbsrvname',
  'load_balance_hosts',
  'pgbouncer',
  'pool_timeout',
  'schema',
  'ssl',
  'sslcompression',
  'sslsni',
  'statement_cache_size',
  'tcp_user_timeout',
  'uselibpqcompat',
];
const KNOWN_PARAMETERS: readonly string[] = [
  ...READ_PARAMETERS,
  ...REFUSED_PARAMETERS,
  ...Object.keys(REFUSED_UNLESS),
  ...HARMLESS_PARAMETERS,
];

/** Ends the reading with a text for the user; caught in {@link readOriginUrl} only. */
class UrlProblem extends Error {}

function fail(problem: string): never {
  throw new UrlProblem(problem);
}

function decode(part: string, name: string): string {
  try {
    const decoded = decodeURIComponent(part);
    if (/\p{Cc}/u.test(decoded)) fail(`the ${name} holds a control character`);
    return decoded;
  } catch (error) {
    if (error instanceof UrlProblem) throw error;
    return fail(`the ${name} is not percent-encoded correctly (write % as %25)`);
  }
}

function parseUrl(text: string): URL {
  if (text.length > URL_LENGTH_MAX) fail(`is longer than ${URL_LENGTH_MAX} characters`);
  if (!/^postgres(ql)?:\/\//.test(text)) fail('must begin with postgres:// or postgresql://');
  if (/^[^/]*\/\/[^/?]*,/.test(text.replace(/\/\/[^/?]*@/, '//'))) {
    fail('names several hosts; give one');
  }
  if (text.includes('#')) fail('has a # in it; write it as %23');
  if (!URL.canParse(text)) {
    fail('is not a URL; percent-encode special characters of user and password');
  }
  return new URL(text);
}

/** Read by hand: the URL class resolves `.` and `..`, which are names of databases here. */
function rawPath(text: string): string {
  return /^[^/]*\/\/[^/?]*\/([^?]*)/.exec(text)?.[1] ?? '';
}

function readParameters(url: URL): { given: Map<string, string>; ignored: string[] } {
  const given = new Map<string, string>();
  const ignored: string[] = [];
  for (const pair of url.search.slice(1).split('&')) {
    if (pair === '') continue;
    const [rawName = '', ...rest] = pair.split('=');
    const name = decode(rawName, 'parameter name');
    const value = decode(rest.join('='), 'parameter value');
    checkParameter(name, value);
    // A URL of JDBC's kind: `ssl=true` there means what `sslmode=require` means here.
    if (READ_PARAMETERS.includes(name)) given.set(name, value);
    else if (!(name === 'ssl' && value === 'true')) ignored.push(name.slice(0, 40));
    else if (!given.has('sslmode')) given.set('sslmode', 'require');
  }
  return { given, ignored };
}

/** Refuses a demand that cannot be met, and a name that can only be a slip of the pen. */
function checkParameter(name: string, value: string): void {
  if (REFUSED_PARAMETERS.includes(name)) fail(`asks for ${name}, which cannot be honoured yet`);
  if (Object.hasOwn(REFUSED_UNLESS, name) && !REFUSED_UNLESS[name]?.includes(value)) {
    fail(`asks for another ${name} than ${REFUSED_UNLESS[name]?.at(-1)}, which cannot be honoured`);
  }
  if (KNOWN_PARAMETERS.includes(name)) return;
  const meant = nearestWord(name, KNOWN_PARAMETERS);
  if (meant !== null) fail(`has an unknown parameter ${name.slice(0, 40)}; did you mean ${meant}?`);
}

function readPort(text: string): number {
  const port = text === '' ? 5432 : Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) fail('the port must be 1 to 65535');
  return port;
}

/** The value of a parameter, which must be one of those; null when it is not given. */
function oneOf(given: Map<string, string>, name: string, values: readonly string[]): string | null {
  const value = given.get(name) ?? null;
  if (value !== null && !values.includes(value))
    fail(`${name} must be one of ${values.join(', ')}`);
  return value;
}

function readSsl(given: Map<string, string>): Pick<OriginUrl, 'sslmode' | 'caPath'> {
  const mode = oneOf(given, 'sslmode', SSL_MODES);
  const ca = given.get('sslrootcert') ?? null;
  // libpq: `system` means the public roots, and is allowed with verify-full only.
  if (ca !== 'system') return { sslmode: mode as SslMode | null, caPath: ca };
  if (mode !== null && mode !== 'verify-full') fail('sslrootcert=system needs verify-full');
  return { sslmode: 'verify-full', caPath: null };
}

function readParts(text: string): OriginUrl {
  const url = parseUrl(text);
  const { given, ignored } = readParameters(url);
  const bracketless = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const host = given.get('host') ?? decode(bracketless, 'host');
  if (host === '') fail('names no host');
  if (host.startsWith('/')) fail('names a Unix socket; the gateway connects by TCP only');
  if (host.includes(',')) fail('names several hosts; give one');
  const user = given.get('user') ?? decode(url.username, 'user');
  if (user === '') fail('names no user');
  const password = given.get('password') ?? decode(url.password, 'password');
  const database = given.get('dbname') ?? decode(rawPath(text), 'database');
  return {
    host,
    port: readPort(given.get('port') ?? url.port),
    user,
    password: password === '' ? null : password,
    // As libpq: without a name, the database is named like the user.
    database: database === '' ? user : database,
    ...readSsl(given),
    sslnegotiation: oneOf(given, 'sslnegotiation', SSL_NEGOTIATIONS) as SslNegotiation | null,
    channelBinding: oneOf(given, 'channel_binding', CHANNEL_BINDINGS) as ChannelBinding | null,
    clientCertPath: given.get('sslcert') ?? null,
    clientKeyPath: given.get('sslkey') ?? null,
    ignored,
  };
}

/** Reads a URL without touching any file. */
export function readOriginUrl(text: string): OriginUrlResult {
  try {
    return { url: readParts(text), problem: null };
  } catch (error) {
    if (error instanceof UrlProblem) return { url: null, problem: error.message };
    throw error;
  }
}
