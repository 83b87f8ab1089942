/**
 * Keeps the clusters that run in step with those that the store has. What is asked of them is
 * written down first and done then, so that a program which dies in between finishes at its next
 * start.
 */
import { join } from 'node:path';
import { type Log, withFields } from '../../base/log.ts';
import type { Random } from '../../base/time.ts';
import type { ServerSettings } from '../../embedded/server-process.ts';
import type { ClusterDraft, CreateRefusal, StoredCluster } from '../../store/clusters.ts';
import type { Store } from '../../store/store.ts';
import type { StoreWatch } from '../../store/watch.ts';
import { type ClusterRecord, newClusterId } from './cluster-record.ts';
import { type ClusterOpener, ClusterRun, type OpenCluster } from './cluster-run.ts';
import { homeName } from './home-name.ts';

/** Below the data directory. */
const FOLDER = 'dsql';
const ACTOR = 'clusters';
/** What could not be written to the store is tried again after this. */
const RETRY_MS = 2_000;
const PASSWORD_SIZE = 24;
const ROLE_SECRET_SIZE = 32;

export type ClustersOptions<T extends OpenCluster> = {
  readonly store: Store;
  /** Embedded servers keep their data below it; not used when `isEphemeral`. */
  readonly dataDir: string;
  /** Data of embedded servers ends with this program, and so do their clusters. */
  readonly isEphemeral: boolean;
  /** Of embedded servers, as in `postgresql.conf`. */
  readonly settings: ServerSettings;
  readonly open: ClusterOpener<T>;
  readonly random: Random;
  readonly log: Log;
};

/** What whoever wants a cluster says; the rest is made here. */
export type ClusterRequest = Omit<ClusterDraft, 'id' | 'home' | 'roleSecret'>;

/** What requests of an API may do with clusters. */
export type ClusterLifecycle = {
  create(
    request: ClusterRequest,
    actor: string,
  ): Promise<{ readonly cluster: StoredCluster; readonly isNew: boolean } | CreateRefusal>;
  /** Status DELETING, and the rest later. */
  delete(id: string, actor: string): Promise<StoredCluster | 'protected' | null>;
  /** Settles when what was changed through this process is known everywhere in it. */
  refresh(): Promise<void>;
};

export class Clusters<T extends OpenCluster> implements ClusterLifecycle {
  readonly #options: ClustersOptions<T>;
  readonly #home: string;
  readonly #runs = new Map<string, ClusterRun<T>>();
  readonly #leaving = new Map<string, Promise<void>>();
  #records: ReadonlyMap<string, StoredCluster> = new Map();
  #watch: StoreWatch | null = null;
  /** Embedded servers are made one after the other: each wants a processor for itself. */
  #queue: Promise<void> = Promise.resolve();
  #isClosed = false;
  #dueMs: number | null = null;

  private constructor(options: ClustersOptions<T>, home: string) {
    this.#options = options;
    this.#home = home;
  }

  /**
   * Starts what the store has, and settles when that is known, not when it is up.
   * @throws GatewayError `MR_EMBEDDED_FAILED` when there is no place for data
   */
  static async start<T extends OpenCluster>(options: ClustersOptions<T>): Promise<Clusters<T>> {
    const { isEphemeral, dataDir, random, store } = options;
    const dir = isEphemeral ? null : join(dataDir, FOLDER);
    const clusters = new Clusters(options, await homeName(dir, random));
    clusters.#watch = store.watchIdentities(() => clusters.#onChange());
    await clusters.refresh();
    return clusters;
  }

  /** Null for one that there is not, that has failed, or that another gateway has. */
  find(id: string): T | 'waking' | null {
    const record = this.#records.get(id);
    if (record === undefined) return null;
    const run = this.#runs.get(id)?.found;
    // One that is open may be known to be ACTIVE a moment later.
    if (record.status === 'ACTIVE') return run ?? null;
    if (record.status !== 'CREATING' || record.home !== this.#home) return null;
    return run ?? 'waking';
  }

  /** As it is now: policy and tags change while it is open. */
  record(id: string): ClusterRecord | null {
    return this.#records.get(id) ?? null;
  }

  /** The process of a cluster's own server, for whoever looks after processes; or null. */
  processId(id: string): number | null {
    return this.#runs.get(id)?.processId ?? null;
  }

  async refresh(): Promise<void> {
    await this.#watch?.look();
  }

  async create(request: ClusterRequest, actor: string) {
    const { random, store } = this.#options;
    const roleSecret = Buffer.from(random.bytes(ROLE_SECRET_SIZE));
    const draft = { ...request, id: newClusterId(random), home: this.#home, roleSecret };
    const made = await store.clusters.create(draft, actor);
    await this.refresh();
    return made;
  }

  async delete(id: string, actor: string) {
    const deleted = await this.#options.store.clusters.beginDelete(id, actor);
    await this.refresh();
    return deleted;
  }

  /** Stops all servers. The store must be open still. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#watch?.close();
    await Promise.allSettled([...this.#runs.values()].map((run) => run.stop()));
    await Promise.allSettled(this.#leaving.values());
    // What waits there ends at once, as everything has been stopped.
    await this.#queue;
    if (!this.#options.isEphemeral) return;
    // Nobody finds their data again.
    for (const { id, home, originUrls } of this.#records.values()) {
      if (home !== this.#home || originUrls.length > 0) continue;
      await this.#options.store.clusters.remove(id, ACTOR).catch((e) => this.#warn(id, e));
    }
  }

  /** Never waits for a cluster: only for the store. */
  async #onChange(): Promise<number | null> {
    const records = await this.#options.store.clusters.list();
    this.#records = new Map(records.map((record) => [record.id, record]));
    this.#dueMs = null;
    for (const record of records) this.#reconcile(record);
    for (const [id, run] of this.#runs) {
      if (!this.#records.has(id)) this.#dismiss(id, run);
    }
    return this.#dueMs;
  }

  #reconcile(record: StoredCluster): void {
    const { id, status, originUrls } = record;
    const isHere = record.home === this.#home;
    const run = this.#runs.get(id);
    if (this.#isClosed || this.#leaving.has(id)) return;
    if (status === 'DELETING' || status === 'FAILED') {
      const isMine = isHere || originUrls.length > 0;
      if (status === 'DELETING' && isMine) {
        this.#leave(id, this.#delete(record, run));
        // Unless that comes to its end.
        this.#dueMs = Date.now() + RETRY_MS;
      } else if (run !== undefined) this.#dismiss(id, run);
    } else if (run === undefined && (isHere || (status === 'ACTIVE' && originUrls.length > 0))) {
      const fresh = new ClusterRun(record, this.#runOptions(id));
      this.#runs.set(id, fresh);
      this.#enqueue(() => this.#bringUp(record, fresh));
    } else if (run !== undefined && status === 'CREATING' && run.found !== 'waking') {
      // It is up, and the store was away when that was to be written.
      this.#enqueue(() => this.#settle(id, 'ACTIVE'));
      this.#dueMs = Date.now() + RETRY_MS;
    }
  }

  #runOptions(id: string) {
    const { dataDir, isEphemeral, settings, open, random, log } = this.#options;
    return {
      dataDir: join(dataDir, FOLDER, id),
      isEphemeral,
      settings,
      password: () => Buffer.from(random.bytes(PASSWORD_SIZE)).toString('base64url'),
      open,
      log: withFields(log, { cluster: id }),
    };
  }

  #enqueue(work: () => Promise<void>): void {
    this.#queue = this.#queue.then(work).catch((error: unknown) => this.#warn('', error));
  }

  async #bringUp({ id, status }: StoredCluster, run: ClusterRun<T>): Promise<void> {
    if (status === 'ACTIVE') {
      // One that cannot be had for the moment must not keep the others waiting.
      await run.begin().catch((error: unknown) => {
        this.#warn(id, error);
        void run.beginPatiently();
      });
      return;
    }
    try {
      await run.begin();
    } catch (error) {
      if (this.#isClosed || this.#leaving.has(id)) return;
      this.#warn(id, error, 'a cluster could not be made');
      await this.#settle(id, 'FAILED');
      return;
    }
    await this.#settle(id, 'ACTIVE');
  }

  async #settle(id: string, status: 'ACTIVE' | 'FAILED'): Promise<void> {
    await this.#options.store.clusters.settle(id, status, ACTOR);
    await this.refresh();
  }

  async #delete(record: StoredCluster, known: ClusterRun<T> | undefined): Promise<void> {
    const { id } = record;
    const run = known ?? new ClusterRun(record, this.#runOptions(id));
    await run.stop(true);
    await run.removeData();
    this.#runs.delete(id);
    await this.#options.store.clusters.remove(id, ACTOR);
  }

  #dismiss(id: string, run: ClusterRun<T>): void {
    this.#runs.delete(id);
    this.#leave(id, run.stop());
  }

  #leave(id: string, end: Promise<void>): void {
    const done = end
      .catch((error: unknown) => this.#warn(id, error))
      .then(() => {
        this.#leaving.delete(id);
      });
    this.#leaving.set(id, done);
  }

  #warn(cluster: string, error: unknown, message = 'a cluster is not as it is to be'): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.log.error({ cluster, reason }, message);
  }
}
