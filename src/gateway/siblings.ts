import type { OriginConfig } from '../config/model.ts';
import type { EstablishedLink } from '../origin/connect.ts';
import type { Capacity } from '../pool/pool.ts';
import type { LinkRate } from '../session/origin-rules.ts';

/** A row of `SHOW millrace.pins`: byte strings. */
export type PinRow = readonly string[];

/** What one worker tells the others of a configuration. */
export type News = 'catalogue' | 'sequences';

/** The pool behind a {@link LinkCapacity}. */
export type CapacityUser = {
  /** How many more links it could use at once. */
  lacking(): number;
  /** It may open links. */
  onCapacity(): void;
  /** It must close idle links, as long as their places are owed. */
  shedIdle(): void;
};

/** How many links a worker may have for one configuration: a share that changes. */
export type LinkCapacity = Capacity & {
  /** To be called once, before anything else. */
  serve(user: CapacityUser): void;
  /** A link for which a place was taken is open. */
  onOpened(link: EstablishedLink, origin: OriginConfig): void;
  /** A link for which a place was taken could not be opened. */
  onOpenFailed(): void;
  /**
   * A link is being closed; its place is free when its server process is gone.
   * @param isElsewhere the server is not the one that further links lead to: it is free at once
   */
  onClosed(link: EstablishedLink, isElsewhere: boolean): void;
  tick(): void;
  /** The configuration is closed here: whatever comes back goes to the others. */
  close(): void;
};

/** A configuration's pools; each has the limit of the configuration for itself. */
export type PoolName = 'writer' | 'readers';

/** How fast links may be opened to one cluster, by all who use it. */
export type RateGate = {
  /** Takes the right to open a link now; if false, the user asks again, or is told when to. */
  take(rate: LinkRate, user: CapacityUser): boolean;
  /** What was taken is not used. */
  putBack(): void;
  /** To be called every now and then. */
  settle(): void;
};

/** The gates to clusters, by their names. */
export type LinkRates = {
  gateOf(cluster: string): RateGate;
};

/** The other workers, as the gateway of one of them sees them. */
export type Siblings = {
  /** Of this worker; unique among those that run. Process IDs of clients hold it. */
  readonly number: number;
  capacityOf(configuration: string, pool: PoolName): LinkCapacity;
  readonly rates: LinkRates;
  /** Cancels what a client of another worker does; resolves when it is done. Never rejects. */
  cancel(processId: number, secretKey: Uint8Array): Promise<void>;
  /** Tells the others which clients of this worker keep their links. */
  publishPins(configuration: string, rows: readonly PinRow[]): void;
  /** The same, of all others, as they last told. */
  pinsElsewhere(configuration: string): Iterable<PinRow>;
  tell(configuration: string, news: News): void;
  /** What the others have told before this worker was there. */
  hasNews(configuration: string, news: News): boolean;
};
