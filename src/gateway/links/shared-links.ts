import type { Clock } from '../../base/time.ts';
import type { ConfigurationConfig } from '../../config/model.ts';
import { Lanes, type LanesHost, type LanesLimits } from '../../pool/lanes.ts';
import { type Column, TEXT } from '../../protocol/result.ts';
import type { Sharing } from '../../session/session-host.ts';
import { Estimate } from '../../session/sharing/estimate.ts';
import type { SharedUnit } from '../../session/sharing/shared-unit.ts';
import type { Facts } from '../../sql/facts/facts.ts';
import type { Shown } from '../show.ts';
import type { Links } from './links.ts';

/** Slow heads are looked for so many times while one becomes slow, and when one may be. */
const LOOKS_PER_HEDGE = 4;
const LOOK_MS_MIN = 1;

const COLUMNS: readonly Column[] = [
  { name: 'name', type: TEXT },
  { name: 'value', type: TEXT },
];

/** What lanes need to know beside the links that they are made of. */
export type LanesNeeds = Pick<LanesHost, 'linkStatementsMax' | 'onResultTypeChanged' | 'catchUp'>;

/** The shared links of one pool, with a clock: "Shared links" in the session's SPEC. */
export class SharedLinks implements Sharing {
  readonly #lanes: Lanes;
  readonly #clock: Clock;
  readonly #estimates = new WeakMap<Facts, Estimate>();
  #hedgeMs: number;
  #timer: NodeJS.Timeout | null = null;

  constructor(needs: LanesNeeds, links: Links, limits: LanesLimits, clock: Clock) {
    this.#clock = clock;
    this.#hedgeMs = limits.hedgeMs;
    const host: LanesHost = {
      ...needs,
      nowMs: () => clock.nowMs(),
      checkOut: (taker) => links.checkOut(taker),
      checkIn: (link, isDirty) => links.checkIn(link, isDirty),
      demand: () => links.demand(),
    };
    this.#lanes = new Lanes(host, limits);
  }

  get hedgeMs(): number {
    return this.#hedgeMs;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  estimateOf(facts: Facts): Estimate {
    let estimate = this.#estimates.get(facts);
    if (estimate === undefined) {
      estimate = new Estimate();
      this.#estimates.set(facts, estimate);
    }
    return estimate;
  }

  /** What `SHOW millrace.sharing` answers with. */
  get shown(): Shown {
    const rows = Object.entries(this.#lanes.counts).map(([name, count]) => [name, `${count}`]);
    return { columns: COLUMNS, rows };
  }

  submit(unit: SharedUnit): void {
    this.#lanes.submit(unit);
    this.#watch();
  }

  /** Somebody waits for a link of their own. */
  onDemand(): void {
    this.#lanes.onDemand();
  }

  setLimits(limits: LanesLimits): void {
    this.#hedgeMs = limits.hedgeMs;
    this.#lanes.setLimits(limits);
  }

  /** No link of now is used for what comes later. */
  renew(): void {
    this.#lanes.renew();
  }

  /** What is under way was judged by a catalogue that is to change. */
  doubt(): void {
    this.#lanes.doubt();
  }

  #watch(): void {
    if (this.#timer !== null || !this.#lanes.isBusy) return;
    const untilSlowMs = Math.ceil(this.#lanes.untilSlowMs(this.#clock.nowMs()));
    const usualMs = Math.floor(this.#hedgeMs / LOOKS_PER_HEDGE);
    const waitMs = Math.max(LOOK_MS_MIN, Math.min(usualMs, untilSlowMs));
    this.#timer = setTimeout(() => {
      // Timers run before sockets are read: answers that have come already are no reason to look.
      setImmediate(() => {
        this.#timer = null;
        this.#lanes.tick(this.#clock.nowMs());
        this.#watch();
      });
    }, waitMs).unref();
  }
}

export function lanesLimitsOf(config: ConfigurationConfig): LanesLimits {
  return {
    depthMax: config.shareDepth,
    hedgeMs: config.hedgeMs,
    linksMax: config.originConnectionLimit,
  };
}
