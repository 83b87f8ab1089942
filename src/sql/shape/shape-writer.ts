/**
 * Builds one shape in a scratch buffer: what is written is the statement's own bytes, one space
 * where white space or comments separate two words, and a marker byte for each literal. Runs of the
 * same marker inside brackets, and runs of equal rows of markers, are folded to one and a repeat
 * mark, so that an IN list or a VALUES list of any length has one shape.
 */

import { ByteClass, byteClass, continuesWord, mayPrefix } from './lex.ts';

/** Bytes that stand for literals. None of them can appear in a statement outside of a literal. */
export const Marker = {
  String: 1,
  Number: 2,
  /** `N'…'`, which PostgreSQL reads as a cast. */
  National: 3,
  /** `U&'…'` */
  Unicode: 4,
  /** `B'…'` */
  Bits: 5,
  /** `X'…'` */
  Hex: 6,
  /** What stands before it occurs twice or more. */
  Repeat: 7,
  /** At the end: one of the literals may be a time that is read off the clock. */
  Time: 8,
} as const;

const COMMA = 0x2c;
const DOT = 0x2e;
const SPACE = 0x20;

/** Steps of recognising `x , x`: nothing, x was written, x and a comma were written. */
const NONE = 0;
const ITEM = 1;
const COMMA_AFTER = 2;

/** Whether what follows a dot is surely a word, and not a number or a string with a prefix. */
function continuesName(bytes: Uint8Array, at: number, end: number): boolean {
  if (at >= end) return false;
  const byte = bytes[at] as number;
  return byteClass[byte] === ByteClass.Word && mayPrefix[byte] === 0;
}

export class ShapeWriter {
  #scratch: Buffer = Buffer.allocUnsafe(4096);
  #length = 0;
  #spacePending = false;
  /** Whether the last byte written separates tokens by itself. */
  #separated = true;
  #depth = 0;
  #markerState = NONE;
  #markerAt = 0;
  /** Whether the innermost open bracket holds nothing but markers so far, and where it begins. */
  #rowPure = false;
  #rowStart = 0;
  #rowState = NONE;
  #lastRowStart = 0;
  #lastRowEnd = 0;
  #depthMax = 0;
  #linkCount = 0;
  #hasTime = false;

  /** Begins a shape of a text of `size` bytes; a shape is never longer than its text. */
  reset(size: number): void {
    if (this.#scratch.length < size) this.#scratch = Buffer.allocUnsafe(Math.max(size, 16384));
    this.#length = 0;
    this.#spacePending = false;
    this.#separated = true;
    this.#depth = 0;
    this.#markerState = NONE;
    this.#rowPure = false;
    this.#rowState = NONE;
    this.#depthMax = 0;
    this.#linkCount = 0;
    this.#hasTime = false;
  }

  /** The deepest nesting of brackets. */
  get depthMax(): number {
    return this.#depthMax;
  }

  /** Words and operators that continue an expression: a bound of how deep its tree can be. */
  get linkCount(): number {
    return this.#linkCount;
  }

  take(): string {
    // Once for the whole text: beside each literal it would keep lists from being folded.
    if (this.#hasTime) this.#scratch[this.#length++] = Marker.Time;
    return this.#scratch.toString('latin1', 0, this.#length);
  }

  /** A literal of the text is one that {@link Marker.Time} tells of. */
  time(): void {
    this.#hasTime = true;
  }

  space(): void {
    this.#spacePending = true;
  }

  #separate(): void {
    if (this.#spacePending) {
      if (!this.#separated) this.#scratch[this.#length++] = SPACE;
      this.#spacePending = false;
    }
  }

  /** Bytes that stay as they are: an operator, a quoted name, a parameter. */
  copy(bytes: Uint8Array, start: number, end: number): void {
    this.#separate();
    if (!this.#separated || byteClass[bytes[start] as number] === ByteClass.Operator) {
      this.#linkCount++;
    }
    const scratch = this.#scratch;
    let length = this.#length;
    for (let at = start; at < end; at++) scratch[length++] = bytes[at] as number;
    this.#length = length;
    this.#separated = false;
    this.#markerState = NONE;
    this.#rowState = NONE;
    this.#rowPure = false;
  }

  /** The word that begins at `at`, or several with dots between; answers where it ends. */
  word(bytes: Uint8Array, at: number, end: number): number {
    const scratch = this.#scratch;
    let length = this.#length;
    if (!this.#separated) {
      this.#linkCount++;
      if (this.#spacePending) scratch[length++] = SPACE;
    }
    this.#spacePending = false;
    let byte = bytes[at] as number;
    do {
      scratch[length++] = byte;
      if (++at === end) break;
      byte = bytes[at] as number;
    } while (continuesWord[byte] === 1 || (byte === DOT && continuesName(bytes, at + 1, end)));
    this.#length = length;
    this.#separated = false;
    this.#markerState = NONE;
    this.#rowState = NONE;
    this.#rowPure = false;
    return at;
  }

  /** One of `,` `;` `(` `)` `[` `]`. */
  punctuation(byte: number): void {
    this.#spacePending = false;
    this.#separated = true;
    if (byte === COMMA) {
      this.#scratch[this.#length++] = byte;
      this.#markerState = this.#markerState === ITEM ? COMMA_AFTER : NONE;
      if (!this.#rowPure) this.#rowState = this.#rowState === ITEM ? COMMA_AFTER : NONE;
      return;
    }
    this.#markerState = NONE;
    if (byte === 0x28 || byte === 0x5b) {
      if (++this.#depth > this.#depthMax) this.#depthMax = this.#depth;
      this.#rowPure = byte === 0x28;
      this.#rowStart = this.#length;
      this.#scratch[this.#length++] = byte;
      if (this.#rowState !== COMMA_AFTER) this.#rowState = NONE;
    } else {
      if (byte !== 0x3b) this.#depth--;
      this.#scratch[this.#length++] = byte;
      if (byte === 0x29 && this.#rowPure) this.#closeRow();
      else this.#rowState = NONE;
      this.#rowPure = false;
    }
  }

  #closeRow(): void {
    const scratch = this.#scratch;
    const start = this.#rowStart;
    const size = this.#length - start;
    if (this.#rowState === COMMA_AFTER && size === this.#lastRowEnd - this.#lastRowStart) {
      let same = 0;
      while (same < size && scratch[start + same] === scratch[this.#lastRowStart + same]) same++;
      if (same === size) {
        scratch[this.#lastRowEnd] = Marker.Repeat;
        this.#length = this.#lastRowEnd + 1;
        this.#rowState = ITEM;
        return;
      }
    }
    this.#lastRowStart = start;
    this.#lastRowEnd = this.#length;
    this.#rowState = ITEM;
  }

  marker(kind: number): void {
    const scratch = this.#scratch;
    if (this.#markerState === COMMA_AFTER && this.#depth > 0 && scratch[this.#markerAt] === kind) {
      scratch[this.#markerAt + 1] = Marker.Repeat;
      this.#length = this.#markerAt + 2;
      this.#spacePending = false;
    } else {
      this.#separate();
      this.#markerAt = this.#length;
      scratch[this.#length++] = kind;
    }
    this.#separated = false;
    this.#markerState = ITEM;
    if (!this.#rowPure) this.#rowState = NONE;
  }
}
