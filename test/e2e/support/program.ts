/** The real program as a child process: started, watched, signalled, and ended with its test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const ROOT = join(import.meta.dirname, '../../..');

/** Longest wait for a word of the program; a fresh cluster on a busy machine needs a while. */
const WORD_TIMEOUT_MS = 40_000;
/** Longest wait for an end that was asked for. */
const END_TIMEOUT_MS = 40_000;
const POLL_MS = 15;

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type ProgramOptions = {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
};

/** What the tests of a machine say to libpq must not reach the program, nor what vitest says. */
export function plainEnvironment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const own = /^(PG|VITEST|MILLRACE_|NODE_OPTIONS$|NODE_ENV$|npm_)/;
  const kept = Object.entries(process.env).filter(([name]) => !own.test(name));
  return { ...Object.fromEntries(kept), NO_COLOR: '1', ...extra };
}

/** A child in a process group of its own, as a shell at a terminal starts one. */
export class Program {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  stdout = '';
  stderr = '';
  #exit: Exit | null = null;

  constructor(file: string, args: readonly string[], options: ProgramOptions = {}) {
    this.child = spawn(file, [...args], {
      cwd: ROOT,
      env: plainEnvironment(),
      ...options,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.exited = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      // `close` comes when both outputs have been read to their ends.
      this.child.on('close', (code, signal) => {
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
    });
    this.exited.catch(() => {});
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get isRunning(): boolean {
    return this.#exit === null;
  }

  /** The first match in what was said, waited for. Throws with all that was said instead. */
  async says(
    where: 'stdout' | 'stderr',
    pattern: RegExp,
    timeoutMs = WORD_TIMEOUT_MS,
  ): Promise<RegExpExecArray> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const isLast = this.#exit !== null || performance.now() > deadlineMs;
      const match = pattern.exec(this[where]);
      if (match !== null) return match;
      if (isLast) throw new Error(`no ${pattern} on ${where}: ${this.describe()}`);
      await sleep(POLL_MS);
    }
  }

  describe(): string {
    const end = this.#exit === null ? 'still running' : JSON.stringify(this.#exit);
    return `${end}\n--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}`;
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** As a terminal does: the program and whatever of its children is in the group. */
  signalGroup(name: NodeJS.Signals): void {
    process.kill(-this.pid, name);
  }

  /** Waits for the end; throws when it does not come. */
  async end(timeoutMs = END_TIMEOUT_MS): Promise<Exit> {
    const timer = new AbortController();
    const late = sleep(timeoutMs, null, { signal: timer.signal }).catch(() => null);
    const exit = await Promise.race([this.exited, late]);
    timer.abort();
    if (exit === null) throw new Error(`does not end: ${this.describe()}`);
    return exit;
  }

  /** Asks it to end; kills it, and throws, when it does not. */
  async stop(name: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    if (this.#exit !== null) return this.#exit;
    this.signal(name);
    try {
      return await this.end();
    } catch (error) {
      if (this.isRunning) this.signalGroup('SIGKILL');
      throw error;
    }
  }
}

/** `millrace` with arguments, as it was built. */
export function millrace(args: readonly string[], options: ProgramOptions = {}): Program {
  return new Program(process.execPath, [join(ROOT, 'dist/main.js'), ...args], options);
}
