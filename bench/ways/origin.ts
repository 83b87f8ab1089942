/** The PostgreSQL that everything is measured against: the embedded one, with pgbench's tables. */
import { randomBytes } from 'node:crypto';
import { silentLog } from '../src/base/log.ts';
import { type EmbeddedServer, startEmbedded } from '../src/embedded/embedded.ts';
import { demoDatabase } from '../src/embedded/initialize.ts';
import { HOST, type OriginPlace } from './place.ts';
import { runProgram } from './programs.ts';

/** A million accounts, 150 MB: all of it fits into `shared_buffers`. */
export const SCALE = 10;

/** Memory for all of the data, and no background work that would fall into single measurements. */
const SETTINGS = {
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '1h',
  autovacuum: 'off',
} as const;

const FILL_TIMEOUT_MS = 300_000;

export type Origin = OriginPlace & { readonly server: EmbeddedServer };

/** Starts the server and fills its database. */
export async function startOrigin(pgbench: string): Promise<Origin> {
  const login = { user: 'bench', password: randomBytes(16).toString('hex') };
  const server = await startEmbedded({
    dataDir: '',
    port: 0,
    ephemeral: true,
    superuser: { user: 'postgres', password: randomBytes(16).toString('hex') },
    demo: login,
    settings: SETTINGS,
    log: silentLog,
  });
  const address = { port: server.port, database: demoDatabase };
  try {
    const where = ['-h', HOST, '-p', String(address.port), '-U', login.user, address.database];
    const args = ['-i', '-q', '-s', String(SCALE), ...where];
    await runProgram(pgbench, args, { PGPASSWORD: login.password }, FILL_TIMEOUT_MS);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { server, login, address };
}
