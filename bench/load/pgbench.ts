/** Runs pgbench, or several of it at once, and reads what it tells. */
import { basename } from 'node:path';
import type { Load } from '../cases/case.ts';
import { percentile } from '../report/statistics.ts';
import type { Scratch } from '../system/scratch.ts';
import { type Address, HOST, type Login } from '../ways/address.ts';
import { runProgram } from '../ways/programs.ts';
import { takeLogs } from './pgbench-log.ts';
import { type PgbenchFigures, parsePgbenchOutput } from './pgbench-output.ts';
import type { ScriptFiles } from './scripts.ts';

/** Beyond the time that pgbench was told to take, before it counts as stuck. */
const GRACE_MS = 120_000;
/** Of pgbench. */
const THREADS_MAX = 2;
/** A crowd comes from so many processes, since each gives all of its clients the same settings. */
const CROWD_PROCESSES = 8;
/** The part of the transactions of many clients that is logged: writing them all would cost. */
const SAMPLING_RATE = 0.25;

const zones: readonly string[] = ['UTC', 'Europe/Berlin', 'America/New_York'];

/** How long a run takes: seconds, or transactions of each client. */
export type RunLength = { readonly seconds: number } | { readonly transactions: number };

export type PgbenchRun = PgbenchFigures & { readonly p50Ms: number; readonly p99Ms: number };

/** One pgbench among those that make a load together. */
type Part = { readonly clients: number; readonly env: Readonly<Record<string, string>> };

/** The processes of a load, with what tells their clients apart. */
export function partsOf({ clients, crowd }: Load): readonly Part[] {
  if (crowd === null) return [{ clients, env: {} }];
  return Array.from({ length: CROWD_PROCESSES }, (_, at) => ({
    clients: clients / CROWD_PROCESSES,
    env: {
      PGAPPNAME: `bench-${at % crowd.names}`,
      PGTZ: zones[at % crowd.zones] as string,
    },
  }));
}

export class Pgbench {
  readonly #program: string;
  readonly #login: Login;
  readonly #scratch: Scratch;
  readonly #scripts: ScriptFiles;

  constructor(program: string, login: Login, scratch: Scratch, scripts: ScriptFiles) {
    this.#program = program;
    this.#login = login;
    this.#scratch = scratch;
    this.#scripts = scripts;
  }

  /**
   * @param pids gets the processes when they begin
   * @throws EmptyRunError when there was no transaction to measure
   * @throws Error when any of them fails
   */
  async run(load: Load, address: Address, length: RunLength, pids: number[]): Promise<PgbenchRun> {
    const logPath = this.#scratch.fresh('log');
    const isSampled = load.unit === 'query' && load.clients > 1 && 'seconds' in length;
    const args = ['-n', '-M', load.mode, ...this.#scripts.argsOf(load.scripts)];
    if ('seconds' in length) args.push('-T', String(length.seconds));
    else args.push('-t', String(length.transactions));
    args.push('--log', `--log-prefix=${logPath}`);
    if (isSampled) args.push(`--sampling-rate=${SAMPLING_RATE}`);
    args.push('-h', HOST, '-p', String(address.port), '-U', this.#login.user);
    const timeoutMs = GRACE_MS + ('seconds' in length ? length.seconds * 1000 : 0);
    const outputs = await Promise.allSettled(
      partsOf(load).map(({ clients, env }) =>
        runProgram(
          this.#program,
          [...args, ...sizeArgs(clients), address.database],
          { ...env, PGPASSWORD: this.#login.password },
          timeoutMs,
          (pid) => pids.push(pid),
        ),
      ),
    );
    const times = takeLogs(this.#scratch.dir, basename(logPath));
    const figures = outputs.map((output) => {
      if (output.status === 'rejected') throw output.reason;
      return parsePgbenchOutput(output.value);
    });
    return { ...sumOf(figures), ...percentilesOf(times) };
  }
}

function sizeArgs(clients: number): readonly string[] {
  return ['-c', String(clients), '-j', String(Math.min(clients, THREADS_MAX))];
}

/** Of parts that ran at the same time. */
export function sumOf(parts: readonly PgbenchFigures[]): PgbenchFigures {
  const sum = (value: (part: PgbenchFigures) => number): number =>
    parts.reduce((total, part) => total + value(part), 0);
  const transactions = sum((part) => part.transactions);
  return {
    tps: sum((part) => part.tps),
    latencyMs: sum((part) => part.latencyMs * part.transactions) / transactions,
    transactions,
  };
}

function percentilesOf(timesUs: readonly number[]) {
  const sorted = Float64Array.from(timesUs).sort();
  return { p50Ms: percentile(sorted, 0.5) / 1000, p99Ms: percentile(sorted, 0.99) / 1000 };
}
