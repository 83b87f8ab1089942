import { workerNumberOf } from '../clients/client-registry.ts';
import type { ToldNews, ToldPins, ToPrimary, ToWorker } from './messages.ts';
import type { WorkerProcess } from './worker-process.ts';

/** Cancel requests on their way; more are answered at once, as if there was no such client. */
const CANCELS_MAX = 10_000;

type Asked = { readonly from: WorkerProcess; readonly to: WorkerProcess; readonly id: number };

/** Carries what workers have to say to each other, and keeps what a new one has to know. */
export class Exchange {
  readonly #workers = new Set<WorkerProcess>();
  /** By worker and configuration. */
  readonly #pins = new Map<string, ToldPins>();
  readonly #news = new Map<string, ToldNews>();
  readonly #cancels = new Map<number, Asked>();
  #lastId = 0;

  /** What the others have told, for a worker that begins. */
  toldSoFar(): { readonly pins: readonly ToldPins[]; readonly news: readonly ToldNews[] } {
    return { pins: [...this.#pins.values()], news: [...this.#news.values()] };
  }

  add(worker: WorkerProcess): void {
    // What was told while it started.
    for (const pins of this.#pins.values()) worker.send({ kind: 'pins', ...pins });
    for (const news of this.#news.values()) worker.send({ kind: 'news', ...news });
    this.#workers.add(worker);
  }

  remove(worker: WorkerProcess): void {
    this.#workers.delete(worker);
    for (const [id, { from, to }] of this.#cancels) {
      if (from === worker) this.#cancels.delete(id);
      else if (to === worker) this.#onCancelled(id);
    }
    for (const [key, told] of this.#pins) {
      if (told.worker !== worker.number) continue;
      this.#pins.delete(key);
      this.#tellOthers(worker, { kind: 'pins', ...told, rows: [] });
    }
  }

  /** True when the message was for other workers. */
  onMessage(worker: WorkerProcess, message: ToPrimary): boolean {
    if (message.kind === 'cancel') {
      const { processId, secretKey } = message;
      const to = this.#workerOf(processId);
      if (to === null || this.#cancels.size >= CANCELS_MAX) {
        worker.send({ kind: 'cancelled', id: message.id });
        return true;
      }
      const id = ++this.#lastId;
      this.#cancels.set(id, { from: worker, to, id: message.id });
      to.send({ kind: 'cancel', id, processId, secretKey });
    } else if (message.kind === 'cancelled') this.#onCancelled(message.id);
    else if (message.kind === 'pins') this.#onPins(worker, message);
    else if (message.kind === 'news') {
      const { configuration, news } = message;
      // A catalogue that has changed is read by whoever starts anyway.
      if (news === 'sequences') this.#news.set(configuration, { configuration, news });
      this.#tellOthers(worker, message);
    } else return false;
    return true;
  }

  #onPins(worker: WorkerProcess, { configuration, rows }: Omit<ToldPins, 'worker'>): void {
    const told = { worker: worker.number, configuration, rows };
    const key = `${worker.number} ${configuration}`;
    if (rows.length === 0 && !this.#pins.has(key)) return;
    if (rows.length === 0) this.#pins.delete(key);
    else this.#pins.set(key, told);
    this.#tellOthers(worker, { kind: 'pins', ...told });
  }

  #onCancelled(id: number): void {
    const asked = this.#cancels.get(id);
    this.#cancels.delete(id);
    asked?.from.send({ kind: 'cancelled', id: asked.id });
  }

  #workerOf(processId: number): WorkerProcess | null {
    const number = workerNumberOf(processId);
    return [...this.#workers].find((worker) => worker.number === number) ?? null;
  }

  #tellOthers(worker: WorkerProcess, message: ToWorker): void {
    for (const other of this.#workers) if (other !== worker) other.send(message);
  }
}
