/** Where the statement begins that a PREPARE prepares. */

import {
  ByteClass,
  byteClass,
  continuesWord,
  endOfBlockComment,
  endOfLine,
  endOfQuotedName,
} from './lex.ts';

const STAR = 0x2a;
const DASH = 0x2d;
const SLASH = 0x2f;
const OPEN = 0x28;
const CLOSE = 0x29;

/** The first position at or after `at` that is neither white space nor comment; -1 for none. */
function skipBlank(bytes: Uint8Array, at: number, end: number): number {
  while (at < end) {
    const byte = bytes[at];
    if (byteClass[byte as number] === ByteClass.Space) at++;
    else if (byte === DASH && bytes[at + 1] === DASH) at = endOfLine(bytes, at, end);
    else if (byte === SLASH && bytes[at + 1] === STAR) {
      at = endOfBlockComment(bytes, at, end);
      if (at < 0) return -1;
    } else return at;
  }
  return -1;
}

function endOfWord(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && continuesWord[bytes[at] as number] === 1) at++;
  return at;
}

/** Behind the keyword at `at`, which is given in lower case; -1 when there is another one. */
function behindKeyword(bytes: Uint8Array, at: number, end: number, keyword: string): number {
  if (at < 0 || endOfWord(bytes, at, end) - at !== keyword.length) return -1;
  for (let n = 0; n < keyword.length; n++) {
    if (((bytes[at + n] as number) | 0x20) !== keyword.charCodeAt(n)) return -1;
  }
  return at + keyword.length;
}

function behindName(bytes: Uint8Array, at: number, end: number): number {
  if (at < 0) return -1;
  if (byteClass[bytes[at] as number] === ByteClass.DoubleQuote) {
    return endOfQuotedName(bytes, at + 1, end);
  }
  const behind = endOfWord(bytes, at, end);
  return behind === at ? -1 : behind;
}

/** Behind the types of the parameters, if there are any at `at`. */
function behindTypes(bytes: Uint8Array, at: number, end: number): number {
  if (at < 0 || bytes[at] !== OPEN) return at;
  let depth = 0;
  while (at >= 0 && at < end) {
    const byte = bytes[at] as number;
    if (byte === OPEN) depth++;
    else if (byte === CLOSE && --depth === 0) return at + 1;
    at = byteClass[byte] === ByteClass.DoubleQuote ? behindName(bytes, at, end) : at + 1;
    if (at >= 0) at = skipBlank(bytes, at, end);
  }
  return -1;
}

/**
 * The first position behind the AS of `PREPARE name (types) AS statement` in `bytes[start, end)`,
 * which PostgreSQL's parser has found to be one; -1 when it is written in a way that is not
 * understood here, such as with a name in Unicode escapes.
 */
export function behindPrepare(bytes: Uint8Array, start: number, end: number): number {
  let at = behindKeyword(bytes, skipBlank(bytes, start, end), end, 'prepare');
  if (at < 0) return -1;
  at = behindName(bytes, skipBlank(bytes, at, end), end);
  if (at < 0) return -1;
  at = behindTypes(bytes, skipBlank(bytes, at, end), end);
  if (at < 0) return -1;
  return behindKeyword(bytes, skipBlank(bytes, at, end), end, 'as');
}
