/**
 * The PostgreSQL server of one cluster, embedded. One that ends without being asked is started
 * again, on the same data and, when it can be had, the same port.
 */
import { rm, stat } from 'node:fs/promises';
import type { Log } from '../../base/log.ts';
import { type Binaries, findBinaries } from '../../embedded/binaries.ts';
import { hasCluster, makeCluster, type Role } from '../../embedded/cluster.ts';
import { giveBack, type Held, openKept, openScratch } from '../../embedded/holding.ts';
import { initializeDatabase } from '../../embedded/initialize.ts';
import { clearCluster } from '../../embedded/postmaster.ts';
import {
  endProcess,
  PortTakenError,
  type ServerProcess,
  type ServerSettings,
  serverHost,
  startServerProcess,
} from '../../embedded/server-process.ts';
import { pause } from './pause.ts';

/** Of the one database that a cluster has. */
const DATABASE = 'postgres';
const SUPERUSER = 'postgres';

export type ClusterServerOptions = {
  /** Of this cluster alone; not used when `isEphemeral`. */
  readonly dataDir: string;
  readonly isEphemeral: boolean;
  readonly password: string;
  readonly settings: ServerSettings;
  readonly log: Log;
  /** It has ended, and is being started again. */
  onDown(): void;
  /** It is there again. */
  onUp(): void;
};

export class ClusterServer {
  readonly #options: ClusterServerOptions;
  readonly #held: Held;
  readonly #binaries: Binaries;
  readonly #stopping = new AbortController();
  #process: ServerProcess;
  #restarting: Promise<void> = Promise.resolve();

  private constructor(
    options: ClusterServerOptions,
    held: Held,
    binaries: Binaries,
    process: ServerProcess,
  ) {
    this.#options = options;
    this.#held = held;
    this.#binaries = binaries;
    this.#process = process;
    this.#attend(process);
  }

  /** @throws GatewayError as `startEmbedded`; nothing runs or is held then */
  static async start(options: ClusterServerOptions): Promise<ClusterServer> {
    const { dataDir, isEphemeral, password, log } = options;
    const held = isEphemeral ? await openScratch(log) : await openKept(dataDir, log);
    try {
      const { home } = held;
      const superuser: Role = { user: SUPERUSER, password };
      const binaries = await findBinaries(home.account);
      if (await hasCluster(home, binaries)) await clearCluster(home, log);
      else await makeCluster(home, binaries, superuser);
      await initializeDatabase(home, binaries, superuser, null);
      const process = await startOn(options, held, binaries, 0);
      return new ClusterServer(options, held, binaries, process);
    } catch (error) {
      await giveBack(held);
      throw error;
    }
  }

  /** A connection string of the superuser; another one when the port could not be had again. */
  get url(): string {
    const password = encodeURIComponent(this.#options.password);
    const place = `${serverHost}:${this.#process.port}`;
    return `postgres://${SUPERUSER}:${password}@${place}/${DATABASE}?sslmode=disable`;
  }

  /** Of its postmaster. */
  get processId(): number {
    return this.#process.pid;
  }

  /** Shuts it down; an ephemeral one's data is gone then. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#restarting;
    try {
      await endProcess(this.#process);
    } finally {
      await giveBack(this.#held);
    }
  }

  #attend(process: ServerProcess): void {
    void process.ended.then((exit) => {
      if (this.#stopping.signal.aborted) return;
      this.#options.log.warn(exit, 'the PostgreSQL of a cluster has ended: starting it again');
      this.#options.onDown();
      this.#restarting = this.#restart();
    });
  }

  async #restart(): Promise<void> {
    const { signal } = this.#stopping;
    const { log } = this.#options;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await clearCluster(this.#held.home, log);
        // Clients of the cluster have its port in links and pools.
        const port = attempt === 0 ? this.#process.port : 0;
        this.#process = await this.#startAt(port);
        this.#attend(this.#process);
        this.#options.onUp();
        return;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        log.error({ reason, attempt }, 'the PostgreSQL of a cluster cannot be started again');
        await pause(attempt, signal);
      }
    }
  }

  async #startAt(port: number): Promise<ServerProcess> {
    try {
      return await startOn(this.#options, this.#held, this.#binaries, port);
    } catch (error) {
      if (!(error instanceof PortTakenError)) throw error;
      return await startOn(this.#options, this.#held, this.#binaries, 0);
    }
  }
}

function startOn(
  { settings, password }: ClusterServerOptions,
  { home, log }: Held,
  binaries: Binaries,
  port: number,
): Promise<ServerProcess> {
  return startServerProcess({ home, binaries, port, settings, log, secrets: [password] });
}

/** Removes what a kept server has left, wherever that is. It must have been stopped. */
export async function removeServerData(dataDir: string, log: Log): Promise<void> {
  const found = await stat(dataDir).catch(() => null);
  if (found === null) return;
  const held = await openKept(dataDir, log);
  await giveBack(held);
  await rm(held.home.dir, { recursive: true, force: true });
  await rm(dataDir, { recursive: true, force: true });
}
