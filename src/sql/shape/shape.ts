/**
 * The shape of a statement: its text without the values of its literals, without comments, and with
 * white space reduced. Two statements of one shape have the same tokens but for literals, so what
 * the parser says of one (its facts) holds for the other, where facts do not depend on a literal.
 *
 * Words, operators, quoted names and parameters stay byte by byte. PostgreSQL's tokens are a
 * function of these bytes, so the shape need only be exact about where literals and comments end.
 */

import {
  ByteClass,
  byteClass,
  endOfBlockComment,
  endOfDollarString,
  endOfLine,
  endOfNumber,
  endOfOddNumber,
  endOfQuotedName,
  endOfString,
  mayPrefix,
  QuoteEscape,
  wasTime,
} from './lex.ts';
import { Marker, ShapeWriter } from './shape-writer.ts';
import { holdsTimeWord } from './time-words.ts';

/** Texts above this have no shape, whatever limit the caller sets itself. */
export const SHAPE_TEXT_BYTES_MAX = 1 << 20;

const QUOTE = 0x27;
const DOT = 0x2e;

/**
 * How deep a parser may have to go into the text whose shape was taken last. PostgreSQL's parser
 * needs stack for each level, of which there is little in WebAssembly.
 */
export type ShapeDepth = { readonly depthMax: number; readonly linkCount: number };

const writer = new ShapeWriter();

/** Is told where numbers lie. */
export type NumberVisitor = (start: number, end: number) => void;

/** During a {@link shapeOf} that was given one. */
let onNumber: NumberVisitor | null = null;

/** Of the last {@link shapeOf}; read at once or not at all. */
export const lastShapeDepth: ShapeDepth = writer;

/** A string with a prefix (`E'…'`, `N'…'`, `B'…'`, `X'…'`, `U&'…'`): its marker, or 0. */
function prefixedMarker(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 >= end) return 0;
  const next = bytes[at + 1];
  const letter = (bytes[at] as number) | 0x20;
  if (next === QUOTE) {
    if (letter === 0x65) return Marker.String;
    if (letter === 0x6e) return Marker.National;
    if (letter === 0x62) return Marker.Bits;
    if (letter === 0x78) return Marker.Hex;
  } else if (letter === 0x75 && next === 0x26 && at + 2 < end && bytes[at + 2] === QUOTE) {
    return Marker.Unicode;
  }
  return 0;
}

/** Of a string with a prefix. */
function escapeOf(marker: number): number {
  if (marker === Marker.String) return QuoteEscape.Backslash;
  const isBits = marker === Marker.Bits || marker === Marker.Hex;
  return isBits ? QuoteEscape.None : QuoteEscape.Doubled;
}

function word(bytes: Uint8Array, at: number, end: number): number {
  const marker = mayPrefix[bytes[at] as number] === 1 ? prefixedMarker(bytes, at, end) : 0;
  if (marker === 0) return writer.word(bytes, at, end);
  writer.marker(marker);
  const open = at + (marker === Marker.Unicode ? 3 : 2);
  // Its escapes can begin with any character, which is said only behind it.
  if (marker === Marker.Unicode) writer.time();
  return string(bytes, open, end, escapeOf(marker));
}

/** `at` is just after the opening quote. */
function string(bytes: Uint8Array, at: number, end: number, escapes: number): number {
  const next = endOfString(bytes, at, end, escapes);
  if (wasTime()) writer.time();
  return next;
}

function number(bytes: Uint8Array, at: number, end: number): number {
  const next = endOfNumber(bytes, at, end);
  if (next >= 0) {
    writer.marker(Marker.Number);
    if (onNumber !== null) onNumber(at, next);
    return next;
  }
  const odd = endOfOddNumber(bytes, at, end);
  writer.copy(bytes, at, odd);
  return odd;
}

/** A run of operator characters ends where a comment begins. */
function operator(bytes: Uint8Array, at: number, end: number): number {
  let next = at;
  let comment = 0;
  while (next < end && byteClass[bytes[next] as number] === ByteClass.Operator) {
    const byte = bytes[next] as number;
    const follower = next + 1 < end ? (bytes[next + 1] as number) : 0;
    if ((byte === 0x2d && follower === 0x2d) || (byte === 0x2f && follower === 0x2a)) {
      comment = byte;
      break;
    }
    next++;
  }
  if (next > at) writer.copy(bytes, at, next);
  if (comment === 0) return next;
  writer.space();
  return comment === 0x2d ? endOfLine(bytes, next, end) : endOfBlockComment(bytes, next, end);
}

function dollar(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 < end && byteClass[bytes[at + 1] as number] === ByteClass.Digit) {
    let next = at + 2;
    while (next < end && byteClass[bytes[next] as number] === ByteClass.Digit) next++;
    writer.copy(bytes, at, next);
    return next;
  }
  writer.marker(Marker.String);
  const next = endOfDollarString(bytes, at, end);
  if (holdsTimeWord(bytes, at, next)) writer.time();
  return next;
}

function dot(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at] as number;
  const digit = at + 1 < end && byteClass[bytes[at + 1] as number] === ByteClass.Digit;
  if (first === DOT && digit) return number(bytes, at, end);
  const pair = first === DOT && at + 1 < end && bytes[at + 1] === DOT;
  const next = at + (pair ? 2 : 1);
  writer.copy(bytes, at, next);
  return next;
}

/** The position after the token at `at`, which is written; -1 when it cannot be a token. */
function token(bytes: Uint8Array, at: number, end: number): number {
  const byte = bytes[at] as number;
  switch (byteClass[byte]) {
    case ByteClass.Word:
      return word(bytes, at, end);
    case ByteClass.Digit:
      return number(bytes, at, end);
    case ByteClass.Operator:
      return operator(bytes, at, end);
    case ByteClass.Punctuation:
      writer.punctuation(byte);
      return at + 1;
    case ByteClass.Quote:
      writer.marker(Marker.String);
      return string(bytes, at + 1, end, QuoteEscape.Doubled);
    case ByteClass.DoubleQuote: {
      const next = endOfQuotedName(bytes, at + 1, end);
      if (next >= 0) writer.copy(bytes, at, next);
      return next;
    }
    case ByteClass.Dollar:
      return dollar(bytes, at, end);
    case ByteClass.Dot:
      return dot(bytes, at, end);
    default:
      return -1;
  }
}

/**
 * The shape of `bytes[start, end)`, a latin1 string meant as a map key; null when the text cannot
 * be SQL (a literal or comment that never ends, a control character) or is longer than {@link
 * SHAPE_TEXT_BYTES_MAX}. The text must be one that the server reads with
 * `standard_conforming_strings=on`, in an encoding whose multi-byte characters hold no ASCII bytes.
 */
export function shapeOf(
  bytes: Uint8Array,
  start: number,
  end: number,
  visitor: NumberVisitor | null = null,
): string | null {
  if (end - start > SHAPE_TEXT_BYTES_MAX) return null;
  writer.reset(end - start);
  onNumber = visitor;
  let at = start;
  while (at < end) {
    if (byteClass[bytes[at] as number] === ByteClass.Space) {
      writer.space();
      at++;
      continue;
    }
    at = token(bytes, at, end);
    if (at < 0) return null;
  }
  return at > end ? null : writer.take();
}

/**
 * Whether a string of the text with this shape may be a time of the server's clock, such as
 * `'today'`. It errs on the side of saying so, for words hidden by escapes or joined pieces.
 */
export function hasTimeLiteral(shape: string): boolean {
  return shape.charCodeAt(shape.length - 1) === Marker.Time;
}
