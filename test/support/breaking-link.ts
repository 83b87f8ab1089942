/** A real link that ends at a given step. */
import type { PostgresLink } from '../../src/dsql/server/postgres-link.ts';
import type { Exchange, ReplySink, Rows, ServerLink } from '../../src/dsql/server/server-link.ts';

export type Break = {
  /** The exchange at which it ends, from 1. */
  readonly step: number;
  /** Whether the server has got the messages by then. */
  readonly isSent: boolean;
};

export class BreakingLink implements ServerLink {
  readonly #link: PostgresLink;
  readonly #at: Break;
  #step = 0;
  isBroken = false;

  constructor(link: PostgresLink, at: Break) {
    this.#link = link;
    this.#at = at;
  }

  get role(): string {
    return this.#link.role;
  }

  get processId(): number {
    return this.#link.processId;
  }

  get ended(): Promise<void> {
    return this.#link.ended;
  }

  get isOpen(): boolean {
    return this.#link.isOpen;
  }

  get status(): 'I' | 'T' | 'E' {
    return this.#link.status;
  }

  get parameters(): ReadonlyMap<string, string> {
    return this.#link.parameters;
  }

  exchange(messages: Uint8Array, sink: ReplySink): Promise<Exchange> {
    return this.#broken(() => this.#link.exchange(messages, sink));
  }

  query(text: string, parameters?: readonly (string | null)[]): Promise<Rows> {
    return this.#broken(() => this.#link.query(text, parameters));
  }

  async #broken<T>(send: () => Promise<T>): Promise<T> {
    if (++this.#step !== this.#at.step) return await send();
    this.isBroken = true;
    if (!this.#at.isSent) this.#link.close();
    const answer = send();
    // The messages leave with this turn, and the connection ends with the next.
    setImmediate(() => this.#link.close());
    return await answer;
  }

  send(messages: Uint8Array): Promise<void> {
    return this.#link.send(messages);
  }

  pause(isPaused: boolean): void {
    this.#link.pause(isPaused);
  }

  cancel(): Promise<void> {
    return this.#link.cancel();
  }

  close(): void {
    this.#link.close();
  }
}
