/** From the `[configurations.origin]` table, or a URL, to an origin with its files read. */
import { resolve } from 'node:path';
import { GatewayError } from '../base/errors.ts';
import { certificatesProblem, isPair, privateKeyProblem } from './certificates.ts';
import { ConfigFiles } from './files.ts';
import type { OriginConfig, SslMode } from './model.ts';
import { type OriginUrl, readOriginUrl } from './origin-url.ts';
import { type ConfigPath, ProblemList, spellProblem } from './problems.ts';
import { resolveAuth } from './resolve-auth.ts';
import {
  type AwsOrigin,
  checkDeployment,
  checkServerName,
  defaultRoots,
  defaultSslMode,
  readAwsOrigin,
  type Telling,
} from './resolve-aws.ts';
import type { FileOrigin } from './schema.ts';

const PORT_DEFAULT = 5432;
const READER_LAG_MS_MAX = 1_000;

/** The rest of the program gets this only when a problem was reported, so it is never used. */
const UNUSABLE = '';

/** Keys that a URL always says, and those it says with the parameter on the right. */
const IN_EVERY_URL = ['host', 'port', 'database', 'user'] as const;
const IN_SOME_URLS = [
  ['password', 'password'],
  ['sslmode', 'sslmode'],
  ['sslnegotiation', 'sslnegotiation'],
  ['channel_binding', 'channelBinding'],
  ['ca', 'caPath'],
  ['client_cert', 'clientCertPath'],
  ['client_key', 'clientKeyPath'],
] as const satisfies readonly (readonly [keyof FileOrigin, keyof OriginUrl])[];

function checkBothGiven(
  origin: FileOrigin,
  url: OriginUrl,
  path: ConfigPath,
  problems: ProblemList,
): void {
  for (const key of IN_EVERY_URL) {
    if (origin[key] !== undefined) {
      problems.add([...path, key], '`url` is given too', `leave out ${key} or url`);
    }
  }
  for (const [key, inUrl] of IN_SOME_URLS) {
    if (origin[key] !== undefined && url[inUrl] !== null) {
      problems.add([...path, key], '`url` says this too', `take it out of one of them`);
    }
  }
}

/** An origin table without `url`, and the password, which needs no resolving when a URL gave it. */
type Parts = { readonly origin: Omit<FileOrigin, 'url'>; readonly password: string | null };

function mergeUrl(given: FileOrigin, url: OriginUrl): Parts {
  const origin = {
    ...given,
    host: url.host,
    port: url.port,
    database: url.database,
    user: url.user,
    sslmode: url.sslmode ?? given.sslmode,
    sslnegotiation: url.sslnegotiation ?? given.sslnegotiation,
    channel_binding: url.channelBinding ?? given.channel_binding,
    ca: url.caPath ?? given.ca,
    client_cert: url.clientCertPath ?? given.client_cert,
    client_key: url.clientKeyPath ?? given.client_key,
  };
  return { origin, password: url.password };
}

/** Null when the URL cannot be had or read; the problem is told. */
async function readParts(
  given: FileOrigin,
  path: ConfigPath,
  files: ConfigFiles,
  problems: ProblemList,
): Promise<Parts | null> {
  if (given.url === undefined) {
    for (const key of ['host', 'database', 'user'] as const) {
      if (key === 'user' && given.auth === 'secrets-manager') continue;
      if (given[key] === undefined) problems.add(path, `${key} is missing`, 'give it, or url');
    }
    return { origin: given, password: null };
  }
  const text = await files.secret(given.url, [...path, 'url']);
  if (text === null) return null;
  const { url, problem } = readOriginUrl(text);
  if (url === null) {
    problems.add([...path, 'url'], `the URL ${problem}`);
    return null;
  }
  checkBothGiven(given, url, path, problems);
  if (given.auth !== undefined && given.auth !== 'password' && url.password !== null) {
    problems.add([...path, 'url'], `has a password, and auth is "${given.auth}"`, 'take it out');
  }
  for (const name of url.ignored) {
    problems.warn([...path, 'url'], `the parameter ${name} of the URL has no effect`);
  }
  return mergeUrl(given, url);
}

function checkClientPair(
  cert: string | null,
  key: string | null,
  path: ConfigPath,
  problems: ProblemList,
): void {
  const certProblem = cert === null ? null : certificatesProblem(cert);
  const keyProblem = key === null ? null : privateKeyProblem(key);
  if (certProblem !== null) problems.add([...path, 'client_cert'], `the file ${certProblem}`);
  if (keyProblem !== null) problems.add([...path, 'client_key'], `the file ${keyProblem}`);
  if (cert === null || key === null || certProblem !== null || keyProblem !== null) return;
  if (!isPair(cert, key)) problems.add([...path, 'client_key'], 'is not the key of client_cert');
}

/** The modes of TLS that do without it when they must. */
const WEAK_MODES: ReadonlySet<string> = new Set(['disable', 'allow', 'prefer']);

/** Demands that the `sslmode` does not let happen, as in libpq. */
function checkDemands(
  origin: Omit<FileOrigin, 'url'> & { readonly sslmode: SslMode },
  path: ConfigPath,
  problems: ProblemList,
): void {
  const { sslmode, sslnegotiation, channel_binding } = origin;
  const fix = 'set sslmode = "require" or stronger';
  if (sslnegotiation === 'direct' && WEAK_MODES.has(sslmode)) {
    problems.add(path, `sslnegotiation "direct" cannot be with sslmode "${sslmode}"`, fix);
  }
  if (channel_binding === 'require' && sslmode === 'disable') {
    problems.add(path, 'channel_binding "require" cannot be with sslmode "disable"', fix);
  }
}

/** How far readers may be behind; null when they get no reads. */
function resolveReaders(
  origin: Omit<FileOrigin, 'url'>,
  { instanceHostPattern }: AwsOrigin,
  { path, problems }: Telling,
): number | null {
  if (origin.reads !== 'readers') {
    if (origin.reader_lag_max_ms !== undefined) {
      const what = 'has no effect unless reads = "readers"';
      problems.add([...path, 'reader_lag_max_ms'], what, 'set that, or leave it out');
    }
    return null;
  }
  if (instanceHostPattern === null) {
    const what = '"readers" needs the endpoint of an Aurora cluster as host';
    problems.add([...path, 'reads'], what, 'give that, or instance_host_pattern');
  }
  return origin.reader_lag_max_ms ?? READER_LAG_MS_MAX;
}

/** Reads and checks everything an origin needs; what is wrong goes to `problems`. */
export async function resolveOrigin(
  given: FileOrigin,
  path: ConfigPath,
  files: ConfigFiles,
  problems: ProblemList,
): Promise<OriginConfig> {
  const parts = await readParts(given, path, files, problems);
  const origin = parts?.origin ?? given;
  if ((origin.client_cert === undefined) !== (origin.client_key === undefined)) {
    problems.add(path, 'client_cert and client_key need each other', 'give both or none');
  }
  const aws = readAwsOrigin(origin);
  const sslmode = origin.sslmode ?? defaultSslMode(aws);
  checkDemands({ ...origin, sslmode }, path, problems);
  checkServerName(aws, sslmode, origin, { path, problems });
  checkDeployment(aws, { path, problems });
  const auth = resolveAuth(origin, aws, sslmode, { path, problems });
  const ca =
    origin.ca === undefined
      ? await defaultRoots(aws, sslmode, { path, problems })
      : await files.pem(origin.ca, [...path, 'ca']);
  const caProblem = ca === null ? null : certificatesProblem(ca);
  if (caProblem !== null) problems.add([...path, 'ca'], `the file ${caProblem}`);
  const clientCert = await files.pem(origin.client_cert, [...path, 'client_cert']);
  const clientKey = await files.pem(origin.client_key, [...path, 'client_key']);
  checkClientPair(clientCert, clientKey, path, problems);
  const password = await files.secret(origin.password, [...path, 'password']);
  return {
    kind: aws.kind,
    host: origin.host ?? UNUSABLE,
    port: origin.port ?? PORT_DEFAULT,
    dnsServers: origin.dns_servers ?? null,
    instanceHostPattern: aws.instanceHostPattern,
    readerLagMsMax: resolveReaders(origin, aws, { path, problems }),
    database: origin.database ?? UNUSABLE,
    user: origin.user ?? UNUSABLE,
    password: parts?.password ?? password,
    auth,
    sslmode,
    tlsServerName: aws.tlsServerName,
    sslnegotiation: origin.sslnegotiation ?? 'postgres',
    channelBinding: origin.channel_binding ?? 'prefer',
    ca,
    clientCert,
    clientKey,
  };
}

/**
 * An origin from a connection URL alone. Paths in it are relative to `directory`.
 * Throws MR_CONFIG_INVALID, whose text names what is wrong and never quotes the URL.
 */
export async function parseOriginUrl(
  text: string,
  directory = '.',
): Promise<{ origin: OriginConfig; warnings: readonly string[] }> {
  const { url, problem } = readOriginUrl(text);
  if (url === null) throw new GatewayError('MR_CONFIG_INVALID', { subject: `the URL ${problem}` });
  const problems = new ProblemList('URL', () => null);
  const files = new ConfigFiles(resolve(directory), {}, problems);
  const { origin, password } = mergeUrl({}, url);
  const resolved = await resolveOrigin(origin, [], files, problems);
  const first = problems.problems[0];
  if (first !== undefined) {
    throw new GatewayError('MR_CONFIG_INVALID', { subject: spellProblem(first) });
  }
  const warnings = url.ignored.map((name) => `the parameter ${name} of the URL has no effect`);
  return { origin: { ...resolved, password }, warnings: [...warnings, ...problems.warnings] };
}
