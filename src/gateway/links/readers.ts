import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Clock } from '../../base/time.ts';
import type { ConfigurationConfig } from '../../config/model.ts';
import { NEWS_AGE_MS } from '../../origin/aurora/cluster.ts';
import type { Readers, Sharing } from '../../session/session-host.ts';
import type { Facts } from '../../sql/facts/facts.ts';
import type { LinkCapacity } from '../siblings.ts';
import type { WriterDestination } from './destination.ts';
import { Links } from './links.ts';
import { ReaderDestination } from './reader-destination.ts';
import { type LanesNeeds, lanesLimitsOf, SharedLinks } from './shared-links.ts';

/** After a read that no reader has taken, none gets one for so long. */
const BAR_MS = 1_000;
/** A statement that a reader has refused goes to none for so long. */
const REFUSED_MS = 60_000;
/** After so many of them, with no answer between them, none is asked for anything for as long. */
const REFUSALS_MAX = 8;
/** This is asked for each read, and the readers are seldom others. */
const LOOK_MS = 100;

export type ReaderLinksParts = {
  readonly config: () => ConfigurationConfig;
  readonly readers: Pick<WriterDestination, 'readers' | 'isSilent'>;
  readonly capacity: LinkCapacity;
  readonly clock: Clock;
  readonly log: Log;
  readonly lanes: LanesNeeds;
};

/** The links of one configuration to the readers of its cluster, and the reads that go there. */
export class ReaderLinks implements Readers {
  readonly links: Links;
  readonly shared: SharedLinks;
  readonly #config: () => ConfigurationConfig;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #destination: ReaderDestination;
  readonly #readers: ReaderLinksParts['readers'];
  #barredUntilMs = Number.NEGATIVE_INFINITY;
  /** Until when each shape that was refused goes to the writer. */
  readonly #refusedUntilMs = new WeakMap<Facts, number>();
  /** How many refusals there were since the last answer. */
  #refusals = 0;
  /** As of the last look. */
  #hasReaders = false;
  #lookAgainMs = Number.NEGATIVE_INFINITY;

  constructor({ config, readers, capacity, clock, log, lanes }: ReaderLinksParts) {
    this.#config = config;
    this.#readers = readers;
    this.#clock = clock;
    this.#log = log;
    this.#destination = new ReaderDestination(
      () => readers.readers(this.#lagMsMax),
      (key) => this.links.countAt(key),
      clock,
      log,
    );
    const destination = this.#destination;
    this.links = new Links({ config, capacity, clock, log, destination, onlyReads: true });
    this.shared = new SharedLinks(lanes, this.links, lanesLimitsOf(config()), clock);
  }

  get sharing(): Sharing | null {
    return this.#config().shareLinks ? this.shared : null;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** A reader that is within its bound has by then what the client has written. */
  mayServe(wroteAtMs: number): boolean {
    const nowMs = this.#clock.nowMs();
    if (nowMs - wroteAtMs < this.#settledMs || nowMs < this.#barredUntilMs) return false;
    if (nowMs >= this.#lookAgainMs) {
      this.#lookAgainMs = nowMs + LOOK_MS;
      this.#hasReaders = this.#destination.usable.length > 0;
    }
    return this.#hasReaders;
  }

  takes(facts: Facts): boolean {
    const untilMs = this.#refusedUntilMs.get(facts);
    return untilMs === undefined || this.#clock.nowMs() >= untilMs;
  }

  onRefused(): void {
    this.#bar(BAR_MS);
  }

  onStatementRefused(facts: Facts): void {
    this.#refusedUntilMs.set(facts, this.#clock.nowMs() + REFUSED_MS);
    if (++this.#refusals < REFUSALS_MAX) return;
    this.#refusals = 0;
    this.#log.warn({ forMs: REFUSED_MS }, 'readers refuse what is read: the writer is asked');
    this.#bar(REFUSED_MS);
  }

  onAnswered(): void {
    this.#refusals = 0;
  }

  /** Readers have yet to learn what statements mean by now. */
  onCatalogueChanged(): void {
    this.#bar(this.#settledMs);
    this.shared.doubt();
  }

  /** The writer has told of the readers: links to one that is too far behind are of no use. */
  onReaders(): void {
    const names = new Set(this.#destination.usable.map(({ name }) => name));
    // What runs at one that hangs would never end, and others wait behind it.
    this.links.lose(({ key }) => this.#readers.isSilent(key), 'its reader says nothing any more');
    this.links.retire(({ key }) => !names.has(key), 'its reader is too far behind');
    if (names.size > 0) return;
    this.links.refuseWaiting(new GatewayError('MR_ORIGIN_REFUSED', { detail: 'no reader' }));
  }

  tick(nowMs: number): void {
    this.links.tick(nowMs);
  }

  setLimits(): void {
    this.links.setLimits();
    this.shared.setLimits(lanesLimitsOf(this.#config()));
  }

  #bar(forMs: number): void {
    this.#barredUntilMs = Math.max(this.#barredUntilMs, this.#clock.nowMs() + forMs);
  }

  get #lagMsMax(): number {
    return this.#config().origin.readerLagMsMax ?? 0;
  }

  /** How long a write takes to be at every reader that is used, and known to be. */
  get #settledMs(): number {
    return this.#lagMsMax + NEWS_AGE_MS;
  }
}
