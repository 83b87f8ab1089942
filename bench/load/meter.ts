/** Measures loads: the speed that pgbench tells, and the processor time of everybody meanwhile. */
import type { Load, Subject } from '../cases/case.ts';
import { type Way, wayName } from '../cases/way.ts';
import type { Figures } from '../report/figures.ts';
import { CpuClock } from '../system/cpu-time.ts';
import type { RunningPooler } from '../ways/place.ts';
import type { Scene } from '../ways/scene.ts';
import { hasCounters, prove, readCounters } from './counters.ts';
import { Pgbench, type PgbenchRun, type RunLength } from './pgbench.ts';
import { EmptyRunError } from './pgbench-output.ts';
import { ScriptFiles } from './scripts.ts';

/** Queries of a warm-up, shared by the clients: compiled code, warm caches, open links. */
const WARM_UP_QUERIES = 10_000;
/** A transaction has so many statements. */
const TRANSACTION_STATEMENTS = 7;
/** So often a run without any transaction is tried again, for twice as long each time. */
const EMPTY_RUNS_MAX = 3;

type LoadSubject = Extract<Subject, { readonly kind: 'load' }>;

type CpuSeconds = {
  readonly driver: number;
  readonly pooler: number;
  readonly postgres: number;
};

type LoginCost = { readonly cpu: CpuSeconds; readonly seconds: number };

type Observation = { readonly run: PgbenchRun; readonly cpu: CpuSeconds };

export class LoadMeter {
  readonly #scene: Scene;
  readonly #pgbench: Pgbench;
  readonly #clock = new CpuClock();
  readonly #loginCosts = new Map<string, LoginCost>();

  constructor(scene: Scene) {
    this.#scene = scene;
    const { pgbench, origin, scratch } = scene;
    this.#pgbench = new Pgbench(pgbench, origin.login, scratch, new ScriptFiles(scratch));
  }

  /** Runs the load for a moment, and forgets what it did. */
  async warmUp({ way, load }: LoadSubject): Promise<void> {
    const perUnit = load.unit === 'query' ? 1 : TRANSACTION_STATEMENTS;
    const each = Math.ceil(WARM_UP_QUERIES / perUnit / Math.max(load.clients, 4));
    await this.#run(way, load, { transactions: each });
  }

  /** @throws UnprovenError when the statements did not go where the row says */
  async measure({ way, load, proof }: LoadSubject, seconds: number): Promise<Figures> {
    const logins = await this.#loginCost(way, load);
    const address = await this.#scene.addressOf(way);
    const { login } = this.#scene.origin;
    const counters = () => (hasCounters(way) ? readCounters(way, address, login) : null);
    const before = await counters();
    const { run, cpu } = await this.#observeSome(way, load, seconds, logins.seconds);
    const after = await counters();
    if (before !== null && after !== null) prove(proof, before, after, run.transactions);
    const perUnitUs = 1_000_000 / run.transactions;
    const cost = (who: keyof CpuSeconds): number =>
      Math.max(cpu[who] - logins.cpu[who], 0) * perUnitUs;
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

  /**
   * What it costs that all clients log in, which SCRAM makes dear on purpose and which is no part
   * of the cost of a query: taken from runs of one transaction each.
   */
  async #loginCost(way: Way, load: Load): Promise<LoginCost> {
    const key = `${load.clients} ${load.crowd !== null} ${way.pooler}`;
    const known = this.#loginCosts.get(key);
    if (known !== undefined) return known;
    const costs: LoginCost[] = [];
    // The smaller one counts: a server's background work may fall into one of them.
    for (let time = 0; time < 2; time++) {
      const startMs = performance.now();
      const { cpu } = await this.#observe(way, load, { transactions: 1 });
      costs.push({ cpu, seconds: (performance.now() - startMs) / 1000 });
    }
    const least = (value: (cost: LoginCost) => number): number => Math.min(...costs.map(value));
    const cost = {
      cpu: {
        driver: least(({ cpu }) => cpu.driver),
        pooler: least(({ cpu }) => cpu.pooler),
        postgres: least(({ cpu }) => cpu.postgres),
      },
      seconds: least(({ seconds }) => seconds),
    };
    this.#loginCosts.set(key, cost);
    return cost;
  }

  /**
   * Observes a run in which something was done. pgbench counts the time of its logins, so it gets
   * that on top where it would be a large part.
   */
  async #observeSome(
    way: Way,
    load: Load,
    seconds: number,
    loginSeconds: number,
  ): Promise<Observation> {
    const whole = seconds + Math.round(loginSeconds);
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#observe(way, load, { seconds: whole * 2 ** attempt });
      } catch (error) {
        if (!(error instanceof EmptyRunError) || attempt === EMPTY_RUNS_MAX) throw error;
      }
    }
  }

  async #observe(way: Way, load: Load, length: RunLength): Promise<Observation> {
    const pooler = await this.#scene.pooler(way);
    const before = this.#cpuSeconds(pooler);
    const run = await this.#run(way, load, length);
    const after = this.#cpuSeconds(pooler);
    const spent = (who: keyof CpuSeconds): number => after[who] - before[who];
    const cpu = {
      driver: spent('driver'),
      pooler: spent('pooler'),
      postgres: spent('postgres'),
    };
    return { run, cpu };
  }

  async #run(way: Way, load: Load, length: RunLength): Promise<PgbenchRun> {
    try {
      return await this.#pgbench.run(load, await this.#scene.addressOf(way), length);
    } catch (error) {
      if (error instanceof Error) error.message += ` (through ${wayName(way)})`;
      throw error;
    }
  }

  /** pgbench is the only child that ends while a load is measured. */
  #cpuSeconds(pooler: RunningPooler | null): CpuSeconds {
    const ofPooler = (pooler?.pids ?? []).map((pid) => this.#clock.familySeconds(pid));
    return {
      driver: this.#clock.endedChildrenSeconds(),
      pooler: ofPooler.reduce((sum, seconds) => sum + seconds, 0),
      postgres: this.#clock.familySeconds(this.#scene.origin.server.pid),
    };
  }
}
