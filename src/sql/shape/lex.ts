/**
 * Where PostgreSQL's lexical elements end, for `standard_conforming_strings=on`. Every function
 * takes a position just inside or at the element and answers the first position after it, or -1
 * when the text ends before the element does. Source: PostgreSQL's `scan.l` (13 to 18).
 */

import { endsTimeWord } from './time-words.ts';

/** What a byte can begin. */
export const ByteClass = {
  Other: 0,
  Space: 1,
  Word: 2,
  Digit: 3,
  Operator: 4,
  /** `,` `;` `(` `)` `[` `]`: always a token of their own, whatever stands beside them. */
  Punctuation: 5,
  Quote: 6,
  DoubleQuote: 7,
  Dollar: 8,
  /** `.` and `:`, which may stand in longer tokens. */
  Dot: 9,
  /** Control characters: never part of SQL, and the bytes of our markers are among them. */
  Control: 10,
} as const;

const assign = (table: Uint8Array, characters: string, kind: number): void => {
  for (let i = 0; i < characters.length; i++) table[characters.charCodeAt(i)] = kind;
};

function buildClasses(): Uint8Array {
  const table = new Uint8Array(256);
  table.fill(ByteClass.Control, 0, 32);
  table.fill(ByteClass.Word, 128);
  assign(table, 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_', ByteClass.Word);
  assign(table, ' \t\n\r\f\v', ByteClass.Space);
  assign(table, '0123456789', ByteClass.Digit);
  assign(table, '~!@#^&|`?+-*/%<>=', ByteClass.Operator);
  assign(table, ',;()[]', ByteClass.Punctuation);
  assign(table, '.:', ByteClass.Dot);
  assign(table, "'", ByteClass.Quote);
  assign(table, '"', ByteClass.DoubleQuote);
  assign(table, '$', ByteClass.Dollar);
  return table;
}

/** {@link ByteClass} of each byte. */
export const byteClass: Uint8Array = buildClasses();

/** 1 for the letters with which a prefixed string begins. */
export const mayPrefix: Uint8Array = new Uint8Array(256);
assign(mayPrefix, 'eEnNbBxXuU', 1);

const TAB = 9;
const NEWLINE = 10;
const RETURN = 13;
const QUOTE = 0x27;
const STAR = 0x2a;
const DASH = 0x2d;
const DOT = 0x2e;
const SLASH = 0x2f;
const UNDERSCORE = 0x5f;
const DOLLAR = 0x24;

/** 1 for the bytes that continue a word: letters, digits, `_`, `$` and every byte above 127. */
export const continuesWord: Uint8Array = byteClass.map((kind) =>
  kind === ByteClass.Word || kind === ByteClass.Digit || kind === ByteClass.Dollar ? 1 : 0,
);

export function endOfLine(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] !== NEWLINE && bytes[at] !== RETURN) at++;
  return at;
}

/** `at` is at the opening slash; block comments nest. */
export function endOfBlockComment(bytes: Uint8Array, at: number, end: number): number {
  let depth = 1;
  at += 2;
  while (at + 1 < end) {
    if (bytes[at] === STAR && bytes[at + 1] === SLASH) {
      at += 2;
      if (--depth === 0) return at;
    } else if (bytes[at] === SLASH && bytes[at + 1] === STAR) {
      at += 2;
      depth++;
    } else at++;
  }
  return -1;
}

/**
 * A quote that continues the string just closed: white space with at least one newline in it (and
 * line comments) may stand between. The position of the second quote, or -1.
 */
function continuation(bytes: Uint8Array, at: number, end: number): number {
  let newline = false;
  while (at < end) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) return newline ? at : -1;
    if (byteClass[byte] === ByteClass.Space) {
      if (byte === NEWLINE || byte === RETURN) newline = true;
      at++;
    } else if (byte === DASH && bytes[at + 1] === DASH && at + 1 < end) {
      at = endOfLine(bytes, at, end);
      if (at === end) return -1;
    } else return -1;
  }
  return -1;
}

/** What stands for a quote inside of a string, besides ending it. */
export const QuoteEscape = {
  /** Nothing: `B'…'` and `X'…'`. */
  None: 0,
  /** Two quotes. */
  Doubled: 1,
  /** Two quotes, and a backslash before any character: `E'…'`. */
  Backslash: 2,
} as const;

/** What a byte inside of a string is to {@link endOfString}; 0 for most. */
const StringByte = { Quote: 1, Backslash: 2, LastLetter: 3 } as const;
const stringBytes: Uint8Array = new Uint8Array(256);
assign(stringBytes, "'", StringByte.Quote);
assign(stringBytes, '\\', StringByte.Backslash);
assign(stringBytes, 'wWyY', StringByte.LastLetter);

/** 1 for what stands for no letter behind a backslash: quote, backslash, control characters. */
const plainEscapes: Uint8Array = new Uint8Array(256);
assign(plainEscapes, "'\\nrtbf", 1);

let mayBeTime = false;

/**
 * Whether the last {@link endOfString} has met a time of the server's clock, or what may hide one:
 * an escape that spells a letter, joined pieces. Read at once or not at all.
 */
export function wasTime(): boolean {
  return mayBeTime;
}

/** `at` is just after the opening quote. Pieces joined over newlines are one string. */
export function endOfString(bytes: Uint8Array, at: number, end: number, escapes: number): number {
  const start = at;
  mayBeTime = false;
  while (at < end) {
    const kind = stringBytes[bytes[at] as number] as number;
    if (kind === 0) at++;
    else if (kind === StringByte.LastLetter) {
      if (endsTimeWord(bytes, at, start, end)) mayBeTime = true;
      at++;
    } else if (kind === StringByte.Backslash) {
      if (escapes === QuoteEscape.Backslash) {
        at++;
        if (at < end && plainEscapes[bytes[at] as number] === 0) mayBeTime = true;
      }
      at++;
    } else if (at + 1 < end && bytes[at + 1] === QUOTE && escapes !== QuoteEscape.None) at += 2;
    else {
      const next = continuation(bytes, at + 1, end);
      if (next < 0) return at + 1;
      mayBeTime = true;
      at = next + 1;
    }
  }
  return -1;
}

/**
 * `at` is just after the opening double quote. A name that holds one of the first control
 * characters is refused (-1), since those mark literals in a shape.
 */
export function endOfQuotedName(bytes: Uint8Array, at: number, end: number): number {
  while (at < end) {
    const byte = bytes[at] as number;
    if (byte < TAB) return -1;
    if (byte !== 0x22) at++;
    else if (at + 1 < end && bytes[at + 1] === 0x22) at += 2;
    else return at + 1;
  }
  return -1;
}

/** `at` is at the first dollar of `$tag$`; -1 when this opens no dollar quote, or never closes. */
export function endOfDollarString(bytes: Uint8Array, at: number, end: number): number {
  let open = at + 1;
  if (open < end && byteClass[bytes[open] as number] === ByteClass.Word) {
    while (open < end) {
      const kind = byteClass[bytes[open] as number];
      if (kind !== ByteClass.Word && kind !== ByteClass.Digit) break;
      open++;
    }
  }
  if (open >= end || bytes[open] !== DOLLAR) return -1;
  const size = open + 1 - at;
  for (let close = open + 1; close + size <= end; close++) {
    if (bytes[close] !== DOLLAR) continue;
    let same = 1;
    while (same < size && bytes[close + same] === bytes[at + same]) same++;
    if (same === size) return close + size;
  }
  return -1;
}

const isDigit = (byte: number | undefined): boolean =>
  byte !== undefined && byte >= 48 && byte <= 57;

function endOfDigits(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && isDigit(bytes[at])) at++;
  return at;
}

/**
 * A plain decimal, with fraction and exponent: `1`, `1.5`, `.5`, `1e-3`, and the `1` of `1..2`.
 * What PostgreSQL 13 to 18 do not read alike (`0x1F`, `1_000`, `1abc`) is refused (-1).
 */
export function endOfNumber(bytes: Uint8Array, at: number, end: number): number {
  at = endOfDigits(bytes, at, end);
  if (at < end && bytes[at] === DOT && !(at + 1 < end && bytes[at + 1] === DOT)) {
    at = endOfDigits(bytes, at + 1, end);
  }
  if (at < end && ((bytes[at] as number) | 0x20) === 0x65) {
    let exponent = at + 1;
    if (exponent < end && (bytes[exponent] === 0x2b || bytes[exponent] === DASH)) exponent++;
    const after = endOfDigits(bytes, exponent, end);
    if (after > exponent) at = after;
  }
  if (at < end && byteClass[bytes[at] as number] === ByteClass.Word) return -1;
  return at;
}

/**
 * A number written as PostgreSQL 16 and later read it: `0x1F`, `0o17`, `0b1`, `1_000`. Answers the
 * end of the run of letters and digits, which stays in the shape as it is. A dot belongs to it only
 * before a digit: what follows another one is a token of its own, and can be a prefixed string.
 */
export function endOfOddNumber(bytes: Uint8Array, at: number, end: number): number {
  while (at < end) {
    const byte = bytes[at] as number;
    const kind = byteClass[byte];
    const isFraction = byte === DOT && at + 1 < end && isDigit(bytes[at + 1]);
    if (kind !== ByteClass.Digit && kind !== ByteClass.Word && !isFraction) break;
    if (byte === UNDERSCORE && at + 1 === end) break;
    at++;
  }
  return at;
}
