/** How long short reads take beside clients that lock, run long and stall. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Subject } from '../cases/case.ts';
import { hasCounters, prove, readCounters } from '../load/counters.ts';
import type { Figures } from '../report/figures.ts';
import { percentile } from '../report/statistics.ts';
import { HOST } from '../ways/address.ts';
import { ACCOUNTS, runSql } from '../ways/origin.ts';
import type { Scene } from '../ways/scene.ts';
import { coldSql, Disturbance } from './disturbance.ts';

const READERS = 8;
/** Between two reads of a client: the reads shall not fill the machine by themselves. */
const PAUSE_MS = 2;
const SETTLE_MS = 500;
const COLD_MS = 200;
/** Of the reads, so many have to share a connection with others. */
const SHARED_MIN = 0.5;
/** Locks and stalls take turns; in a shorter time some of them would not come. */
const SECONDS_MIN = 2;

type StrangersSubject = Extract<Subject, { readonly kind: 'strangers' }>;

export class StrangersMeter {
  readonly #scene: Scene;
  #coldWidth: number | null = null;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  async measure({ way, isDisturbed }: StrangersSubject, seconds: number): Promise<Figures> {
    const { login } = this.#scene.origin;
    const address = await this.#scene.addressOf(way);
    const counters = () => (hasCounters(way) ? readCounters(way, address, login) : null);
    const before = await counters();
    const disturbance = isDisturbed
      ? await Disturbance.start(address, login, await this.#width())
      : null;
    try {
      const times = await this.#read(address, Math.max(seconds, SECONDS_MIN));
      await disturbance?.stop();
      const after = await counters();
      if (before !== null && after !== null) {
        prove({ shared: { min: SHARED_MIN } }, before, after, times.length);
      }
      const sorted = Float64Array.from(times).sort();
      return {
        p50Ms: percentile(sorted, 0.5),
        p99Ms: percentile(sorted, 0.99),
        maxMs: percentile(sorted, 1),
      };
    } finally {
      await disturbance?.kill();
    }
  }

  /** Milliseconds that each read took. */
  async #read(
    address: { readonly port: number; readonly database: string },
    seconds: number,
  ): Promise<readonly number[]> {
    const { login } = this.#scene.origin;
    const times: number[] = [];
    const startMs = performance.now() + SETTLE_MS;
    const endMs = startMs + seconds * 1000;
    const loop = async (): Promise<void> => {
      const client = new pg.Client({ host: HOST, ...address, ...login });
      // A connection that ends fails the query that waits for it, which is enough.
      client.on('error', () => {});
      await client.connect();
      while (performance.now() < endMs) {
        const aid = 1 + Math.floor(Math.random() * ACCOUNTS);
        const sentMs = performance.now();
        await client.query('SELECT abalance FROM pgbench_accounts WHERE aid = $1', [aid]);
        if (sentMs >= startMs) times.push(performance.now() - sentMs);
        await sleep(PAUSE_MS);
      }
      await client.end();
    };
    await Promise.all(Array.from({ length: READERS }, loop));
    return times;
  }

  /** So many rows take a cold read's time on this machine, as far as there are so many. */
  async #width(): Promise<number> {
    if (this.#coldWidth !== null) return this.#coldWidth;
    const { address, login } = this.#scene.origin;
    let fastestMs = Number.POSITIVE_INFINITY;
    for (let time = 0; time < 3; time++) {
      const startMs = performance.now();
      await runSql(address, login, coldSql('v', ACCOUNTS));
      fastestMs = Math.min(fastestMs, performance.now() - startMs);
    }
    this.#coldWidth = Math.min(ACCOUNTS, Math.ceil((ACCOUNTS * COLD_MS) / fastestMs));
    return this.#coldWidth;
  }
}
