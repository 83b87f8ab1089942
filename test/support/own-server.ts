/** A PostgreSQL of a test's own, for tests of what is of the whole server: roles, and their rights. */
import { randomBytes } from 'node:crypto';
import { silentLog } from '../../src/base/log.ts';
import { startEmbedded } from '../../src/embedded/embedded.ts';
import { Cluster } from '../e2e/support/cluster.ts';

export type OwnServer = {
  /** A connection string of the superuser. */
  url(database?: string): string;
  stop(): Promise<void>;
};

/** The embedded one, or that of `MILLRACE_TEST_PG_BIN`. */
export async function startOwnServer(): Promise<OwnServer> {
  const bin = process.env['MILLRACE_TEST_PG_BIN'];
  const { login, stop } = bin === undefined ? await embedded() : await installed(bin);
  const { host, port, user, password } = login;
  return {
    url: (database = 'postgres') =>
      `postgres://${user}:${password}@${host}:${port}/${database}?sslmode=disable`,
    stop,
  };
}

async function embedded() {
  const server = await startEmbedded({
    dataDir: '',
    port: 0,
    ephemeral: true,
    superuser: { user: 'postgres', password: randomBytes(12).toString('hex') },
    log: silentLog,
  });
  return { login: server, stop: () => server.stop() };
}

async function installed(bin: string) {
  const cluster = await Cluster.start(bin);
  return { login: cluster.login, stop: () => cluster.stop() };
}
