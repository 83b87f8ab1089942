import type { LinkWrites } from '../../session/link-writes.ts';

/** The server is asked this often whether a process is still there. */
const LOOK_MS = 500;

/** Asks the server which of its processes are still there; null when that cannot be told now. */
export type ProcessLook = (processIds: readonly number[]) => Promise<ReadonlySet<number> | null>;

type Lost = { readonly writes: LinkWrites; readonly sinceMs: number };

/**
 * What links have written that broke before they told the outcome. The server may still commit it:
 * nothing of it is cached until the process that did it is known to be gone.
 */
export class LostWrites {
  #lost: Lost[] = [];
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #isLooking = false;

  add(writes: LinkWrites, nowMs: number): void {
    this.#lost.push({ writes, sinceMs: nowMs });
  }

  /**
   * To be called every now and then.
   * @param look null where the numbers of links are not those of the server's processes, or nobody
   * can ask
   * @param unseenMs how long what nobody can ask about may still go on
   */
  tick(nowMs: number, look: ProcessLook | null, unseenMs: number): void {
    if (this.#lost.length === 0 || this.#isLooking || nowMs - this.#lookedAtMs < LOOK_MS) return;
    this.#lookedAtMs = nowMs;
    if (look !== null) void this.#look(this.#lost, look);
    else this.#settle(this.#lost.filter(({ sinceMs }) => nowMs - sinceMs >= unseenMs));
  }

  async #look(lost: readonly Lost[], look: ProcessLook): Promise<void> {
    this.#isLooking = true;
    const alive = await look(lost.map(({ writes }) => writes.processId));
    this.#isLooking = false;
    if (alive !== null) this.#settle(lost.filter(({ writes }) => !alive.has(writes.processId)));
  }

  #settle(gone: readonly Lost[]): void {
    this.#lost = this.#lost.filter((one) => !gone.includes(one));
    for (const { writes } of gone) writes.settle();
  }
}
