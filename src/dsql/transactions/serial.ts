/** Waiting for one another inside the process: without timers, and with them. */

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

/** What one at a time may have, first come, first served. */
export class Turn {
  #isTaken = false;
  readonly #waiting: (() => void)[] = [];

  /** Resolves with null when it is not given within the limit. */
  take(limitMs: number): Promise<Release | null> {
    if (!this.#isTaken) {
      this.#isTaken = true;
      return Promise.resolve(this.#release());
    }
    return new Promise((resolve) => {
      const give = (): void => {
        clearTimeout(timer);
        resolve(this.#release());
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(give), 1);
        resolve(null);
      }, limitMs);
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

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));
