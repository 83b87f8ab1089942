export type Release = () => void;

/** What one at a time may have, first come, first served. */
export class Turn {
  #isTaken = false;
  readonly #waiting: (() => void)[] = [];

  /**
   * @param signal who no longer wants it gives its place to the next
   * @returns null for who did not get it in time
   */
  take(limitMs: number, signal: AbortSignal): Promise<Release | null> {
    if (signal.aborted) return Promise.resolve(null);
    if (!this.#isTaken) {
      this.#isTaken = true;
      return Promise.resolve(this.#release());
    }
    return new Promise((resolve) => {
      const end = (release: Release | null): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
        resolve(release);
      };
      const give = (): void => end(this.#release());
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(give), 1);
        end(null);
      };
      const timer = setTimeout(giveUp, limitMs);
      signal.addEventListener('abort', giveUp);
      this.#waiting.push(give);
    });
  }

  #release(): Release {
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      const next = this.#waiting.shift();
      if (next === undefined) this.#isTaken = false;
      else next();
    };
  }
}
