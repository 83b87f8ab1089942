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
  /** Numbers of workers that are no more, with what they were writing; who takes that over. */
  readonly #left = new Map<number, Promise<void> | null>();
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
    return this.#left.has(number);
  }

  /** Resolves when everything is taken over that somebody is taking over, or soon. */
  async settled(): Promise<void> {
    const under = [...this.#left.values()].filter((one) => one !== null);
    if (under.length === 0) return;
    await Promise.race([Promise.all(under), sleep(SETTLE_MS, undefined, { ref: false })]);
  }

  /** It will write, and can take over. */
  onReady(worker: WorkerProcess): void {
    this.#atWork.add(worker);
    for (const [number, taking] of this.#left) if (taking === null) this.#bequeath(number);
  }

  onWorkerEnd(worker: WorkerProcess): void {
    if (this.#file === null || !this.#atWork.delete(worker)) return;
    this.#bequeath(worker.number);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file?.close();
  }

  #bequeath(number: number): void {
    const heir = this.#isClosed ? undefined : this.#heir();
    this.#left.set(number, heir === undefined ? null : this.#give(number, heir));
  }

  async #give(number: number, heir: WorkerProcess): Promise<void> {
    const problem = await heir.ask((id) => ({ kind: 'inherit', id, from: number }));
    if (this.#isClosed || this.#file === null) return;
    // What an heir has taken that ends now is taken over from it; but it may not have come to it.
    if (problem !== null || heir.isGone) {
      const words = 'what a worker was writing is not taken over yet';
      this.#log.warn({ worker: number, heir: heir.number, problem }, words);
      this.#bequeath(number);
      return;
    }
    new WriteLog(this.#file.storeOf(number)).restart();
    this.#left.delete(number);
  }

  #heir(): WorkerProcess | undefined {
    const able = [...this.#workers].filter(({ isReady }) => isReady);
    return able.find(({ isLeaving, isLate }) => !isLeaving && !isLate) ?? able[0];
  }
}
