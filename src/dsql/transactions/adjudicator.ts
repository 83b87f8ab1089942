/**
 * Gives a cluster's transactions the optimistic concurrency of Aurora DSQL on PostgreSQL: none
 * waits for another one that does nothing, and of those that conflict the first to commit wins.
 */
import type { Clock } from '../../base/time.ts';
import type { ServerLink } from '../server/server-link.ts';
import { AdjudicatedTransaction } from './adjudicated-transaction.ts';
import { BlockWatch, type Watched } from './block-watch.ts';
import { CatalogueFact } from './catalogue-fact.ts';
import { ControlLink } from './control-link.ts';
import type { Court } from './court.ts';
import { type Guarded, Guards } from './guards.ts';
import { START } from './stage.ts';
import type { Transaction } from './transaction.ts';
import { Turn } from './turn.ts';

/**
 * What a server of the endpoint's own is started with. Elsewhere only a superuser can set it: then
 * circles of waiting statements are still broken by the adjudicator, and PostgreSQL's own search
 * for them, the second line, begins after its default of a second.
 */
export const SERVER_SETTINGS: Readonly<Record<string, string>> = { deadlock_timeout: '10ms' };

/**
 * How long a statement waits for somebody who cannot be moved out of the way: a transaction that
 * is executing, or one that is not the endpoint's.
 */
const LOCK_WAIT_MS_MAX = 2_000;

const DEFERRABLE_QUERY = 'SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE condeferrable)';
/** PostgreSQL lets only these write. */
const VOLATILE_QUERY = `SELECT EXISTS (SELECT FROM pg_catalog.pg_proc AS p
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
  WHERE p.provolatile = 'v' AND p.prokind = 'f'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'sys'))`;
const SNAPSHOT = 'pg_catalog.pg_current_snapshot()::pg_catalog.text';

export type AdjudicatorOptions = {
  readonly clock: Clock;
  /**
   * A link that may read `pg_blocking_pids`; the adjudicator closes it. Asked for when it is
   * needed, and anew when it has ended.
   */
  control(): Promise<ServerLink>;
  /**
   * A link of a role, to hold locks of a transaction that has committed; the adjudicator closes it.
   */
  guard(role: string): Promise<ServerLink>;
};

export type BeginOptions = { readonly isReadOnly: boolean };

export class Adjudicator implements Court {
  readonly clock: Clock;
  readonly watch: BlockWatch;
  readonly guards: Guards;
  readonly turn = new Turn();
  readonly #control: ControlLink;
  readonly #open = new Map<number, AdjudicatedTransaction>();
  #commitCount = 0;
  #begun = 0;
  readonly #deferrable: CatalogueFact;
  readonly #volatile: CatalogueFact;

  constructor({ clock, control, guard }: AdjudicatorOptions) {
    this.clock = clock;
    this.#control = new ControlLink(control);
    this.#deferrable = new CatalogueFact(this.#control, DEFERRABLE_QUERY, clock);
    this.#volatile = new CatalogueFact(this.#control, VOLATILE_QUERY, clock);
    this.guards = new Guards(guard);
    const find = (processId: number): Watched | null => this.#open.get(processId) ?? null;
    this.watch = new BlockWatch(this.#control, find, this.guards);
  }

  get commitCount(): number {
    return this.#commitCount;
  }

  /** Transactions that are not over. */
  get openCount(): number {
    return this.#open.size;
  }

  /**
   * @param link idle, outside any transaction; the transaction's alone until it is over
   * @throws ServerError | GatewayError the link is then not to be used again
   */
  async begin(link: ServerLink, { isReadOnly }: BeginOptions): Promise<Transaction> {
    const startMs = this.clock.nowMs();
    // From before the snapshot: what commits meanwhile is then taken for a conflict, never missed.
    const startCommit = this.#commitCount;
    const access = isReadOnly ? ' READ ONLY' : '';
    const { rows } = await link.query(
      `BEGIN ISOLATION LEVEL REPEATABLE READ${access}; ` +
        `SET LOCAL lock_timeout = ${LOCK_WAIT_MS_MAX}; SELECT ${SNAPSHOT}; SAVEPOINT ${START}`,
    );
    const snapshot = rows.at(-1)?.[0] ?? '';
    const serial = ++this.#begun;
    const start = { startMs, startCommit, snapshot, serial };
    const transaction = new AdjudicatedTransaction(this, link, start);
    this.#open.set(link.processId, transaction);
    return transaction;
  }

  /**
   * Has idle transactions give way to what is done on a link beside them, such as the building of
   * an index, until what is returned is called.
   */
  watchOver(link: ServerLink): () => void {
    const watched: Guarded = {
      processId: link.processId,
      isParkable: false,
      // It is not tried again, so it is the last to be struck.
      strength: Number.POSITIVE_INFINITY,
      serial: 0,
      startCommit: Number.POSITIVE_INFINITY,
      park: () => {},
      strike: () => void link.cancel(),
      lose: () => {},
    };
    return this.watch.begin(watched);
  }

  noteCommit(): number {
    return ++this.#commitCount;
  }

  noteCatalogue(): void {
    this.#deferrable.forget();
    this.#volatile.forget();
  }

  async isUnchanged(snapshot: string): Promise<boolean> {
    try {
      const { rows } = await this.#control.query(`SELECT ${SNAPSHOT}`);
      return rows[0]?.[0] === snapshot;
    } catch {
      return false;
    }
  }

  hasDeferrable(): Promise<boolean> {
    return this.#deferrable.holds();
  }

  hasVolatileFunctions(): Promise<boolean> {
    return this.#volatile.holds();
  }

  leave(transaction: Watched): void {
    if (this.#open.get(transaction.processId) !== transaction) return;
    this.#open.delete(transaction.processId);
    let oldest = this.#commitCount;
    for (const { startCommit } of this.#open.values()) oldest = Math.min(oldest, startCommit);
    this.guards.release(oldest);
  }

  /** Closes its own links; transactions that are open end with theirs. */
  close(): void {
    this.guards.close();
    this.#control.close();
  }
}
