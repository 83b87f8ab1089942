/** The endpoint's own link to PostgreSQL, with more rights than a client: one work at a time. */
import { GatewayError } from '../../base/errors.ts';
import type { Clock } from '../../base/time.ts';
import { SerialQueue } from '../serial-queue.ts';
import type { PostgresLink } from './postgres-link.ts';
import type { Rows, ServerLink } from './server-link.ts';

/** Pieces of work that wait. */
const WAITING_MAX = 200;
/** A piece of work that takes longer ends with its link; PostgreSQL gives up a little earlier. */
const WORK_MS_MAX = 20_000;
const STATEMENT_MS_MAX = 15_000;
/** Other sessions that hold what a role statement needs hold it for no longer than a commit. */
const LOCK_MS_MAX = 1_000;
/** As for links of roles. */
const AGE_MS_MAX = 55 * 60_000;

/** Names that others have made mean nothing in what is run with so many rights. */
export const PRIVILEGED_SETTINGS = {
  search_path: 'pg_catalog',
  statement_timeout: String(STATEMENT_MS_MAX),
  lock_timeout: String(LOCK_MS_MAX),
  default_transaction_isolation: 'read committed',
} as const;

export class PrivilegedLink {
  readonly #open: () => Promise<PostgresLink>;
  readonly #clock: Clock;
  readonly #queue = new SerialQueue();
  #link: PostgresLink | null = null;
  #openedMs = 0;
  #waiting = 0;
  #isClosed = false;

  /** @param open with {@link PRIVILEGED_SETTINGS} */
  constructor(open: () => Promise<PostgresLink>, clock: Clock) {
    this.#open = open;
    this.#clock = clock;
  }

  /** @throws ServerError | GatewayError as {@link ServerLink.query} */
  query(text: string, parameters?: readonly (string | null)[]): Promise<Rows> {
    return this.#run((link) => link.query(text, parameters));
  }

  /** All of the work counts, or nothing of it. Errors as above, and those of the work. */
  transaction<T>(work: (link: ServerLink) => Promise<T>): Promise<T> {
    return this.#run((link) => inTransaction(link, work, 'COMMIT'));
  }

  /** The same without any effect: what it throws, or returns, is what the work would. */
  rehearsal<T>(work: (link: ServerLink) => Promise<T>): Promise<T> {
    return this.#run((link) => inTransaction(link, work, 'ROLLBACK'));
  }

  close(): void {
    this.#isClosed = true;
    this.#link?.close();
    this.#link = null;
  }

  async #run<T>(work: (link: PostgresLink) => Promise<T>): Promise<T> {
    if (this.#waiting >= WAITING_MAX) throw new GatewayError('MR_POOL_WAITERS_FULL');
    this.#waiting++;
    try {
      return await this.#queue.run(() => this.#work(work));
    } finally {
      this.#waiting--;
    }
  }

  async #work<T>(work: (link: PostgresLink) => Promise<T>): Promise<T> {
    const link = await this.#usable();
    const timer = setTimeout(() => link.close(), WORK_MS_MAX);
    try {
      return await work(link);
    } finally {
      clearTimeout(timer);
      if (!link.isReusable) link.close();
    }
  }

  async #usable(): Promise<PostgresLink> {
    if (this.#isClosed) throw new GatewayError('MR_SHUTTING_DOWN');
    const nowMs = this.#clock.nowMs();
    if (this.#link?.isReusable && nowMs - this.#openedMs < AGE_MS_MAX) return this.#link;
    this.#link?.close();
    this.#link = null;
    const link = await this.#open();
    this.#openedMs = nowMs;
    this.#link = link;
    if (this.#isClosed) this.close();
    return link;
  }
}

async function inTransaction<T>(
  link: PostgresLink,
  work: (link: ServerLink) => Promise<T>,
  end: 'COMMIT' | 'ROLLBACK',
): Promise<T> {
  await link.query('BEGIN');
  let result: T;
  try {
    result = await work(link);
  } catch (error) {
    if (link.isOpen) await link.query('ROLLBACK');
    throw error;
  }
  await link.query(end);
  return result;
}
