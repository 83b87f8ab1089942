/** Runs things on a transaction's link while the watch looks after them. */
import type { Exchange, ReplySink, Rows, ServerLink } from '../server/server-link.ts';
import type { BlockWatch, Watched } from './block-watch.ts';

export class LinkRunner {
  readonly #link: ServerLink;
  readonly #watch: BlockWatch;
  readonly #watched: Watched;
  #isRunning = false;
  #isStruck = false;
  /** A cancel request that is on its way may hit whatever is sent before it has arrived. */
  #striking: Promise<void> | null = null;

  constructor(link: ServerLink, watch: BlockWatch, watched: Watched) {
    this.#link = link;
    this.#watch = watch;
    this.#watched = watched;
  }

  /** @throws ServerError | GatewayError */
  exchange(messages: Uint8Array, sink: ReplySink): Promise<Exchange> {
    return this.#run(() => this.#link.exchange(messages, sink));
  }

  /** @throws as above */
  readonly query = (text: string, parameters?: readonly (string | null)[]): Promise<Rows> =>
    this.#run(() => this.#link.query(text, parameters));

  async #run<T>(run: () => Promise<T>): Promise<T> {
    if (this.#striking !== null) await this.#striking;
    this.#isRunning = true;
    const end = this.#watch.begin(this.#watched);
    try {
      const answer = await run();
      // It was done before the cancel arrived.
      this.#isStruck = false;
      return answer;
    } finally {
      end();
      this.#isRunning = false;
    }
  }

  /** Cancels what is under way, so that it is tried again. */
  strike(): void {
    if (this.#isRunning) this.#isStruck = true;
    this.cancel();
  }

  /** Cancels what is under way. */
  cancel(): void {
    if (!this.#isRunning || this.#striking !== null) return;
    const striking = this.#link.cancel().then(() => {
      this.#striking = null;
    });
    this.#striking = striking;
  }

  /** Whether it was struck since this was last asked. */
  takeStruck(): boolean {
    const isStruck = this.#isStruck;
    this.#isStruck = false;
    return isStruck;
  }
}
