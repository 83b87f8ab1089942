/** The DSQL endpoint beside a gateway: identities, clusters, their listener, and the way down. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../base/log.ts';
import type { DsqlConfig } from '../../config/model.ts';
import type { AwsPlane } from '../../control/aws/aws-plane.ts';
import { Cluster, LINKS_MAX } from '../../dsql/cluster.ts';
import { Clusters } from '../../dsql/clusters/clusters.ts';
import { DsqlEndpoint } from '../../dsql/endpoint.ts';
import { DSQL_LIMITS } from '../../dsql/login/connection-quota.ts';
import { SERVER_SETTINGS } from '../../dsql/transactions/adjudicator.ts';
import { openDataDir } from '../../embedded/cluster-home.ts';
import { clock, random } from '../../gateway/system.ts';
import { type ServerTls, serverTls } from '../../net/tls-accept.ts';
import { loadParser } from '../../origin/parser.ts';
import { StoreIdentities } from '../../store/identities.ts';
import type { Store } from '../../store/store.ts';
import { openAuthority, serverCertificate } from './dsql-certificates.ts';

const LOGIN_TIMEOUT_MS = 15_000;
/** A certificate of our own is good for 30 days; a new one is made long before it ends. */
const RENEWAL_MS = 24 * 3_600_000;
/** Beside the links of clients: guards of locks, jobs, and what the endpoint itself asks. */
const OTHER_LINKS_MAX = 60;

/** Of embedded servers. Several may run beside each other on one machine. */
const EMBEDDED_SETTINGS = {
  ...SERVER_SETTINGS,
  max_connections: String(LINKS_MAX + OTHER_LINKS_MAX),
  shared_buffers: '32MB',
};

export type DsqlOptions = {
  readonly config: DsqlConfig;
  readonly store: Store;
  /** Nothing is kept: embedded servers and the authority end with this program. */
  readonly isEphemeral: boolean;
  readonly log: Log;
};

export class RunningDsql {
  readonly endpoint: DsqlEndpoint;
  readonly clusters: Clusters<Cluster>;
  readonly region: string;
  /** The certificate that clients are to trust; null where the files of the user say it. */
  readonly caFile: string | null;
  readonly #identities: StoreIdentities;
  /** Clusters that clients may be in. */
  readonly #open: ReadonlySet<Cluster>;
  readonly #renewal: NodeJS.Timeout | null;
  readonly #removed: string | null;

  private constructor(parts: {
    endpoint: DsqlEndpoint;
    clusters: Clusters<Cluster>;
    identities: StoreIdentities;
    open: ReadonlySet<Cluster>;
    region: string;
    certificate: Certificate;
  }) {
    this.endpoint = parts.endpoint;
    this.clusters = parts.clusters;
    this.region = parts.region;
    this.#identities = parts.identities;
    this.#open = parts.open;
    const { caFile, renewal, removed } = parts.certificate;
    this.caFile = caFile;
    this.#renewal = renewal;
    this.#removed = removed;
  }

  /** @throws GatewayError `MR_LISTEN_FAILED`, `MR_CONFIG_INVALID`, `MR_STORE_…`; nothing is left */
  static async start(options: DsqlOptions): Promise<RunningDsql> {
    const { config, store, isEphemeral, log } = options;
    const { region } = config;
    const certificate = await certificateOf(config, isEphemeral);
    const undo: (() => Promise<void>)[] = [() => end(certificate)];
    try {
      const identities = await StoreIdentities.start(store);
      undo.push(() => identities.close());
      const open = new Set<Cluster>();
      const clusters = await startClusters(options, open);
      undo.push(() => clusters.close());
      const endpoint = await DsqlEndpoint.start({
        address: config.address,
        port: config.port,
        region,
        get serverTls() {
          return certificate.serverTls;
        },
        identities,
        loginTimeoutMs: LOGIN_TIMEOUT_MS,
        find: (id) => clusters.find(id),
        wallMs: () => Date.now(),
        nowMs: () => clock.nowMs(),
        log,
      });
      return new RunningDsql({ endpoint, clusters, identities, open, region, certificate });
    } catch (error) {
      for (const step of undo.toReversed()) await step();
      throw error;
    }
  }

  /** What the APIs of AWS work with. */
  get plane(): AwsPlane {
    return { identities: this.#identities, clusters: this.clusters, region: this.region };
  }

  /** Takes no more clients, and lets open transactions end, for so long at most. */
  async drain(timeoutMs: number): Promise<void> {
    this.endpoint.close();
    await Promise.all([...this.#open].map((cluster) => cluster.drain(timeoutMs)));
  }

  /** Ends all sessions, and stops the servers of clusters. The store must be open still. */
  async close(): Promise<void> {
    this.endpoint.close();
    await this.clusters.close();
    await this.#identities.close();
    await end({ renewal: this.#renewal, removed: this.#removed });
  }
}

async function startClusters(
  options: DsqlOptions,
  opened: Set<Cluster>,
): Promise<Clusters<Cluster>> {
  const { config, store, isEphemeral, log } = options;
  const parser = await loadParser();
  // Clusters are opened while they are being started.
  let started: Clusters<Cluster> | null = null;
  const recordOf = (id: string) => started?.record(id) ?? null;
  const parts = { parser, clock, random, log, limits: DSQL_LIMITS, recordOf };
  started = await Clusters.start<Cluster>({
    store,
    dataDir: config.dataDir,
    isEphemeral,
    settings: EMBEDDED_SETTINGS,
    open: async (record, origins) => {
      const cluster = await Cluster.open(record, origins, {
        ...parts,
        onClosed: () => opened.delete(cluster),
      });
      opened.add(cluster);
      return cluster;
    },
    random,
    log,
  });
  return started;
}

type Certificate = {
  serverTls: ServerTls;
  readonly caFile: string | null;
  readonly renewal: NodeJS.Timeout | null;
  /** A directory that is removed at the end, or null. */
  readonly removed: string | null;
};

async function certificateOf(config: DsqlConfig, isEphemeral: boolean): Promise<Certificate> {
  const { tls, dataDir, region, address } = config;
  if (tls !== null) {
    const given = serverTls({ ...tls, clientCa: null });
    return { serverTls: given, caFile: null, renewal: null, removed: null };
  }
  const removed = isEphemeral ? await mkdtemp(join(tmpdir(), 'millrace-dsql-')) : null;
  if (removed === null) await openDataDir(dataDir);
  const { authority, caFile } = await openAuthority(removed ?? dataDir);
  const fresh = () =>
    serverTls({ ...serverCertificate(authority, region, address), clientCa: null });
  const renewal = setInterval(() => {
    certificate.serverTls = fresh();
  }, RENEWAL_MS).unref();
  const certificate: Certificate = { serverTls: fresh(), caFile, renewal, removed };
  return certificate;
}

async function end({ renewal, removed }: Pick<Certificate, 'renewal' | 'removed'>): Promise<void> {
  if (renewal !== null) clearInterval(renewal);
  if (removed !== null) await rm(removed, { recursive: true, force: true });
}
