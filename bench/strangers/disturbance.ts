/** The other clients, in a process of their own: its start, its end, and what it did. */
import { join } from 'node:path';
import { UnprovenError } from '../load/counters.ts';
import type { Address, Login } from '../ways/address.ts';
import { Child } from '../ways/child.ts';

/** What the other clients have done. */
export type Done = {
  locks: number;
  /** Reads that waited for a lock. */
  lockWaits: number;
  /** How long the reads took that are short but for once. */
  readonly coldMs: number[];
  /** Large results that nobody read for a while. */
  stalls: number;
};

/** Cold reads must take so long for the row to be what it says. */
const COLD_MS_MIN = 100;

/** A read over so many rows, which its literals alone tell from a short one. */
export function coldSql(name: string, width: number): string {
  return (
    `SELECT sum(sqrt(aid) + ln(aid) + exp(sqrt(ln(aid)))) AS ${name} ` +
    `FROM pgbench_accounts WHERE aid BETWEEN 1 AND ${width}`
  );
}

export class Disturbance {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  /** Returns when all clients are at work. */
  static async start(address: Address, login: Login, width: number): Promise<Disturbance> {
    const program = join(import.meta.dirname, 'disturb.js');
    const args = [program, `${address.port}`, address.database, login.user, `${width}`];
    const env = { ...process.env, PGPASSWORD: login.password };
    const child = new Child('the program of the other clients', process.execPath, args, { env });
    try {
      await child.ready(() => (child.log.includes('ready\n') ? true : null));
    } catch (error) {
      await child.stop('SIGKILL');
      throw error;
    }
    return new Disturbance(child);
  }

  /**
   * Ends it.
   * @throws UnprovenError when it did not do everything that it is for
   */
  async stop(): Promise<void> {
    await this.#child.stop('SIGTERM');
    proveDisturbed(this.#child.log);
  }

  kill(): Promise<void> {
    return this.#child.stop('SIGKILL');
  }
}

/** @throws UnprovenError when there was no disturbance of a kind */
export function proveDisturbed(log: string): void {
  const line = log.split('\n').findLast((each) => each.startsWith('{'));
  if (line === undefined) {
    throw new UnprovenError(`the other clients have failed: ${log.slice(-500).trim()}`);
  }
  const { locks, lockWaits, coldMs, stalls }: Done = JSON.parse(line);
  const coldCount = coldMs.filter((ms) => ms >= COLD_MS_MIN).length;
  if (Math.min(locks, lockWaits, coldCount, stalls) > 0) return;
  throw new UnprovenError(
    `the other clients did too little: ${locks} locks, ${lockWaits} reads that waited for them, ` +
      `${coldCount} reads of ${COLD_MS_MIN} ms, ${stalls} stalled results`,
  );
}
