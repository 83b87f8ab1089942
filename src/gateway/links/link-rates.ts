/** How fast links may be opened: what the pools of this process ask before they open one. */
import type { Clock } from '../../base/time.ts';
import type { ConfigurationConfig, OriginConfig } from '../../config/model.ts';
import type { EstablishedLink } from '../../origin/connect.ts';
import { TokenBucket } from '../../pool/link-rate.ts';
import { type LinkRate, originRules } from '../../session/origin-rules.ts';
import type { CapacityUser, LinkCapacity, LinkRates, RateGate } from '../siblings.ts';

/** Of a process that shares clusters with no other one. */
export class OwnLinkRates implements LinkRates {
  readonly #clock: Clock;
  readonly #gates = new Map<string, RateGate>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  gateOf(cluster: string): RateGate {
    const gate = this.#gates.get(cluster) ?? this.#makeGate();
    this.#gates.set(cluster, gate);
    return gate;
  }

  #makeGate(): RateGate {
    let bucket: TokenBucket | null = null;
    return {
      // Who waits is looked at every few milliseconds anyway: see `Pool.tick`.
      take: (rate) => {
        const nowMs = this.#clock.nowMs();
        bucket ??= new TokenBucket(rate, nowMs);
        bucket.setRate(rate, nowMs);
        return bucket.take(1, nowMs) === 1;
      },
      putBack: () => bucket?.giveBack(1, this.#clock.nowMs()),
      settle: () => {},
    };
  }
}

/** What all configurations have in common that lead to one cluster. */
export function clusterOf({ auth, host, tlsServerName }: OriginConfig): string {
  const name = auth.method === 'dsql-iam' ? auth.host : (tlsServerName ?? host);
  return name.toLowerCase();
}

export function linkRateOf({ origin, newLinks }: ConfigurationConfig): LinkRate | null {
  return newLinks ?? originRules(origin.kind).newLinks;
}

/**
 * A pool's say in how many links there are, and how fast they may be opened. The place and the
 * right to open are only taken together.
 */
export class RatedCapacity implements LinkCapacity {
  readonly #inner: LinkCapacity | null;
  readonly #config: () => ConfigurationConfig;
  readonly #rates: LinkRates;
  #user: CapacityUser | null = null;

  /** @param inner null when the limit of the configuration is all this process's own */
  constructor(inner: LinkCapacity | null, config: () => ConfigurationConfig, rates: LinkRates) {
    this.#inner = inner;
    this.#config = config;
    this.#rates = rates;
  }

  serve(user: CapacityUser): void {
    this.#user = user;
    this.#inner?.serve(user);
  }

  take(): boolean {
    const rate = linkRateOf(this.#config());
    const gate = rate === null ? null : this.#gate();
    if (gate !== null && rate !== null && this.#user !== null) {
      if (!gate.take(rate, this.#user)) return false;
    }
    if (this.#inner === null || this.#inner.take()) return true;
    gate?.putBack();
    return false;
  }

  isOwed(isUnused: boolean): boolean {
    return this.#inner?.isOwed(isUnused) ?? false;
  }

  onOpened(link: EstablishedLink, origin: OriginConfig): void {
    this.#inner?.onOpened(link, origin);
  }

  onOpenFailed(): void {
    this.#inner?.onOpenFailed();
  }

  onClosed(link: EstablishedLink, isElsewhere: boolean): void {
    this.#inner?.onClosed(link, isElsewhere);
  }

  tick(): void {
    this.#inner?.tick();
    if (linkRateOf(this.#config()) !== null) this.#gate().settle();
  }

  close(): void {
    this.#inner?.close();
  }

  #gate(): RateGate {
    return this.#rates.gateOf(clusterOf(this.#config().origin));
  }
}
