import { ServerCode } from '../protocol/codes.ts';
import type { Answer, Capture } from '../session/reads/read-cache.ts';
import { rowTypeOf } from '../session/statements/result-type.ts';
import type { DatedAnswer } from './answer-store.ts';

/** Somebody who waits for the same answer. */
export type Joiner = {
  /** The answer, which may be given as it is. */
  onAnswer(answer: Answer): void;
  /** There will be none, or one that is too old by now: the joiner asks the server itself. */
  onGone(): void;
};

/** What a fill asks of the cache that it belongs to. */
export type FillOwner = {
  /** Makes room for that many more bytes of answers under way; false when there is none. */
  reserve(bytes: number): boolean;
  release(bytes: number): void;
  /** Takes the whole answer; whether it is current, so that joiners may have it. */
  keep(fill: Fill, answer: DatedAnswer): boolean;
  /** The fill is over, whichever way. */
  forget(fill: Fill): void;
};

/**
 * An answer that is being collected while it passes by. It ends in {@link complete} or in
 * {@link abandon}, once; whatever is called afterwards does nothing.
 */
export class Fill implements Capture {
  readonly key: string;
  readonly readTime: number;
  readonly askedAtMs: number;
  readonly #owner: FillOwner;
  readonly #bytesMax: number;
  #rowType: string | null = null;
  #isOversized = false;
  #description: Uint8Array | null = null;
  #rows: Uint8Array[] = [];
  #bytes = 0;
  #joiners: Set<Joiner> = new Set();
  #isOver = false;

  constructor(
    owner: FillOwner,
    of: { readonly key: string; readonly readTime: number; readonly askedAtMs: number },
    bytesMax: number,
  ) {
    this.#owner = owner;
    this.key = of.key;
    this.readTime = of.readTime;
    this.askedAtMs = of.askedAtMs;
    this.#bytesMax = bytesMax;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether the answer was too large to be kept. */
  get isOversized(): boolean {
    return this.#isOversized;
  }

  get joinerCount(): number {
    return this.#joiners.size;
  }

  join(joiner: Joiner): void {
    this.#joiners.add(joiner);
  }

  /** The joiner waits no longer. */
  leave(joiner: Joiner): void {
    this.#joiners.delete(joiner);
  }

  /** RowDescription or NoData; the bytes are copied. */
  describe(chunk: Uint8Array, start: number, end: number): void {
    this.#rowType = chunk[start] === ServerCode.RowDescription ? rowTypeOf(chunk, start, end) : '';
    const copy = this.#copy(chunk, start, end);
    if (copy !== null) this.#description = copy;
  }

  /** DataRow messages, or a part of one, and CommandComplete at the end; the bytes are copied. */
  append(chunk: Uint8Array, start: number, end: number): void {
    const copy = this.#copy(chunk, start, end);
    if (copy !== null) this.#rows.push(copy);
  }

  /** What the answer's columns are, when it was not described: see {@link Answer.rowType}. */
  knowRowType(rowType: string): void {
    this.#rowType ??= rowType;
  }

  /** The server has confirmed the statement: ReadyForQuery has come. */
  complete(): void {
    if (this.#isOver) return;
    const rows =
      this.#rows.length === 1 ? (this.#rows[0] as Uint8Array) : Buffer.concat(this.#rows);
    const { readTime, askedAtMs } = this;
    const answer = {
      description: this.#description,
      rows,
      rowType: this.#rowType,
      readTime,
      askedAtMs,
    };
    const isCurrent = this.#owner.keep(this, answer);
    const joiners = this.#end();
    for (const joiner of joiners) {
      if (isCurrent) joiner.onAnswer(answer);
      else joiner.onGone();
    }
  }

  /** The answer is an error, too large, or will never be whole. */
  abandon(): void {
    if (this.#isOver) return;
    for (const joiner of this.#end()) joiner.onGone();
  }

  #copy(chunk: Uint8Array, start: number, end: number): Uint8Array | null {
    if (this.#isOver) return null;
    const size = end - start;
    if (this.#bytes + size > this.#bytesMax || !this.#owner.reserve(size)) {
      this.#isOversized = true;
      this.abandon();
      return null;
    }
    this.#bytes += size;
    return Uint8Array.prototype.slice.call(chunk, start, end);
  }

  #end(): ReadonlySet<Joiner> {
    this.#isOver = true;
    this.#owner.release(this.#bytes);
    this.#owner.forget(this);
    const joiners = this.#joiners;
    this.#joiners = new Set();
    this.#rows = [];
    this.#description = null;
    return joiners;
  }
}
