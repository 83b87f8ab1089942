/** A server process of the benchmark's own, with the end of what it logs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const LOG_BYTES_MAX = 65_536;
const READY_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 20;
/** A process that ignores SIGTERM or SIGINT for so long is killed. */
const STOP_TIMEOUT_MS = 5_000;

/** Those that have not ended: none shall outlive the benchmark. */
const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const each of living) each.kill('SIGTERM');
});

export type ChildOptions = {
  readonly uid?: number;
  readonly gid?: number;
  readonly env?: NodeJS.ProcessEnv;
};

export class Child {
  readonly #process: ChildProcess;
  readonly #name: string;
  #log = '';
  #failure: Error | null = null;

  constructor(name: string, program: string, args: readonly string[], options: ChildOptions) {
    this.#name = name;
    this.#process = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    living.add(this.#process);
    this.#process.once('exit', () => living.delete(this.#process));
    this.#process.once('error', (error) => {
      this.#failure = error;
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-LOG_BYTES_MAX);
      });
    }
  }

  /** The end of what it has said. */
  get log(): string {
    return this.#log;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get hasEnded(): boolean {
    const { exitCode, signalCode } = this.#process;
    return this.#failure !== null || exitCode !== null || signalCode !== null;
  }

  /**
   * Waits until `probe` finds something.
   * @throws Error with the end of its log when it ends first, or takes too long
   */
  async ready<T>(probe: () => T | null | Promise<T | null>): Promise<T> {
    const deadlineMs = performance.now() + READY_TIMEOUT_MS;
    while (!this.hasEnded && performance.now() < deadlineMs) {
      const found = await probe();
      if (found !== null) return found;
      await sleep(READY_POLL_MS);
    }
    const reason = this.#failure?.message ?? this.#log.slice(-2000).trim();
    throw new Error(`${this.#name} did not start: ${reason}`);
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    if (this.hasEnded) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill(signal);
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
  }
}
