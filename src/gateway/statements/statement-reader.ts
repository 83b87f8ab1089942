import { byteString } from '../../base/bytes.ts';
import type { Settings } from '../../session/settings.ts';
import {
  type Statement,
  StatementTable,
  statementKey,
} from '../../session/statements/statements.ts';
import type { Facts } from '../../sql/facts/facts.ts';
import type { FactsCache } from '../../sql/facts/facts-cache.ts';

const STATEMENTS_MAX = 10_000;
const STATEMENT_BYTES_MAX = 32 * 1_048_576;

/** Encodings in which a byte of a character can look like a quote or a backslash. */
const UNSAFE_ENCODINGS: ReadonlySet<string> = new Set([
  'BIG5',
  'GB18030',
  'GBK',
  'JOHAB',
  'SHIFT_JIS_2004',
  'SJIS',
  'UHC',
]);

/**
 * Reads the texts of clients: facts by shape, which all configurations share, and statements by
 * text, which are of one configuration because their result types are.
 */
export class StatementReader {
  readonly #facts: FactsCache;
  readonly #table = new StatementTable({
    statementsMax: STATEMENTS_MAX,
    bytesMax: STATEMENT_BYTES_MAX,
  });

  constructor(facts: FactsCache) {
    this.#facts = facts;
  }

  factsOf(chunk: Uint8Array, start: number, end: number, settings: Settings): Facts {
    return this.#facts.lookup(chunk, start, end, isUnsafe(settings));
  }

  /** @param start where the zero that ends the statement's name lies; see {@link Statement.body} */
  statementOf(chunk: Uint8Array, start: number, end: number, settings: Settings): Statement {
    const signature = settings.parseSignature;
    const key = statementKey(signature, byteString(chunk, start, end));
    const known = this.#table.find(key);
    if (known !== undefined) return known;
    const body = Uint8Array.prototype.slice.call(chunk, start, end);
    const textEnd = body.indexOf(0, 1);
    const facts = this.#facts.lookup(
      body,
      1,
      textEnd < 0 ? body.length : textEnd,
      isUnsafe(settings),
    );
    return this.#keep({ key, signature, body, facts, described: null });
  }

  /** The same text under other settings. */
  restate(statement: Statement, signature: string): Statement {
    const body = byteString(statement.body, 0, statement.body.length);
    const key = statementKey(signature, body);
    return this.#table.find(key) ?? this.#keep({ ...statement, key, signature, described: null });
  }

  /** What is prepared from now on may return something else than what was prepared before. */
  forget(): void {
    this.#table.clear();
  }

  #keep(statement: Statement): Statement {
    this.#table.add(statement);
    return statement;
  }
}

/** Whether the bytes of a text do not mean what the tokenizer takes them for. */
function isUnsafe(settings: Settings): boolean {
  if (settings.size === 0) return false;
  return (
    settings.get('standard_conforming_strings') === 'off' ||
    UNSAFE_ENCODINGS.has(settings.get('client_encoding')?.toUpperCase() ?? '')
  );
}
