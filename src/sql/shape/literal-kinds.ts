/**
 * What the literals of a text decide beside its shape: the type of a number goes by its size and
 * form, and a number in ORDER BY, GROUP BY or DISTINCT ON is the place of a column. Texts of one
 * shape and one kind are the same to whoever resolves names, functions and operators.
 */
import { shapeOf } from './shape.ts';
import { COMMENT_MARK } from './text-parts.ts';

const INT4_MAX = 2_147_483_647n;
const INT4_DIGITS = 10;
const INT8_MAX = 9_223_372_036_854_775_807n;

/** Behind one of these a number may be a place. */
const PLACES = /\b(by|distinct)\b/i;
/** How the text before a place ends: GROUP BY may be followed by ALL or DISTINCT. */
const BEFORE_PLACE = /(\b(by|all|distinct)|[,(])$/i;
const PARENTHESIS = 0x28;
const FLOAT = /\bfloat$/i;
/** The longest of these words, and what must not continue it. */
const LOOK_BACK = 'distinct'.length + 1;

/**
 * Equal for texts that differ in nothing but values of their literals; null when the text has no
 * shape. It is no part of a statement.
 *
 * @param text without comments, a byte string as of `readText`
 */
export function shapeAndKinds(text: string): string | null {
  const plain = text.replaceAll(COMMENT_MARK, ' ');
  const bytes = Buffer.from(plain, 'latin1');
  const placesFrom = plain.search(PLACES);
  const kinds: string[] = [];
  const shape = shapeOf(bytes, 0, bytes.length, (start, end) => {
    const digits = plain.slice(start, end);
    kinds.push(counts(plain, start, placesFrom) ? digits : kindOf(digits));
  });
  return shape === null ? null : `${shape}\0${kinds.join()}`;
}

/** Whether its very value counts: it may be the place of a column, or the size of a float. */
function counts(text: string, at: number, placesFrom: number): boolean {
  const end = endOfWords(text, at);
  if (text.charCodeAt(end - 1) === PARENTHESIS && FLOAT.test(lastWord(text, end - 1))) return true;
  return placesFrom >= 0 && at > placesFrom && BEFORE_PLACE.test(lastWord(text, end));
}

function lastWord(text: string, at: number): string {
  const end = endOfWords(text, at);
  return text.slice(Math.max(0, end - LOOK_BACK), end);
}

/** Before the blanks that stand before `at`. */
function endOfWords(text: string, at: number): number {
  let end = at;
  while (end > 0 && isBlank(text.charCodeAt(end - 1))) end--;
  return end;
}

function isBlank(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}

/** As PostgreSQL's scanner has it: int4 when it fits, else int8, else numeric. */
function kindOf(digits: string): string {
  // Numbers with a prefix or underscores are in the shape as they are.
  if (!/^\d+$/.test(digits)) return 'n';
  if (digits.length < INT4_DIGITS) return '4';
  const value = BigInt(digits);
  // Behind a minus, of which PostgreSQL makes one constant with it, it has the smaller type.
  if (value === INT4_MAX + 1n || value === INT8_MAX + 1n) return digits;
  if (value <= INT4_MAX) return '4';
  return value <= INT8_MAX ? '8' : 'n';
}
