/** Measures loads: the speed that pgbench tells, and the processor time of everybody meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Load, Subject } from '../cases/case.ts';
import { type Way, wayName } from '../cases/way.ts';
import type { Figures } from '../report/figures.ts';
import { CpuClock } from '../system/cpu-time.ts';
import type { RunningPooler } from '../ways/pooler.ts';
import type { Scene } from '../ways/scene.ts';
import { type Counters, hasCounters, prove, readCounters, unproven } from './counters.ts';
import { Pgbench, type PgbenchRun, type RunLength } from './pgbench.ts';
import { EmptyRunError } from './pgbench-output.ts';
import { ScriptFiles } from './scripts.ts';

/** Queries of a warm-up, shared by the clients: compiled code, warm caches, open links. */
const WARM_UP_QUERIES = 10_000;
/** A transaction has so many statements. */
const TRANSACTION_STATEMENTS = 7;
/** Then the measurement begins all the same, and its proof tells what is wrong. */
const WARM_UPS_MAX = 20;
/** Processor time is compared over this part of the time that a run is told to take, at its end. */
const WATCHED_PART = 0.8;
/** So long before its end, while all of its processes are there. */
const END_MS = 50;
/** So often a run without any transaction is tried again, for twice as long each time. */
const EMPTY_RUNS_MAX = 3;

type LoadSubject = Extract<Subject, { readonly kind: 'load' }>;

type CpuSeconds = {
  readonly driver: number;
  readonly pooler: number;
  readonly postgres: number;
};

/** Processor time at a moment. */
type Sample = CpuSeconds & { readonly atMs: number };

type Observation = { readonly run: PgbenchRun; readonly first: Sample; readonly last: Sample };

export class LoadMeter {
  readonly #scene: Scene;
  readonly #pgbench: Pgbench;
  readonly #clock = new CpuClock();
  /** How long all clients take to log in, by their number and the pooler. */
  readonly #loginSeconds = new Map<string, number>();

  constructor(scene: Scene) {
    this.#scene = scene;
    const { pgbench, origin, scratch } = scene;
    this.#pgbench = new Pgbench(pgbench, origin.login, scratch, new ScriptFiles(scratch));
  }

  /**
   * Runs the load for a moment, and forgets what it did; again, where its statements do not go yet
   * where they shall: a cache has to take up what everybody asks for first.
   */
  async warmUp({ way, load, proof }: LoadSubject): Promise<void> {
    const perUnit = load.unit === 'query' ? 1 : TRANSACTION_STATEMENTS;
    const each = Math.ceil(WARM_UP_QUERIES / perUnit / Math.max(load.clients, 4));
    for (let time = 0; time < WARM_UPS_MAX; time++) {
      const before = await this.#counters(way);
      const { transactions } = await this.#run(way, load, { transactions: each }, []);
      const after = await this.#counters(way);
      if (before === null || after === null) return;
      if (unproven(proof, before, after, transactions) === null) return;
    }
  }

  /** @throws UnprovenError when the statements did not go where the row says */
  async measure({ way, load, proof }: LoadSubject, seconds: number): Promise<Figures> {
    const before = await this.#counters(way);
    const { run, first, last } = await this.#observeSome(way, load, seconds);
    const after = await this.#counters(way);
    if (before !== null && after !== null) prove(proof, before, after, run.transactions);
    const unitsBetween = (run.tps * (last.atMs - first.atMs)) / 1000;
    const cost = (who: keyof CpuSeconds): number =>
      Math.max(0, ((last[who] - first[who]) * 1_000_000) / unitsBetween);
    const [driverUs, poolerUs, postgresUs] = [cost('driver'), cost('pooler'), cost('postgres')];
    return {
      tps: run.tps,
      latencyMs: run.latencyMs,
      p50Ms: run.p50Ms,
      p99Ms: run.p99Ms,
      driverUs,
      ...(way.pooler === null ? {} : { poolerUs }),
      postgresUs,
      sumUs: driverUs + poolerUs + postgresUs,
    };
  }

  async #counters(way: Way): Promise<Counters | null> {
    if (!hasCounters(way)) return null;
    return readCounters(way, await this.#scene.addressOf(way), this.#scene.origin.login);
  }

  /**
   * How long it takes that all clients log in, which SCRAM makes dear on purpose: pgbench counts it
   * to the time of its run, although it keeps it out of the speed.
   */
  async #loginTime(way: Way, load: Load): Promise<number> {
    const key = `${load.clients} ${load.crowd !== null} ${way.pooler}`;
    let seconds = this.#loginSeconds.get(key);
    if (seconds === undefined) {
      const startMs = performance.now();
      await this.#run(way, load, { transactions: 1 }, []);
      seconds = (performance.now() - startMs) / 1000;
      this.#loginSeconds.set(key, seconds);
    }
    return seconds;
  }

  /** Observes a run in which something was done. */
  async #observeSome(way: Way, load: Load, seconds: number): Promise<Observation> {
    const logins = Math.round(await this.#loginTime(way, load));
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#observe(way, load, (logins + seconds) * 2 ** attempt, seconds);
      } catch (error) {
        if (!(error instanceof EmptyRunError) || attempt === EMPTY_RUNS_MAX) throw error;
      }
    }
  }

  /**
   * A run, and the processor time at two moments of it: what is between them is without logins. It
   * is read twice only, since it takes a millisecond or more where there are many processes.
   */
  async #observe(
    way: Way,
    load: Load,
    wholeSeconds: number,
    seconds: number,
  ): Promise<Observation> {
    const pooler = await this.#scene.pooler(way);
    const pids: number[] = [];
    const sampleAfter = async (delayMs: number): Promise<Sample> => {
      await sleep(delayMs);
      return { atMs: performance.now(), ...this.#cpuSeconds(pids, pooler) };
    };
    const samples = Promise.all([
      sampleAfter((wholeSeconds - seconds * WATCHED_PART) * 1000),
      sampleAfter(wholeSeconds * 1000 - END_MS),
    ]);
    const run = await this.#run(way, load, { seconds: wholeSeconds }, pids);
    const [first, last] = await samples;
    return { run, first, last };
  }

  /** @param pids where the processes that make the load are noted */
  async #run(way: Way, load: Load, length: RunLength, pids: number[]): Promise<PgbenchRun> {
    try {
      return await this.#pgbench.run(load, await this.#scene.addressOf(way), length, pids);
    } catch (error) {
      if (error instanceof Error) error.message += ` (through ${wayName(way)})`;
      throw error;
    }
  }

  #cpuSeconds(driverPids: readonly number[], pooler: RunningPooler | null): CpuSeconds {
    const sum = (pids: readonly number[], seconds: (pid: number) => number): number =>
      pids.reduce((total, pid) => total + seconds(pid), 0);
    return {
      driver: sum(driverPids, (pid) => this.#clock.ownSeconds(pid)),
      pooler: sum(pooler?.pids ?? [], (pid) => this.#clock.familySeconds(pid)),
      postgres: this.#clock.familySeconds(this.#scene.origin.server.pid),
    };
  }
}
