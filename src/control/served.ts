/** From what the store holds to configurations that a gateway serves. */
import { createHash } from 'node:crypto';
import { isLoopback } from '../base/loopback.ts';
import { cachingDefaults } from '../config/caching.ts';
import type { CachingConfig, ConfigurationConfig, OriginConfig, SslMode } from '../config/model.ts';
import { poolingDefaults } from '../config/pooling.ts';
import {
  type AwsOrigin,
  defaultSslMode as awsSslMode,
  readAwsOrigin,
  shippedRoots,
} from '../config/resolve-aws.ts';
import { timeoutsDefaults } from '../config/timeouts.ts';
import type { CertificateRecord } from '../store/certificates.ts';
import { type ConfigurationDraft, certificateIds } from '../store/configurations.ts';
import type { Snapshot } from '../store/snapshot.ts';
import type { StoredCaching } from '../store/tables.ts';

/** As Hyperdrive has it. */
const STATEMENT_TIMEOUT_MS = 60_000;

/**
 * Hyperdrive never goes without TLS, and neither do we, except to this very machine, where nobody
 * is on the wire and a database seldom has a certificate. At AWS the name is verified too.
 */
function sslModeDefault(aws: AwsOrigin, host: string): SslMode {
  if (aws.kind !== 'postgres') return awsSslMode(aws);
  return isLoopback(host) ? 'prefer' : 'require';
}

function cachingOf(stored: StoredCaching): CachingConfig {
  const { disabled, max_age: maxAge, stale_while_revalidate: stale } = stored;
  return {
    ...cachingDefaults,
    disabled,
    ...(maxAge === undefined ? {} : { maxAgeMs: maxAge * 1000 }),
    ...(stale === undefined ? {} : { staleWhileRevalidateMs: stale * 1000 }),
  };
}

type OpenedCertificate = CertificateRecord & { readonly privateKey: string | null };

/** @param find the certificates that the draft names, or null for one that is gone */
export async function originOf(
  draft: Pick<ConfigurationDraft, 'origin' | 'originPassword' | 'mtls'>,
  find: (id: string) => OpenedCertificate | null,
): Promise<OriginConfig> {
  const { origin, originPassword, mtls } = draft;
  const { ca_certificate_id: caId, mtls_certificate_id: ownId } = mtls;
  const own = ownId === undefined ? null : find(ownId);
  const aws = readAwsOrigin({ host: origin.host });
  const sslmode = mtls.sslmode ?? sslModeDefault(aws, origin.host);
  const ca = caId === undefined ? await shippedRoots(aws, sslmode) : find(caId)?.certificates;
  return {
    kind: aws.kind,
    host: origin.host,
    port: origin.port,
    database: origin.database,
    user: origin.user,
    password: originPassword,
    auth: { method: 'password' },
    instanceHostPattern: aws.instanceHostPattern,
    readerLagMsMax: null,
    tlsServerName: null,
    sslmode,
    dnsServers: null,
    sslnegotiation: 'postgres',
    channelBinding: 'prefer',
    ca: ca ?? null,
    clientCert: own?.certificates ?? null,
    clientKey: own?.privateKey ?? null,
  };
}

export type Served = {
  readonly configurations: readonly ConfigurationConfig[];
  /** Names of those that cannot be: without a certificate that is missing, TLS would be another. */
  readonly leftOut: readonly string[];
  /** When a credential ends, in milliseconds since 1970: it is due again then. */
  readonly dueMs: number | null;
};

/** Credentials that have expired at `nowMs` let nobody in. */
export async function servedOf(snapshot: Snapshot, nowMs: number): Promise<Served> {
  const certificates = new Map(snapshot.certificates.map((one) => [one.id, one]));
  const credentials = new Map<string, { user: string; verifier: string; password: null }[]>();
  let dueMs: number | null = null;
  for (const { configurationId, user, verifier, expiresOn } of snapshot.credentials) {
    if (expiresOn !== null && expiresOn.getTime() <= nowMs) continue;
    if (expiresOn !== null) dueMs = Math.min(dueMs ?? Infinity, expiresOn.getTime());
    const list = credentials.get(configurationId);
    const credential = { user, verifier, password: null };
    if (list === undefined) credentials.set(configurationId, [credential]);
    else list.push(credential);
  }
  const isWhole = ({ mtls }: Pick<ConfigurationDraft, 'mtls'>): boolean =>
    certificateIds(mtls).every((id) => certificates.has(id));
  const whole = snapshot.configurations.filter(isWhole);
  const leftOut = snapshot.configurations.filter((one) => !isWhole(one)).map(({ name }) => name);
  const served = whole.map(async (record) => ({
    name: record.name,
    origin: await originOf(record, (id) => certificates.get(id) ?? null),
    ...poolingDefaults,
    originConnectionLimit: record.originConnectionLimit ?? poolingDefaults.originConnectionLimit,
    timeouts: { ...timeoutsDefaults, statementTimeoutMs: STATEMENT_TIMEOUT_MS },
    caching: cachingOf(record.caching),
    credentials: credentials.get(record.id) ?? [],
    ...(record.restartedOn === null ? {} : { restartedOn: record.restartedOn.toISOString() }),
  }));
  return { configurations: await Promise.all(served), leftOut, dueMs };
}

/** The file wins: what the store has under a name of the file is not served. */
export function mergeConfigurations(
  file: readonly ConfigurationConfig[],
  store: readonly ConfigurationConfig[],
): readonly ConfigurationConfig[] {
  const names = new Set(file.map(({ name }) => name));
  return [...file, ...store.filter(({ name }) => !names.has(name))];
}

/** The id of a configuration of the file, which has none of its own: the same at every start. */
export function fileConfigurationId(name: string): string {
  return createHash('sha256')
    .update(`millrace file configuration\0${name}`)
    .digest('hex')
    .slice(0, 32);
}
