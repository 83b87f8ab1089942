import type { WorkerProcess } from './worker-process.ts';

/** Workers are asked so often whether their event loop still turns. */
const BEAT_MS = 1_000;
/**
 * So many beats in a row without an answer, and a worker hangs. Honest pauses (collections of large
 * heaps, a machine short of memory) are a second or two. Beats are counted, not time: while this
 * process itself is stopped or late, nobody misses any.
 */
const HUNG_BEATS = 10;

/** Notices workers that run, and do nothing. */
export class Heartbeat {
  readonly #workers = new Set<WorkerProcess>();
  readonly #onHung: (worker: WorkerProcess, silentMs: number) => void;
  readonly #ticker: NodeJS.Timeout;

  constructor(onHung: (worker: WorkerProcess, silentMs: number) => void) {
    this.#onHung = onHung;
    this.#ticker = setInterval(() => this.#beat(), BEAT_MS);
    this.#ticker.unref();
  }

  add(worker: WorkerProcess): void {
    this.#workers.add(worker);
  }

  remove(worker: WorkerProcess): void {
    this.#workers.delete(worker);
  }

  /** It has answered. */
  onAlive(worker: WorkerProcess): void {
    worker.missedBeats = 0;
  }

  close(): void {
    clearInterval(this.#ticker);
  }

  #beat(): void {
    for (const worker of this.#workers) {
      if (worker.missedBeats >= HUNG_BEATS) {
        this.#workers.delete(worker);
        this.#onHung(worker, worker.missedBeats * BEAT_MS);
      } else {
        worker.missedBeats++;
        worker.send({ kind: 'ping' });
      }
    }
  }
}
