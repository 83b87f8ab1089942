import { spawn } from 'node:child_process';
import { messageOf } from './failure.ts';

/** Most bytes kept of each output of a program; the end is kept. */
const outputBytesMax = 64 * 1024;

/** A user of the operating system that the server runs as. */
export type Account = {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
};

export type RunResult = {
  /** Null when a signal ended the program, or when it could not be started. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** What the program said, or why it could not be started. */
  readonly stderr: string;
};

export type RunOptions = {
  /** As whom; null for the user of this process. */
  readonly account: Account | null;
  readonly timeoutMs: number;
  /** Text for the standard input, which is closed after it. */
  readonly input?: string;
};

/**
 * The environment of every program started here: nothing of the caller's that could change what
 * PostgreSQL does (PGPORT, PGOPTIONS, …), and messages in English.
 */
export function childEnvironment(): NodeJS.ProcessEnv {
  const kept: NodeJS.ProcessEnv = { LC_ALL: 'C', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
  for (const name of ['TZ', 'TMPDIR']) {
    const value = process.env[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}

/** `uid` and `gid` of `spawn`, which also drops supplementary groups. */
export function spawnIdentity(account: Account | null): { uid?: number; gid?: number } {
  return account === null ? {} : { uid: account.uid, gid: account.gid };
}

class Tail {
  #chunks: Buffer[] = [];
  #size = 0;

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#chunks.length > 1 && this.#size - this.#chunks[0]!.length >= outputBytesMax) {
      this.#size -= this.#chunks.shift()!.length;
    }
  }

  text(): string {
    return Buffer.concat(this.#chunks).subarray(-outputBytesMax).toString();
  }
}

/**
 * Runs a program to its end, in a session of its own: a Ctrl-C at the terminal is for Millrace,
 * which then stops its programs in order. Never rejects; there is no shell in between.
 */
export function run(
  program: string,
  args: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  return new Promise((resolve) => {
    const stdout = new Tail();
    const stderr = new Tail();
    const finish = (code: number | null, signal: NodeJS.Signals | null, extra = ''): void =>
      resolve({ code, signal, stdout: stdout.text(), stderr: stderr.text() + extra });
    try {
      const child = spawn(program, [...args], {
        ...spawnIdentity(options.account),
        // The working directory of this process may be closed to the other user.
        cwd: '/',
        env: childEnvironment(),
        detached: true,
        timeout: options.timeoutMs,
        killSignal: 'SIGKILL',
      });
      child.on('error', (error) => finish(null, null, error.message));
      child.on('close', (code, signal) => finish(code, signal));
      child.stdout.on('data', (chunk: Buffer) => stdout.add(chunk));
      child.stderr.on('data', (chunk: Buffer) => stderr.add(chunk));
      // A program that ends before it has read everything is judged by its exit, not by EPIPE.
      child.stdin.on('error', () => {});
      child.stdin.end(options.input ?? '');
    } catch (error) {
      // Some failures, such as a user this process may not become, are thrown at once.
      finish(null, null, messageOf(error));
    }
  });
}
