/** Slows down who guesses tokens: after so many failures an address is not heard for a while. */

const FAILURES_MAX = 20;
const WINDOW_MS = 60_000;
/** More addresses than this are not told apart: the oldest is forgotten. */
const ADDRESSES_MAX = 10_000;

type Window = { count: number; readonly untilMs: number };

export class FailureLimiter {
  readonly #windows = new Map<string, Window>();

  isBlocked(address: string, nowMs: number): boolean {
    const window = this.#windows.get(address);
    if (window === undefined) return false;
    if (nowMs >= window.untilMs) {
      this.#windows.delete(address);
      return false;
    }
    return window.count >= FAILURES_MAX;
  }

  onFailure(address: string, nowMs: number): void {
    if (this.isBlocked(address, nowMs)) return;
    const window = this.#windows.get(address);
    if (window !== undefined) {
      window.count++;
      return;
    }
    if (this.#windows.size >= ADDRESSES_MAX) {
      const [oldest] = this.#windows.keys();
      if (oldest !== undefined) this.#windows.delete(oldest);
    }
    this.#windows.set(address, { count: 1, untilMs: nowMs + WINDOW_MS });
  }
}
