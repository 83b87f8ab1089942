/** Signals that ask the program to end: the first politely, the second at once. */

/** `process`, or an emitter of the same events. */
export type SignalSource = {
  on(signal: string, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: string, listener: (signal: NodeJS.Signals) => void): unknown;
};

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** The exit code a shell expects of a program that a signal cut short. */
export function signalExitCode(signal: string): number {
  return 128 + (SIGNAL_NUMBERS[signal] ?? 15);
}

export class StopSignals {
  /** Settles at the first signal. */
  readonly first: Promise<NodeJS.Signals>;
  /** Settles at the second. */
  readonly second: Promise<NodeJS.Signals>;
  readonly #source: SignalSource;
  readonly #names: readonly NodeJS.Signals[];
  readonly #listener: (signal: NodeJS.Signals) => void;
  #isRequested = false;

  /** Listens from now on until {@link dispose}. */
  constructor(source: SignalSource, names: readonly NodeJS.Signals[]) {
    let onFirst: (signal: NodeJS.Signals) => void = () => {};
    let onSecond: (signal: NodeJS.Signals) => void = () => {};
    this.first = new Promise((resolve) => {
      onFirst = resolve;
    });
    this.second = new Promise((resolve) => {
      onSecond = resolve;
    });
    this.#source = source;
    this.#names = names;
    this.#listener = (signal) => {
      if (this.#isRequested) onSecond(signal);
      else onFirst(signal);
      this.#isRequested = true;
    };
    for (const name of names) source.on(name, this.#listener);
  }

  get isRequested(): boolean {
    return this.#isRequested;
  }

  dispose(): void {
    for (const name of this.#names) this.#source.off(name, this.#listener);
  }
}
