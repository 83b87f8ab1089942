/** Measures: one pgbench at a time, and the processor time that everybody spends meanwhile. */
import type { BenchCase, Target } from './cases.ts';
import { CpuClock } from './cpu-time.ts';
import type { Origin } from './origin.ts';
import { EmptyRunError, type PgbenchFigures, parsePgbenchOutput } from './pgbench-output.ts';
import { type Address, HOST, type RunningPooler } from './place.ts';
import { type Output, runProgram } from './programs.ts';
import type { Measurement } from './summary.ts';

/** Beyond the time that pgbench was told to take, before it counts as stuck. */
const GRACE_MS = 60_000;
/** Queries of a warm-up, shared by the clients: compiled code, warm caches, open links. */
const WARM_UP_QUERIES = 10_000;
/** So often a run without any transaction is tried again, for twice as long each time. */
const EMPTY_RUNS_MAX = 3;
/** Of pgbench. */
const THREADS_MAX = 2;

export type Scene = {
  readonly pgbench: string;
  readonly origin: Origin;
  readonly millrace: RunningPooler;
  readonly pgbouncer: RunningPooler | null;
};

type CpuSeconds = {
  readonly pgbench: number;
  readonly pooler: number;
  readonly postgres: number;
};

type Observation = { readonly figures: PgbenchFigures; readonly cpu: CpuSeconds };

export class Meter {
  readonly #scene: Scene;
  readonly #clock = new CpuClock();
  readonly #loginCosts = new Map<string, CpuSeconds>();

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** Runs the case through the target for a moment, and forgets what it did. */
  async warmUp(benchCase: BenchCase, target: Target): Promise<void> {
    const perUnit = benchCase.unit === 'query' ? 1 : 7;
    const each = Math.ceil(WARM_UP_QUERIES / perUnit / Math.max(benchCase.clients, 4));
    await this.#run(benchCase, target, ['-t', String(each)], GRACE_MS);
  }

  async measure(
    benchCase: BenchCase,
    target: Target,
    round: number,
    seconds: number,
  ): Promise<Measurement> {
    const logins = await this.#loginCost(benchCase, target);
    const { figures, cpu } = await this.#observeSome(benchCase, target, seconds);
    const perUnitUs = 1_000_000 / figures.transactions;
    const cost = (spent: number, login: number): number => Math.max(spent - login, 0) * perUnitUs;
    return {
      ...figures,
      caseName: benchCase.name,
      target,
      round,
      cpuUs: {
        pgbench: cost(cpu.pgbench, logins.pgbench),
        pooler: target.kind === 'direct' ? null : cost(cpu.pooler, logins.pooler),
        postgres: cost(cpu.postgres, logins.postgres),
      },
    };
  }

  /**
   * What it costs that all clients log in, which SCRAM makes dear on purpose and which is no part
   * of the cost of a query: taken from runs of one transaction each.
   */
  async #loginCost(benchCase: BenchCase, target: Target): Promise<CpuSeconds> {
    const key = `${benchCase.clients} ${target.kind}`;
    const known = this.#loginCosts.get(key);
    if (known !== undefined) return known;
    const once = ['-t', '1'];
    const { cpu: first } = await this.#observe(benchCase, target, once, 0);
    const { cpu: second } = await this.#observe(benchCase, target, once, 0);
    // The smaller one: a server's background work may fall into one of them.
    const cost = {
      pgbench: Math.min(first.pgbench, second.pgbench),
      pooler: Math.min(first.pooler, second.pooler),
      postgres: Math.min(first.postgres, second.postgres),
    };
    this.#loginCosts.set(key, cost);
    return cost;
  }

  /** Observes a run in which something was done. */
  async #observeSome(benchCase: BenchCase, target: Target, seconds: number): Promise<Observation> {
    for (let attempt = 0; ; attempt++) {
      const longer = seconds * 2 ** attempt;
      try {
        return await this.#observe(benchCase, target, ['-T', String(longer)], longer * 1000);
      } catch (error) {
        if (!(error instanceof EmptyRunError) || attempt === EMPTY_RUNS_MAX) throw error;
      }
    }
  }

  async #observe(
    benchCase: BenchCase,
    target: Target,
    length: readonly string[],
    lengthMs: number,
  ): Promise<Observation> {
    const before = this.#cpuSeconds(target);
    const output = await this.#run(benchCase, target, length, lengthMs + GRACE_MS);
    const after = this.#cpuSeconds(target);
    return {
      figures: parsePgbenchOutput(output),
      cpu: {
        pgbench: after.pgbench - before.pgbench,
        pooler: after.pooler - before.pooler,
        postgres: after.postgres - before.postgres,
      },
    };
  }

  /** pgbench is the only child that ends while measurements go on. */
  #cpuSeconds(target: Target): CpuSeconds {
    const pooler = this.#poolerOf(target);
    return {
      pgbench: this.#clock.endedChildrenSeconds(),
      pooler: pooler === null ? 0 : this.#clock.ownSeconds(pooler.pid),
      postgres: this.#clock.familySeconds(this.#scene.origin.server.pid),
    };
  }

  #poolerOf(target: Target): RunningPooler | null {
    if (target.kind === 'direct') return null;
    return target.kind === 'millrace' ? this.#scene.millrace : this.#scene.pgbouncer;
  }

  #addressOf(target: Target): Address {
    if (target.kind === 'direct') return this.#scene.origin.address;
    const pooler = this.#poolerOf(target);
    if (pooler === null) throw new Error('PgBouncer is not there');
    return pooler.addressOf(target.poolSize);
  }

  #run(
    benchCase: BenchCase,
    target: Target,
    length: readonly string[],
    timeoutMs: number,
  ): Promise<Output> {
    const { pgbench, origin } = this.#scene;
    const address = this.#addressOf(target);
    const { clients, mode, script } = benchCase;
    const what = ['-n', '-b', script, '-M', mode, '-c', String(clients)];
    const threads = ['-j', String(Math.min(clients, THREADS_MAX))];
    const where = ['-h', HOST, '-p', String(address.port), '-U', origin.login.user];
    return runProgram(
      pgbench,
      [...what, ...threads, ...length, ...where, address.database],
      { PGPASSWORD: origin.login.password },
      timeoutMs,
    );
  }
}
