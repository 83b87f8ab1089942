/** PgBouncer, where it is installed, in transaction pooling and with the same logins. */
import { chownSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { serverAccount } from '../src/embedded/account.ts';
import type { PgbouncerAbility } from './cases.ts';
import { Child } from './child.ts';
import {
  freePort,
  HOST,
  type OriginPlace,
  poolName,
  type RunningPooler,
  type Scratch,
} from './place.ts';

const CLIENTS_MAX = 500;
/** Above what any client of the benchmark prepares. */
const PREPARED_MAX = 200;

/** One database for each pool size, all of the same origin. */
export function pgbouncerConfig(
  origin: OriginPlace,
  poolSizes: readonly number[],
  ability: PgbouncerAbility,
  port: number,
  usersPath: string,
): string {
  const { address } = origin;
  const databases = poolSizes.map(
    (poolSize) =>
      `${poolName(poolSize)} = host=${HOST} port=${address.port} ` +
      `dbname=${address.database} pool_size=${poolSize}`,
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
    ...(ability.canPrepare ? [`max_prepared_statements = ${PREPARED_MAX}`] : []),
  ].join('\n')}\n`;
}

function answers(port: number): Promise<true | null> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(null));
  });
}

export async function startPgbouncer(
  program: string,
  origin: OriginPlace,
  poolSizes: readonly number[],
  ability: PgbouncerAbility,
  scratch: Scratch,
): Promise<RunningPooler> {
  const { login } = origin;
  const [configPath, usersPath] = [scratch.path('pgbouncer.ini'), scratch.path('users.txt')];
  const port = await freePort();
  const config = pgbouncerConfig(origin, poolSizes, ability, port, usersPath);
  writeFileSync(configPath, config, { mode: 0o600 });
  // Plain, since PgBouncer needs it for its own login at the server.
  writeFileSync(usersPath, `"${login.user}" "${login.password}"\n`, { mode: 0o600 });
  // It refuses to run as root, like PostgreSQL.
  const account = await serverAccount();
  if (account !== null) {
    for (const path of [scratch.dir, configPath, usersPath]) {
      chownSync(path, account.uid, account.gid);
    }
  }
  const identity = account === null ? {} : { uid: account.uid, gid: account.gid };
  const child = new Child('PgBouncer', program, ['-q', configPath], identity);
  try {
    await child.ready(() => answers(port));
  } catch (error) {
    await child.stop('SIGKILL');
    throw error;
  }
  return {
    pid: child.pid,
    addressOf: (poolSize) => ({ port, database: poolName(poolSize) }),
    // SIGTERM means at once to it; nobody is connected by now.
    stop: () => child.stop('SIGTERM'),
  };
}
