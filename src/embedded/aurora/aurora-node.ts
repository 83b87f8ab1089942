/** One instance of a cluster: a PostgreSQL server at an address of its own. */
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { Binaries } from '../binaries.ts';
import type { Role } from '../cluster.ts';
import type { Home } from '../cluster-home.ts';
import { giveBack, type Held } from '../holding.ts';
import { run } from '../run.ts';
import {
  endProcess,
  type ServerProcess,
  type ServerSettings,
  startServerProcess,
} from '../server-process.ts';
import { giveTo, uniqueSuffix } from '../shared-places.ts';
import type { KeyPair } from './certificates.ts';
import { copyData } from './copy-data.ts';
import { killAllIn, signalAll } from './processes.ts';
import { REPLICATION_ROLE, SHIM_SETTINGS } from './shims.sql.ts';

/** In the data directory, and included by its `postgresql.conf`: what changes with the roles. */
const ROLE_FILE = 'node.conf';
const STANDBY_FILE = 'standby.signal';
const HBA_FILE = 'pg_hba.conf';
const CERT_FILE = 'server.crt';
const KEY_FILE = 'server.key';

const CONNECT_TIMEOUT_MS = 3_000;
const QUERY_TIMEOUT_MS = 10_000;
/** How long a stand-alone server may take to find that it cannot work there. */
const CLEANUP_TIMEOUT_MS = 10_000;

/** Appended to the `postgresql.conf` of the first data directory; the others are copies of it. */
export const INCLUDE_ROLE = `include_if_exists = '${ROLE_FILE}'\n`;

/** Quick to notice that the other side is gone, and small, since there are several of them. */
const SETTINGS: ServerSettings = {
  ...SHIM_SETTINGS,
  wal_level: 'replica',
  hot_standby: 'on',
  max_connections: '100',
  max_wal_senders: '16',
  wal_keep_size: '64MB',
  wal_sender_timeout: '5s',
  wal_receiver_timeout: '5s',
  wal_receiver_status_interval: '1s',
  wal_retrieve_retry_interval: '100ms',
  // What was told to be committed is on a reader as well, as Aurora's is on its storage.
  synchronous_commit: 'on',
  password_encryption: 'scram-sha-256',
  shared_buffers: '32MB',
  io_method: 'sync',
};

const HBA = 'host all all 127.0.0.0/8 scram-sha-256\n';
/**
 * Only for the writer: a reader that has not heard of a failover would get the news by way of the
 * old writer, which is a reader at the same address, and would not be behind as Aurora's are.
 */
const HBA_OF_WRITER = `host replication ${REPLICATION_ROLE} 127.0.0.0/8 scram-sha-256\n`;

export type AuroraNodeParts = {
  readonly name: string;
  /** The instance endpoint. */
  readonly host: string;
  readonly address: string;
  readonly held: Held;
  readonly binaries: Binaries;
  readonly superuser: Role;
  readonly replicationPassword: string;
  readonly certificate: KeyPair;
  readonly settings: ServerSettings;
  /** Called when the server has ended though nobody asked it to. */
  readonly onDied: (node: AuroraNode) => void;
};

/** What a node is in the cluster: it writes, or follows the one that does. */
export type NodeRole =
  | {
      readonly follows: null /** Of which one must have a commit. */;
      readonly followers: readonly string[];
    }
  | { readonly follows: { readonly address: string; readonly port: number } };

export class AuroraNode {
  readonly name: string;
  readonly host: string;
  readonly address: string;
  isFrozen = false;
  readonly #parts: AuroraNodeParts;
  #server: ServerProcess | null = null;
  #hasRun = false;
  /** The server that is asked to end. */
  #ending: ServerProcess | null = null;

  constructor(parts: AuroraNodeParts) {
    this.name = parts.name;
    this.host = parts.host;
    this.address = parts.address;
    this.#parts = parts;
  }

  get home(): Home {
    return this.#parts.held.home;
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

  /** Files beside the data directory, which a copy of that does not bring along. */
  async prepare(): Promise<void> {
    const { certificate } = this.#parts;
    const { dir } = this.home;
    await this.#write(join(dir, CERT_FILE), certificate.cert);
    await this.#write(join(dir, KEY_FILE), certificate.key);
  }

  /** Writes down what the node is; a server that runs reads it at once, a frozen one later. */
  async setRole(role: NodeRole): Promise<void> {
    const lines = [`cluster_name = '${this.name}'`];
    if (role.follows === null) {
      const names = role.followers.map((name) => `"${name}"`).join(', ');
      lines.push(`synchronous_standby_names = '${names === '' ? '' : `ANY 1 (${names})`}'`);
      lines.push("primary_conninfo = ''");
    } else {
      const { address, port } = role.follows;
      const password = this.#parts.replicationPassword;
      const to = `host=${address} port=${port} user=${REPLICATION_ROLE} password=${password}`;
      lines.push("synchronous_standby_names = ''", `primary_conninfo = '${to} sslmode=disable'`);
    }
    const hba = role.follows === null ? HBA + HBA_OF_WRITER : HBA;
    await this.#write(join(this.home.dir, HBA_FILE), hba);
    await this.#write(join(this.home.cluster, ROLE_FILE), `${lines.join('\n')}\n`);
    this.#server?.child.kill('SIGHUP');
  }

  /** Whether the next start is that of a follower; a promotion ends it. */
  async setStandby(isStandby: boolean): Promise<void> {
    const path = join(this.home.cluster, STANDBY_FILE);
    if (isStandby) await this.#write(path, '');
    else await rm(path, { force: true });
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
    const { dir } = held.home;
    const server = await startServerProcess({
      home: held.home,
      binaries,
      port,
      address: this.address,
      settings: {
        ...SETTINGS,
        ...settings,
        hba_file: join(dir, HBA_FILE),
        ssl: 'on',
        ssl_cert_file: join(dir, CERT_FILE),
        ssl_key_file: join(dir, KEY_FILE),
      },
      log: held.log,
      secrets: [superuser.password, replicationPassword],
    });
    this.#server = server;
    this.#hasRun = true;
    this.isFrozen = false;
    void server.ended.then(() => this.#onEnded(server));
    return server.port;
  }

  #onEnded(server: ServerProcess): void {
    if (this.#server !== server) return;
    this.#server = null;
    this.isFrozen = false;
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
    await signalAll(this.home.cluster, pid, 'SIGSTOP');
  }

  async thaw(): Promise<void> {
    const pid = this.processId;
    if (pid === null || !this.isFrozen) return;
    await signalAll(this.home.cluster, pid, 'SIGCONT');
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
      await this.#write(join(cluster, 'backup_label'), labelfile);
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
      host: this.address,
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
      await giveBack(held);
    }
  }

  /** A killed server leaves shared memory, which the next one in the directory takes and frees. */
  async #freeMemory(binaries: Binaries): Promise<void> {
    const { account, cluster } = this.home;
    const args = ['--single', '-D', cluster, 'postgres'];
    await run(binaries.postgres, args, { account, timeoutMs: CLEANUP_TIMEOUT_MS });
  }

  /**
   * A file that only the server's user can read, as a whole. It is made where nobody else can put
   * anything in its way.
   */
  async #write(path: string, text: string): Promise<void> {
    const draft = join(this.home.dir, `draft-${uniqueSuffix()}`);
    await writeFile(draft, text, { flag: 'wx', mode: 0o600 });
    await giveTo(this.home.account, draft);
    await rename(draft, path);
  }
}
