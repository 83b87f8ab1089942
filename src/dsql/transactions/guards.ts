/**
 * What a committed transaction had locked FOR KEY SHARE stays locked while there are transactions
 * with an older snapshot: to them its rows must not go away.
 */
import type { ServerLink } from '../server/server-link.ts';
import type { Guarding, Watched } from './block-watch.ts';

/** Links that guard at a time; what commits beyond them is not guarded. */
const GUARDS_MAX = 16;
/** How long a guard waits for a lock, which its own transaction has already. */
const GUARD_LOCK_MS_MAX = 50;

export type Guard = {
  readonly link: ServerLink;
  /** Transactions that began before this commit are the older ones. */
  commit: number;
};

/** A transaction that a guard may stand in the way of. */
export type Guarded = Watched & {
  readonly startCommit: number;
  /** It has lost: what it asks for was locked by a transaction that has committed. */
  lose(): void;
};

export class Guards implements Guarding {
  readonly #open: (role: string) => Promise<ServerLink>;
  readonly #guards = new Map<number, Guard>();
  #openCount = 0;

  /** @param open a link of the role, which is closed when it is not needed any more */
  constructor(open: (role: string) => Promise<ServerLink>) {
    this.#open = open;
  }

  get count(): number {
    return this.#guards.size;
  }

  /**
   * A link in a transaction in which rows can be locked; null when there can be none.
   * @param searchPath of the transaction that is to be guarded
   */
  async prepare(role: string, searchPath: string): Promise<Guard | null> {
    if (this.#openCount >= GUARDS_MAX) return null;
    this.#openCount++;
    let link: ServerLink | null = null;
    try {
      link = await this.#open(role);
      await link.query(
        `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = ${GUARD_LOCK_MS_MAX}`,
      );
      await link.query(`SELECT pg_catalog.set_config('search_path', $1, true)`, [searchPath]);
      return { link, commit: 0 };
    } catch {
      link?.close();
      this.#openCount--;
      return null;
    }
  }

  /** The transaction has committed: from now on its guard stands. */
  post(guard: Guard, commit: number): void {
    guard.commit = commit;
    this.#guards.set(guard.link.processId, guard);
    void guard.link.ended.then(() => this.dismiss(guard));
  }

  dismiss(guard: Guard): void {
    if (guard.commit < 0) return;
    guard.commit = -1;
    this.#openCount--;
    this.#guards.delete(guard.link.processId);
    // It goes with all of its locks, whatever state it is in.
    guard.link.close();
  }

  /** Lets go of those that no open transaction is older than. */
  release(oldestCommit: number): void {
    for (const guard of this.#guards.values()) {
      if (guard.commit <= oldestCommit) this.dismiss(guard);
    }
  }

  meet(processId: number, waiter: Watched): boolean {
    const guard = this.#guards.get(processId);
    if (guard === undefined) return false;
    const guarded = waiter as Guarded;
    if (guard.commit > guarded.startCommit) guarded.lose();
    else this.dismiss(guard);
    return true;
  }

  close(): void {
    this.release(Number.POSITIVE_INFINITY);
  }
}
