import { readUint32 } from '../base/bytes.ts';

/**
 * Cuts a stream of v3 messages (a type byte, a 32-bit length that counts itself, a body) without
 * assembling what is only passed on. The handler says at each header what becomes of the message;
 * neighbouring forwarded messages leave as one run, however many they are.
 */

/** What becomes of a message, told by the handler. */
export const Take = {
  /** Passes on; joins the current run. */
  Forward: 0,
  /** Is dropped. */
  Swallow: 1,
  /** Is handed over whole; only an answer to a header. */
  Hold: 2,
  /** Its first {@link PREFIX_BYTES} are handed over, the rest passes on; only to a header. */
  HoldPrefix: 3,
  /** Nothing more is read now: the same message is offered again at the next `feed`. */
  Stop: 4,
} as const;
export type Take = (typeof Take)[keyof typeof Take];

/** How much of a long message {@link Take.HoldPrefix} shows. */
export const PREFIX_BYTES = 8192;

const HEADER_BYTES = 5;
const NOTHING = new Uint8Array(0);

export type FrameHandler = {
  /**
   * A message begins. `size` counts all of its bytes, header included.
   * Throws when the length is not acceptable; the stream is then lost.
   */
  onHeader(code: number, size: number): Take;
  /** A held message lies whole in `[start, end)`. `chunk` is borrowed until return. */
  onWhole(code: number, chunk: Uint8Array, start: number, end: number): Take;
  /**
   * The first bytes of a message of `size` bytes, which the handler passes on by itself. The rest
   * will come through `onRun`, or not, as it answers: Forward, Swallow or Stop. Hold asks for the
   * message as a whole, in `onWhole`.
   */
  onPrefix(code: number, size: number, chunk: Uint8Array, start: number, end: number): Take;
  /** Bytes to pass on, owned by the handler from now on. */
  onRun(chunk: Uint8Array, start: number, end: number): void;
};

export class Framer {
  readonly #handler: FrameHandler;
  /** Bytes of the current message still to come that need no look: passed on, or dropped. */
  #rest = 0;
  #restForwards = false;
  /** A message, or only its header, of which a part came with an earlier chunk. */
  #partial: Buffer | null = null;
  #have = 0;
  /** Whether the header of `#partial` was offered already, and what was answered. */
  #partialTake: Take | null = null;
  /** The run being gathered: `[#runStart, #at)` of `#chunk`. */
  #chunk: Uint8Array = NOTHING;
  #runStart = 0;
  #at = 0;
  /** End of the message that the handler looks at. */
  #messageEnd = 0;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** Whether the peer is in the middle of a message that passes on. */
  get isInsideForward(): boolean {
    return this.#rest > 0 && this.#restForwards;
  }

  /** Whether a message, of which nobody may have seen more than the header, has come in part. */
  get hasPartial(): boolean {
    return this.#partial !== null;
  }

  /** Whether all that was read belongs to messages that are complete. */
  get isBetweenMessages(): boolean {
    return this.#rest === 0 && this.#partial === null;
  }

  /** Passes on what was gathered before the message that the handler looks at. */
  flushRun(): void {
    if (this.#at > this.#runStart) {
      const start = this.#runStart;
      this.#runStart = this.#at;
      this.#handler.onRun(this.#chunk, start, this.#at);
    }
  }

  /** Passes on what was gathered and the whole message that the handler looks at. */
  flushThrough(): void {
    this.#at = this.#messageEnd;
    this.flushRun();
  }

  /**
   * Reads `[start, end)` and returns where it stopped: `end`, unless the handler said Stop.
   * The caller keeps what was not read and feeds it again, also when that is nothing: a message
   * gathered from several chunks may be waiting inside.
   */
  feed(chunk: Uint8Array, start: number, end: number): number {
    for (let grown = true; grown && this.#partial !== null; ) {
      start = this.#feedPartial(chunk, start, end);
      if (this.#partial !== null && this.#have === this.#partial.length) return start;
      grown = start < end;
    }
    if (this.#partial !== null) return start;
    this.#chunk = chunk;
    this.#runStart = start;
    this.#at = start;
    while (this.#at < end) {
      if (this.#rest > 0) {
        this.#passRest(end);
        continue;
      }
      if (!this.#nextMessage(end)) break;
    }
    const stopped = this.#at;
    this.flushRun();
    this.#chunk = NOTHING;
    // What turned out to be needed as a whole goes on as any message that came in parts.
    return this.#partial !== null && stopped < end ? this.feed(chunk, stopped, end) : stopped;
  }

  #passRest(end: number): void {
    const step = Math.min(this.#rest, end - this.#at);
    if (!this.#restForwards) this.flushRun();
    this.#at += step;
    this.#rest -= step;
    if (!this.#restForwards) this.#runStart = this.#at;
  }

  /** Takes one message, or what there is of it; false when nothing more is to be read now. */
  #nextMessage(end: number): boolean {
    const chunk = this.#chunk;
    const at = this.#at;
    const left = end - at;
    if (left < HEADER_BYTES) {
      this.#keepPartial(HEADER_BYTES, null, end);
      return false;
    }
    const code = chunk[at] as number;
    const size = readUint32(chunk, at + 1) + 1;
    this.#messageEnd = at + HEADER_BYTES;
    const take = this.#handler.onHeader(code, size);
    if (take === Take.Stop) return false;
    if (take === Take.Forward || take === Take.Swallow) {
      this.#rest = size;
      this.#restForwards = take === Take.Forward;
      return true;
    }
    const need = take === Take.Hold ? size : Math.min(size, PREFIX_BYTES);
    if (left < need) {
      this.#keepPartial(need, take, end);
      return false;
    }
    return this.#offer(take, code, size, chunk, at, need);
  }

  /** Offers a held message, or the held beginning of one; false when the handler says Stop. */
  #offer(
    take: Take,
    code: number,
    size: number,
    chunk: Uint8Array,
    start: number,
    have: number,
  ): boolean {
    const end = start + have;
    this.#messageEnd = end;
    let answer: Take;
    if (take === Take.HoldPrefix) {
      this.flushRun();
      answer = this.#handler.onPrefix(code, size, chunk, start, end);
      if (answer === Take.Stop) return false;
      if (answer === Take.Hold) return this.#wantWhole(size, chunk, start, end);
      this.#runStart = end;
      this.#rest = size - have;
      this.#restForwards = answer === Take.Forward;
    } else {
      answer = this.#handler.onWhole(code, chunk, start, end);
      if (answer === Take.Stop) return false;
      if (answer === Take.Swallow) {
        this.flushRun();
        this.#runStart = end;
      }
    }
    this.#at = end;
    return true;
  }

  /** What was offered as a beginning is gathered on, to be offered as a whole. */
  #wantWhole(size: number, chunk: Uint8Array, start: number, end: number): false {
    this.#partial = Buffer.allocUnsafe(size);
    this.#partial.set(chunk.subarray(start, end), 0);
    this.#have = end - start;
    this.#partialTake = Take.Hold;
    this.#at = end;
    this.#runStart = end;
    return false;
  }

  /** Copies the beginning of a message away from the chunk, which must not be pinned. */
  #keepPartial(need: number, take: Take | null, end: number): void {
    const at = this.#at;
    this.flushRun();
    this.#partial = Buffer.allocUnsafe(need);
    this.#partial.set(this.#chunk.subarray(at, end), 0);
    this.#have = end - at;
    this.#partialTake = take;
    this.#at = end;
    this.#runStart = end;
  }

  /** Goes on with `#partial`; returns where reading stopped, `#partial` is null once it is done. */
  #feedPartial(chunk: Uint8Array, start: number, end: number): number {
    let partial = this.#partial as Buffer;
    let at = start;
    if (this.#partialTake === null) {
      at = this.#fill(partial, chunk, at, end);
      if (this.#have < HEADER_BYTES) return at;
      const code = partial[0] as number;
      const size = readUint32(partial, 1) + 1;
      this.#lookAt(partial, HEADER_BYTES);
      const take = this.#handler.onHeader(code, size);
      if (take === Take.Stop) return at;
      if (take === Take.Forward || take === Take.Swallow) {
        this.#partial = null;
        this.#rest = size - HEADER_BYTES;
        this.#restForwards = take === Take.Forward;
        if (this.#restForwards) this.#handler.onRun(partial, 0, HEADER_BYTES);
        return at;
      }
      const need = take === Take.Hold ? size : Math.min(size, PREFIX_BYTES);
      const grown = Buffer.allocUnsafe(need);
      partial.copy(grown, 0, 0, HEADER_BYTES);
      this.#partial = partial = grown;
      this.#partialTake = take;
    }
    at = this.#fill(partial, chunk, at, end);
    if (this.#have < partial.length) return at;
    this.#lookAt(partial, 0);
    const code = partial[0] as number;
    const size = readUint32(partial, 1) + 1;
    if (this.#offer(this.#partialTake, code, size, partial, 0, partial.length)) {
      this.#partial = null;
      this.#partialTake = null;
      this.flushRun();
    }
    return at;
  }

  /** Makes `partial` the chunk of the current message, with nothing gathered before it. */
  #lookAt(partial: Uint8Array, end: number): void {
    this.#chunk = partial;
    this.#runStart = 0;
    this.#at = 0;
    this.#messageEnd = end;
  }

  #fill(partial: Buffer, chunk: Uint8Array, start: number, end: number): number {
    const step = Math.min(partial.length - this.#have, end - start);
    partial.set(chunk.subarray(start, start + step), this.#have);
    this.#have += step;
    return start + step;
  }
}
