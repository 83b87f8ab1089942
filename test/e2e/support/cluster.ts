/** A throw-away PostgreSQL made with the programs of an installed one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { serverAccount } from '../../../src/embedded/account.ts';
import { runWell } from './command.ts';

const READY_ATTEMPTS_MAX = 300;
const READY_POLL_MS = 50;

export type ClusterLogin = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
};

/** Where Debian has the programs: those of pg_dump's version, as it refuses a newer server. */
export async function installedPrograms(): Promise<string> {
  const version = /\(PostgreSQL\) (\d+)/.exec(await runWell('pg_dump', ['--version']))?.[1];
  const files = await runWell('dpkg', ['-L', `postgresql-${version}`]);
  const initdb = files.split('\n').find((file) => file.endsWith('/bin/initdb'));
  if (initdb === undefined) throw new Error(`no server of pg_dump's version ${version}`);
  return dirname(initdb);
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export class Cluster {
  readonly login: ClusterLogin;
  readonly #dir: string;
  readonly #server: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(login: ClusterLogin, dir: string, server: ChildProcess) {
    this.login = login;
    this.#dir = dir;
    this.#server = server;
    this.#ended = new Promise((resolve) => server.on('close', resolve));
  }

  /**
   * @param bin directory of `initdb` and `postgres`
   * @param more settings, each as `name=value`
   */
  static async start(bin: string, more: readonly string[] = []): Promise<Cluster> {
    const account = await serverAccount();
    const identity = account === null ? {} : { uid: account.uid, gid: account.gid };
    const dir = await mkdtemp(join(tmpdir(), 'millrace-pg-'));
    const data = join(dir, 'data');
    const passwordFile = join(dir, 'password');
    const password = randomBytes(12).toString('hex');
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (account !== null) {
      for (const path of [dir, passwordFile]) await chown(path, account.uid, account.gid);
    }
    const made = ['-D', data, '-U', 'postgres', '-A', 'scram-sha-256', '-E', 'UTF8', '--locale=C'];
    const initdb = [...made, '--no-sync', `--pwfile=${passwordFile}`];
    await runWell(join(bin, 'initdb'), initdb, { ...identity, cwd: dir });
    const login = { host: '127.0.0.1', port: await freePort(), user: 'postgres', password };
    const settings = [
      'listen_addresses=127.0.0.1',
      `port=${login.port}`,
      'unix_socket_directories=',
      'max_connections=200',
      'fsync=off',
      'logging_collector=off',
      ...more,
    ];
    const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
    const options = { ...identity, cwd: dir, stdio: 'ignore' } as const;
    const cluster = new Cluster(login, dir, spawn(join(bin, 'postgres'), args, options));
    await cluster.#untilReady();
    return cluster;
  }

  url(database = 'postgres'): string {
    const { host, port, user, password } = this.login;
    return `postgres://${user}:${password}@${host}:${port}/${database}`;
  }

  async stop(): Promise<void> {
    this.#server.kill('SIGINT');
    await this.#ended;
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #untilReady(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const client = new pg.Client({ ...this.login, database: 'postgres' });
      try {
        await client.connect();
        return;
      } catch (error) {
        if (attempt === READY_ATTEMPTS_MAX || this.#server.exitCode !== null) throw error;
      } finally {
        await client.end().catch(() => {});
      }
      await sleep(READY_POLL_MS);
    }
  }
}
