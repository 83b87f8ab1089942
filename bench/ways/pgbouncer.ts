/** PgBouncer, where it is installed, in transaction pooling and with the same logins. */
import { chownSync, readFileSync, writeFileSync } from 'node:fs';
import { serverAccount } from '../../src/embedded/account.ts';
import type { PgbouncerAbility } from '../cases/way.ts';
import type { Scratch, TlsFiles } from '../system/scratch.ts';
import { freePort, HOST, type Target } from './address.ts';
import { Child } from './child.ts';
import type { Origin } from './origin.ts';
import { CLIENTS_MAX, poolName, type RunningPooler } from './pooler.ts';

/** Above what any client of the benchmark prepares. */
const PREPARED_MAX = 200;

/** In which of its forms PgBouncer is started. */
export type PgbouncerForm = {
  readonly ability: PgbouncerAbility;
  /** More than one share a port, as a PgBouncer uses one core, and divide the pool sizes. */
  readonly processes: number;
  readonly tls: TlsFiles | null;
};

/** One database for each pool size, all of the same origin. */
export function pgbouncerConfig(
  origin: Target,
  poolSizes: readonly number[],
  { ability, processes, tls }: PgbouncerForm,
  port: number,
  usersPath: string,
): string {
  const { address } = origin;
  const ownSize = (poolSize: number): number => Math.max(1, Math.round(poolSize / processes));
  const databases = poolSizes.map(
    (poolSize) =>
      `${poolName(poolSize)} = host=${HOST} port=${address.port} ` +
      `dbname=${address.database} pool_size=${ownSize(poolSize)}`,
  );
  return `${[
    '[databases]',
    ...databases,
    '[pgbouncer]',
    `listen_addr = ${HOST}`,
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'pool_mode = transaction',
    'auth_type = scram-sha-256',
    `auth_file = ${usersPath}`,
    `max_client_conn = ${CLIENTS_MAX}`,
    'ignore_startup_parameters = extra_float_digits',
    'log_connections = 0',
    'log_disconnections = 0',
    'log_stats = 0',
    ...(processes > 1 ? ['so_reuseport = 1'] : []),
    ...(tls === null
      ? []
      : [
          'client_tls_sslmode = require',
          `client_tls_key_file = ${tls.key}`,
          `client_tls_cert_file = ${tls.cert}`,
        ]),
    ...(ability.canPrepare ? [`max_prepared_statements = ${PREPARED_MAX}`] : []),
  ].join('\n')}\n`;
}

/** How many sockets listen on a port, from a text as that of `/proc/net/tcp`. */
export function listenerCount(table: string, port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const pattern = new RegExp(`^ *\\d+: [0-9A-F]{8}:${hex} [0-9A-F:]+ 0A `, 'gm');
  return table.match(pattern)?.length ?? 0;
}

export async function startPgbouncer(
  program: string,
  origin: Origin,
  poolSizes: readonly number[],
  scratch: Scratch,
  form: PgbouncerForm,
): Promise<RunningPooler> {
  const { login, verifier } = origin;
  const [configPath, usersPath] = [scratch.fresh('pgbouncer.ini'), scratch.fresh('users.txt')];
  const port = await freePort();
  const config = pgbouncerConfig(origin, poolSizes, form, port, usersPath);
  writeFileSync(configPath, config, { mode: 0o600 });
  // The server's own verifier: with a plain password it would derive a key for every login, which
  // costs a hundred times as much. Its own logins take the key from a client's.
  writeFileSync(usersPath, `"${login.user}" "${verifier}"\n`, { mode: 0o600 });
  // It refuses to run as root, like PostgreSQL.
  const account = await serverAccount();
  if (account !== null) {
    const { tls } = form;
    const files = [configPath, usersPath, ...(tls === null ? [] : [tls.cert, tls.key])];
    for (const path of [scratch.dir, ...files]) chownSync(path, account.uid, account.gid);
  }
  const identity = account === null ? {} : { uid: account.uid, gid: account.gid };
  const children: Child[] = [];
  // SIGTERM means at once to it; nobody is connected by now.
  const stop = async (): Promise<void> => {
    await Promise.all(children.map((child) => child.stop('SIGTERM')));
  };
  try {
    for (let count = 0; count < form.processes; count++) {
      const child = new Child('PgBouncer', program, ['-q', configPath], identity);
      children.push(child);
      await child.ready(() => {
        const listening = listenerCount(readFileSync('/proc/net/tcp', 'utf8'), port);
        return listening === children.length ? true : null;
      });
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    pids: children.map((child) => child.pid),
    addressOf: (poolSize) => ({ port, database: poolName(poolSize) }),
    stop,
  };
}
