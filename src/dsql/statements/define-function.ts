/** CREATE and ALTER FUNCTION: in SQL only, and with a body that is judged like any other text. */
import { asList, asObject, type Json, type JsonObject } from '../../sql/facts/parser.ts';
import { unsupported } from '../dsql-error.ts';
import { judgeExpression } from './columns.ts';
import { refuseTooComplex, refuseUnfit } from './complexity.ts';
import type { StatementContext } from './context.ts';
import type { Action } from './judgement.ts';
import { isBuiltinName } from './known-functions.ts';
import { parseText } from './parse-text.ts';
import { judgeFunctionSetting } from './settings.ts';
import { refuseSystemEntity } from './system-entity.ts';
import {
  constantOf,
  nodeOf,
  nodesOf,
  type Option,
  optionsOf,
  qualifiedName,
  unwrap,
} from './tree.ts';
import { unsupportedStatement } from './unsupported.ts';
import { QueryWalk } from './walk.ts';

const options: ReadonlySet<string> = new Set(
  'language as volatility strict security leakproof cost rows parallel set'.split(' '),
);

/** What a body may consist of. Anything else would change a session or the catalogue unseen. */
const bodyKinds: ReadonlySet<string> = new Set(
  'SelectStmt InsertStmt UpdateStmt DeleteStmt ReturnStmt'.split(' '),
);

function judgeOptions(list: readonly Option[], statement: string): void {
  for (const { name, value } of list) {
    if (!options.has(name)) {
      throw unsupported(`${name.toUpperCase()} not supported for ${statement} FUNCTION`);
    }
    const setting = nodeOf('VariableSetStmt', value);
    if (setting !== null) judgeFunctionSetting(setting);
  }
}

/** @throws DsqlError */
export function judgeCreateFunction(node: JsonObject, context: StatementContext): Action {
  if (node['is_procedure'] === true) throw unsupported('PROCEDURE is not supported');
  const name = qualifiedName(node['funcname']);
  refuseSystemEntity(name);
  const list = optionsOf(node['options']);
  const body = node['sql_body'];
  const language = constantOf(list.find((option) => option.name === 'language')?.value);
  if (language !== null && language !== 'sql') {
    throw unsupported(`CREATE FUNCTION with language ${language} not supported`);
  }
  judgeOptions(list, 'CREATE');
  for (const parameter of nodesOf('FunctionParameter', node['parameters'])) {
    judgeExpression(parameter['defexpr'], context);
  }
  const text = list.find((option) => option.name === 'as');
  const hasWrites =
    body === undefined ? judgeTextBody(text, context) : judgeTreeBody(body, context);
  // A call of it would pass for one of PostgreSQL's own, which do not write.
  if (hasWrites && isBuiltinName(name.name)) {
    throw unsupported(`CREATE FUNCTION named ${name.name} with a body that writes not supported`);
  }
  return { kind: 'ddl', guards: [] };
}

/** `BEGIN ATOMIC … END` comes as a list of lists, RETURN as a node. */
function judgeTreeBody(body: Json, context: StatementContext): boolean {
  const walk = new QueryWalk(context.bytes);
  const outer = asList(nodeOf('List', body)?.['items']);
  const lists = outer.length > 0 ? outer : [body];
  for (const item of lists) {
    const inner = nodeOf('List', item);
    for (const statement of inner === null ? [item] : asList(inner['items'])) {
      refuseInBody(unwrap(statement)?.kind ?? '');
      walk.walk(statement);
    }
  }
  context.edits.push(...walk.edits);
  return walk.writeCount > 0 || walk.callsUserFunction;
}

function refuseInBody(kind: string): void {
  if (kind !== '' && !bodyKinds.has(kind)) throw unsupportedStatement(kind);
}

/** The string behind AS; a second one would name an object file. */
function judgeTextBody(option: Option | undefined, context: StatementContext): boolean {
  const parts = asList(asObject(asObject(option?.value)?.['List'])?.['items']);
  if (parts.length !== 1) return false;
  const text = constantOf(parts[0]) ?? '';
  const bytes = Buffer.from(text);
  refuseUnfit(bytes);
  refuseTooComplex(bytes);
  const walk = new QueryWalk(bytes);
  for (const { kind, node } of parseText(context.parser, text)) {
    refuseInBody(kind);
    walk.walk({ [kind]: node });
  }
  return walk.writeCount > 0 || walk.callsUserFunction;
}

/** @throws DsqlError */
export function judgeAlterFunction(node: JsonObject): Action {
  if (node['objtype'] !== 'OBJECT_FUNCTION') throw unsupported('PROCEDURE is not supported');
  const object = asObject(node['func']);
  refuseSystemEntity(qualifiedName(object?.['objname']));
  judgeOptions(optionsOf(node['actions']), 'ALTER');
  return { kind: 'ddl', guards: [] };
}
