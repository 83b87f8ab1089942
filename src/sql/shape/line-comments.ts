import {
  ByteClass,
  byteClass,
  continuesWord,
  endOfBlockComment,
  endOfDollarString,
  endOfLine,
  endOfQuotedName,
  mayPrefix,
} from './lex.ts';

const QUOTE = 0x27;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

/** After one piece of a string, without those that continue it; -1 when it does not end. */
function endOfPiece(bytes: Uint8Array, at: number, end: number, backslashes: boolean): number {
  while (at < end) {
    if (bytes[at] === BACKSLASH && backslashes) at += 2;
    else if (bytes[at] !== QUOTE) at++;
    else if (bytes[at + 1] === QUOTE) at += 2;
    else return at + 1;
  }
  return -1;
}

/**
 * The text with its line comments replaced by spaces, and so of the same length. PostgreSQL joins
 * two strings with a newline between them, also behind a comment; the parser we have takes the
 * newline only. Null when the text does not end where it should.
 */
export function blankLineComments(text: string): string | null {
  const bytes = Buffer.from(text);
  const end = bytes.length;
  // Whether the string begun last reads backslashes: the pieces that continue it do as well.
  let backslashes = false;
  for (let at = 0; at >= 0 && at < end; ) {
    const byte = bytes[at] as number;
    const next = at + 1 < end ? (bytes[at + 1] as number) : 0;
    const kind = byteClass[byte] as number;
    if (byte === 0x2d && next === 0x2d) {
      const line = endOfLine(bytes, at, end);
      bytes.fill(SPACE, at, line);
      at = line;
    } else if (byte === 0x2f && next === 0x2a) at = endOfBlockComment(bytes, at, end);
    else if (kind === ByteClass.Quote) at = endOfPiece(bytes, at + 1, end, backslashes);
    else if (kind === ByteClass.Space) at++;
    else {
      backslashes = next === QUOTE && (byte === 0x65 || byte === 0x45);
      at = endOfOther(bytes, at, end, kind, next);
    }
    if (at < 0) return null;
  }
  return bytes.toString();
}

function endOfOther(
  bytes: Uint8Array,
  at: number,
  end: number,
  kind: number,
  next: number,
): number {
  if (kind === ByteClass.DoubleQuote) return endOfQuotedName(bytes, at + 1, end);
  if (kind === ByteClass.Dollar && byteClass[next] !== ByteClass.Digit) {
    return endOfDollarString(bytes, at, end);
  }
  if (kind !== ByteClass.Word || (next === QUOTE && mayPrefix[bytes[at] as number] === 1)) {
    return at + 1;
  }
  do at++;
  while (at < end && continuesWord[bytes[at] as number] === 1);
  return at;
}
