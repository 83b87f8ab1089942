/** What the tests of the embedded server share: a place per test, and its clean end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { serverAccount } from '../../src/embedded/account.ts';
import { findBinaries } from '../../src/embedded/binaries.ts';
import { lockFileName } from '../../src/embedded/data-dir-lock.ts';
import {
  type EmbeddedOptions,
  type EmbeddedServer,
  startEmbedded,
} from '../../src/embedded/embedded.ts';
import { processStart, waitForEnd } from '../../src/embedded/process-identity.ts';
import { spawnIdentity } from '../../src/embedded/run.ts';

export const superuser = { user: 'postgres', password: "s3cret of 'root'" };
export const demo = { user: 'millrace', password: 'grind;stone' };

/** A directory anybody can enter, and a data directory in it that is not made yet. */
export let dir: string;
export let dataDir: string;
const servers: EmbeddedServer[] = [];
const strangers: number[] = [];

beforeEach(async () => {
  dir = await fs.realpath(await fs.mkdtemp(join(tmpdir(), 'embedded-test-')));
  await fs.chmod(dir, 0o755);
  dataDir = join(dir, 'data');
});

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
  for (const pid of strangers.splice(0)) await endStranger(pid);
  await fs.rm(dir, { recursive: true, force: true });
});

export async function start(options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedServer> {
  const all = { dataDir, port: 0, ephemeral: false, superuser, log: silentLog, ...options };
  const server = await startEmbedded(all);
  servers.push(server);
  return server;
}

type Login = { readonly user: string; readonly password: string };

export async function query(
  server: EmbeddedServer,
  sql: string,
  database = 'postgres',
  login: Login = server,
): Promise<Record<string, unknown>[]> {
  const { host, port } = server;
  const { user, password } = login;
  const client = new pg.Client({ host, port, user, password, database });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** A server on the cluster that no Millrace of this process started. */
export async function startStranger({ dataDir: cluster, port }: EmbeddedServer): Promise<number> {
  const account = await serverAccount();
  const { postgres } = await findBinaries(account);
  const own = `listen_addresses=127.0.0.1 port=${port} unix_socket_directories=`.split(' ');
  const args = ['-D', cluster, ...own.flatMap((setting) => ['-c', setting])];
  const child = spawn(postgres, args, {
    ...spawnIdentity(account),
    cwd: '/',
    detached: true,
    stdio: 'ignore',
  });
  await once(child, 'spawn');
  const pid = child.pid as number;
  strangers.push(pid);
  await expect
    .poll(() => fs.readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => ''))
    .toMatch(/ready/);
  return pid;
}

async function endStranger(pid: number): Promise<void> {
  const begun = processStart(pid);
  if (begun === null) return;
  process.kill(pid, 'SIGQUIT');
  await waitForEnd(pid, begun, 5000);
}

/** The claim of a process that has been killed, as a lock file. */
export async function leaveDeadClaim(dataDir: string): Promise<void> {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const pid = child.pid as number;
  const name = lockFileName(pid, processStart(pid) as string);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await fs.writeFile(join(dataDir, name), 'Held\n');
}
