/** One instance of a cluster: a PostgreSQL server at an address of its own. */
import { join } from 'node:path';
import pg from 'pg';
import type { Binaries } from '../binaries.ts';
import type { KeyPair } from '../certificates.ts';
import type { Role } from '../cluster.ts';
import type { Home } from '../cluster-home.ts';
import { errnoOf, messageOf } from '../failure.ts';
import { giveBack, type Held } from '../holding.ts';
import { killAllIn, signalAll } from '../processes.ts';
import { run } from '../run.ts';
import {
  endProcess,
  PortTakenError,
  type ServerProcess,
  type ServerSettings,
  startServerProcess,
} from '../server-process.ts';
import { copyData } from './copy-data.ts';
import type { AuroraFront, Fronted, FrontMaker } from './front.ts';
import { NodeFiles, type NodeRole } from './node-files.ts';

const CONNECT_TIMEOUT_MS = 3_000;
const QUERY_TIMEOUT_MS = 10_000;
/** How long a stand-alone server may take to find that it cannot work there. */
const CLEANUP_TIMEOUT_MS = 10_000;

/** Membership that was granted; a superuser counts as a member of every role. */
const IS_IAM_ROLE = `SELECT EXISTS (SELECT FROM pg_auth_members
  WHERE roleid = 'rds_iam'::regrole AND member = to_regrole(quote_ident($1))) AS yes`;

export type AuroraNodeParts = {
  readonly name: string;
  /** The instance endpoint. */
  readonly host: string;
  readonly clusterEndpoints: readonly string[];
  readonly address: string;
  readonly held: Held;
  readonly binaries: Binaries;
  readonly superuser: Role;
  readonly replicationPassword: string;
  readonly certificate: KeyPair;
  /** PEM text of the root that has signed it. */
  readonly ca: string;
  readonly settings: ServerSettings;
  /** Where the server listens when something stands before it, and what that is. */
  readonly front: { readonly serverAddress: string; readonly make: FrontMaker } | null;
  /** Called when the server has ended though nobody asked it to. */
  readonly onDied: (node: AuroraNode) => void;
};

export class AuroraNode {
  readonly name: string;
  readonly host: string;
  readonly address: string;
  /** Where its server listens: another one when something stands before it. */
  readonly serverAddress: string;
  isFrozen = false;
  readonly #parts: AuroraNodeParts;
  readonly #files: NodeFiles;
  readonly #front: AuroraFront | null;
  #frontClosed: Promise<void> = Promise.resolve();
  #server: ServerProcess | null = null;
  #hasRun = false;
  /** The server that is asked to end. */
  #ending: ServerProcess | null = null;

  constructor(parts: AuroraNodeParts) {
    this.name = parts.name;
    this.host = parts.host;
    this.address = parts.address;
    this.serverAddress = parts.front?.serverAddress ?? parts.address;
    this.#parts = parts;
    this.#files = new NodeFiles({
      name: parts.name,
      home: parts.held.home,
      replicationPassword: parts.replicationPassword,
      certificate: parts.certificate,
      ca: parts.ca,
      isFronted: parts.front !== null,
    });
    this.#front = parts.front?.make(this.#fronted()) ?? null;
  }

  #fronted(): Fronted {
    const { name, host, address, serverAddress } = this;
    const { certificate, clusterEndpoints } = this.#parts;
    return {
      name,
      host,
      address,
      serverAddress,
      certificate,
      clusterEndpoints,
      socketPath: (port) => join(this.#files.socketDir, `.s.PGSQL.${port}`),
      isIamRole: async (user, port) => {
        const { rows } = await this.asSuperuser(port, (client) =>
          client.query(IS_IAM_ROLE, [user]),
        );
        return (rows[0] as { yes: boolean }).yes;
      },
    };
  }

  get home(): Home {
    return this.#parts.held.home;
  }

  /** Path of the root of its certificate, which is there until the node is closed. */
  get caFile(): string {
    return this.#files.caFile;
  }

  /** Null while its server does not run. */
  get processId(): number | null {
    return this.#server?.pid ?? null;
  }

  get isUp(): boolean {
    return this.#server !== null;
  }

  /** Runs, and is not stopped in its tracks. */
  get isHealthy(): boolean {
    return this.isUp && !this.isFrozen;
  }

  /** Files that it needs before the first start. */
  prepare(): Promise<void> {
    return this.#files.prepare();
  }

  /** Writes down what the node is; a server that runs reads it at once, a frozen one later. */
  async setRole(role: NodeRole): Promise<void> {
    await this.#files.writeRole(role);
    this.#server?.child.kill('SIGHUP');
  }

  /** The next start is that of a follower, until a promotion. */
  markStandby(): Promise<void> {
    return this.#files.markStandby();
  }

  /**
   * Starts its server and waits until it takes connections.
   *
   * @param port 0 for any free one
   * @throws PortTakenError, GatewayError `MR_EMBEDDED_FAILED`
   * @returns the port
   */
  async start(port: number): Promise<number> {
    const { held, binaries, superuser, replicationPassword, settings } = this.#parts;
    const server = await startServerProcess({
      home: held.home,
      binaries,
      port,
      address: this.serverAddress,
      ...(this.#front === null ? {} : { socketDir: this.#files.socketDir }),
      settings: this.#files.settings(settings),
      log: held.log,
      secrets: [superuser.password, replicationPassword],
    });
    this.#server = server;
    this.#hasRun = true;
    this.isFrozen = false;
    void server.ended.then(() => this.#onEnded(server));
    if (this.#front !== null) await this.#openFront(this.#front, server);
    return server.port;
  }

  async #openFront(front: AuroraFront, server: ServerProcess): Promise<void> {
    try {
      await this.#frontClosed;
      await front.open(server.port);
    } catch (error) {
      await this.shutDown();
      if (errnoOf(error) !== 'EADDRINUSE') throw error;
      throw new PortTakenError(server.port, messageOf(error));
    }
  }

  #onEnded(server: ServerProcess): void {
    if (this.#server !== server) return;
    this.#server = null;
    this.isFrozen = false;
    this.#front?.setFrozen(false);
    this.#frontClosed = this.#front?.close() ?? Promise.resolve();
    if (this.#ending !== server) this.#parts.onDied(this);
  }

  /** Ends the server as an administrator does; whether it could finish what it had to do. */
  async shutDown(): Promise<boolean> {
    const server = this.#server;
    if (server === null) return false;
    this.#ending = server;
    // A process that is stopped does not hear that it is to end.
    if (this.isFrozen) await this.thaw();
    await endProcess(server);
    return server.child.exitCode === 0;
  }

  /** Ends all its processes without a last word; `onDied` is called unless it was shut down. */
  async kill(): Promise<void> {
    const server = this.#server;
    // First the one that would start others.
    server?.child.kill('SIGKILL');
    await killAllIn(this.home.cluster);
    if (server !== null) await server.ended;
  }

  async freeze(): Promise<void> {
    const pid = this.processId;
    if (pid === null || this.isFrozen) return;
    this.isFrozen = true;
    this.#front?.setFrozen(true);
    await signalAll(this.home.cluster, pid, 'SIGSTOP');
  }

  async thaw(): Promise<void> {
    const pid = this.processId;
    if (pid === null || !this.isFrozen) return;
    await signalAll(this.home.cluster, pid, 'SIGCONT');
    this.#front?.setFrozen(false);
    this.isFrozen = false;
  }

  /** Makes its data a copy of another node's; neither of the servers runs. */
  async copyFrom(source: AuroraNode): Promise<void> {
    await copyData(source.home.cluster, this.home.cluster, this.home.account, false);
  }

  /** The same from a node that runs, by PostgreSQL's interface for base backups. */
  async backUpFrom(source: AuroraNode, port: number): Promise<void> {
    await source.asSuperuser(port, async (client) => {
      await client.query("SELECT pg_backup_start('join', true)");
      const { cluster, account } = this.home;
      await copyData(source.home.cluster, cluster, account, true);
      const { rows } = await client.query('SELECT labelfile FROM pg_backup_stop(false)');
      const { labelfile } = rows[0] as { labelfile: string };
      await this.#files.writeBackupLabel(labelfile);
    });
  }

  /** Runs `work` on a connection of its own, as the superuser. */
  async asSuperuser<T>(port: number, work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = this.client(port);
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** A connection that is not made yet. */
  client(port: number): pg.Client {
    const { user, password } = this.#parts.superuser;
    const client = new pg.Client({
      host: this.serverAddress,
      port,
      user,
      password,
      database: 'postgres',
      application_name: 'Aurora control plane',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
    });
    // The end of the server is told by its process.
    client.on('error', () => {});
    return client;
  }

  /** Ends the server, and removes everything. */
  async close(): Promise<void> {
    const { held, binaries } = this.#parts;
    try {
      const wasUp = this.isUp;
      await this.shutDown();
      if (!wasUp && this.#hasRun) await this.#freeMemory(binaries);
    } finally {
      await killAllIn(this.home.cluster).catch(() => {});
      await this.#frontClosed;
      await giveBack(held);
    }
  }

  /** A killed server leaves shared memory, which the next one in the directory takes and frees. */
  async #freeMemory(binaries: Binaries): Promise<void> {
    const { account, cluster } = this.home;
    const args = ['--single', '-D', cluster, 'postgres'];
    await run(binaries.postgres, args, { account, timeoutMs: CLEANUP_TIMEOUT_MS });
  }
}
