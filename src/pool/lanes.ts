import type { GatewayError } from '../base/errors.ts';
import { Ring } from '../base/ring.ts';
import type { Link } from '../session/link.ts';
import { Lane, type LaneHost } from '../session/sharing/lane.ts';
import type { SharedUnit } from '../session/sharing/shared-unit.ts';

/**
 * The lanes of one configuration: how many there are, and which unit goes into which. Few are
 * faster than many, as the server then finds several statements whenever it wakes. Reads no clock;
 * {@link LanesHost} says the time.
 */

export type LanesLimits = {
  /** Units outstanding in one lane. */
  readonly depthMax: number;
  /** A head that runs for longer is slow: see rule L10 of the session's `SPEC.md`. */
  readonly hedgeMs: number;
  /** Links of the pool, all of which may be lanes. */
  readonly linksMax: number;
};

/** Who waits for a link of the pool. */
export type LaneTaker = {
  onLink(link: Link): void;
  onRefused(error: GatewayError): void;
};

export type LanesHost = {
  readonly linkStatementsMax: number;
  /** A statement returns something else than when its text was first prepared. */
  onResultTypeChanged(): void;
  nowMs(): number;
  /** Learns what was sent elsewhere, and so whether to {@link Lanes.doubt}. */
  catchUp(): void;
  /** A link at once, or null: then the taker is queued as anybody is. */
  checkOut(taker: LaneTaker): Link | null;
  /** @param isDirty it may carry something of what ran on it */
  checkIn(link: Link, isDirty: boolean): void;
  /** How many wait for a link of their own for whom the pool can open none. */
  demand(): number;
};

/** For people. */
export type LaneCounts = {
  /** Links that units of several clients are on. */
  readonly lanes: number;
  /** Units that wait for a place in one. */
  readonly waiting: number;
  /** Units sent in all. */
  readonly shared: number;
  /** Of these, how many were sent again elsewhere because one before them was slow. */
  readonly moved: number;
  /** How many were given back to go alone, for whatever reason. */
  readonly alone: number;
};

/** So many lanes are used while that is enough. */
const LANES_START = 4;
/** Without need for so long, one lane less is used. */
const SHRINK_MS = 10_000;
/** A lane that is never empty ends all the same, for the pool to look at its link's age. */
const LANE_LIFE_MS = 10_000;
/** A unit that was sent so often without an answer goes alone. */
const ATTEMPTS_MAX = 2;

export class Lanes implements LaneHost {
  readonly #host: LanesHost;
  #limits: LanesLimits;
  /** Those that take units. */
  #open: Lane[] = [];
  /** Those that take none any more, and are not empty yet. */
  readonly #draining = new Set<Lane>();
  readonly #backlog = new Ring<SharedUnit>();
  /** Since when the oldest unit of the backlog waits. */
  #backlogSinceMs = 0;
  /** Links that were asked for and have not come. */
  #asked = 0;
  #target = LANES_START;
  #sharedCount = 0;
  #movedCount = 0;
  #aloneCount = 0;
  #resizedMs = 0;

  constructor(host: LanesHost, limits: LanesLimits) {
    this.#host = host;
    this.#limits = limits;
  }

  get linkStatementsMax(): number {
    return this.#host.linkStatementsMax;
  }

  get hedgeMs(): number {
    return this.#limits.hedgeMs;
  }

  /** Whether anything is outstanding, so that {@link tick} is needed. */
  get isBusy(): boolean {
    return this.#open.length + this.#draining.size + this.#backlog.size > 0;
  }

  get counts(): LaneCounts {
    return {
      lanes: this.#open.length + this.#draining.size,
      waiting: this.#backlog.size,
      shared: this.#sharedCount,
      moved: this.#movedCount,
      alone: this.#aloneCount,
    };
  }

  nowMs(): number {
    return this.#host.nowMs();
  }

  onResultTypeChanged(): void {
    this.#host.onResultTypeChanged();
  }

  catchUp(): void {
    this.#host.catchUp();
  }

  setLimits(limits: LanesLimits): void {
    this.#limits = limits;
  }

  submit(unit: SharedUnit): void {
    if (this.#backlog.size === 0) {
      const lane = this.#choose(unit);
      if (lane !== null) {
        this.#send(unit, lane);
        return;
      }
      this.#backlogSinceMs = this.nowMs();
    }
    this.#backlog.push(unit);
  }

  /** Somebody waits for a link of their own. */
  onDemand(): void {
    let missing = this.#host.demand() - this.#asked - this.#draining.size;
    for (const lane of this.#open.slice()) {
      if (missing-- <= 0) return;
      this.#drain(lane);
    }
  }

  /** No link of now is used for what comes later. */
  renew(): void {
    for (const lane of this.#open.slice()) this.#drain(lane);
  }

  /**
   * What was judged harmless may not be so when the server comes to it. What waits behind another
   * unit goes alone, to be judged anew, and no link of now is used without a reset.
   */
  doubt(): void {
    const units: SharedUnit[] = [];
    for (let unit = this.#backlog.shift(); unit !== undefined; unit = this.#backlog.shift()) {
      units.push(unit);
    }
    for (const lane of [...this.#open, ...this.#draining]) {
      lane.isDoubtful = true;
      units.push(...lane.takeBehindHead());
      this.#drain(lane);
    }
    for (const unit of units) this.#giveBack(unit);
  }

  /**
   * To be called every few milliseconds while {@link isBusy}, after what has arrived was read; and
   * when something may have become slow, see {@link untilSlowMs}.
   */
  tick(nowMs: number): void {
    for (const lane of this.#open.slice()) {
      if (nowMs - lane.headSinceMs >= this.hedgeMs) this.#hedge(lane);
      else if (lane.isDraining || nowMs - lane.sinceMs >= LANE_LIFE_MS) this.#drain(lane);
    }
    for (const lane of this.#draining) {
      if (nowMs - lane.headSinceMs >= this.hedgeMs) this.onMoved(lane.takeBehindHead());
    }
    if (this.#backlog.size > 0 && nowMs - this.#backlogSinceMs >= this.hedgeMs) {
      this.#target = Math.min(this.#target + 1, Math.max(LANES_START, this.#limits.linksMax));
      this.#backlogSinceMs = nowMs;
      this.#resizedMs = nowMs;
      this.#ask();
    } else if (this.#target > LANES_START && nowMs - this.#resizedMs >= SHRINK_MS) {
      this.#target--;
      this.#resizedMs = nowMs;
    }
  }

  /** How long {@link tick} will find nothing slow that is not slow yet. */
  untilSlowMs(nowMs: number): number {
    let leftMs = this.hedgeMs;
    const look = (sinceMs: number): void => {
      const ageMs = nowMs - sinceMs;
      if (ageMs < this.hedgeMs) leftMs = Math.min(leftMs, this.hedgeMs - ageMs);
    };
    for (const { headSinceMs } of this.#open) look(headSinceMs);
    for (const { headSinceMs } of this.#draining) look(headSinceMs);
    if (this.#backlog.size > 0) look(this.#backlogSinceMs);
    return leftMs;
  }

  onLaneEmpty(lane: Lane): void {
    this.#forget(lane);
    const { link } = lane;
    link.owner = null;
    this.#host.checkIn(link, lane.isDoubtful);
    this.#pump();
  }

  onLaneLost(lane: Lane): void {
    this.#forget(lane);
  }

  onMoved(units: readonly SharedUnit[]): void {
    this.#movedCount += units.length;
    for (const unit of units) {
      if (unit.attempts >= ATTEMPTS_MAX) this.#giveBack(unit);
      else this.submit(unit);
    }
  }

  /** A slow head: those behind it go elsewhere, and the lane is the head's alone. */
  #hedge(lane: Lane): void {
    this.#drain(lane);
    this.onMoved(lane.takeBehindHead());
  }

  #drain(lane: Lane): void {
    lane.isDraining = true;
    // It may have become empty, and so be gone, by what was just done.
    if (!this.#open.includes(lane)) return;
    this.#open = this.#open.filter((other) => other !== lane);
    this.#draining.add(lane);
  }

  #forget(lane: Lane): void {
    this.#draining.delete(lane);
    this.#open = this.#open.filter((other) => other !== lane);
  }

  /** Where the unit is to go; null when all lanes are full. */
  #choose(unit: SharedUnit): Lane | null {
    const lane = this.#pick(unit);
    // An empty lane is best; then another one, as long as there are few.
    return lane === null || lane.depth > 0 ? (this.#ask() ?? lane) : lane;
  }

  /** Sends the unit, or gives it back when the lane cannot have its settings. */
  #send(unit: SharedUnit, lane: Lane): void {
    if (lane.accepts(unit)) {
      this.#sharedCount++;
      lane.send(unit);
    } else this.#giveBack(unit);
    this.#closeIfEmpty(lane);
  }

  /** The lane that costs a unit least: one with its settings, then the emptiest. */
  #pick(unit: SharedUnit): Lane | null {
    const { depthMax } = this.#limits;
    let best: Lane | null = null;
    let bestCost = Number.POSITIVE_INFINITY;
    for (const lane of this.#open) {
      if (lane.depth >= depthMax || lane.isDraining) continue;
      const cost = lane.hasSettingsOf(unit) ? lane.depth : depthMax + lane.depth;
      if (cost < bestCost) {
        best = lane;
        bestCost = cost;
      }
    }
    return best;
  }

  /** Asks for another link while there are few lanes; the lane, when it is to be had at once. */
  #ask(): Lane | null {
    if (this.#open.length + this.#asked >= this.#target) return null;
    this.#asked++;
    const link = this.#host.checkOut({
      onLink: (late) => {
        this.#asked--;
        const lane = this.#add(late);
        this.#pump();
        if (this.#host.demand() > 0) this.#drain(lane);
        this.#closeIfEmpty(lane);
      },
      onRefused: () => {
        this.#asked--;
        this.#onRefused();
      },
    });
    if (link === null) return null;
    this.#asked--;
    return this.#add(link);
  }

  #add(link: Link): Lane {
    const lane = new Lane(link, this);
    this.#open.push(lane);
    return lane;
  }

  #pump(): void {
    for (let unit = this.#backlog.peek(); unit !== undefined; unit = this.#backlog.peek()) {
      const isWanted = unit.owner !== null;
      const lane = isWanted ? this.#choose(unit) : null;
      if (isWanted && lane === null) return;
      // Before anything is done that may lead back to here.
      this.#backlog.shift();
      this.#backlogSinceMs = this.nowMs();
      if (lane !== null) this.#send(unit, lane);
    }
  }

  #closeIfEmpty(lane: Lane): void {
    if (lane.depth === 0 && lane.link.owner === lane) this.onLaneEmpty(lane);
  }

  /** Without any link in sight each goes alone, and hears why there is none. */
  #onRefused(): void {
    if (this.#open.length + this.#draining.size + this.#asked > 0) return;
    for (let unit = this.#backlog.shift(); unit !== undefined; unit = this.#backlog.shift()) {
      this.#giveBack(unit);
    }
  }

  #giveBack(unit: SharedUnit): void {
    const { owner } = unit;
    unit.owner = null;
    this.#aloneCount++;
    owner?.onUnanswered(unit);
  }
}
