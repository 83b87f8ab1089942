import { GatewayError } from '../../base/errors.ts';
import { Pause, SocketStream } from '../../net/socket-stream.ts';
import { type EstablishedLink, requestCancel } from '../../origin/connect.ts';
import { TERMINATE } from '../../protocol/messages.ts';
import { Link, type LinkPort } from '../../session/link.ts';
import { originRules } from '../../session/origin-rules.ts';
import type { Opened, Place } from './destination.ts';

/** A cancel request that takes longer may still strike: its link is then not used again. */
const CANCEL_TIMEOUT_MS = 5_000;

export type LinkConnectionEvents = {
  /** The server closed, broke the protocol, or we closed. Comes once. */
  onGone(connection: LinkConnection, error: GatewayError): void;
  /** No cancel request is on its way to the link any more. */
  onCancelsDone(connection: LinkConnection): void;
  /** The server has refused to write: 25006, read_only_sql_transaction. */
  onReadOnly(connection: LinkConnection): void;
};

/** The pool that a link is of. */
export type LinkHome = {
  checkIn(link: Link, isDirty: boolean): void;
  discard(link: Link, reason: string): void;
};

/** A link and its socket. */
export class LinkConnection implements LinkPort {
  readonly link: Link;
  readonly processId: number;
  readonly #stream: SocketStream;
  readonly established: EstablishedLink;
  readonly place: Place;
  /** Where it goes back to. */
  readonly home: LinkHome;
  /** The server is none that links lead to any more. */
  isElsewhere = false;
  readonly #events: LinkConnectionEvents;
  #isGone = false;

  constructor({ established, place }: Opened, home: LinkHome, events: LinkConnectionEvents) {
    this.established = established;
    this.place = place;
    this.home = home;
    this.#events = events;
    this.processId = established.processId;
    this.link = new Link(this, established.parameters, originRules(place.origin.kind));
    this.link.writes.processId = established.processId;
    this.#stream = new SocketStream(
      established.socket,
      {
        onData: (chunk) => this.#onData(chunk),
        onEnd: () => this.#onGone(new GatewayError('MR_ORIGIN_LOST')),
        onBlocked: (isBlocked) => this.link.owner?.onLinkBlocked(isBlocked),
        onClose: () => this.#onGone(new GatewayError('MR_ORIGIN_LOST')),
      },
      true,
    );
  }

  send(chunk: Uint8Array, start: number, end: number): void {
    this.#stream.send(chunk, start, end);
  }

  flush(): void {
    this.#stream.flush();
  }

  pause(isPaused: boolean): void {
    this.#stream.pause(Pause.Sink, isPaused);
  }

  /** Asks the server to cancel what runs on the link, which must not change hands until then. */
  async cancel(): Promise<void> {
    const { link } = this;
    if (!link.rules.cancels) return;
    link.cancelsPending++;
    const outcome = await requestCancel(this.place.origin, this.established, CANCEL_TIMEOUT_MS);
    link.cancelsPending--;
    if (outcome === 'failed') link.unfit = 'a cancel request may still strike it';
    if (link.cancelsPending === 0) this.#events.onCancelsDone(this);
  }

  /** Ends the connection: politely when the link is idle, else at once. */
  close(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    if (this.link.isIdle) {
      this.#stream.send(TERMINATE, 0, TERMINATE.length);
      this.#stream.end();
    } else this.#stream.destroy();
    this.link.ledger.clear();
  }

  /** Ends the connection, whose server is the wrong one by now, as if the server had. */
  lose(detail: string): void {
    this.isElsewhere = true;
    this.#onGone(new GatewayError('MR_ORIGIN_LOST', { detail }));
  }

  #onData(chunk: Buffer): void {
    try {
      this.link.feed(chunk, 0, chunk.length);
      if (!this.link.sawReadOnly) return;
      this.link.sawReadOnly = false;
      this.#events.onReadOnly(this);
    } catch (error) {
      this.#onGone(GatewayError.from(error));
    }
  }

  #onGone(error: GatewayError): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#stream.destroy();
    const { owner } = this.link;
    this.link.owner = null;
    owner?.onLinkLost(error);
    this.link.ledger.clear();
    this.#events.onGone(this, error);
  }
}
