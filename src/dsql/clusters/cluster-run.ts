/** One cluster while it runs here: its own server, when it has one, and what is open on it. */
import type { Log } from '../../base/log.ts';
import type { OriginConfig } from '../../config/model.ts';
import { parseOriginUrl } from '../../config/resolve-origin.ts';
import type { ServerSettings } from '../../embedded/server-process.ts';
import { SerialQueue } from '../serial-queue.ts';
import type { ClusterRecord } from './cluster-record.ts';
import { ClusterServer, removeServerData } from './cluster-server.ts';
import { pause } from './pause.ts';

/** A cluster that clients can be let in to. */
export type OpenCluster = {
  /**
   * Ends its sessions and links.
   * @param isDeleted it is never opened again: what is below it may be another cluster's
   */
  close(isDeleted: boolean): Promise<void>;
};

export type ClusterOpener<T extends OpenCluster> = (
  record: ClusterRecord,
  origins: readonly OriginConfig[],
) => Promise<T>;

export type RunOptions<T extends OpenCluster> = {
  /** Of an embedded server. */
  readonly dataDir: string;
  readonly isEphemeral: boolean;
  readonly settings: ServerSettings;
  /** A fresh password of the server's superuser. */
  readonly password: () => string;
  readonly open: ClusterOpener<T>;
  readonly log: Log;
};

export class ClusterRun<T extends OpenCluster> {
  readonly #record: ClusterRecord;
  readonly #options: RunOptions<T>;
  readonly #stopping = new AbortController();
  #server: ClusterServer | null = null;
  #isServerUp = false;
  #open: T | null = null;
  /** Where that which is open leads. */
  #openUrl = '';
  readonly #queue = new SerialQueue();
  #stopped: Promise<void> | null = null;

  constructor(record: ClusterRecord, options: RunOptions<T>) {
    this.#record = record;
    this.#options = options;
  }

  /** `waking` until it is open, and while its server is being started again. */
  get found(): T | 'waking' {
    const isDown = this.#server !== null && !this.#isServerUp;
    return this.#open === null || isDown ? 'waking' : this.#open;
  }

  /** The process of its own server; null without one, or while it is down. */
  get processId(): number | null {
    return this.#isServerUp ? (this.#server?.processId ?? null) : null;
  }

  /**
   * One attempt to bring it up.
   * @throws GatewayError, or what `open` throws; {@link stop} is due then
   */
  begin(): Promise<void> {
    return this.#queue.run(() => this.#begin());
  }

  /** Attempts until it is up or stopped; each that fails is logged. */
  async beginPatiently(): Promise<void> {
    const { signal } = this.#stopping;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        return await this.begin();
      } catch (error) {
        if (signal.aborted) return;
        this.#warn(error, 'a cluster cannot be opened; trying again');
        await pause(attempt, signal);
      }
    }
  }

  /** Every call waits for the same end. */
  stop(isDeleted = false): Promise<void> {
    this.#stopped ??= this.#stop(isDeleted);
    return this.#stopped;
  }

  /** Removes the data of its own server. It must have been stopped. */
  async removeData(): Promise<void> {
    const { isEphemeral, dataDir, log } = this.#options;
    if (!isEphemeral && this.#record.originUrls.length === 0) await removeServerData(dataDir, log);
  }

  async #stop(isDeleted: boolean): Promise<void> {
    this.#stopping.abort();
    // What is being done comes to its end first.
    await this.#queue.run(async () => {});
    try {
      await this.#close(isDeleted);
    } finally {
      await this.#server?.stop();
    }
  }

  async #begin(): Promise<void> {
    if (this.#stopping.signal.aborted) throw new Error('it has been stopped');
    const { originUrls } = this.#record;
    if (originUrls.length === 0 && this.#server === null) {
      this.#server = await this.#startServer();
      this.#isServerUp = true;
    }
    await this.#reopen();
  }

  /** Opens it at the addresses of now, unless it is. */
  async #reopen(): Promise<void> {
    const urls = this.#server === null ? this.#record.originUrls : [this.#server.url];
    const at = urls.join(' ');
    if (this.#open !== null && at === this.#openUrl) return;
    await this.#close(false);
    const parsed = await Promise.all(urls.map((url) => parseOriginUrl(url)));
    this.#open = await this.#options.open(
      this.#record,
      parsed.map(({ origin }) => origin),
    );
    this.#openUrl = at;
  }

  #startServer(): Promise<ClusterServer> {
    const { dataDir, isEphemeral, settings, password, log } = this.#options;
    return ClusterServer.start({
      dataDir,
      isEphemeral,
      settings,
      password: password(),
      log,
      onDown: () => {
        this.#isServerUp = false;
      },
      onUp: () => {
        this.#isServerUp = true;
        void this.beginPatiently();
      },
    });
  }

  async #close(isDeleted: boolean): Promise<void> {
    const open = this.#open;
    this.#open = null;
    this.#openUrl = '';
    await open
      ?.close(isDeleted)
      .catch((error: unknown) => this.#warn(error, 'a cluster was not closed well'));
  }

  #warn(error: unknown, message: string): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.log.warn({ reason }, message);
  }
}
