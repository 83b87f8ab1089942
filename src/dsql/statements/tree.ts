/** Reading PostgreSQL's raw parse trees in the JSON of libpg_query. */
import {
  asList,
  asObject,
  asText,
  type Json,
  type JsonObject,
  nameParts,
} from '../../sql/facts/parser.ts';
import type { RelationName } from './judgement.ts';

export type Node = { readonly kind: string; readonly node: JsonObject };

/** A node as it comes where the grammar leaves a choice: `{"Kind": {…}}`. */
export function unwrap(value: Json | undefined): Node | null {
  const object = asObject(value);
  if (object === null) return null;
  const keys = Object.keys(object);
  const kind = keys.length === 1 ? (keys[0] as string) : '';
  const inner = isKind(kind) ? asObject(object[kind]) : null;
  return inner === null ? null : { kind, node: inner };
}

/** Names of nodes begin with a capital letter, those of fields do not. */
function isKind(key: string): boolean {
  const first = key.charCodeAt(0);
  return first >= 65 && first <= 90;
}

/** The content of a node of this kind; null for any other. */
export function nodeOf(kind: string, value: Json | undefined): JsonObject | null {
  return asObject(asObject(value)?.[kind]);
}

/** The contents of those of a list that are nodes of this kind. */
export function nodesOf(kind: string, list: Json | undefined): JsonObject[] {
  return asList(list).flatMap((item) => {
    const node = nodeOf(kind, item);
    return node === null ? [] : [node];
  });
}

/** Whether a node of this kind is anywhere in it. */
export function holdsKind(kind: string, value: Json | undefined): boolean {
  const rest: Json[] = value === undefined ? [] : [value];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    if (next === null || typeof next !== 'object') continue;
    if (kind in next) return true;
    for (const inner of Object.values(next)) rest.push(inner);
  }
  return false;
}

export function isTrue(node: JsonObject, field: string): boolean {
  return node[field] === true;
}

export function textOf(node: JsonObject | null, field: string): string {
  return asText(node?.[field]) ?? '';
}

/** Byte offset; -1 where the parser knows none. It leaves zeros out. */
export function locationOf(node: JsonObject): number {
  const location = node['location'];
  return typeof location === 'number' ? location : 0;
}

/** The content of a RangeVar. */
export function relationOf(value: Json | undefined): RelationName {
  const node = asObject(value);
  return { schema: asText(node?.['schemaname']), name: textOf(node, 'relname') };
}

/** A dotted name as a list of String nodes; the parts before the last two are databases. */
export function qualifiedName(list: Json | undefined): RelationName {
  const parts = nameParts(list);
  return { schema: parts.at(-2) ?? null, name: parts.at(-1) ?? '' };
}

/** An option of a statement: its name in lower case, and what stands behind it. */
export type Option = { readonly name: string; readonly value: Json | undefined };

export function optionsOf(list: Json | undefined): Option[] {
  return nodesOf('DefElem', list).map((node) => ({
    name: textOf(node, 'defname'),
    value: node['arg'],
  }));
}

/** What an option or a constant says: text, a number as text, or null for anything else. */
export function constantOf(value: Json | undefined): string | null {
  const outer = unwrap(value);
  if (outer === null) return null;
  switch (outer.kind) {
    case 'A_Const':
      return constantOfAConst(outer.node);
    case 'String':
      return textOf(outer.node, 'sval');
    case 'Integer':
      return String(outer.node['ival'] ?? 0);
    case 'Float':
      return textOf(outer.node, 'fval');
    case 'Boolean':
      return String(outer.node['boolval'] === true);
    case 'TypeCast':
      return constantOf(outer.node['arg']);
    default:
      return null;
  }
}

function constantOfAConst(node: JsonObject): string | null {
  const text = asObject(node['sval']);
  if (text !== null) return textOf(text, 'sval');
  const integer = asObject(node['ival']);
  if (integer !== null) return String(integer['ival'] ?? 0);
  const decimal = asObject(node['fval']);
  if (decimal !== null) return textOf(decimal, 'fval');
  const boolean = asObject(node['boolval']);
  return boolean === null ? null : String(boolean['boolval'] === true);
}

/** A RoleSpec that names a role; null for CURRENT_USER, SESSION_USER, CURRENT_ROLE and PUBLIC. */
export function roleOf(value: Json | undefined): string | null {
  const inner = nodeOf('RoleSpec', value) ?? asObject(value);
  return inner?.['roletype'] === 'ROLESPEC_CSTRING' ? textOf(inner, 'rolename') : null;
}
