/** The text of a CREATE INDEX, taken apart so that it can be run in other words. */
import { TokenKind, TokenReader } from '../statements/tokens.ts';

export type IndexText = {
  readonly isUnique: boolean;
  /** Of the table alone, without those that inherit from it. */
  readonly isOnly: boolean;
  /** From the parenthesis behind the table's name to the end. */
  readonly rest: string;
};

/**
 * What USING says is left out: there is one kind of index.
 *
 * @param text of one statement that PostgreSQL's parser has taken for a CREATE INDEX, without
 *   CONCURRENTLY
 * @throws Error when it is none
 */
export function readIndexText(text: string): IndexText {
  const bytes = Buffer.from(text);
  const tokens = new TokenReader(bytes, 0, bytes.length);
  tokens.next();
  const isCreate = tokens.isWord('create');
  tokens.next();
  const isUnique = tokens.isWord('unique');
  while (isCreate && tokens.kind !== TokenKind.End && tokens.kind !== TokenKind.Bad) {
    // ON is a reserved word: no index can be called so without quotes.
    if (tokens.isWord('on')) return restOf(tokens, bytes, isUnique);
    tokens.next();
  }
  throw new Error('no CREATE INDEX');
}

function restOf(tokens: TokenReader, bytes: Buffer, isUnique: boolean): IndexText {
  tokens.next();
  const isOnly = tokens.isWord('only');
  while (tokens.kind !== TokenKind.End && tokens.kind !== TokenKind.Bad) {
    if (tokens.isPunctuation('(')) {
      return { isUnique, isOnly, rest: bytes.toString('utf8', tokens.start) };
    }
    tokens.next();
  }
  throw new Error('no CREATE INDEX');
}
