/**
 * A throw-away PostgreSQL of the system's in place of the embedded one, for the same tests: its
 * programs are in the directory that `MILLRACE_TEST_PG_BIN` names.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { serverAccount } from '../../../src/embedded/account.ts';
import type {} from '../../support/global-pg.ts';
import { runWell } from './command.ts';

const READY_ATTEMPTS_MAX = 300;
const READY_POLL_MS = 50;

let server: ChildProcess | null = null;
let ended: Promise<unknown> = Promise.resolve();
let dir = '';

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function untilReady(login: pg.ClientConfig): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const client = new pg.Client({ ...login, database: 'postgres' });
    try {
      await client.connect();
      return;
    } catch (error) {
      if (attempt === READY_ATTEMPTS_MAX || server?.exitCode !== null) throw error;
    } finally {
      await client.end().catch(() => {});
    }
    await sleep(READY_POLL_MS);
  }
}

export async function setup(project: TestProject): Promise<void> {
  const bin = process.env['MILLRACE_TEST_PG_BIN'] ?? '';
  const account = await serverAccount();
  const identity = account === null ? {} : { uid: account.uid, gid: account.gid };
  dir = await mkdtemp(join(tmpdir(), 'millrace-pg-'));
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
  ];
  const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
  server = spawn(join(bin, 'postgres'), args, { ...identity, cwd: dir, stdio: 'ignore' });
  ended = new Promise((resolve) => server?.on('close', resolve));
  await untilReady(login);
  project.provide('postgres', login);
}

export async function teardown(): Promise<void> {
  server?.kill('SIGINT');
  await ended;
  if (dir !== '') await rm(dir, { recursive: true, force: true });
}
