import type { Clock } from '../../base/time.ts';
import type { ConfigurationConfig, MillraceConfig, OriginConfig } from '../../config/model.ts';
import type { LinkKey } from '../../origin/connect.ts';
import { LeaseBook, type LeaseBookHost } from '../../pool/leases.ts';
import { departureOfCut, departureOfUnknown } from '../links/departure.ts';
import type { PoolName } from '../siblings.ts';
import type { ToPrimary } from './messages.ts';
import type { WorkerProcess } from './worker-process.ts';

/** How often books in which somebody waits are looked at. */
const TICK_MS = 25;

const POOLS: readonly PoolName[] = ['writer', 'readers'];

const keyOf = (configuration: string, pool: PoolName): string => `${pool} ${configuration}`;

/** Servers of one cluster number their processes each for itself. */
const linkKeyOf = ({ processId, address }: Pick<LinkKey, 'processId' | 'address'>): string =>
  `${processId} ${address}`;

type AccountOpened = Extract<ToPrimary, { readonly kind: 'accountOpened' }>;

/** One pool of one worker. */
type Member = {
  readonly worker: WorkerProcess;
  readonly account: number;
  readonly configuration: string;
  readonly pool: PoolName;
  /** Its links at the origin, by {@link linkKeyOf}. */
  readonly links: Map<string, { readonly key: LinkKey; readonly origin: OriginConfig | null }>;
};

/** The primary's side of leases: a book for each configuration, joined with messages. */
export class LeaseDesk implements LeaseBookHost<Member> {
  readonly #clock: Clock;
  /** By {@link keyOf}. */
  readonly #books = new Map<string, LeaseBook<Member>>();
  readonly #uneasy = new Set<LeaseBook<Member>>();
  readonly #members = new Map<WorkerProcess, Map<number, Member>>();
  #configurations: ReadonlyMap<string, ConfigurationConfig> = new Map();
  readonly #ticker: NodeJS.Timeout;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#ticker.unref();
  }

  /** Takes the limits of a changed configuration. */
  configure({ configurations }: MillraceConfig): void {
    this.#configurations = new Map(configurations.map((one) => [one.name, one]));
    const nowMs = this.#clock.nowMs();
    for (const { name, originConnectionLimit } of configurations) {
      for (const pool of POOLS) {
        const key = keyOf(name, pool);
        const book = this.#books.get(key);
        if (book === undefined) this.#books.set(key, new LeaseBook(this, originConnectionLimit));
        else this.#touch(book, () => book.setLimit(originConnectionLimit, nowMs));
      }
    }
    this.#forgetEmpty();
  }

  onMessage(worker: WorkerProcess, message: ToPrimary): void {
    if (message.kind === 'accountOpened') {
      this.#open(worker, message);
      return;
    }
    if (!('account' in message)) return;
    const member = this.#members.get(worker)?.get(message.account);
    const book = this.#bookOf(member);
    if (member === undefined || book === undefined) return;
    const nowMs = this.#clock.nowMs();
    if (message.kind === 'wanted') {
      this.#touch(book, () => book.want(member, message.total, nowMs));
    } else if (message.kind === 'given') {
      this.#touch(book, () => book.give(member, message.count, nowMs));
    } else if (message.kind === 'linkOpened') {
      const { processId, encrypted, address } = message;
      const secretKey = Buffer.from(message.secretKey, 'base64');
      const origin = this.#configurations.get(member.configuration)?.origin ?? null;
      const key = { processId, secretKey, encrypted, address };
      member.links.set(linkKeyOf(message), { key, origin });
    } else if (message.kind === 'linkGone') member.links.delete(linkKeyOf(message));
    else if (message.kind === 'accountClosed') this.#close(member);
  }

  /**
   * The worker has ended. Its sockets are closed, but the server processes behind them notice only
   * when they are idle; so they are cancelled, and their leases stay out until they are gone.
   */
  onWorkerEnd(worker: WorkerProcess): void {
    for (const member of this.#members.get(worker)?.values() ?? []) this.#close(member);
    this.#members.delete(worker);
  }

  close(): void {
    clearInterval(this.#ticker);
  }

  grant({ worker, account }: Member, count: number): void {
    worker.send({ kind: 'granted', account, count });
  }

  demand({ worker, account }: Member, idleTotal: number, mustTotal: number): void {
    worker.send({ kind: 'demanded', account, idleTotal, mustTotal });
  }

  #open(worker: WorkerProcess, { account, configuration, pool }: AccountOpened): void {
    // A worker may still know a configuration that is gone here: it gets no link for it.
    const key = keyOf(configuration, pool);
    const book = this.#books.get(key) ?? new LeaseBook<Member>(this, 0);
    this.#books.set(key, book);
    const accounts = this.#members.get(worker) ?? new Map<number, Member>();
    this.#members.set(worker, accounts);
    const member = { worker, account, configuration, pool, links: new Map() };
    accounts.set(account, member);
    book.join(member);
  }

  #close(member: Member): void {
    const book = this.#bookOf(member);
    this.#members.get(member.worker)?.delete(member.account);
    if (book === undefined) return;
    let leases = 0;
    this.#touch(book, () => {
      leases = book.lose(member, this.#clock.nowMs());
    });
    const settle = (count: number): void => {
      this.#touch(book, () => book.settle(count, this.#clock.nowMs()));
      this.#forgetEmpty();
    };
    for (const { key, origin } of member.links.values()) {
      if (leases === 0) break;
      leases--;
      const gone = origin === null ? departureOfUnknown() : departureOfCut(key, origin);
      void gone.then(() => settle(1));
    }
    if (leases > 0) void departureOfUnknown().then(() => settle(leases));
    this.#forgetEmpty();
  }

  #bookOf(member: Member | undefined): LeaseBook<Member> | undefined {
    if (member === undefined) return undefined;
    return this.#books.get(keyOf(member.configuration, member.pool));
  }

  #touch(book: LeaseBook<Member>, act: () => void): void {
    act();
    if (book.isUneasy) this.#uneasy.add(book);
    else this.#uneasy.delete(book);
  }

  #tick(): void {
    const nowMs = this.#clock.nowMs();
    for (const book of this.#uneasy) this.#touch(book, () => book.tick(nowMs));
  }

  #forgetEmpty(): void {
    for (const [key, book] of this.#books) {
      if (book.isEmpty && !this.#configurations.has(key.slice(key.indexOf(' ') + 1))) {
        this.#books.delete(key);
        this.#uneasy.delete(book);
      }
    }
  }
}
