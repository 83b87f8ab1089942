/** Walks over a text by what matters to who copies it: comments, parameters, and all the rest. */
import {
  ByteClass,
  byteClass,
  continuesWord,
  endOfBlockComment,
  endOfDollarString,
  endOfLine,
  endOfNumber,
  endOfOddNumber,
  endOfQuotedName,
  endOfString,
  mayPrefix,
  QuoteEscape,
} from './lex.ts';

const QUOTE = 0x27;
const DASH = 0x2d;
const SLASH = 0x2f;
const STAR = 0x2a;
const AMPERSAND = 0x26;

/** Each part lies in `[start, end)`; together they are the text, in order. */
export type PartVisitor = {
  /** Everything else, strings and names among it; never in the middle of a token. */
  plain(start: number, end: number): void;
  /** With its delimiters; a line comment without the end of its line. */
  comment(start: number, end: number): void;
  /** `$1`: its number is at least 1. */
  parameter(start: number, end: number, number: number): void;
};

/**
 * Tells the parts of `bytes[start, end)`, which must be a text whose shape can be taken. False when
 * something in it does not end.
 */
export function visitParts(
  bytes: Uint8Array,
  start: number,
  end: number,
  visitor: PartVisitor,
): boolean {
  let plainFrom = start;
  let at = start;
  const closePlain = (): void => {
    if (at > plainFrom) visitor.plain(plainFrom, at);
  };
  while (at < end) {
    const comment = endOfComment(bytes, at, end);
    if (comment !== at) {
      if (comment < 0) return false;
      closePlain();
      visitor.comment(at, comment);
      plainFrom = at = comment;
      continue;
    }
    const parameter = endOfParameter(bytes, at, end);
    if (parameter !== at) {
      closePlain();
      const digits = Buffer.from(bytes.buffer, bytes.byteOffset + at + 1, parameter - at - 1);
      visitor.parameter(at, parameter, Number(digits.toString('latin1')));
      plainFrom = at = parameter;
      continue;
    }
    at = endOfPlain(bytes, at, end);
    if (at < 0 || at > end) return false;
  }
  closePlain();
  return true;
}

/** `at` itself when no comment begins there, -1 when it does not end. */
function endOfComment(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 >= end) return at;
  if (bytes[at] === DASH && bytes[at + 1] === DASH) return endOfLine(bytes, at, end);
  if (bytes[at] === SLASH && bytes[at + 1] === STAR) return endOfBlockComment(bytes, at, end);
  return at;
}

/** `at` itself when no parameter begins there. */
function endOfParameter(bytes: Uint8Array, at: number, end: number): number {
  if (byteClass[bytes[at] as number] !== ByteClass.Dollar) return at;
  let next = at + 1;
  while (next < end && byteClass[bytes[next] as number] === ByteClass.Digit) next++;
  return next === at + 1 ? at : next;
}

/** After one token, or one byte of what cannot hold a quote. */
function endOfPlain(bytes: Uint8Array, at: number, end: number): number {
  const byte = bytes[at] as number;
  switch (byteClass[byte]) {
    case ByteClass.Quote:
      return endOfString(bytes, at + 1, end, QuoteEscape.Doubled);
    case ByteClass.DoubleQuote:
      return endOfQuotedName(bytes, at + 1, end);
    case ByteClass.Dollar:
      return endOfDollarString(bytes, at, end);
    case ByteClass.Word:
      return mayPrefix[byte] === 1 ? endOfPrefixed(bytes, at, end) : endOfWord(bytes, at, end);
    case ByteClass.Digit: {
      const next = endOfNumber(bytes, at, end);
      return next < 0 ? endOfOddNumber(bytes, at, end) : next;
    }
    default:
      return at + 1;
  }
}

function endOfPrefixed(bytes: Uint8Array, at: number, end: number): number {
  const letter = (bytes[at] as number) | 0x20;
  if (bytes[at + 1] === QUOTE && at + 1 < end) {
    if (letter === 0x65) return endOfString(bytes, at + 2, end, QuoteEscape.Backslash);
    const isBits = letter === 0x62 || letter === 0x78;
    if (isBits) return endOfString(bytes, at + 2, end, QuoteEscape.None);
    if (letter === 0x6e) return endOfString(bytes, at + 2, end, QuoteEscape.Doubled);
  }
  const isUnicode = letter === 0x75 && bytes[at + 1] === AMPERSAND && bytes[at + 2] === QUOTE;
  if (isUnicode && at + 2 < end) return endOfString(bytes, at + 3, end, QuoteEscape.Doubled);
  return endOfWord(bytes, at, end);
}

function endOfWord(bytes: Uint8Array, at: number, end: number): number {
  let next = at + 1;
  while (next < end && continuesWord[bytes[next] as number] === 1) next++;
  return next;
}

/** Stands for a comment behind a string, where a space could join it to the next one. */
export const COMMENT_MARK = '\u0001';

/**
 * The text without its comments, as a byte string that tells texts apart: two texts with the same
 * one have the same tokens. It is for comparing, not for a server. Null when something does not
 * end.
 */
export function textWithoutComments(bytes: Uint8Array, start: number, end: number): string | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = '';
  const copy = (from: number, to: number): void => {
    text += buffer.toString('latin1', from, to);
  };
  const isRead = visitParts(bytes, start, end, {
    plain: copy,
    parameter: copy,
    comment: () => {
      text += text.trimEnd().endsWith("'") ? COMMENT_MARK : ' ';
    },
  });
  return isRead ? withoutBlanks(text) : null;
}

/**
 * The text with other words in place of its parameters, as a byte string. Null when something does
 * not end.
 *
 * @param wordOf what stands for a parameter by its number, a byte string that is a token by itself
 */
export function textWithParameters(
  bytes: Uint8Array,
  start: number,
  end: number,
  wordOf: (number: number) => string,
): string | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = '';
  const copy = (from: number, to: number): void => {
    text += buffer.toString('latin1', from, to);
  };
  const isRead = visitParts(bytes, start, end, {
    plain: copy,
    comment: copy,
    parameter: (_from, _to, number) => {
      text += ` ${wordOf(number)} `;
    },
  });
  return isRead ? text : null;
}

const BLANKS = ' \t\n\v\f\r';

/**
 * Without what PostgreSQL takes for white space at both ends. Others take more for that, which may
 * be a letter of a name, or in a byte string a part of one.
 */
export function withoutBlanks(text: string, alsoAtEnd = ''): string {
  let start = 0;
  let end = text.length;
  while (start < end && BLANKS.includes(text.charAt(start))) start++;
  while (end > start && (BLANKS + alsoAtEnd).includes(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}
