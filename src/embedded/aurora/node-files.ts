/** What tells the server of a node how to be: settings, and files beside its data and in it. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeyPair } from '../certificates.ts';
import type { Home } from '../cluster-home.ts';
import type { ServerSettings } from '../server-process.ts';
import { giveTo, uniqueSuffix } from '../shared-places.ts';
import { REPLICATION_ROLE, SHIM_SETTINGS } from './shims.sql.ts';

/** In the data directory, and included by its `postgresql.conf`: what changes with the roles. */
const ROLE_FILE = 'node.conf';
const STANDBY_FILE = 'standby.signal';
const BACKUP_LABEL_FILE = 'backup_label';
const HBA_FILE = 'pg_hba.conf';
const CERT_FILE = 'server.crt';
const KEY_FILE = 'server.key';
/** For clients, not for the server. */
const CA_FILE = 'ca.crt';
const SOCKET_DIR = 'sockets';

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
/** For what stands before the server, which alone can enter the directory of the socket. */
const HBA_OF_FRONT = 'local all +rds_iam trust\n';
/**
 * Only for the writer: a reader that has not heard of a failover would get the news by way of the
 * old writer, which is a reader at the same address, and would not be behind as Aurora's are.
 */
const HBA_OF_WRITER = `host replication ${REPLICATION_ROLE} 127.0.0.0/8 scram-sha-256\n`;

/** What a node is: it writes, and one of its followers must have a commit; or it follows. */
export type NodeRole =
  | { readonly follows: null; readonly followers: readonly string[] }
  | { readonly follows: { readonly address: string; readonly port: number } };

export type NodeFilesParts = {
  readonly name: string;
  readonly home: Home;
  readonly replicationPassword: string;
  readonly certificate: KeyPair;
  readonly ca: string;
  /** Whether something stands before the server. */
  readonly isFronted: boolean;
};

export class NodeFiles {
  readonly #parts: NodeFilesParts;

  constructor(parts: NodeFilesParts) {
    this.#parts = parts;
  }

  /** Files beside the data directory, which a copy of that does not bring along. */
  async prepare(): Promise<void> {
    const { home, certificate, ca, isFronted } = this.#parts;
    await this.#write(this.caFile, ca);
    await this.#write(join(home.dir, CERT_FILE), certificate.cert);
    await this.#write(join(home.dir, KEY_FILE), certificate.key);
    if (!isFronted) return;
    await mkdir(this.socketDir, { mode: 0o700 });
    await giveTo(home.account, this.socketDir);
  }

  get caFile(): string {
    return join(this.#parts.home.dir, CA_FILE);
  }

  /** For the server's Unix socket, if it has one. */
  get socketDir(): string {
    return join(this.#parts.home.dir, SOCKET_DIR);
  }

  /** What its server is started with. */
  settings(further: ServerSettings): ServerSettings {
    const { dir } = this.#parts.home;
    return {
      ...SETTINGS,
      ...further,
      hba_file: join(dir, HBA_FILE),
      ssl: 'on',
      ssl_cert_file: join(dir, CERT_FILE),
      ssl_key_file: join(dir, KEY_FILE),
    };
  }

  /** A server that runs is to be told to read them. */
  async writeRole(role: NodeRole): Promise<void> {
    const { name, home, replicationPassword, isFronted } = this.#parts;
    const lines = [`cluster_name = '${name}'`];
    if (role.follows === null) {
      const names = role.followers.map((follower) => `"${follower}"`).join(', ');
      lines.push(`synchronous_standby_names = '${names === '' ? '' : `ANY 1 (${names})`}'`);
      lines.push("primary_conninfo = ''");
    } else {
      const { address, port } = role.follows;
      const as = `user=${REPLICATION_ROLE} password=${replicationPassword} sslmode=disable`;
      lines.push("synchronous_standby_names = ''");
      lines.push(`primary_conninfo = 'host=${address} port=${port} ${as}'`);
    }
    const hba = [HBA, role.follows === null ? HBA_OF_WRITER : '', isFronted ? HBA_OF_FRONT : ''];
    await this.#write(join(home.dir, HBA_FILE), hba.join(''));
    await this.#write(join(home.cluster, ROLE_FILE), `${lines.join('\n')}\n`);
  }

  /** The next start is that of a follower, until a promotion. */
  async markStandby(): Promise<void> {
    await this.#write(join(this.#parts.home.cluster, STANDBY_FILE), '');
  }

  /** Where in the log the next start begins, as a base backup has told. */
  async writeBackupLabel(label: string): Promise<void> {
    await this.#write(join(this.#parts.home.cluster, BACKUP_LABEL_FILE), label);
  }

  /**
   * A file that only the server's user can read, as a whole. It is made where nobody else can put
   * anything in its way.
   */
  async #write(path: string, text: string): Promise<void> {
    const { home } = this.#parts;
    const draft = join(home.dir, `draft-${uniqueSuffix()}`);
    await writeFile(draft, text, { flag: 'wx', mode: 0o600 });
    await giveTo(home.account, draft);
    await rename(draft, path);
  }
}
