/**
 * The tokens of a text, one after the other, in UTF-8 bytes: what the forms of Aurora DSQL that
 * PostgreSQL's parser does not know are found by, and the places that a rewrite is put at. Where an
 * element ends is said by `sql/shape/lex`; white space and comments stand between tokens.
 */
import {
  ByteClass,
  byteClass,
  continuesWord,
  endOfBlockComment,
  endOfDollarString,
  endOfLine,
  endOfNumber,
  endOfOddNumber,
  endOfString,
  mayPrefix,
  QuoteEscape,
} from '../../sql/shape/lex.ts';

export const TokenKind = {
  End: 0,
  Word: 1,
  QuotedName: 2,
  /** `'…'` without a prefix. */
  String: 3,
  /** A string with a prefix or in dollar quotes, or a name as `U&"…"`. */
  OtherLiteral: 4,
  /** Numbers and parameters. */
  Number: 5,
  /** `,` `;` `(` `)` `[` `]`, one by one. */
  Punctuation: 6,
  /** One character of an operator, `.` or `:`. */
  Operator: 7,
  /** Nothing that PostgreSQL reads, or a literal or comment that does not end. */
  Bad: 8,
} as const;

const QUOTE = 0x27;
const DOUBLE_QUOTE = 0x22;
const AMPERSAND = 0x26;
const DASH = 0x2d;
const SLASH = 0x2f;
const STAR = 0x2a;

/** ASCII letters only, as PostgreSQL folds names in UTF-8. */
export function foldCase(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** Just after the closing quote of a name; -1 when it does not end. `at` is behind the opening. */
function endOfName(bytes: Uint8Array, at: number, end: number): number {
  while (at < end) {
    if (bytes[at] !== DOUBLE_QUOTE) at++;
    else if (bytes[at + 1] === DOUBLE_QUOTE && at + 1 < end) at += 2;
    else return at + 1;
  }
  return -1;
}

export class TokenReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  /** {@link TokenKind} of the token at hand; `End` before the first. */
  kind: number = TokenKind.End;
  start: number;
  end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#end = end;
    this.start = start;
    this.end = start;
  }

  /** Goes to the next token and answers its kind; behind the last and behind a bad one it stays. */
  next(): number {
    if (this.kind === TokenKind.Bad) return this.kind;
    const at = this.#skipBlank(this.end);
    this.start = at < 0 ? this.#end : at;
    this.end = this.start;
    if (at < 0) this.kind = TokenKind.Bad;
    else if (at >= this.#end) this.kind = TokenKind.End;
    else this.#read(at);
    return this.kind;
  }

  /** The byte that the token begins with. */
  get first(): number {
    return this.#bytes[this.start] ?? 0;
  }

  /** The token as it is written. */
  get text(): string {
    return Buffer.from(this.#bytes.subarray(this.start, this.end)).toString();
  }

  isPunctuation(character: string): boolean {
    return this.kind === TokenKind.Punctuation && this.first === character.charCodeAt(0);
  }

  isDot(): boolean {
    return this.kind === TokenKind.Operator && this.first === 0x2e;
  }

  /** Whether it is this word (given in lower case), in any case and without quotes. */
  isWord(word: string): boolean {
    if (this.kind !== TokenKind.Word || this.end - this.start !== word.length) return false;
    for (let at = 0; at < word.length; at++) {
      if (((this.#bytes[this.start + at] as number) | 0x20) !== word.charCodeAt(at)) {
        return this.#bytes[this.start + at] === word.charCodeAt(at);
      }
    }
    return true;
  }

  /** What the token names: a word in lower case, or what the quotes hold; null for no name. */
  get name(): string | null {
    if (this.kind === TokenKind.Word) return foldCase(this.text);
    if (this.kind !== TokenKind.QuotedName) return null;
    return this.text.slice(1, -1).replaceAll('""', '"');
  }

  /** A copy that goes on by itself from here. */
  fork(): TokenReader {
    const reader = new TokenReader(this.#bytes, this.start, this.#end);
    reader.kind = this.kind;
    reader.end = this.end;
    return reader;
  }

  /** The first byte that is not white space or comment; -1 when a comment does not end. */
  #skipBlank(at: number): number {
    const bytes = this.#bytes;
    while (at < this.#end) {
      const byte = bytes[at] as number;
      const next = at + 1 < this.#end ? bytes[at + 1] : 0;
      if (byteClass[byte] === ByteClass.Space) at++;
      else if (byte === DASH && next === DASH) at = endOfLine(bytes, at, this.#end);
      else if (byte === SLASH && next === STAR) {
        at = endOfBlockComment(bytes, at, this.#end);
        if (at < 0) return -1;
      } else break;
    }
    return at;
  }

  #take(kind: number, end: number): void {
    this.kind = end < 0 || end > this.#end ? TokenKind.Bad : kind;
    this.end = end < 0 ? this.#end : Math.min(end, this.#end);
  }

  #read(at: number): void {
    const bytes = this.#bytes;
    const end = this.#end;
    switch (byteClass[bytes[at] as number]) {
      case ByteClass.Word:
        this.#readWord(at);
        return;
      case ByteClass.Digit: {
        const plain = endOfNumber(bytes, at, end);
        this.#take(TokenKind.Number, plain >= 0 ? plain : endOfOddNumber(bytes, at, end));
        return;
      }
      case ByteClass.Quote:
        this.#take(TokenKind.String, endOfString(bytes, at + 1, end, QuoteEscape.Doubled));
        return;
      case ByteClass.DoubleQuote:
        this.#take(TokenKind.QuotedName, endOfName(bytes, at + 1, end));
        return;
      case ByteClass.Dollar:
        this.#readDollar(at);
        return;
      case ByteClass.Punctuation:
        this.#take(TokenKind.Punctuation, at + 1);
        return;
      case ByteClass.Operator:
      case ByteClass.Dot:
        this.#take(TokenKind.Operator, at + 1);
        return;
      default:
        this.#take(TokenKind.Bad, -1);
    }
  }

  #readWord(at: number): void {
    const bytes = this.#bytes;
    const end = this.#end;
    const letter = (bytes[at] as number) | 0x20;
    const next = at + 1 < end ? bytes[at + 1] : 0;
    if (mayPrefix[bytes[at] as number] === 1 && next === QUOTE && letter !== 0x75) {
      const isBits = letter === 0x62 || letter === 0x78;
      const other = isBits ? QuoteEscape.None : QuoteEscape.Doubled;
      const escapes = letter === 0x65 ? QuoteEscape.Backslash : other;
      this.#take(TokenKind.OtherLiteral, endOfString(bytes, at + 2, end, escapes));
    } else if (letter === 0x75 && next === AMPERSAND && bytes[at + 2] === QUOTE) {
      this.#take(TokenKind.OtherLiteral, endOfString(bytes, at + 3, end, QuoteEscape.Doubled));
    } else if (letter === 0x75 && next === AMPERSAND && bytes[at + 2] === DOUBLE_QUOTE) {
      this.#take(TokenKind.OtherLiteral, endOfName(bytes, at + 3, end));
    } else {
      while (at < end && continuesWord[bytes[at] as number] === 1) at++;
      this.#take(TokenKind.Word, at);
    }
  }

  #readDollar(at: number): void {
    let digits = at + 1;
    while (digits < this.#end && byteClass[this.#bytes[digits] as number] === ByteClass.Digit) {
      digits++;
    }
    if (digits > at + 1) this.#take(TokenKind.Number, digits);
    else this.#take(TokenKind.OtherLiteral, endOfDollarString(this.#bytes, at, this.#end));
  }
}
