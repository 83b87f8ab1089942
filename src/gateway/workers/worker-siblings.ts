import type { Log } from '../../base/log.ts';
import { workerNumberOf } from '../clients/client-registry.ts';
import type { LinkCapacity, News, PinRow, PoolName, Siblings } from '../siblings.ts';
import { clock } from '../system.ts';
import { LeaseAccount } from './lease-account.ts';
import type { ToldNews, ToldPins, ToPrimary, ToWorker } from './messages.ts';
import { WorkerRates } from './worker-rates.ts';

/** Cancel requests that wait for other workers; more are dropped, as PostgreSQL would when full. */
const CANCELS_MAX = 1_000;
/** A worker that does not answer by then is not waited for. */
const CANCEL_TIMEOUT_MS = 15_000;
/** On the way down leases have so long to come back properly. */
const SETTLE_MS = 2_000;

export type WorkerSiblingsParts = {
  readonly number: number;
  readonly pins: readonly ToldPins[];
  readonly news: readonly ToldNews[];
  readonly send: (message: ToPrimary) => void;
  readonly log: Log;
};

/** The other workers, by way of the primary process. */
export class WorkerSiblings implements Siblings {
  readonly #parts: WorkerSiblingsParts;
  readonly rates: WorkerRates;
  readonly #accounts = new Map<number, LeaseAccount>();
  /** What other workers have told last, by worker and configuration. */
  readonly #pins = new Map<string, ToldPins>();
  readonly #news = new Set<string>();
  readonly #cancels = new Map<number, () => void>();
  #lastId = 0;
  #onSettled: (() => void) | null = null;

  constructor(parts: WorkerSiblingsParts) {
    this.#parts = parts;
    this.rates = new WorkerRates(clock, parts.send);
    for (const told of parts.pins) this.#notePins(told);
    for (const told of parts.news) this.#noteNews(told);
  }

  get number(): number {
    return this.#parts.number;
  }

  capacityOf(configuration: string, pool: PoolName): LinkCapacity {
    const number = ++this.#lastId;
    const { send } = this.#parts;
    const account = new LeaseAccount({
      number,
      configuration,
      pool,
      send,
      onEnded: () => {
        this.#accounts.delete(number);
        send({ kind: 'accountClosed', account: number });
        if (this.#accounts.size === 0) this.#onSettled?.();
      },
    });
    this.#accounts.set(number, account);
    return account;
  }

  async cancel(processId: number, secretKey: Uint8Array): Promise<void> {
    if (workerNumberOf(processId) === this.number) return;
    if (this.#cancels.size >= CANCELS_MAX) {
      this.#parts.log.warn({}, 'too many cancel requests at once, one was dropped');
      return;
    }
    const id = ++this.#lastId;
    const key = Buffer.from(secretKey).toString('base64');
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CANCEL_TIMEOUT_MS);
      this.#cancels.set(id, resolve);
      this.#parts.send({ kind: 'cancel', id, processId, secretKey: key });
    });
    clearTimeout(timer);
    this.#cancels.delete(id);
  }

  publishPins(configuration: string, rows: readonly PinRow[]): void {
    this.#parts.send({ kind: 'pins', configuration, rows });
  }

  *pinsElsewhere(configuration: string): Iterable<PinRow> {
    for (const told of this.#pins.values()) {
      if (told.configuration === configuration) yield* told.rows;
    }
  }

  tell(configuration: string, news: News): void {
    this.#noteNews({ configuration, news });
    this.#parts.send({ kind: 'news', configuration, news });
  }

  hasNews(configuration: string, news: News): boolean {
    return this.#news.has(`${news} ${configuration}`);
  }

  /** What the primary says of the others; false when somebody else has to see it too. */
  onMessage(message: ToWorker): boolean {
    if (message.kind === 'news') this.#noteNews(message);
    if (message.kind === 'granted') {
      this.#accounts.get(message.account)?.holder.onGrant(message.count);
    } else if (message.kind === 'demanded') {
      const { idleTotal, mustTotal } = message;
      this.#accounts.get(message.account)?.holder.onDemand(idleTotal, mustTotal);
    } else if (message.kind === 'rateGranted') this.rates.onGrant(message.cluster, message.count);
    else if (message.kind === 'cancelled') this.#cancels.get(message.id)?.();
    else if (message.kind === 'pins') this.#notePins(message);
    else return false;
    return true;
  }

  /** Resolves when every lease is back, or it takes too long. All pools must be closed. */
  async settle(): Promise<void> {
    if (this.#accounts.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onSettled = resolve;
      setTimeout(resolve, SETTLE_MS);
    });
  }

  #notePins(told: ToldPins): void {
    const key = `${told.worker} ${told.configuration}`;
    if (told.rows.length === 0) this.#pins.delete(key);
    else this.#pins.set(key, told);
  }

  /** Only what stays true is remembered for pools to come. */
  #noteNews({ configuration, news }: ToldNews): void {
    if (news === 'sequences') this.#news.add(`${news} ${configuration}`);
  }
}
