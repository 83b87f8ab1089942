import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../base/log.ts';
import { WriteLog } from '../../cache/write-log.ts';
import { BoardFile } from '../cache/board-file.ts';
import type { WorkerProcess } from './worker-process.ts';

/** A worker that takes longer to take over is not waited for: the next one gets another number. */
const SETTLE_MS = 500;

/**
 * The primary's side of the board on which workers say what they write: it makes the board, and
 * sees to it that what a worker was writing that is no more is taken over by another one.
 */
export class BoardKeeper {
  readonly #workers: ReadonlySet<WorkerProcess>;
  readonly #log: Log;
  /** Null when it could not be made. */
  readonly #file: BoardFile | null;
  /** Workers that may have written. */
  readonly #atWork = new Set<WorkerProcess>();
  /** By the numbers of workers that are no more; null while nobody takes over what they wrote. */
  readonly #takeovers = new Map<number, Promise<void> | null>();
  #isClosed = false;

  /** @param count of workers; while they are replaced there is one more */
  constructor(workers: ReadonlySet<WorkerProcess>, count: number, log: Log) {
    this.#workers = workers;
    this.#log = log;
    let file: BoardFile | null = null;
    try {
      file = BoardFile.create(count + 1);
    } catch (error) {
      const reason = String(error);
      log.warn({ reason }, 'workers cannot share memory, so write-through keeps no answers');
    }
    this.#file = file;
  }

  /** What workers are to be given; null when there is no board. */
  get fd(): number | null {
    return this.#file?.fd ?? null;
  }

  /** Whether what the last one of that number was writing is still to be taken over. */
  isOccupied(number: number): boolean {
    return this.#takeovers.has(number);
  }

  /** Resolves when everything is taken over that somebody is taking over, or soon. */
  async settled(): Promise<void> {
    const under = [...this.#takeovers.values()].filter((one) => one !== null);
    if (under.length === 0) return;
    await Promise.race([Promise.all(under), sleep(SETTLE_MS, undefined, { ref: false })]);
  }

  /** It will write, and can take over. */
  onReady(worker: WorkerProcess): void {
    this.#atWork.add(worker);
    for (const [number, takeover] of this.#takeovers) if (takeover === null) this.#handOver(number);
  }

  onWorkerEnd(worker: WorkerProcess): void {
    if (this.#file === null || !this.#atWork.delete(worker)) return;
    this.#handOver(worker.number);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file?.close();
  }

  #handOver(number: number): void {
    const successor = this.#isClosed ? undefined : this.#successor();
    const takeover = successor === undefined ? null : this.#takeOver(number, successor);
    this.#takeovers.set(number, takeover);
  }

  async #takeOver(number: number, successor: WorkerProcess): Promise<void> {
    const problem = await successor.ask((id) => ({ kind: 'takeOver', id, worker: number }));
    if (this.#isClosed || this.#file === null) return;
    // What a successor that ends now has taken over is taken over from it; if it came to that.
    if (problem !== null || successor.isGone) {
      const words = 'what a worker was writing is not taken over yet';
      // When all of them end, nobody needs to know any more.
      const level = successor.isLeaving ? 'debug' : 'warn';
      this.#log[level]({ worker: number, successor: successor.number, problem }, words);
      this.#handOver(number);
      return;
    }
    new WriteLog(this.#file.storeOf(number)).restart();
    this.#takeovers.delete(number);
  }

  #successor(): WorkerProcess | undefined {
    const able = [...this.#workers].filter(({ isReady }) => isReady);
    return able.find(({ isLeaving, isLate }) => !isLeaving && !isLate) ?? able[0];
  }
}
