/** From the validated file to the model: files read, secrets resolved, rules between keys. */
import { isLoopback } from '../base/loopback.ts';
import { cachingOf } from './caching.ts';
import { certificatesProblem, isPair, privateKeyProblem, validUntilMs } from './certificates.ts';
import type { ConfigFiles } from './files.ts';
import type {
  ConfigurationConfig,
  CredentialConfig,
  ListenerConfig,
  MillraceConfig,
  WorkerCount,
} from './model.ts';
import { poolingOf } from './pooling.ts';
import type { ConfigPath, ProblemList } from './problems.ts';
import { resolveOrigin } from './resolve-origin.ts';
import type {
  FileApi,
  FileConfiguration,
  FileCredential,
  FileDsql,
  FileListener,
  FileStore,
} from './schema.ts';
import { timeoutsOf } from './timeouts.ts';

/** PostgreSQL's NAMEDATALEN less one. */
const NAME_BYTES_MAX = 63;
const VERIFIER = /^SCRAM-SHA-256\$\d{1,10}:[\w+/=]+\$[\w+/]{43}=:[\w+/]{43}=$/;

/** A part of the file with its index there: parts that failed validation are not in the list. */
export type Indexed<T> = { readonly index: number; readonly value: T };

export type ValidParts = {
  readonly workers: WorkerCount;
  readonly drainTimeoutMs: number;
  readonly listeners: readonly Indexed<FileListener>[];
  readonly configurations: readonly Indexed<FileConfiguration>[];
  readonly api: FileApi | null;
  readonly store: FileStore | null;
  readonly dsql: FileDsql | null;
};

type Context = {
  readonly files: ConfigFiles;
  readonly problems: ProblemList;
  /** Milliseconds since 1970, to tell an expired certificate. */
  readonly wallMs: number;
};

function checkListenerTls(
  given: FileListener,
  cert: string | null,
  key: string | null,
  path: ConfigPath,
  { problems, wallMs }: Context,
): void {
  const isNamed = given.tls_cert !== undefined || given.tls_key !== undefined;
  if (given.tls === 'off') {
    if (isNamed) problems.add(path, 'tls is "off" but has files', 'set tls = "required"');
    else if (!isLoopback(given.address)) {
      problems.warn(path, 'is open to the network without TLS', 'set tls = "required"');
    }
    return;
  }
  if (given.tls_cert === undefined || given.tls_key === undefined) {
    problems.add(path, `tls = "${given.tls}" needs tls_cert and tls_key`, 'give both');
    return;
  }
  if (cert === null || key === null) return;
  const certProblem = certificatesProblem(cert);
  const keyProblem = privateKeyProblem(key);
  if (certProblem !== null) problems.add([...path, 'tls_cert'], `the file ${certProblem}`);
  if (keyProblem !== null) problems.add([...path, 'tls_key'], `the file ${keyProblem}`);
  if (certProblem !== null || keyProblem !== null) return;
  if (!isPair(cert, key)) {
    problems.add([...path, 'tls_key'], 'is not the key of tls_cert', 'name the matching files');
  }
  if (validUntilMs(cert) < wallMs) problems.warn([...path, 'tls_cert'], 'has expired', 'renew it');
}

function checkClientCertificates(
  given: FileListener,
  ca: string | null,
  path: ConfigPath,
  { problems }: Context,
): void {
  const mode = given.tls_client_cert;
  if (mode === 'off') {
    if (given.tls_client_ca === undefined) return;
    const what = 'tls_client_ca is given, but tls_client_cert is "off"';
    problems.add(path, what, 'set tls_client_cert = "verify-full", or leave tls_client_ca out');
    return;
  }
  if (given.tls !== 'required') {
    const what = `tls_client_cert = "${mode}" could be avoided by going without TLS`;
    problems.add(path, what, 'set tls = "required"');
  }
  if (given.tls_client_ca === undefined) {
    problems.add(path, `tls_client_cert = "${mode}" needs tls_client_ca`, 'give it');
  }
  const problem = ca === null ? null : certificatesProblem(ca);
  if (problem !== null) problems.add([...path, 'tls_client_ca'], `the file ${problem}`);
}

async function resolveListener(
  { index, value }: Indexed<FileListener>,
  context: Context,
): Promise<ListenerConfig> {
  const path = ['listeners', index];
  const cert = await context.files.pem(value.tls_cert, [...path, 'tls_cert']);
  const key = await context.files.pem(value.tls_key, [...path, 'tls_key']);
  const clientCa = await context.files.pem(value.tls_client_ca, [...path, 'tls_client_ca']);
  checkListenerTls(value, cert, key, path, context);
  checkClientCertificates(value, clientCa, path, context);
  return {
    address: value.address,
    port: value.port,
    tls: value.tls,
    tlsCert: cert,
    tlsKey: key,
    tlsClientCa: clientCa,
    tlsClientCert: value.tls_client_cert,
    loginTimeoutMs: value.login_timeout_ms,
    clientsMax: value.clients_max,
  };
}

async function resolveCredential(
  given: FileCredential,
  path: ConfigPath,
  { files, problems }: Context,
): Promise<CredentialConfig> {
  checkNameBytes(given.user, [...path, 'user'], problems);
  if ((given.password === undefined) === (given.verifier === undefined)) {
    const what = given.password === undefined ? 'has neither' : 'has both';
    problems.add(path, `${what} password and verifier`, 'give one of the two');
  }
  const verifier = await files.secret(given.verifier, [...path, 'verifier']);
  if (verifier !== null && !VERIFIER.test(verifier)) {
    problems.add([...path, 'verifier'], 'what it points to is not a SCRAM verifier');
  }
  const password = await files.secret(given.password, [...path, 'password']);
  return { user: given.user, verifier, password };
}

async function resolveConfiguration(
  { index, value }: Indexed<FileConfiguration>,
  context: Context,
): Promise<ConfigurationConfig> {
  const path = ['configurations', index];
  checkNameBytes(value.name, [...path, 'name'], context.problems);
  const credentials: CredentialConfig[] = [];
  for (const [at, credential] of value.credentials.entries()) {
    credentials.push(await resolveCredential(credential, [...path, 'credentials', at], context));
  }
  checkUnique(
    credentials.map(({ user }, at) => [user, [...path, 'credentials', at, 'user']] as const),
    'another credential has this user',
    context.problems,
  );
  const { files, problems } = context;
  if (value.origin_connection_burst !== undefined && value.origin_connection_rate === undefined) {
    const at = [...path, 'origin_connection_burst'];
    problems.add(at, 'origin_connection_rate is missing', 'give both or none');
  }
  return {
    name: value.name,
    origin: await resolveOrigin(value.origin, [...path, 'origin'], files, problems),
    ...poolingOf(value),
    timeouts: timeoutsOf(value.timeouts),
    caching: cachingOf(value.caching),
    credentials,
  };
}

function checkNameBytes(name: string, path: ConfigPath, problems: ProblemList): void {
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) {
    problems.add(path, `is longer than ${NAME_BYTES_MAX} bytes in UTF-8`, 'shorten it');
  }
}

function checkUnique(
  named: readonly (readonly [name: string, path: ConfigPath])[],
  what: string,
  problems: ProblemList,
): void {
  const seen = new Set<string>();
  for (const [name, path] of named) {
    if (seen.has(name)) problems.add(path, what, 'change or remove one of them');
    seen.add(name);
  }
}

/** What is wrong goes to `problems`; the result is usable only when that list stays empty. */
export async function resolveConfig(
  parts: ValidParts,
  files: ConfigFiles,
  problems: ProblemList,
  wallMs: number,
): Promise<MillraceConfig> {
  const context: Context = { files, problems, wallMs };
  const listeners: ListenerConfig[] = [];
  for (const part of parts.listeners) listeners.push(await resolveListener(part, context));
  const configurations: ConfigurationConfig[] = [];
  for (const part of parts.configurations) {
    configurations.push(await resolveConfiguration(part, context));
  }
  checkUnique(
    parts.listeners
      .filter(({ value }) => value.port !== 0)
      .map(({ index, value }) => [`${value.address} ${value.port}`, ['listeners', index]] as const),
    'another listener has this address and port',
    problems,
  );
  checkUnique(
    parts.configurations.map(
      ({ index, value }) => [value.name, ['configurations', index, 'name']] as const,
    ),
    'another configuration has this name',
    problems,
  );
  const { workers, drainTimeoutMs } = parts;
  return { workers, listeners, configurations, drainTimeoutMs };
}
