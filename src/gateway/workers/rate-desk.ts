import type { Clock } from '../../base/time.ts';
import { RateBook } from '../../pool/link-rate.ts';
import type { ToPrimary } from './messages.ts';
import type { WorkerProcess } from './worker-process.ts';

/** How often books in which somebody waits are looked at. */
const TICK_MS = 25;

/** The primary's side of how fast links are opened: a book for each cluster. */
export class RateDesk {
  readonly #clock: Clock;
  readonly #books = new Map<string, RateBook<WorkerProcess>>();
  readonly #ticker: NodeJS.Timeout;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#ticker.unref();
  }

  onMessage(worker: WorkerProcess, message: ToPrimary): void {
    const nowMs = this.#clock.nowMs();
    if (message.kind === 'rateWanted') {
      const { cluster, count, rate } = message;
      const grant = (member: WorkerProcess, granted: number): void => {
        member.send({ kind: 'rateGranted', cluster, count: granted });
      };
      const book = this.#books.get(cluster) ?? new RateBook<WorkerProcess>(rate, nowMs, grant);
      this.#books.set(cluster, book);
      book.want(worker, count, rate, nowMs);
    } else if (message.kind === 'rateGiven') {
      this.#books.get(message.cluster)?.giveBack(message.count, nowMs);
    }
  }

  onWorkerEnd(worker: WorkerProcess): void {
    for (const book of this.#books.values()) book.lose(worker);
  }

  close(): void {
    clearInterval(this.#ticker);
  }

  #tick(): void {
    const nowMs = this.#clock.nowMs();
    for (const book of this.#books.values()) if (book.isUneasy) book.tick(nowMs);
  }
}
