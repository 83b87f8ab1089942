/** A link of the simulation: the real machine, a model server behind it, and a network between. */
import { GatewayError } from '../../src/base/errors.ts';
import { Link, type LinkPort } from '../../src/session/link.ts';
import type { Dice } from '../support/dice.ts';
import { ModelSession } from './model-session.ts';
import { type ModelTable, REPORTED } from './model-state.ts';

/** As in `net/socket-stream`: with more than this unsent, whoever feeds the stream pauses. */
export const BLOCKED_BYTES = 65_536;

/** Bytes on their way in one direction. */
export class Pipe {
  #bytes: Buffer = Buffer.alloc(0);

  get size(): number {
    return this.#bytes.length;
  }

  push(bytes: Uint8Array): void {
    this.#bytes =
      this.#bytes.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#bytes, bytes]);
  }

  /** Any number of the bytes that are there, one at least: small pieces are as likely as large. */
  take(dice: Dice): Buffer {
    const most = dice.oneIn(3) ? 1 + dice.below(12) : this.size;
    const size = Math.min(this.size, dice.oneIn(2) ? most : 1 + dice.below(most));
    const piece = Buffer.from(this.#bytes.subarray(0, size));
    this.#bytes = this.#bytes.subarray(size);
    return piece;
  }

  takeAll(): Buffer {
    const all = this.#bytes;
    this.#bytes = Buffer.alloc(0);
    return all;
  }
}

export type SimLinkEvents = {
  onGone(link: SimLink): void;
  onCancelsDone(link: SimLink): void;
  /** False for a gateway that takes a cancel request for done once it is sent. */
  readonly waitsForCancels: boolean;
};

export class SimLink implements LinkPort {
  readonly number: number;
  readonly link: Link;
  readonly server: ModelSession;
  readonly #events: SimLinkEvents;
  readonly #up = new Pipe();
  readonly #down = new Pipe();
  #unflushed: Buffer[] = [];
  #isPaused = false;
  #isBlocked = false;
  isGone = false;

  constructor(number: number, table: ModelTable, events: SimLinkEvents) {
    this.number = number;
    this.#events = events;
    this.server = new ModelSession(table);
    this.link = new Link(this, REPORTED);
  }

  send(chunk: Uint8Array, start: number, end: number): void {
    this.#unflushed.push(Buffer.from(chunk.subarray(start, end)));
  }

  flush(): void {
    for (const bytes of this.#unflushed.splice(0)) this.#up.push(bytes);
    if (this.#up.size > BLOCKED_BYTES) this.#setBlocked(true);
  }

  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
  }

  /** A turn of the network or of the server, as the dice say. */
  turn(dice: Dice, nowMs: number): void {
    if (this.isGone) return;
    if (dice.below(3) > 0 && this.#up.size > 0) {
      this.server.receive(this.#up.take(dice));
      if (this.#up.size === 0) this.#setBlocked(false);
    }
    if (dice.below(4) > 0) this.server.run(nowMs);
    this.#down.push(this.server.take());
    if (dice.below(3) === 0 || this.#isPaused || this.#down.size === 0) return;
    const piece = this.#down.take(dice);
    try {
      this.link.feed(piece, 0, piece.length);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      throw new Error(`the link does not believe its server: ${error.detail}`, { cause: error });
    }
  }

  /** A CancelRequest goes out, to arrive when the returned function is called. */
  cancel(): () => void {
    const { link } = this;
    if (!this.#events.waitsForCancels) return () => this.server.cancel();
    link.cancelsPending++;
    return () => {
      this.server.cancel();
      link.cancelsPending--;
      if (link.cancelsPending === 0 && !this.isGone) this.#events.onCancelsDone(this);
    };
  }

  /** The network or the server fails: whether the server still does what it was sent is open. */
  die(dice: Dice, nowMs: number): void {
    if (this.isGone) return;
    while (dice.below(2) === 0 && this.#up.size > 0) {
      this.server.receive(this.#up.take(dice));
      this.server.run(nowMs);
    }
    this.#end();
    const { owner } = this.link;
    this.link.owner = null;
    owner?.onLinkLost(new GatewayError('MR_ORIGIN_LOST'));
    this.link.ledger.clear();
    this.#events.onGone(this);
  }

  /** The gateway closes the link. */
  close(nowMs: number): void {
    if (this.isGone) return;
    this.flush();
    this.server.receive(this.#up.takeAll());
    // The server comes to what lies before the end of its input, and then notices the end.
    this.server.run(nowMs);
    this.#end();
    this.link.ledger.clear();
  }

  #end(): void {
    this.isGone = true;
    this.server.end();
    this.#up.takeAll();
    this.#down.takeAll();
  }

  #setBlocked(isBlocked: boolean): void {
    if (this.#isBlocked === isBlocked) return;
    this.#isBlocked = isBlocked;
    this.link.owner?.onLinkBlocked(isBlocked);
  }
}
