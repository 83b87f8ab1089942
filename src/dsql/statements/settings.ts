/**
 * Which settings a session of Aurora DSQL may have (its page "Accessing Aurora DSQL"), and what it
 * says of those that it answers itself. Anything else is refused.
 */
import type { Json, JsonObject } from '../../sql/facts/parser.ts';
import { asList, asObject } from '../../sql/facts/parser.ts';
import { DsqlError, unsupported } from '../dsql-error.ts';
import type { Action } from './judgement.ts';
import { foldCase } from './tokens.ts';
import { constantOf, isTrue, nodeOf, optionsOf, textOf } from './tree.ts';

/** By name in lower case; `role` is allowed in one form only. */
const allowedSettings: ReadonlySet<string> = new Set(
  `application_name client_encoding datestyle extra_float_digits intervalstyle timezone
  search_path enable_bitmapscan enable_hashjoin enable_indexonlyscan enable_indexscan
  enable_material enable_mergejoin enable_nestloop enable_seqscan
  dsql.enable_batched_nestloop disable_sync_create_index`.split(/\s+/),
);

/** What SHOW and `current_setting` answer whatever the server below has; by name in lower case. */
export const fixedSettings: ReadonlyMap<string, string> = new Map([
  ['server_version', '16.15'],
  ['server_version_num', '160015'],
  ['max_connections', '20'],
]);

/** What `version()` answers. */
export const VERSION_TEXT = 'PostgreSQL 16';

/** Of a name in any case. */
const refusal = (name: string): DsqlError =>
  unsupported(`setting configuration parameter "${name}" not supported`);

/** A table made in it is a temporary one. */
function namesTemporarySchema(searchPath: string): boolean {
  return foldCase(searchPath).includes('pg_temp');
}

/**
 * The server reads the bytes of a text in this encoding, the judge in UTF-8: in another one the
 * two could differ on where a literal ends, and what was not judged would run. As PostgreSQL does,
 * it looks at letters and digits alone: asyncpg asks for `'utf-8'`, quotes and all.
 */
function isUtf8(encoding: string): boolean {
  const name = encoding.toLowerCase().replace(/[^a-z0-9]/g, '');
  return name === 'utf8' || name === 'unicode';
}

/**
 * Why a session may not have this setting, also as parameter of its start; null when it may. `role`
 * is none of them: only `SET LOCAL ROLE` is allowed, which the judge of statements sees to.
 *
 * @param name in any case
 * @param value what it is to be set to, as text; null where that is not known or the default
 */
export function refusedSetting(name: string, value: string | null = null): DsqlError | null {
  const folded = foldCase(name);
  if (!allowedSettings.has(folded)) return refusal(name);
  if (folded === 'search_path' && value !== null && namesTemporarySchema(value)) {
    return unsupported('temporary schemas not supported in search_path');
  }
  if (folded === 'client_encoding' && value !== null && !isUtf8(value)) {
    return new DsqlError('22023', `invalid value for parameter "client_encoding": "${value}"`, {
      detail: 'Clients speak UTF-8 with this endpoint.',
    });
  }
  return null;
}

/** Whether a word needs quotes to be a name. */
const isPlainName = (name: string): boolean => /^[a-z_][a-z0-9_]*$/.test(name);

/** The list of a SET as PostgreSQL stores it: names of schemas are quoted, others are not. */
function flatten(name: string, args: Json | undefined): string {
  const isNames = name === 'search_path';
  return asList(args)
    .map((argument) => {
      const text = constantOf(argument) ?? '';
      const cast = nodeOf('TypeCast', argument);
      if (cast !== null) return intervalOf(text, cast);
      return isNames && !isPlainName(text) ? `"${text.replaceAll('"', '""')}"` : text;
    })
    .join(', ');
}

/** The parser's mask of fields for `HOUR`. */
const HOUR_FIELD = '1024';

/** SET TIME ZONE INTERVAL '…': the setting takes it in this form as well, but for its fields. */
function intervalOf(text: string, cast: JsonObject): string {
  const fields = constantOf(asList(asObject(cast['typeName'])?.['typmods'])[0]);
  if (text.includes(':')) return `INTERVAL '${text.replaceAll("'", "''")}'`;
  if (fields !== HOUR_FIELD || !Number.isInteger(Number(text))) {
    throw new DsqlError('22023', `invalid value for parameter "TimeZone": "${text}"`);
  }
  return `INTERVAL '${Number(text)} hours'`;
}

/** SET TRANSACTION, SET SESSION CHARACTERISTICS, SET TRANSACTION SNAPSHOT. */
function refuseMulti(node: JsonObject): never {
  for (const { name, value } of optionsOf(node['args'])) {
    if (name === 'transaction_isolation') refuseIsolation(constantOf(value) ?? '');
  }
  throw refusal(textOf(node, 'name'));
}

/** @throws DsqlError for every level but the one there is */
export function refuseIsolation(level: string): void {
  if (level.toLowerCase() === 'repeatable read') return;
  throw unsupported(`Unsupported isolation level: ${level.toUpperCase()}`);
}

function judgeRole(node: JsonObject, isLocal: boolean): Action {
  if (!isLocal) throw refusal('role');
  const isValue = node['kind'] === 'VAR_SET_VALUE';
  const value = isValue ? (constantOf(asList(node['args'])[0]) ?? '') : null;
  if (value?.startsWith('pg_')) throw unsupported(`Role ${value} not supported`);
  return { kind: 'set', name: 'role', value, isLocal };
}

/** SET and RESET. @throws DsqlError */
export function judgeSet(node: JsonObject): Action {
  const isLocal = isTrue(node, 'is_local');
  const kind = textOf(node, 'kind');
  if (kind === 'VAR_RESET_ALL') return { kind: 'set', name: null, value: null, isLocal };
  if (kind === 'VAR_SET_MULTI') refuseMulti(node);
  const written = textOf(node, 'name');
  const name = foldCase(written);
  if (name === 'role') return judgeRole(node, isLocal);
  const value = kind === 'VAR_SET_VALUE' ? flatten(name, node['args']) : null;
  const refused = refusedSetting(written, value);
  if (refused !== null) throw refused;
  return { kind: 'set', name, value, isLocal };
}

/**
 * The SET clause of a function.
 *
 * @throws DsqlError
 */
export function judgeFunctionSetting(node: JsonObject): void {
  const written = textOf(node, 'name');
  if (foldCase(written) === 'role') throw refusal('role');
  if (node['kind'] === 'VAR_RESET_ALL') return;
  if (node['kind'] === 'VAR_SET_MULTI') refuseMulti(node);
  const refused = refusedSetting(written, flatten(foldCase(written), node['args']));
  if (refused !== null) throw refused;
}

/** SHOW; SHOW ALL is left to PostgreSQL. */
export function judgeShow(node: JsonObject): Action {
  const name = foldCase(textOf(node, 'name'));
  return name === 'all' ? { kind: 'other' } : { kind: 'show', name };
}
