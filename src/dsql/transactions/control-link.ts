/** The adjudicator's own link, which sees who waits for whom. */
import { SerialQueue } from '../serial-queue.ts';
import type { Rows, ServerLink } from '../server/server-link.ts';

/** A control link that does not answer within this is closed, and another is opened. */
const ANSWER_MS_MAX = 5_000;

export class ControlLink {
  readonly #open: () => Promise<ServerLink>;
  readonly #queue = new SerialQueue();
  #link: ServerLink | null = null;
  #isClosed = false;

  constructor(open: () => Promise<ServerLink>) {
    this.#open = open;
  }

  /** @throws when there is no link, or it did not answer; the next one tries a new link */
  query(text: string, parameters?: readonly (string | null)[]): Promise<Rows> {
    return this.#queue.run(async () => {
      const link = await this.#current();
      // Closing it makes the query fail.
      const timer = setTimeout(() => link.close(), ANSWER_MS_MAX);
      try {
        return await link.query(text, parameters);
      } finally {
        clearTimeout(timer);
      }
    });
  }

  async #current(): Promise<ServerLink> {
    if (this.#isClosed) throw new Error('the adjudicator is closed');
    if (this.#link?.isOpen) return this.#link;
    this.#link = null;
    const link = await this.#open();
    if (this.#isClosed) {
      link.close();
      throw new Error('the adjudicator is closed');
    }
    this.#link = link;
    return link;
  }

  close(): void {
    this.#isClosed = true;
    this.#link?.close();
  }
}
