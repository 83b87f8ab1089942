import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { MillraceConfig } from '../../config/model.ts';
import { WORKER_NUMBER_MAX } from '../clients/client-registry.ts';
import {
  type BoundAddress,
  Listeners,
  type PreparedListeners,
  preparedListeners,
} from '../listeners.ts';
import { Credentials } from '../login/credentials.ts';
import { type PurgeOutcome, type PurgeTarget, sumOfPurges } from '../purge.ts';
import { type ConfigurationStatus, sumOfStatus } from '../status.ts';
import { clock, random } from '../system.ts';
import { BoardKeeper } from './board-keeper.ts';
import { Exchange } from './exchange.ts';
import { Heartbeat } from './heartbeat.ts';
import { LeaseDesk } from './lease-desk.ts';
import { MESSAGES_VERSION, type Orders, type ToPrimary } from './messages.ts';
import { Placement } from './placement.ts';
import { RateDesk } from './rate-desk.ts';
import { Restarts } from './restarts.ts';
import {
  secretEnvironment,
  type WorkerEnd,
  WorkerProcess,
  type WorkerProgram,
} from './worker-process.ts';

/** A worker that is not ready by then is killed, and counts as failed. */
const START_TIMEOUT_MS = 60_000;
/** Workers that were told to end at once have so long. */
const CLOSE_TIMEOUT_MS = 3_000;
/** After their time to drain, workers have so long to cancel what still runs, and to end. */
const DRAIN_GRACE_MS = 8_000;

export type WorkersOptions = {
  readonly log: Log;
  readonly count: number;
  readonly program: WorkerProgram;
};

/**
 * The primary process of a gateway with several workers: it listens, hands connections out, keeps
 * the books of leases and carries what workers have to say to each other. No client's byte passes
 * through it. To its owner it looks like a `Gateway`.
 */
export class Workers {
  readonly #log: Log;
  readonly #options: WorkersOptions;
  readonly #listeners: Listeners;
  readonly #placement = new Placement();
  readonly #desk = new LeaseDesk(clock);
  readonly #rates = new RateDesk(clock);
  readonly #exchange = new Exchange();
  readonly #restarts = new Restarts();
  readonly #board: BoardKeeper;
  readonly #heartbeat: Heartbeat;
  readonly #mockSecret = freshSecret();
  readonly #workers = new Set<WorkerProcess>();
  readonly #onReady = new Map<WorkerProcess, (problem: string | null) => void>();
  readonly #onGone = new Map<WorkerProcess, () => void>();
  /** Another one with each reload, which ends the TLS sessions of before. */
  #ticketSecret = freshSecret();
  #credentials: Credentials;
  #config: MillraceConfig;
  #isStarted = false;
  #isEnding = false;
  #fail: (error: GatewayError) => void = () => {};
  /** Rejects when workers end as soon as they are started, and there is no hope left. */
  readonly failed: Promise<never>;

  private constructor(config: MillraceConfig, credentials: Credentials, options: WorkersOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#config = config;
    this.#credentials = credentials;
    this.#listeners = new Listeners(
      (key, socket) => this.#placement.accept(key, socket),
      this.#log,
    );
    this.#board = new BoardKeeper(this.#workers, options.count, this.#log);
    this.#heartbeat = new Heartbeat((worker, silentMs) => {
      this.#log.error({ worker: worker.number, silentMs }, 'a worker hangs, and is killed');
      worker.kill();
    });
    this.failed = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {});
  }

  /**
   * Opens all listeners and starts all workers.
   * @throws GatewayError `MR_CONFIG_INVALID`, `MR_LISTEN_FAILED`, `MR_WORKER_FAILED`; nothing is
   * left open then
   */
  static async start(config: MillraceConfig, options: WorkersOptions): Promise<Workers> {
    const listeners = preparedListeners(config.listeners);
    const credentials = await Credentials.of(config, random, null);
    const workers = new Workers(config, credentials, options);
    try {
      await workers.#begin(listeners);
    } catch (error) {
      await workers.close();
      throw error;
    }
    return workers;
  }

  /** Where it listens, in the order of the configuration, with the ports that the system chose. */
  addresses(): readonly BoundAddress[] {
    return this.#listeners.addresses();
  }

  /** Of all workers together; one that does not answer at once is left out. */
  async status(): Promise<readonly ConfigurationStatus[]> {
    return sumOfStatus(await Promise.all([...this.#workers].map((worker) => worker.status())));
  }

  /** Has every worker forget answers of a configuration's query cache. */
  async purge(configuration: string, target: PurgeTarget): Promise<PurgeOutcome> {
    // One that begins has no answers.
    const atWork = [...this.#workers].filter(({ isReady }) => isReady);
    const ask = (worker: WorkerProcess) => worker.purge(configuration, target);
    return sumOfPurges(await Promise.all(atWork.map(ask)));
  }

  /** Process IDs of the workers, by their numbers. */
  processIds(): ReadonlyMap<number, number> {
    return new Map([...this.#workers].map(({ number, processId }) => [number, processId]));
  }

  /**
   * Takes a new configuration: every worker examines it, then every worker takes it.
   * @throws GatewayError `MR_CONFIG_INVALID`, `MR_LISTEN_FAILED`, `MR_WORKER_FAILED`: nothing has
   * changed, save as {@link Listeners.reload} says
   */
  async reload(config: MillraceConfig): Promise<void> {
    const listeners = preparedListeners(config.listeners);
    const credentials = await Credentials.of(config, random, this.#credentials);
    const ticketSecret = freshSecret();
    const orders = this.#ordersOf(config, credentials, ticketSecret);
    const prepared = new Set(this.#workers);
    await this.#prepareAll(prepared, orders);
    this.#placement.hold();
    try {
      await this.#listeners.reload(listeners, async () => {
        this.#config = config;
        this.#credentials = credentials;
        this.#ticketSecret = ticketSecret;
        this.#desk.configure(config);
        this.#placement.setListeners(listeners);
        await this.#applyAll(prepared, orders);
      });
    } finally {
      this.#placement.release();
    }
  }

  /** Replaces the workers one after the other: each new one is ready before an old one drains. */
  async restart(): Promise<void> {
    const before = [...this.#workers];
    for (const worker of before) {
      if (this.#isEnding) return;
      if (worker.isGone || worker.isLeaving) continue;
      await this.#launch();
      const { drainTimeoutMs } = this.#config;
      this.#log.info({ worker: worker.number, drainTimeoutMs }, 'worker drains');
      await this.#dismiss(worker, drainTimeoutMs);
    }
    this.#log.info({ workers: [...this.processIds().keys()] }, 'workers were replaced');
  }

  /** Ends politely: no new clients; every worker drains. */
  async drain(timeoutMs: number): Promise<void> {
    this.#stop();
    await Promise.all([...this.#workers].map((worker) => this.#dismiss(worker, timeoutMs)));
    this.#closeBooks();
  }

  /** Ends at once. */
  async close(): Promise<void> {
    this.#stop();
    await Promise.all([...this.#workers].map((worker) => this.#dismiss(worker, 0)));
    this.#closeBooks();
  }

  #closeBooks(): void {
    this.#desk.close();
    this.#rates.close();
    this.#heartbeat.close();
    this.#board.close();
  }

  async #begin(listeners: PreparedListeners): Promise<void> {
    this.#desk.configure(this.#config);
    this.#placement.setListeners(listeners);
    await this.#listeners.reload(listeners, () => {});
    await Promise.all(Array.from({ length: this.#options.count }, () => this.#launch()));
    this.#isStarted = true;
  }

  #stop(): void {
    this.#isEnding = true;
    this.#listeners.close();
    this.#placement.close();
  }

  #ordersOf(config: MillraceConfig, credentials: Credentials, ticketSecret: string): Orders {
    const { configurations, ...rest } = credentials.withVerifiers(config);
    const { count } = this.#options;
    const shared = configurations.map((one) => ({
      ...one,
      waitersMax: Math.ceil(one.waitersMax / count),
    }));
    const secrets = { mockSecret: this.#mockSecret, ticketSecret };
    return { config: { ...rest, configurations: shared }, secrets };
  }

  async #prepareAll(workers: Iterable<WorkerProcess>, orders: Orders): Promise<void> {
    const ask = (worker: WorkerProcess) => worker.ask((id) => ({ kind: 'prepare', id, orders }));
    const problems = await Promise.all([...workers].map(ask));
    const subject = problems.find((problem) => problem !== null);
    if (typeof subject === 'string') throw new GatewayError('MR_WORKER_FAILED', { subject });
  }

  /** From here on there is no way back: who cannot follow is replaced by one that can. */
  async #applyAll(prepared: ReadonlySet<WorkerProcess>, orders: Orders): Promise<void> {
    const apply = async (worker: WorkerProcess): Promise<void> => {
      // One that was started meanwhile began with the configuration of before.
      const early = prepared.has(worker)
        ? null
        : await worker.ask((id) => ({ kind: 'prepare', id, orders }));
      const problem = early ?? (await worker.ask((id) => ({ kind: 'apply', id })));
      if (problem === null) return;
      this.#log.error({ worker: worker.number, problem }, 'a worker does not follow a reload');
      worker.kill();
    };
    await Promise.all([...this.#workers].map(apply));
  }

  /**
   * Starts a worker and waits until it is ready.
   * @throws GatewayError `MR_WORKER_FAILED`
   */
  async #launch(): Promise<void> {
    const number = this.#freeNumber();
    const events = {
      onMessage: (from: WorkerProcess, message: ToPrimary) => this.#onMessage(from, message),
      onEnd: (ended: WorkerProcess, end: WorkerEnd) => this.#onEnd(ended, end),
    };
    const { program } = this.#options;
    const { fd } = this.#board;
    const worker = new WorkerProcess(number, program, fd, events, clock.nowMs());
    this.#workers.add(worker);
    worker.send({
      kind: 'start',
      version: MESSAGES_VERSION,
      number,
      hasBoard: fd !== null,
      orders: this.#ordersOf(this.#config, this.#credentials, this.#ticketSecret),
      environment: secretEnvironment(),
      ...this.#exchange.toldSoFar(),
    });
    const timer = setTimeout(() => worker.kill(), START_TIMEOUT_MS);
    const problem = await new Promise<string | null>((resolve) => {
      this.#onReady.set(worker, resolve);
    });
    clearTimeout(timer);
    if (problem !== null) throw new GatewayError('MR_WORKER_FAILED', { subject: problem });
  }

  /** Has a worker end, and waits for it. */
  async #dismiss(worker: WorkerProcess, drainTimeoutMs: number): Promise<void> {
    if (worker.isGone) return;
    worker.isLeaving = true;
    const gone = new Promise<void>((resolve) => {
      const before = this.#onGone.get(worker);
      this.#onGone.set(worker, () => {
        before?.();
        resolve();
      });
    });
    if (drainTimeoutMs > 0) worker.send({ kind: 'drain', timeoutMs: drainTimeoutMs });
    else worker.send({ kind: 'close' });
    const limitMs = drainTimeoutMs > 0 ? drainTimeoutMs + DRAIN_GRACE_MS : CLOSE_TIMEOUT_MS;
    const timer = setTimeout(() => worker.kill(), limitMs);
    await gone;
    clearTimeout(timer);
  }

  #onMessage(worker: WorkerProcess, message: ToPrimary): void {
    if (message.kind === 'ready') {
      worker.isReady = true;
      this.#exchange.add(worker);
      this.#placement.add(worker);
      this.#heartbeat.add(worker);
      this.#board.onReady(worker);
      this.#log.info({ worker: worker.number, workerPid: worker.processId }, 'worker is ready');
      this.#onReady.get(worker)?.(null);
    } else if (message.kind === 'pong') this.#heartbeat.onAlive(worker);
    else if (message.kind === 'failed') worker.reason = message.reason;
    else if (message.kind === 'taken') this.#placement.onTaken(worker, message.id);
    else if (message.kind === 'ended') this.#placement.onEnded(worker, message.listener);
    else if (!this.#exchange.onMessage(worker, message)) {
      this.#desk.onMessage(worker, message);
      this.#rates.onMessage(worker, message);
    }
  }

  #onEnd(worker: WorkerProcess, end: WorkerEnd): void {
    this.#workers.delete(worker);
    this.#placement.remove(worker);
    this.#exchange.remove(worker);
    this.#heartbeat.remove(worker);
    this.#desk.onWorkerEnd(worker);
    this.#rates.onWorkerEnd(worker);
    this.#board.onWorkerEnd(worker);
    this.#onGone.get(worker)?.();
    this.#onGone.delete(worker);
    const onReady = this.#onReady.get(worker);
    this.#onReady.delete(worker);
    const problem = worker.reason ?? `worker ${worker.number} has ended (${spelled(end)})`;
    onReady?.(problem);
    if (worker.isLeaving || this.#isEnding || !this.#isStarted) return;
    this.#log.error({ worker: worker.number, ...end }, 'a worker has ended unasked');
    this.#replace(clock.nowMs() - worker.startedMs, problem);
  }

  #replace(livedMs: number, problem: string): void {
    const atWork = this.#countOf(({ isReady }) => isReady);
    const delayMs = this.#restarts.delayMs(livedMs, atWork);
    if (delayMs === null) {
      this.#fail(new GatewayError('MR_WORKER_FAILED', { subject: problem }));
      return;
    }
    setTimeout(async () => {
      await this.#board.settled();
      // When it fails it ends, and that is where the next one comes from.
      const isNeeded = this.#countOf(({ isLeaving }) => !isLeaving) < this.#options.count;
      if (isNeeded && !this.#isEnding) this.#launch().catch(() => {});
    }, delayMs);
  }

  #countOf(isCounted: (worker: WorkerProcess) => boolean): number {
    return [...this.#workers].filter(isCounted).length;
  }

  #freeNumber(): number {
    const taken = new Set([...this.#workers].map(({ number }) => number));
    for (let number = 1; number <= WORKER_NUMBER_MAX; number++) {
      if (!taken.has(number) && !this.#board.isOccupied(number)) return number;
    }
    throw new GatewayError('MR_WORKER_FAILED', { subject: 'there are too many workers already' });
  }
}

/** In Base64. */
function freshSecret(): string {
  return Buffer.from(random.bytes(32)).toString('base64');
}

function spelled({ code, signal }: WorkerEnd): string {
  return signal ?? `exit code ${code}`;
}
