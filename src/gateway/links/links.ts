import { randomInt } from 'node:crypto';
import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Clock } from '../../base/time.ts';
import type { ConfigurationConfig } from '../../config/model.ts';
import { Pool, type PoolCounts, type PoolHost, type PoolLimits } from '../../pool/pool.ts';
import type { Link } from '../../session/link.ts';
import { type OriginRules, originRules } from '../../session/origin-rules.ts';
import type { LinkCapacity } from '../siblings.ts';
import type { Destination, Place } from './destination.ts';
import { canExpire, LinkCleaner } from './link-cleaner.ts';
import { LinkConnection } from './link-connection.ts';

/** Who asks for a link. */
export type LinkTaker = {
  onLink(link: Link): void;
  onRefused(error: GatewayError): void;
};

/**
 * What a client that went away has begun may run on for so long; then it is cancelled, and the link
 * closed.
 */
const CLEAN_TIMEOUT_MS = 15_000;
/**
 * A link is given up no more often than this because its server refused to write: a client may ask
 * for that refusal, by a transaction that is READ ONLY.
 */
const READ_ONLY_MS = 100;
/** Without any link for so long nobody needs to know where one would lead. */
const REST_MS = 60_000;

export type LinksParts = {
  readonly config: () => ConfigurationConfig;
  readonly capacity: LinkCapacity;
  readonly clock: Clock;
  readonly log: Log;
  readonly destination: Destination;
  /** A link is closed, or has broken, and is forgotten. */
  readonly onEnded?: (link: Link) => void;
  /** The servers only read. */
  readonly onlyReads?: boolean;
};

/** The links of one pool: opens, lends, cleans and closes them as the pool decides. */
export class Links implements PoolHost<Link, LinkTaker> {
  readonly #config: () => ConfigurationConfig;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #pool: Pool<Link, LinkTaker>;
  readonly #destination: Destination;
  readonly #connections = new Set<LinkConnection>();
  readonly #capacity: LinkCapacity;
  /** Since when each link is being cleaned. */
  readonly #cleaning = new Map<Link, number>();
  /** Links that have come back while a cancel request is on its way to them; whether dirty. */
  readonly #awaitingCancel = new Map<Link, boolean>();
  /** What the youngest link reported when it was fresh, in the server's own spelling. */
  #parameters: ReadonlyMap<string, string> | null = null;

  /** As whom the youngest link is logged in. */
  #user: string | null = null;
  /** When a link was last given up because its server refused to write. */
  #renewedMs = Number.NEGATIVE_INFINITY;
  /** When there was last a link, or somebody who waits for one. */
  #neededMs = 0;

  readonly #onEnded: (link: Link) => void;
  readonly #onlyReads: boolean;

  constructor({ config, capacity, clock, log, destination, onEnded, onlyReads }: LinksParts) {
    this.#onEnded = onEnded ?? (() => {});
    this.#onlyReads = onlyReads ?? false;
    this.#config = config;
    this.#capacity = capacity;
    this.#clock = clock;
    this.#log = log;
    this.#pool = new Pool<Link, LinkTaker>(this, limitsOf(config()), capacity);
    this.#destination = destination;
    capacity.serve({
      lacking: () => this.#pool.lacking,
      onCapacity: () => this.#pool.onCapacity(this.#clock.nowMs()),
      shedIdle: () => this.#pool.shedIdle(this.#clock.nowMs()),
    });
  }

  get rules(): OriginRules {
    return originRules(this.#config().origin.kind);
  }

  get counts(): PoolCounts {
    return this.#pool.counts;
  }

  /** As whom links are logged in; as configured until one was opened. */
  get user(): string {
    return this.#user ?? this.#config().origin.user;
  }

  /** Null until a link was opened. */
  get parameters(): ReadonlyMap<string, string> | null {
    return this.#parameters;
  }

  /** How many wait for a link although the pool can open no more. */
  demand(): number {
    const { waiting, opening } = this.#pool.counts;
    return Math.max(0, waiting - opening);
  }

  checkOut(taker: LinkTaker): Link | null {
    return this.#pool.checkOut(taker, this.#clock.nowMs());
  }

  withdraw(taker: LinkTaker): void {
    this.#pool.withdraw(taker);
  }

  /** @param isDirty the session on the server must be reset before anyone else may have the link */
  checkIn(link: Link, isDirty: boolean): void {
    if (link.unfit !== null) {
      this.discard(link, link.unfit);
    } else if (link.cancelsPending > 0) {
      // A request to cancel what the last client did must not meet the next one's statement.
      this.#awaitingCancel.set(link, isDirty);
    } else if (link.isIdle && !isDirty && !canExpire(link)) {
      this.#pool.checkIn(link, this.#clock.nowMs());
    } else {
      this.#cleaning.set(link, this.#clock.nowMs());
      new LinkCleaner(link, isDirty, (isClean) => {
        this.#cleaning.delete(link);
        if (isClean) this.checkIn(link, false);
        else this.discard(link, 'it could not be cleaned');
      });
    }
  }

  discard(link: Link, reason: string): void {
    const connection = link.port as LinkConnection;
    this.#log.debug({ originPid: connection.processId, reason }, 'link closed');
    connection.close();
    this.#capacity.onClosed(connection.established, connection.isElsewhere);
    this.#forget(link);
  }

  /** Takes the limits of a changed configuration. */
  setLimits(): void {
    this.#pool.setLimits(limitsOf(this.#config()), this.#clock.nowMs());
  }

  /** The origin is another one: no link of now serves anyone again. */
  renew(): void {
    this.#parameters = null;
    this.#user = null;
    this.#destination.renew();
    this.#pool.renew('its origin was changed', this.#clock.nowMs());
  }

  /** How many links lead to a place. */
  countAt(key: string): number {
    let count = 0;
    for (const { place } of this.#connections) if (place.key === key) count++;
    return count;
  }

  /** Ends links. What runs on them has an outcome that nobody can tell, as their clients hear. */
  lose(isLost: (place: Place) => boolean, detail: string): void {
    const lost = [...this.#connections].filter(({ place }) => isLost(place));
    for (const connection of lost) connection.lose(detail);
  }

  /** Closes links, those that are in use when they come back. */
  retire(isRetired: (place: Place) => boolean, reason: string): void {
    for (const { link, place } of this.#connections) {
      if (!isRetired(place)) continue;
      if (link.owner === null && link.cancelsPending === 0) this.discard(link, reason);
      else link.unfit = reason;
    }
  }

  /** Where links lead may be reachable again. */
  retry(): void {
    this.#pool.retry(this.#clock.nowMs());
  }

  refuseWaiting(error: GatewayError): void {
    this.#pool.refuseWaiting(error);
  }

  /** To be called every now and then; see {@link Pool.tick}. */
  tick(nowMs: number): void {
    this.#pool.tick(nowMs);
    this.#capacity.tick();
    this.#restIfUnneeded(nowMs);
    for (const [link, sinceMs] of this.#cleaning) {
      const isHopeless = link.ledger.isCopyIn;
      if (!isHopeless && nowMs - sinceMs <= CLEAN_TIMEOUT_MS) continue;
      if (!isHopeless && link.ledger.size > 0) void (link.port as LinkConnection).cancel();
      this.discard(link, 'cleaning it took too long');
    }
  }

  /** Refuses all who wait, and closes every link that is not checked out. */
  close(error: GatewayError): void {
    this.#pool.close(error);
    this.#capacity.close();
    this.#destination.rest();
  }

  openLink(): void {
    void this.#open();
  }

  closeLink(link: Link, reason: string): void {
    this.discard(link, reason);
  }

  grant(taker: LinkTaker, link: Link): void {
    taker.onLink(link);
  }

  refuse(taker: LinkTaker, error: GatewayError): void {
    taker.onRefused(error);
  }

  async #open(): Promise<void> {
    try {
      const { connectTimeoutMs } = this.#config().timeouts;
      const opened = await this.#destination.open(connectTimeoutMs);
      const { established, place } = opened;
      const connection = new LinkConnection(opened, this, {
        onGone: (gone, error) => this.#onGone(gone, error),
        onCancelsDone: (done) => this.#onCancelsDone(done.link),
        onReadOnly: (refusing) => this.#onReadOnly(refusing),
      });
      this.#connections.add(connection);
      connection.link.onlyReads = this.#onlyReads;
      this.#parameters = established.parameters;
      this.#capacity.onOpened(established, place.origin);
      this.#noteUser(established.user);
      this.#pool.onOpened(connection.link, this.#clock.nowMs(), randomInt(1_000_000) / 1_000_000);
    } catch (caught) {
      const error = GatewayError.from(caught);
      const cause = error.cause instanceof Error ? error.cause.message : undefined;
      this.#capacity.onOpenFailed();
      this.#log.warn({ code: error.code, cause }, `origin not reached: ${error.message}`);
      this.#pool.onOpenFailed(error, this.#clock.nowMs());
    }
  }

  /** It may be a server that wrote once, and whose name leads to another one by now. */
  #onReadOnly({ link, place }: LinkConnection): void {
    if (this.#onlyReads) return;
    this.#destination.suspect(place);
    const nowMs = this.#clock.nowMs();
    if (this.#destination.isCertain || nowMs - this.#renewedMs < READ_ONLY_MS) return;
    this.#renewedMs = nowMs;
    link.unfit ??= 'its server refuses to write';
  }

  /**
   * A rotation of the secret may change the user: links of the old one still work, but are not the
   * same to a session that moves from one to the other.
   */
  #noteUser(user: string): void {
    const before = this.#user;
    this.#user = user;
    if (before === null || before === user) return;
    this.#pool.renew('its user was changed by a rotation', this.#clock.nowMs());
  }

  #onGone(connection: LinkConnection, error: GatewayError): void {
    this.#log.info({ originPid: connection.processId, reason: error.message }, 'link lost');
    this.#capacity.onClosed(connection.established, connection.isElsewhere);
    this.#forget(connection.link);
    this.#destination.suspect(connection.place);
  }

  #restIfUnneeded(nowMs: number): void {
    const { idle, checkedOut, opening, waiting } = this.#pool.counts;
    if (idle + checkedOut + opening + waiting > 0) this.#neededMs = nowMs;
    else if (nowMs - this.#neededMs >= REST_MS) this.#destination.rest();
  }

  #forget(link: Link): void {
    this.#connections.delete(link.port as LinkConnection);
    this.#cleaning.delete(link);
    this.#awaitingCancel.delete(link);
    this.#onEnded(link);
    this.#pool.remove(link, this.#clock.nowMs());
  }

  #onCancelsDone(link: Link): void {
    const isDirty = this.#awaitingCancel.get(link);
    if (isDirty === undefined) {
      link.owner?.onCancelsDone();
    } else {
      this.#awaitingCancel.delete(link);
      this.checkIn(link, isDirty);
    }
  }
}

export function limitsOf(config: ConfigurationConfig): PoolLimits {
  return {
    linksMax: config.originConnectionLimit,
    waitersMax: config.waitersMax,
    waitTimeoutMs: config.timeouts.waitTimeoutMs,
    idleTimeoutMs: config.timeouts.idleLinkTimeoutMs,
    lifetimeMs: Math.min(
      config.timeouts.linkLifetimeMs,
      originRules(config.origin.kind).linkLifeMaxMs,
    ),
  };
}
