/** Work that is done one piece after another. */
export class SerialQueue {
  /** Settled when the work before has ended. */
  #tail: Promise<unknown> = Promise.resolve();

  /** Settles as the task does; one that fails does not hold up those behind it. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task);
    this.#tail = result.catch(() => {});
    return result;
  }
}
