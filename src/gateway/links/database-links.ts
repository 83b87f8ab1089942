import type { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Clock } from '../../base/time.ts';
import type { ConfigurationConfig } from '../../config/model.ts';
import type { Link } from '../../session/link.ts';
import type { Session } from '../../session/session.ts';
import type { LinkCapacity, LinkRates, PoolName, Siblings } from '../siblings.ts';
import { type Place, WriterDestination } from './destination.ts';
import type { LinkConnection, LinkHome } from './link-connection.ts';
import { RatedCapacity } from './link-rates.ts';
import { Links } from './links.ts';
import { ReaderLinks } from './readers.ts';
import { type LanesNeeds, lanesLimitsOf, SharedLinks } from './shared-links.ts';

const NOT_THE_WRITER = 'its node is not the writer of the cluster any more';

/** What of a configuration its links need. */
export type DatabaseLinksHost = LanesNeeds & {
  readonly config: ConfigurationConfig;
  readonly log: Log;
};

export type DatabaseLinksParts = {
  /** The other processes that serve the configuration; null when there are none. */
  readonly siblings: Siblings | null;
  readonly clock: Clock;
  readonly rates: LinkRates;
};

/** All links of one configuration: to where it writes, alone and shared, and to readers. */
export class DatabaseLinks {
  readonly writer: Links;
  readonly shared: SharedLinks;
  readonly #host: DatabaseLinksHost;
  readonly #siblings: Siblings | null;
  readonly #clock: Clock;
  readonly #rates: LinkRates;
  readonly #destination: WriterDestination;
  readonly #lanes: LanesNeeds;
  #readers: ReaderLinks | null;

  constructor(host: DatabaseLinksHost, { siblings, clock, rates }: DatabaseLinksParts) {
    const { config, log } = host;
    this.#host = host;
    this.#siblings = siblings;
    this.#clock = clock;
    this.#rates = rates;
    const events = {
      onPlace: (place: Place) => this.#onPlace(place),
      onPlaceLost: ({ key }: Place) =>
        this.writer.lose((place) => place.key === key, NOT_THE_WRITER),
      onReaders: () => this.#readers?.onReaders(),
    };
    this.#destination = new WriterDestination(() => host.config.origin, events, log);
    this.writer = new Links({
      config: () => host.config,
      capacity: this.#capacityOf('writer'),
      clock,
      log,
      destination: this.#destination,
      onEnded: (link) => link.writes.lose(clock.nowMs()),
    });
    this.#lanes = {
      linkStatementsMax: host.linkStatementsMax,
      onResultTypeChanged: () => host.onResultTypeChanged(),
      catchUp: () => host.catchUp(),
    };
    this.shared = new SharedLinks(this.#lanes, this.writer, lanesLimitsOf(config), clock);
    this.#readers = this.#makeReaders();
  }

  /** Null when all reads go to the writer. */
  get readers(): ReaderLinks | null {
    return this.#readers;
  }

  checkOut(session: Session): Link | null {
    const readers = session.readerTurn.isMeant ? this.#readers : null;
    const link = (readers?.links ?? this.writer).checkOut(session);
    if (link === null) (readers?.shared ?? this.shared).onDemand();
    return link;
  }

  withdraw(session: Session): void {
    this.writer.withdraw(session);
    this.#readers?.links.withdraw(session);
  }

  checkIn(link: Link, isDirty: boolean): void {
    homeOf(link).checkIn(link, isDirty);
  }

  discard(link: Link, reason: string): void {
    homeOf(link).discard(link, reason);
  }

  /** What is under way was judged by a catalogue that is to change. */
  doubt(): void {
    this.shared.doubt();
    this.#readers?.shared.doubt();
  }

  /** Takes the limits of a changed configuration. */
  setLimits(): void {
    this.writer.setLimits();
    this.shared.setLimits(lanesLimitsOf(this.#host.config));
    // There are none in session mode, which may have been left.
    this.#readers ??= this.#makeReaders();
    this.#readers?.setLimits();
  }

  /** The origin is another one: no link of now serves anyone again. */
  renew(error: GatewayError): void {
    this.writer.renew();
    this.shared.renew();
    this.#readers?.links.close(error);
    this.#readers = this.#makeReaders();
  }

  tick(nowMs: number): void {
    this.writer.tick(nowMs);
    this.#readers?.tick(nowMs);
  }

  /** Refuses all who wait, and closes every link that is not checked out. */
  close(error: GatewayError): void {
    this.writer.close(error);
    this.#readers?.links.close(error);
  }

  #onPlace({ key }: Place): void {
    this.writer.lose((place) => place.key !== key, NOT_THE_WRITER);
    this.writer.retry();
  }

  #capacityOf(pool: PoolName): LinkCapacity {
    const host = this.#host;
    const own = this.#siblings?.capacityOf(host.config.name, pool) ?? null;
    return new RatedCapacity(own, () => host.config, this.#rates);
  }

  #makeReaders(): ReaderLinks | null {
    const host = this.#host;
    const { origin, poolMode } = host.config;
    if (origin.readerLagMsMax === null || poolMode === 'session') return null;
    return new ReaderLinks({
      config: () => host.config,
      readers: this.#destination,
      capacity: this.#capacityOf('readers'),
      clock: this.#clock,
      log: host.log,
      lanes: this.#lanes,
    });
  }
}

function homeOf(link: Link): LinkHome {
  return (link.port as LinkConnection).home;
}
