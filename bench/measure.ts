/** Measures: one pgbench at a time, and the processor time that everybody spends meanwhile. */
import type { BenchCase, Target } from './cases.ts';
import { CpuClock } from './cpu-time.ts';
import type { Origin } from './origin.ts';
import { parsePgbenchOutput } from './pgbench-output.ts';
import { type Address, HOST, type RunningPooler } from './place.ts';
import { runProgram } from './programs.ts';
import type { Measurement } from './summary.ts';

/** Beyond the time that pgbench was told to take, before it counts as stuck. */
const GRACE_MS = 60_000;
/** Queries of a warm-up, shared by the clients: compiled code, warm caches, open links. */
const WARM_UP_QUERIES = 20_000;

export type Scene = {
  readonly pgbench: string;
  readonly origin: Origin;
  readonly millrace: RunningPooler;
  readonly pgbouncer: RunningPooler | null;
};

export class Meter {
  readonly #scene: Scene;
  readonly #clock = new CpuClock();

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
    const before = this.#cpuSeconds(target);
    const timeoutMs = seconds * 1000 + GRACE_MS;
    const output = await this.#run(benchCase, target, ['-T', String(seconds)], timeoutMs);
    const after = this.#cpuSeconds(target);
    const figures = parsePgbenchOutput(output);
    const perUnitUs = 1_000_000 / figures.transactions;
    return {
      ...figures,
      caseName: benchCase.name,
      target,
      round,
      cpuUs: {
        pgbench: (after.pgbench - before.pgbench) * perUnitUs,
        pooler: target.kind === 'direct' ? null : (after.pooler - before.pooler) * perUnitUs,
        postgres: (after.postgres - before.postgres) * perUnitUs,
      },
    };
  }

  /** pgbench is the only child that ends while measurements go on. */
  #cpuSeconds(target: Target): { pgbench: number; pooler: number; postgres: number } {
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
  ): Promise<string> {
    const { pgbench, origin } = this.#scene;
    const address = this.#addressOf(target);
    const { clients, mode, script } = benchCase;
    const threads = Math.min(clients, 2);
    return runProgram(
      pgbench,
      [
        ...['-n', '-b', script, '-M', mode, '-c', String(clients), '-j', String(threads)],
        ...length,
        ...['-h', HOST, '-p', String(address.port), '-U', origin.login.user, address.database],
      ],
      { PGPASSWORD: origin.login.password },
      timeoutMs,
    );
  }
}
