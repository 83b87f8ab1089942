/** Everything that runs during a benchmark: the server, and each pooler from when it is needed. */
import { type PgbouncerAbility, type Pooler, poolerTable, type Way } from '../cases/way.ts';
import { Scratch, tlsFiles } from '../system/scratch.ts';
import type { Address } from './address.ts';
import { plainForm, startMillrace } from './millrace.ts';
import { type Origin, startOrigin } from './origin.ts';
import { startPgbouncer } from './pgbouncer.ts';
import { CORES, type RunningPooler } from './pooler.ts';

export type Pgbouncer = { readonly program: string; readonly ability: PgbouncerAbility };

export type SceneOptions = {
  readonly pgbench: string;
  readonly pgbouncer: Pgbouncer | null;
  readonly poolSizes: ReadonlyMap<Pooler, readonly number[]>;
};

export class Scene {
  readonly pgbench: string;
  readonly origin: Origin;
  readonly scratch: Scratch;
  readonly #pgbouncer: Pgbouncer | null;
  readonly #poolSizes: ReadonlyMap<Pooler, readonly number[]>;
  readonly #running = new Map<Pooler, RunningPooler>();
  #stopping: Promise<void> | null = null;

  private constructor(options: SceneOptions, origin: Origin, scratch: Scratch) {
    this.pgbench = options.pgbench;
    this.#pgbouncer = options.pgbouncer;
    this.#poolSizes = options.poolSizes;
    this.origin = origin;
    this.scratch = scratch;
  }

  static async start(options: SceneOptions): Promise<Scene> {
    const origin = await startOrigin(options.pgbench);
    return new Scene(options, origin, new Scratch());
  }

  /** The pooler of a way, started when it is wanted for the first time; null for the direct way. */
  async pooler(way: Way): Promise<RunningPooler | null> {
    if (way.pooler === null) return null;
    let running = this.#running.get(way.pooler);
    if (running === undefined) {
      running = await this.start(way.pooler, this.#poolSizes.get(way.pooler) ?? [way.poolSize]);
      this.#running.set(way.pooler, running);
    }
    return running;
  }

  async addressOf(way: Way): Promise<Address> {
    if (way.pooler === null) return this.origin.address;
    return ((await this.pooler(way)) as RunningPooler).addressOf(way.poolSize);
  }

  /** A pooler of the caller's own, which has to stop it. */
  start(pooler: Pooler, poolSizes: readonly number[], isTls = false): Promise<RunningPooler> {
    const { origin, scratch } = this;
    const tls = isTls ? tlsFiles(scratch) : null;
    if (poolerTable[pooler].isMillrace) {
      const hasCache = pooler === 'millrace-cache';
      const workers = pooler === 'millrace-cores' ? CORES : 1;
      return startMillrace(origin, poolSizes, scratch, { ...plainForm, hasCache, workers, tls });
    }
    if (this.#pgbouncer === null) throw new Error('PgBouncer is not installed');
    const { program, ability } = this.#pgbouncer;
    const processes = pooler === 'pgbouncer-cores' ? CORES : 1;
    return startPgbouncer(program, origin, poolSizes, scratch, { ability, processes, tls });
  }

  /** Every call waits for the same end. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    for (const pooler of this.#running.values()) await pooler.stop();
    await this.origin.server.stop();
    this.scratch.remove();
  }
}
