/** CREATE TABLE, CREATE SEQUENCE, CREATE and ALTER DOMAIN. */
import { asList, asObject, type JsonObject } from '../../sql/facts/parser.ts';
import { DsqlError, unsupported } from '../dsql-error.ts';
import { type ColumnType, isKeyless, judgeColumnType } from './column-types.ts';
import {
  judgeCache,
  judgeCollation,
  judgeColumn,
  judgeConstraint,
  judgeExpression,
} from './columns.ts';
import type { StatementContext } from './context.ts';
import { guardLike, guardOwnType } from './guards.ts';
import type { Action, Guard, RelationName } from './judgement.ts';
import { refuseSystemEntity } from './system-entity.ts';
import { constantOf, nodeOf, nodesOf, qualifiedName, relationOf, textOf } from './tree.ts';

const COLUMNS_MAX = 255;

/** @throws DsqlError for a table, view or sequence that is not there for good */
export function refuseTemporary(
  relation: JsonObject | null,
  kind: 'TABLE' | 'VIEW' | 'SEQUENCE',
): void {
  const persistence = textOf(relation, 'relpersistence');
  const isTemporary = persistence === 't' || textOf(relation, 'schemaname').startsWith('pg_temp');
  const subject = kind === 'TABLE' ? 'table' : kind.toLowerCase();
  if (isTemporary) {
    throw unsupported(`TEMPORARY or TEMP ${subject} not supported for CREATE ${kind}`);
  }
  if (persistence === 'u')
    throw unsupported(`UNLOGGED ${subject} not supported for CREATE ${kind}`);
}

function refuseClauses(node: JsonObject): void {
  const clauses: readonly (readonly [boolean, string])[] = [
    ['partspec' in node, 'PARTITION BY'],
    ['partbound' in node, 'PARTITION OF'],
    ['inhRelations' in node, 'INHERITS'],
    ['ofTypename' in node, 'OF'],
    ['options' in node, 'WITH'],
    [(node['oncommit'] ?? 'ONCOMMIT_NOOP') !== 'ONCOMMIT_NOOP', 'ON COMMIT'],
    ['tablespacename' in node, 'TABLESPACE'],
    ['accessMethod' in node, 'USING'],
  ];
  for (const [isThere, clause] of clauses) {
    if (isThere) throw unsupported(`${clause} clause not supported for CREATE TABLE`);
  }
}

/** @throws DsqlError */
export function judgeCreateTable(node: JsonObject, context: StatementContext): Action {
  const relation = asObject(node['relation']);
  refuseTemporary(relation, 'TABLE');
  refuseSystemEntity(relationOf(relation));
  refuseClauses(node);
  const columns = nodesOf('ColumnDef', node['tableElts']);
  if (columns.length > COLUMNS_MAX) {
    throw new DsqlError('54011', `tables can have at most ${COLUMNS_MAX} columns`);
  }
  const types = new Map<string, ColumnType>();
  const guards: Guard[] = [];
  for (const column of columns) {
    const type = judgeNewColumn(column, context);
    if (type !== null) types.set(textOf(column, 'colname'), type);
    if (type !== null && type.builtin === null) guards.push(guardOwnType(column['typeName']));
  }
  for (const constraint of nodesOf('Constraint', node['tableElts'])) {
    judgeConstraint(constraint, context);
    refuseKeyless(constraint, types);
  }
  for (const like of nodesOf('TableLikeClause', node['tableElts'])) {
    const source: RelationName = relationOf(like['relation']);
    refuseSystemEntity(source);
    guards.push(guardLike(source));
  }
  return { kind: 'ddl', guards };
}

function judgeNewColumn(column: JsonObject, context: StatementContext): ColumnType | null {
  const type = judgeColumn(column, context);
  const name = textOf(column, 'colname');
  for (const constraint of nodesOf('Constraint', column['constraints'])) {
    judgeConstraint(constraint, context, type);
    if (type !== null) refuseKeyless(constraint, new Map([[name, type]]), [name]);
  }
  return type;
}

/** `names` are the columns of the constraint; those that it lists itself when not given. */
function refuseKeyless(
  constraint: JsonObject,
  types: ReadonlyMap<string, ColumnType>,
  names: readonly string[] = asList(constraint['keys']).map((key) => constantOf(key) ?? ''),
): void {
  const kind = constraint['contype'];
  if (kind !== 'CONSTR_PRIMARY' && kind !== 'CONSTR_UNIQUE') return;
  for (const name of names) {
    const type = types.get(name);
    if (type?.builtin && isKeyless(type.builtin)) {
      throw unsupported(`datatype ${type.display} is not supported in a key`);
    }
  }
}

/** @throws DsqlError */
export function judgeCreateSequence(node: JsonObject): Action {
  const relation = asObject(node['sequence']);
  refuseTemporary(relation, 'SEQUENCE');
  refuseSystemEntity(relationOf(relation));
  judgeCache(node['options'], 'CREATE SEQUENCE', true);
  return { kind: 'ddl', guards: [] };
}

/** @throws DsqlError */
export function judgeAlterSequence(node: JsonObject): Action {
  refuseSystemEntity(relationOf(node['sequence']));
  judgeCache(node['options'], 'ALTER SEQUENCE', false);
  return { kind: 'ddl', guards: [] };
}

/** @throws DsqlError */
export function judgeCreateDomain(node: JsonObject, context: StatementContext): Action {
  refuseSystemEntity(qualifiedName(node['domainname']));
  const typeName = asObject(node['typeName']);
  const guards: Guard[] = [];
  if (typeName !== null) {
    const type = judgeColumnType(typeName, context);
    if (type.builtin === null) guards.push(guardOwnType(typeName));
  }
  judgeCollation(node['collClause']);
  for (const constraint of nodesOf('Constraint', node['constraints'])) {
    judgeConstraint(constraint, context);
  }
  return { kind: 'ddl', guards };
}

/** @throws DsqlError */
export function judgeAlterDomain(node: JsonObject, context: StatementContext): Action {
  const definition = node['def'];
  const constraint = nodeOf('Constraint', definition);
  if (constraint !== null) judgeConstraint(constraint, context);
  else judgeExpression(definition, context);
  return { kind: 'ddl', guards: [] };
}
