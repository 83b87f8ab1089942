/**
 * A real PostgreSQL from the packages of npm, for development, as default store and for tests: no
 * installation, no container, nothing left behind when it stops.
 */
import { GatewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { findBinaries } from './binaries.ts';
import { checkRole, hasCluster, makeCluster, type Role } from './cluster.ts';
import { embeddedFailure, messageOf } from './failure.ts';
import { giveBack, type Held, openKept, openScratch } from './holding.ts';
import { initializeDatabase } from './initialize.ts';
import { clearCluster } from './postmaster.ts';
import {
  type Exit,
  endProcess,
  type ServerProcess,
  type ServerSettings,
  serverHost,
  startServerProcess,
} from './server-process.ts';

export type EmbeddedOptions = {
  /** Where the cluster is kept between runs; made when absent. Not used when `ephemeral`. */
  readonly dataDir: string;
  /** 0 for any free one, the same each time for a kept cluster as long as nobody else has it. */
  readonly port: number;
  /** A fresh cluster below the directory for temporary files, without fsync, removed at the end. */
  readonly ephemeral: boolean;
  /** A kept cluster takes over the password of each start: an earlier one does not matter. */
  readonly superuser: Role;
  /** With it there is a plain role of that name, owner of the database `demo`. */
  readonly demo?: Role;
  readonly log: Log;
  /** Settings of the server as in `postgresql.conf`; those that this module needs win. */
  readonly settings?: ServerSettings;
};

/**
 * A running server. It goes on when this process dies without {@link stop}; the next start on the
 * same data directory, or the next ephemeral one, ends it.
 */
export class EmbeddedServer {
  readonly host: string = serverHost;
  readonly port: number;
  /** The superuser. */
  readonly user: string;
  readonly password: string;
  readonly pid: number;
  /** The directory of the cluster, PGDATA. */
  readonly dataDir: string;
  readonly #process: ServerProcess;
  readonly #held: Held;
  readonly #listeners: ((exit: Exit) => void)[] = [];
  #exit: Exit | null = null;
  #stopping: Promise<void> | null = null;

  constructor(process: ServerProcess, held: Held, superuser: Role) {
    this.port = process.port;
    this.user = superuser.user;
    this.password = superuser.password;
    this.pid = process.pid;
    this.dataDir = held.home.cluster;
    this.#process = process;
    this.#held = held;
    void process.ended.then((exit) => this.#onEnded(exit));
  }

  #onEnded(exit: Exit): void {
    if (this.#stopping !== null) return;
    this.#exit = exit;
    for (const listener of this.#listeners) listener(exit);
  }

  /**
   * Tells when the server ends without {@link stop}, also when it has already; the data directory
   * stays held until `stop()`, which is still due.
   */
  onExit(listener: (exit: Exit) => void): void {
    this.#listeners.push(listener);
    const exit = this.#exit;
    if (exit !== null) queueMicrotask(() => listener(exit));
  }

  /** Shuts down fast: open transactions are rolled back. Every call waits for the same end. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    try {
      if (this.#exit === null) await endProcess(this.#process);
    } finally {
      await giveBack(this.#held);
    }
  }
}

/**
 * Starts the server, making the cluster when there is none. A server that an earlier Millrace left
 * behind when it was killed is stopped first.
 *
 * @throws GatewayError `MR_DATA_DIR_HELD` when another Millrace or server uses the data directory,
 *   `MR_DATA_DIR_VERSION` when its cluster is of another major version, `MR_EMBEDDED_FAILED` for
 *   anything else; nothing runs or is held then
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  if (process.platform === 'win32') throw embeddedFailure('it needs Linux or macOS');
  checkRole(options.superuser);
  if (options.demo !== undefined) checkRole(options.demo);
  try {
    const { ephemeral, dataDir, log } = options;
    const held = ephemeral ? await openScratch(log) : await openKept(dataDir, log);
    return await startIn(held, options);
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw embeddedFailure(messageOf(error), '', error);
  }
}

/** Gives back what is held when the server does not start. */
async function startIn(held: Held, options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { superuser, log, demo = null } = options;
  const { home } = held;
  try {
    const binaries = await findBinaries(home.account);
    if (await hasCluster(home, binaries)) await clearCluster(home, log);
    else await makeCluster(home, binaries, superuser);
    await initializeDatabase(home, binaries, superuser, demo);
    const server = await startServerProcess({
      home,
      binaries,
      port: options.port,
      settings: options.settings ?? {},
      log: held.log,
      secrets: [superuser.password, demo?.password ?? ''],
    });
    log.info({ serverPid: server.pid, port: server.port }, 'the embedded PostgreSQL is ready');
    return new EmbeddedServer(server, held, superuser);
  } catch (error) {
    await giveBack(held);
    throw error;
  }
}
