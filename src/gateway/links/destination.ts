import type { Log } from '../../base/log.ts';
import type { OriginConfig } from '../../config/model.ts';
import { Cluster, type Reader, type Writer } from '../../origin/aurora/cluster.ts';
import { connectOrigin, type EstablishedLink } from '../../origin/connect.ts';

/** Where a link leads. */
export type Place = {
  readonly origin: OriginConfig;
  /** Links with the same one lead to the same server, as far as is known. */
  readonly key: string;
};

export type Opened = { readonly established: EstablishedLink; readonly place: Place };

/** Where the links of a pool lead. */
export type Destination = {
  /**
   * Opens a connection, and makes sure that it leads where it should.
   * @throws GatewayError `MR_ORIGIN_…`; nothing is left open then
   */
  open(timeoutMs: number): Promise<Opened>;
  /** A server has closed a connection, or refused to write. */
  suspect(place: Place): void;
  /** Whether it is known where links are to lead, and not only by what name. */
  readonly isCertain: boolean;
  /** Nobody needs a link for now. */
  rest(): void;
  /** The origin is configured anew. */
  renew(): void;
};

export type WriterEvents = {
  /** Links are to lead to this place alone; if they could not be opened, they now can. */
  onPlace(place: Place): void;
  /** Links that lead there are of no use. */
  onPlaceLost(place: Place): void;
  /** It may be known of other readers than before. */
  onReaders(): void;
};

/** To the host of the origin, or, when that is the endpoint of a cluster, to its writer. */
export class WriterDestination implements Destination {
  readonly #origin: () => OriginConfig;
  readonly #events: WriterEvents;
  readonly #log: Log;
  #cluster: Cluster | null;

  constructor(origin: () => OriginConfig, events: WriterEvents, log: Log) {
    this.#origin = origin;
    this.#events = events;
    this.#log = log;
    this.#cluster = this.#clusterOf(origin());
  }

  async open(timeoutMs: number): Promise<Opened> {
    const endMs = performance.now() + timeoutMs;
    const leftMs = (): number => Math.max(1, Math.ceil(endMs - performance.now()));
    const cluster = this.#cluster;
    const writer = (await cluster?.writer(timeoutMs)) ?? { origin: this.#origin(), serial: 0 };
    const established = await openLink(writer.origin, leftMs(), this.#log).catch((error) => {
      cluster?.suspect();
      throw error;
    });
    try {
      await cluster?.confirm(established, writer, leftMs());
      return { established, place: placeOf(writer) };
    } catch (error) {
      established.socket.destroy();
      throw error;
    }
  }

  /** Readers that are not further behind, as far as is known. */
  readers(lagMsMax: number): readonly Reader[] {
    return this.#cluster?.readers(lagMsMax) ?? [];
  }

  /** Whether the writer, which was asked lately, has heard nothing of the reader for a while. */
  isSilent(name: string): boolean {
    return this.#cluster?.isInformed === true && this.#cluster.isSilent(name);
  }

  suspect(): void {
    this.#cluster?.suspect();
  }

  get isCertain(): boolean {
    return this.#cluster !== null;
  }

  rest(): void {
    this.#cluster?.rest();
  }

  renew(): void {
    this.#cluster?.rest();
    this.#cluster = this.#clusterOf(this.#origin());
  }

  #clusterOf(origin: OriginConfig): Cluster | null {
    if (origin.instanceHostPattern === null) return null;
    const { onPlace, onPlaceLost, onReaders } = this.#events;
    const events = {
      onWriter: (writer: Writer) => onPlace(placeOf(writer)),
      onDemoted: (writer: Writer) => onPlaceLost(placeOf(writer)),
      onInstances: onReaders,
    };
    return new Cluster(origin, events, this.#log);
  }
}

const placeOf = ({ origin, serial }: Writer): Place => ({ origin, key: `${serial}` });

/** A connection for clients: one that gives no name has none, as it would without the gateway. */
export function openLink(
  origin: OriginConfig,
  timeoutMs: number,
  log: Log,
): Promise<EstablishedLink> {
  return connectOrigin(origin, { connectTimeoutMs: timeoutMs, applicationName: '', log });
}
