/** The PostgreSQL that everything is measured against: the embedded one, with pgbench's tables. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { silentLog } from '../../src/base/log.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/embedded/embedded.ts';
import { demoDatabase } from '../../src/embedded/initialize.ts';
import { type Address, HOST, type Login, type Target } from './address.ts';
import { runProgram } from './programs.ts';
import { tablesSql } from './tables.ts';

/** Of pgbench's tables: 150 MB, all of it fits into `shared_buffers`. */
const SCALE = 10;
/** Rows of pgbench_accounts. */
export const ACCOUNTS = SCALE * 100_000;

/** Memory for all of the data, and no background work that would fall into single measurements. */
const SETTINGS = {
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '1h',
  autovacuum: 'off',
  // One long read takes one processor.
  max_parallel_workers_per_gather: '0',
  // For 500 clients on the direct way, beside the links of all poolers.
  max_connections: '800',
} as const;

const FILL_TIMEOUT_MS = 300_000;

export type Origin = Target & {
  readonly server: EmbeddedServer;
  /** What the server keeps of the password, by which others can check it as cheaply. */
  readonly verifier: string;
};

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
    await runSql(address, login, tablesSql);
    const rows = await runSql(
      address,
      { user: server.user, password: server.password },
      `SELECT rolpassword FROM pg_authid WHERE rolname = '${login.user}'`,
    );
    return { server, login, address, verifier: String(rows[0]?.['rolpassword']) };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

type Row = Readonly<Record<string, unknown>>;

/** Runs one text on a connection of its own, and returns the rows of its last statement. */
export async function runSql(address: Address, login: Login, sql: string): Promise<readonly Row[]> {
  const client = new pg.Client({ host: HOST, ...address, ...login });
  await client.connect();
  try {
    const results: pg.QueryResult<Row> | pg.QueryResult<Row>[] = await client.query(sql);
    return (Array.isArray(results) ? results.at(-1) : results)?.rows ?? [];
  } finally {
    await client.end();
  }
}
