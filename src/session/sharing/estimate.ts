/** So many short and small results in all but unbroken order make a shape one that may share. */
const SHORT_COUNT_MIN = 8;
const SHORT_COUNT_MAX = 16;
/** A result that takes long costs as many short ones. */
const LONG_COST = 4;
const SMALL_BYTES_MAX = 65_536;
/** After an error that ended the connection, and after a large result. */
const BAN_MS = 60_000;
/** With each result what was fastest counts for so much less. */
const FADING = 1.25;
/** Alone on a link it may take so many times longer: then all links compete for the server. */
const ALONE_FACTOR = 5;

/** What is known of the results of one shape of statement. */
export class Estimate {
  #shortCount = 0;
  #bannedUntilMs = 0;
  #fastestMs = Number.POSITIVE_INFINITY;

  /** Whether results have been short and small of late. */
  isShort(nowMs: number): boolean {
    return this.#shortCount >= SHORT_COUNT_MIN && nowMs >= this.#bannedUntilMs;
  }

  /** Notes a result that came over a shared link. @param longMs from this time on it is long */
  noteShared(bytes: number, tookMs: number, longMs: number, nowMs: number): void {
    this.#note(bytes, tookMs >= longMs, nowMs);
  }

  /**
   * Notes a result that came alone. On a busy machine its time says little of the statement, so
   * what counts is the fastest of late: else nothing would ever be shared once there is a crowd.
   */
  noteAlone(bytes: number, tookMs: number, longMs: number, nowMs: number): void {
    this.#fastestMs = Math.min(this.#fastestMs * FADING, tookMs);
    this.#note(bytes, this.#fastestMs >= longMs * ALONE_FACTOR, nowMs);
  }

  /** Something grave has happened while it ran: it goes alone for a while. */
  ban(nowMs: number): void {
    this.#bannedUntilMs = nowMs + BAN_MS;
  }

  #note(bytes: number, isLong: boolean, nowMs: number): void {
    if (bytes > SMALL_BYTES_MAX) {
      this.#shortCount = 0;
      this.ban(nowMs);
    } else if (isLong) {
      this.#shortCount = Math.max(0, this.#shortCount - LONG_COST);
    } else if (this.#shortCount < SHORT_COUNT_MAX) this.#shortCount++;
  }
}
