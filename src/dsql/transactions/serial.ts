/** Waiting in line inside the process: for as long as it takes, or up to a limit. */

/** Runs tasks one after another, in order. */
export class Serial {
  #tail: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task, task);
    this.#tail = result.catch(() => {});
    return result;
  }
}

export type Release = () => void;

/** What one at a time may have, first come, first served; null is for who did not get it. */
export class Turn {
  #isTaken = false;
  readonly #waiting: (() => void)[] = [];

  /** @param signal who no longer wants it gives its place to the next */
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
