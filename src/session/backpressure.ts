import type { Link } from './link.ts';
import type { SessionPort } from './session-host.ts';

/** Neither a client nor its link is read while the other one does not take what it is sent. */
export class Backpressure {
  readonly #port: SessionPort;
  /** The client does not read its answers: the link is not read either. */
  #isClientBlocked = false;
  /** The server does not read what the client sends. */
  #isLinkBlocked = false;

  constructor(port: SessionPort) {
    this.#port = port;
  }

  get isClientBlocked(): boolean {
    return this.#isClientBlocked;
  }

  /** The client's socket takes no more, or does again. */
  onClientBlocked(isBlocked: boolean, link: Link | null): void {
    this.#isClientBlocked = isBlocked;
    link?.port.pause(isBlocked);
  }

  onLinkBlocked(isBlocked: boolean): void {
    this.#isLinkBlocked = isBlocked;
    this.#port.pause(isBlocked);
  }

  /** The link has become the client's. */
  attach(link: Link): void {
    if (this.#isClientBlocked) link.port.pause(true);
  }

  /** The link is about to go: the client does not hold it up any more. */
  releaseLink(link: Link | null): void {
    if (this.#isClientBlocked) link?.port.pause(false);
  }

  /** The link is about to go with whatever is outstanding: neither holds the other up any more. */
  letGo(link: Link | null): void {
    this.#port.flush();
    this.releaseLink(link);
    this.releaseClient();
  }

  /** The link has gone: it does not hold the client up any more. */
  releaseClient(): void {
    if (this.#isLinkBlocked) this.onLinkBlocked(false);
  }
}
