/**
 * `version()` and `current_setting('server_version')` tell what the server below is. They are put
 * in other words that answer as Aurora DSQL does, under the same name of the column.
 */
import { asList, type JsonObject } from '../../sql/facts/parser.ts';
import type { Edit } from './edits.ts';
import { fixedSettings, VERSION_TEXT } from './settings.ts';
import { foldCase, TokenReader } from './tokens.ts';
import { constantOf, locationOf, qualifiedName } from './tree.ts';

/**
 * Where a call stands: in an expression of a query; in FROM without or with an alias; or in an
 * expression of a definition, which can hold no subquery.
 */
export type CallPlace = 'expression' | 'from' | 'aliased' | 'definition';

/** What the call answers whatever the server says; null for most calls. */
function answerOf(node: JsonObject): string | null {
  const { schema, name } = qualifiedName(node['funcname']);
  if (schema !== null && schema !== 'pg_catalog') return null;
  const args = asList(node['args']);
  if (name === 'version' && args.length === 0) return VERSION_TEXT;
  if (name !== 'current_setting' || args.length < 1 || args.length > 2) return null;
  return fixedSettings.get(foldCase(constantOf(args[0]) ?? '')) ?? null;
}

/** The change that a call needs; null for most. */
export function answerOfCall(node: JsonObject, bytes: Uint8Array, place: CallPlace): Edit | null {
  const answer = answerOf(node);
  const location = locationOf(node);
  if (answer === null || location < 0) return null;
  const end = endOfCall(bytes, location);
  if (end < 0) return null;
  const { name } = qualifiedName(node['funcname']);
  const literal = `'${answer}'`;
  const call = `pg_catalog.concat(${literal})`;
  const texts: Readonly<Record<CallPlace, string>> = {
    expression: `(SELECT ${literal}::text AS ${name})`,
    from: `${call} AS ${name}`,
    aliased: call,
    definition: call,
  };
  return { start: location, end, text: texts[place] };
}

/** Behind the bracket that closes the first one at or behind `at`; -1 when there is none. */
function endOfCall(bytes: Uint8Array, at: number): number {
  const token = new TokenReader(bytes, at, bytes.length);
  let depth = 0;
  while (token.next() !== 0 && token.end > token.start) {
    if (token.isPunctuation('(')) depth++;
    else if (token.isPunctuation(')') && --depth === 0) return token.end;
  }
  return -1;
}
