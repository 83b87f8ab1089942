/**
 * How much of a text is handed to the parser. It recurses, and in WebAssembly it does not recover
 * when its stack ends; and its trees take a hundred times the memory of the text.
 */
import { isParseable } from '../../sql/facts/parse-guard.ts';
import { DsqlError } from '../dsql-error.ts';
import { TokenKind, TokenReader } from './tokens.ts';

/** Aurora DSQL takes no longer messages (its limit of a protocol message). */
export const TEXT_BYTES_MAX: number = 10 << 20;

/** Of a whole text; a transaction writes at most 3,000 rows, so that this is 40 values in each. */
export const TOKENS_MAX = 250_000;

/** Of a whole text. Scripts are longer, but are sent statement by statement. */
export const STATEMENTS_MAX = 10_000;

const tooComplex = (what: string): DsqlError =>
  new DsqlError('54001', 'statement too complex', { detail: what });

/** @throws DsqlError 54001, or 22021 for a zero byte, at which the parser would stop reading */
export function refuseUnfit(bytes: Uint8Array): void {
  if (bytes.includes(0)) {
    throw new DsqlError('22021', 'invalid byte sequence for encoding "UTF8": 0x00');
  }
  if (bytes.length > TEXT_BYTES_MAX)
    throw tooComplex(`The text is longer than ${TEXT_BYTES_MAX} bytes.`);
}

/**
 * Reads on to the end of the text. Behind a bad token the parser stops as well, so that what stands
 * there need not be counted.
 *
 * @throws DsqlError 54001
 */
export function refuseTooComplex(bytes: Uint8Array): void {
  const token = new TokenReader(bytes, 0, bytes.length);
  let depth = 0;
  let depthMax = 0;
  let links = 0;
  let linkCount = 0;
  let count = 0;
  let ends = 0;
  let isSeparated = true;
  for (let kind = token.next(); kind !== TokenKind.End && kind !== TokenKind.Bad; ) {
    count++;
    if (kind === TokenKind.Punctuation) {
      isSeparated = true;
      if (token.isPunctuation('(') || token.isPunctuation('[')) depth++;
      else if (token.isPunctuation(')') || token.isPunctuation(']')) depth--;
      else if (token.isPunctuation(';')) {
        links = 0;
        ends++;
      }
      depthMax = Math.max(depthMax, depth);
    } else {
      const isLink = kind === TokenKind.Word || kind === TokenKind.QuotedName;
      if ((isLink && !isSeparated) || (kind === TokenKind.Operator && !token.isDot())) links++;
      linkCount = Math.max(linkCount, links);
      // What follows a dot belongs to the name before it.
      isSeparated = token.isDot();
    }
    kind = token.next();
  }
  if (count > TOKENS_MAX) throw tooComplex(`It has more than ${TOKENS_MAX} words.`);
  if (ends > STATEMENTS_MAX) throw tooComplex(`It has more than ${STATEMENTS_MAX} statements.`);
  if (!isParseable({ depthMax, linkCount })) {
    throw tooComplex('Its expressions are nested too deeply, or are chained too long.');
  }
}
