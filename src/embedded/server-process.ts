/** One server process, from its start to its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../base/errors.ts';
import type { Binaries } from './binaries.ts';
import type { Home } from './cluster-home.ts';
import { embeddedFailure, messageOf } from './failure.ts';
import { noteServer, readPostmasterFile, stopSteps } from './postmaster.ts';
import { childEnvironment, spawnIdentity } from './run.ts';
import type { ServerLog } from './server-log.ts';

export const serverHost = '127.0.0.1';

const readyTimeoutMs = 30_000;
const readyPollMs = 15;
/** Ports that are tried when any will do. */
const portAttemptsMax = 12;
/** Below the range from which systems choose ports for outgoing connections. */
const portRange = { first: 20_000, end: 32_000 } as const;

/** How a process ended: one of the two is null. */
export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type ServerProcess = {
  readonly pid: number;
  readonly port: number;
  /** Settles when the process has ended; never rejects. */
  readonly ended: Promise<Exit>;
  readonly child: ChildProcess;
};

export type ServerSettings = Readonly<Record<string, string>>;

export type ServerStart = {
  readonly home: Home;
  readonly binaries: Binaries;
  /** 0 for any free one. */
  readonly port: number;
  /** Where it listens; {@link serverHost} unless said. */
  readonly address?: string;
  /** A directory for its Unix socket; none unless said. */
  readonly socketDir?: string;
  readonly settings: ServerSettings;
  readonly log: ServerLog;
  readonly secrets: readonly string[];
};

/** A port that was asked for belongs to somebody else. */
export class PortTakenError extends GatewayError {
  constructor(port: number, said: string) {
    super('MR_EMBEDDED_FAILED', { subject: `its port ${port} is taken\n${said}` });
  }
}

/** The caller may want more, or fewer, or a cluster that forgets nothing while it lives. */
const defaultSettings = (durable: boolean): ServerSettings => ({
  max_connections: '200',
  ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
});

/** What every embedded server is started with, whatever the caller has set. */
function baseSettings(port: number, { address, socketDir }: ServerStart): ServerSettings {
  return {
    listen_addresses: address ?? serverHost,
    port: String(port),
    // Mostly no socket file: its path may not exceed 107 bytes, and hardly anybody needs it.
    unix_socket_directories: socketDir ?? '',
    logging_collector: 'off',
    log_destination: 'stderr',
  };
}

function settingArgs(settings: ServerSettings): string[] {
  return Object.entries(settings).flatMap(([name, value]) => {
    if (!/^[a-z_][a-z0-9_.]*$/i.test(name)) throw embeddedFailure(`no setting is called ${name}`);
    return ['-c', `${name}=${value}`];
  });
}

async function spawnServer(
  home: Home,
  binaries: Binaries,
  port: number,
  settings: ServerSettings,
  log: ServerLog,
): Promise<ServerProcess> {
  const child = spawn(binaries.postgres, ['-D', home.cluster, ...settingArgs(settings)], {
    ...spawnIdentity(home.account),
    cwd: '/',
    env: childEnvironment(),
    // A Ctrl-C at the terminal is for Millrace, which lets its clients finish first.
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  const ended = new Promise<Exit>((resolve) => {
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) =>
      reject(embeddedFailure('its server cannot be started', messageOf(error))),
    );
  });
  const pid = child.pid ?? 0;
  return { pid, port, ended, child };
}

/** True when it accepts connections, false when it ended first. */
async function becomesReady(server: ServerProcess, options: ServerStart): Promise<boolean> {
  const { home, log, secrets } = options;
  let isOver = false;
  void server.ended.then(() => {
    isOver = true;
  });
  const deadlineMs = performance.now() + readyTimeoutMs;
  while (!isOver) {
    const file = await readPostmasterFile(home.cluster);
    if (file?.pid === server.pid && file.status === 'ready') return true;
    if (performance.now() > deadlineMs) {
      const words = await log.tail(secrets);
      throw embeddedFailure(`its server was not ready within ${readyTimeoutMs / 1000} s`, words);
    }
    await sleep(readyPollMs);
  }
  return false;
}

/** Asks the server to end, ever more firmly; resolves when it has, or after the last limit. */
export async function endProcess(server: ServerProcess): Promise<void> {
  if (server.child.exitCode !== null || server.child.signalCode !== null) return;
  for (const { signal, limitMs } of stopSteps) {
    server.child.kill(signal);
    const limit = new AbortController();
    const timer = sleep(limitMs, 'late', { signal: limit.signal }).catch(() => 'late');
    const first = await Promise.race([server.ended, timer]);
    limit.abort();
    if (first !== 'late') return;
  }
}

/** A kept cluster is to be found where it was: its directory says which port is tried first. */
function anyPort({ dir, durable }: Home, attempt: number): number {
  const { first, end } = portRange;
  if (attempt > 1 || !durable) return randomInt(first, end);
  return first + (createHash('sha256').update(dir).digest().readUInt32BE() % (end - first));
}

/** Whether the server said that somebody else has its port. */
function isPortTaken(words: string): boolean {
  return words.includes('Address already in use');
}

/**
 * Starts the server and waits until it accepts connections. The server itself tries the port, so
 * nobody can take it between a choice and its use.
 *
 * @throws GatewayError `MR_EMBEDDED_FAILED` with the last words of the server, a
 *   {@link PortTakenError} among them; it does not run then
 */
export async function startServerProcess(options: ServerStart): Promise<ServerProcess> {
  const { home, binaries, log, secrets } = options;
  for (let attempt = 1; ; attempt++) {
    const port = options.port === 0 ? anyPort(home, attempt) : options.port;
    const settings = {
      ...defaultSettings(home.durable),
      ...options.settings,
      ...baseSettings(port, options),
    };
    await log.mark();
    const server = await spawnServer(home, binaries, port, settings, log);
    try {
      await noteServer(home, server.pid);
      if (await becomesReady(server, options)) return server;
    } catch (error) {
      await endProcess(server);
      throw error;
    }
    const words = await log.tail(secrets);
    if (!isPortTaken(words)) throw embeddedFailure('its server did not start', words);
    if (options.port !== 0) throw new PortTakenError(port, words);
    if (attempt >= portAttemptsMax) throw embeddedFailure('it found no free port', words);
  }
}
