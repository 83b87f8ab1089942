import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { LinkWrites } from '../../session/link-writes.ts';
import { LinkQueries } from '../links/link-queries.ts';
import type { Links } from '../links/links.ts';

/** The server is asked this often whether a process is still there. */
const LOOK_MS = 500;
/** Where processes of the server cannot be told by their number, they are given so long to end. */
const UNSEEN_MS = 60_000;

type Lost = { readonly writes: LinkWrites; readonly processId: number; readonly sinceMs: number };

/**
 * What links have written that broke before they told the outcome. The server may still commit it:
 * nothing of it is cached until the process that did it is known to be gone.
 */
export class LostWrites {
  readonly #links: Links;
  readonly #log: Log;
  #lost: Lost[] = [];
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #isLooking = false;

  constructor(links: Links, log: Log) {
    this.#links = links;
    this.#log = log;
  }

  add(writes: LinkWrites, processId: number, nowMs: number): void {
    this.#lost.push({ writes, processId, sinceMs: nowMs });
  }

  /**
   * To be called every now and then.
   * @param areProcessesSeen whether the numbers of links are those of the server's processes
   */
  tick(nowMs: number, areProcessesSeen: boolean): void {
    if (this.#lost.length === 0 || this.#isLooking || nowMs - this.#lookedAtMs < LOOK_MS) return;
    this.#lookedAtMs = nowMs;
    if (areProcessesSeen) void this.#look(this.#lost);
    else this.#settle(this.#lost.filter(({ sinceMs }) => nowMs - sinceMs >= UNSEEN_MS));
  }

  async #look(lost: readonly Lost[]): Promise<void> {
    this.#isLooking = true;
    const list = lost.map(({ processId }) => processId).join();
    try {
      const rows = await LinkQueries.with(this.#links, (run) =>
        run(`SELECT pid::pg_catalog.text FROM pg_catalog.pg_stat_activity
          WHERE pid OPERATOR(pg_catalog.=) ANY ('{${list}}'::pg_catalog.int4[])`),
      );
      const alive = new Set(rows.map(([pid]) => Number(pid)));
      this.#settle(lost.filter(({ processId }) => !alive.has(processId)));
    } catch (error) {
      const reason = error instanceof GatewayError ? error.message : String(error);
      this.#log.debug({ reason }, 'the processes of the origin could not be looked at');
    } finally {
      this.#isLooking = false;
    }
  }

  #settle(gone: readonly Lost[]): void {
    this.#lost = this.#lost.filter((one) => !gone.includes(one));
    for (const { writes } of gone) writes.settle();
  }
}
