/** How many connections a cluster takes, and how fast: Aurora DSQL's quotas unless told. */
import { TokenBucket } from '../../pool/link-rate.ts';
import { DsqlError } from '../dsql-error.ts';

export type ConnectionLimits = {
  readonly connectionsMax: number;
  /** New connections a second in the long run. */
  readonly perSecond: number;
  /** New connections at once. */
  readonly burst: number;
};

/** Source: Aurora DSQL User Guide, "Cluster quotas and database limits". */
export const DSQL_LIMITS: ConnectionLimits = {
  connectionsMax: 10_000,
  perSecond: 100,
  burst: 1_000,
};

export class ConnectionQuota {
  readonly #limits: ConnectionLimits;
  readonly #bucket: TokenBucket;
  #open = 0;

  constructor(limits: ConnectionLimits, nowMs: number) {
    this.#limits = limits;
    this.#bucket = new TokenBucket(limits, nowMs);
  }

  get open(): number {
    return this.#open;
  }

  /**
   * Takes a place, which is the caller's to {@link leave}.
   * @throws DsqlError `53300` when there are too many, `53400` when they come too fast
   */
  enter(nowMs: number): void {
    if (this.#bucket.take(1, nowMs) === 0) {
      throw new DsqlError('53400', 'Unable to accept connection, rate exceeded.');
    }
    if (this.#open >= this.#limits.connectionsMax) {
      throw new DsqlError('53300', 'Unable to accept connection, too many open connections.');
    }
    this.#open++;
  }

  leave(): void {
    this.#open--;
  }
}
