import type { Clock } from '../../base/time.ts';
import { RateHolder } from '../../pool/link-rate.ts';
import type { LinkRate } from '../../session/origin-rules.ts';
import type { CapacityUser, LinkRates, RateGate } from '../siblings.ts';
import type { ToPrimary } from './messages.ts';

/** What nobody has used for so long goes back, for the other workers. */
const SPARE_MS = 200;

/** The gate to one cluster in a worker: it opens when the primary process says so. */
class WorkerGate implements RateGate {
  readonly #clock: Clock;
  readonly #holder: RateHolder;
  /** Pools that were refused, and are told when there is more. */
  readonly #refused = new Set<CapacityUser>();
  #rate: LinkRate = { perSecond: 0, burst: 0 };

  constructor(cluster: string, clock: Clock, send: (message: ToPrimary) => void) {
    this.#clock = clock;
    this.#holder = new RateHolder(
      (count) => send({ kind: 'rateWanted', cluster, count, rate: this.#rate }),
      (count) => send({ kind: 'rateGiven', cluster, count }),
    );
  }

  take(rate: LinkRate, user: CapacityUser): boolean {
    this.#rate = rate;
    const isTaken = this.#holder.take(user.lacking());
    if (!isTaken) this.#refused.add(user);
    return isTaken;
  }

  putBack(): void {
    this.#holder.putBack();
  }

  settle(): void {
    this.#holder.settle(this.#clock.nowMs(), SPARE_MS);
  }

  onGrant(count: number): void {
    this.#holder.onGrant(count, this.#clock.nowMs());
    const refused = [...this.#refused];
    this.#refused.clear();
    for (const user of refused) user.onCapacity();
  }
}

/** The gates of a worker. */
export class WorkerRates implements LinkRates {
  readonly #clock: Clock;
  readonly #send: (message: ToPrimary) => void;
  readonly #gates = new Map<string, WorkerGate>();

  constructor(clock: Clock, send: (message: ToPrimary) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  gateOf(cluster: string): WorkerGate {
    const gate = this.#gates.get(cluster) ?? new WorkerGate(cluster, this.#clock, this.#send);
    this.#gates.set(cluster, gate);
    return gate;
  }

  onGrant(cluster: string, count: number): void {
    this.#gates.get(cluster)?.onGrant(count);
  }
}
