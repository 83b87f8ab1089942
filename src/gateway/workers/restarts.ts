/** A worker that has lived so long was no failure to begin with. */
const STABLE_MS = 10_000;
const DELAY_FIRST_MS = 100;
const DELAY_LAST_MS = 5_000;
/** So many workers in a row that end early, while none is at work, and nobody hopes any more. */
const FAILURES_MAX = 6;

/** When a worker that has ended is replaced. Pure. */
export class Restarts {
  #failures = 0;

  /**
   * How long to wait before the next one is started; null to give up.
   * @param livedMs how long the one lived that has ended
   * @param others how many are at work
   */
  delayMs(livedMs: number, others: number): number | null {
    this.#failures = livedMs >= STABLE_MS ? 0 : this.#failures + 1;
    if (this.#failures <= 1) return 0;
    if (this.#failures > FAILURES_MAX && others === 0) return null;
    return Math.min(DELAY_FIRST_MS * 2 ** (this.#failures - 2), DELAY_LAST_MS);
  }
}
