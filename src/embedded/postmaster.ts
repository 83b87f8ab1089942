/** What runs, or ran, on a cluster: `postmaster.pid`, and our note of the server we started. */
import { readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Home } from './cluster-home.ts';
import { embeddedFailure } from './failure.ts';
import { processStart, sendSignal, waitForEnd } from './process-identity.ts';
import { run } from './run.ts';

/** A server asked to shut down fast rolls back what is open and writes a checkpoint. */
const fastStopMs = 15_000;
/** Asked to stop at once it does not even do that, and recovers at the next start. */
const quitStopMs = 5000;
const killStopMs = 5000;
/** A stand-alone server of a dead Millrace ends by itself when its input does. */
const standaloneStopMs = 15_000;
const psTimeoutMs = 10_000;

const noteName = 'postgres.running';

/** One attempt to end a process, and how long it has to obey. */
export const stopSteps = [
  { signal: 'SIGINT', limitMs: fastStopMs },
  { signal: 'SIGQUIT', limitMs: quitStopMs },
  { signal: 'SIGKILL', limitMs: killStopMs },
] as const;

export type PostmasterFile = {
  /** A stand-alone server has its id negated in the file. */
  readonly pid: number;
  readonly standalone: boolean;
  /** `starting`, `ready`, …; empty while the file is young. */
  readonly status: string;
};

/** The lines of `postmaster.pid`, as in PostgreSQL's `pidfile.h`; null when it is of no use. */
export function parsePostmasterFile(text: string): PostmasterFile | null {
  const lines = text.split('\n');
  const pid = Number.parseInt(lines[0] ?? '', 10);
  if (!Number.isSafeInteger(pid) || pid === 0) return null;
  return { pid: Math.abs(pid), standalone: pid < 0, status: (lines[7] ?? '').trim() };
}

export async function readPostmasterFile(cluster: string): Promise<PostmasterFile | null> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => null);
  return text === null ? null : parsePostmasterFile(text);
}

/** Notes which process serves the cluster, so that a later start knows it as ours. */
export async function noteServer(home: Home, pid: number): Promise<void> {
  const start = processStart(pid);
  // A server that has ended already needs no note.
  if (start === null) return;
  await forgetServer(home);
  await writeFile(join(home.dir, noteName), `${pid} ${start}\n`, { flag: 'wx' });
}

export async function forgetServer(home: Home): Promise<void> {
  await rm(join(home.dir, noteName), { force: true });
}

async function isNoted(home: Home, pid: number, start: string): Promise<boolean> {
  const note = await readFile(join(home.dir, noteName), 'utf8').catch(() => '');
  return note.trim() === `${pid} ${start}`;
}

/** Whether process `pid` works in that cluster: a server's working directory is its cluster. */
async function worksIn(pid: number, cluster: string): Promise<boolean> {
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => null);
  if (cwd !== null) return cwd === cluster;
  const args = ['-o', 'command=', '-p', String(pid)];
  const said = await run('ps', args, { account: null, timeoutMs: psTimeoutMs });
  return said.stdout.includes(cluster);
}

/** Ends a server that is not a child of this process. */
async function endServer(pid: number, start: string): Promise<void> {
  for (const { signal, limitMs } of stopSteps) {
    sendSignal(pid, signal);
    if (await waitForEnd(pid, start, limitMs)) return;
  }
  throw embeddedFailure(`the earlier server, process ${pid}, does not end`);
}

/**
 * Makes sure that nothing serves the cluster any more: a server that a dead Millrace left behind is
 * shut down. Call it with the home locked.
 *
 * @throws GatewayError `MR_DATA_DIR_HELD` when a server runs there that Millrace did not start
 */
export async function clearCluster(home: Home, log: Log): Promise<void> {
  const file = await readPostmasterFile(home.cluster);
  const start = file === null ? null : processStart(file.pid);
  if (file !== null && start !== null) {
    const { pid, standalone } = file;
    if (!(await worksIn(pid, home.cluster))) {
      // PostgreSQL would take any process of its user with a recycled id for a living server. The
      // file of a dead process is left to PostgreSQL, which also looks for its shared memory.
      await rm(join(home.cluster, 'postmaster.pid'), { force: true });
    } else if (standalone) {
      if (!(await waitForEnd(pid, start, standaloneStopMs))) throw foreignServer(home, pid);
    } else if (await isNoted(home, pid, start)) {
      log.warn({ pid }, 'stopping the PostgreSQL server that an earlier Millrace left behind');
      await endServer(pid, start);
    } else {
      throw foreignServer(home, pid);
    }
  }
  await forgetServer(home);
}

function foreignServer(home: Home, pid: number): GatewayError {
  return new GatewayError('MR_DATA_DIR_HELD', {
    subject: `${home.cluster} is served by a PostgreSQL server of somebody else, process ${pid}`,
  });
}
