/** Views, schemas and statistics; renaming, dropping, moving, owning and commenting on anything. */
import { asList, asObject, type Json, type JsonObject } from '../../sql/facts/parser.ts';
import { unsupported } from '../dsql-error.ts';
import { judgeExpression } from './columns.ts';
import type { StatementContext } from './context.ts';
import { refuseTemporary } from './create-table.ts';
import type { Action, RelationName } from './judgement.ts';
import { isBuiltinName } from './known-functions.ts';
import {
  isSystemSchema,
  refuseSystemEntity,
  refuseSystemRole,
  systemEntity,
} from './system-entity.ts';
import {
  constantOf,
  isTrue,
  nodesOf,
  qualifiedName,
  relationOf,
  roleOf,
  textOf,
  unwrap,
} from './tree.ts';
import { unsupportedStatement } from './unsupported.ts';
import { QueryWalk } from './walk.ts';

const ddl: Action = { kind: 'ddl', guards: [] };

const typesOf = (names: string): ReadonlySet<string> =>
  new Set(names.split(/\s+/).map((name) => `OBJECT_${name}`));

const renamed = typesOf(
  'TABLE COLUMN TABCONSTRAINT VIEW INDEX SEQUENCE SCHEMA DOMAIN DOMCONSTRAINT FUNCTION',
);
const dropped = typesOf('TABLE VIEW INDEX SEQUENCE SCHEMA DOMAIN FUNCTION STATISTIC_EXT');
const moved = typesOf('TABLE VIEW INDEX SEQUENCE DOMAIN FUNCTION STATISTIC_EXT');
const owned = typesOf('SCHEMA DOMAIN FUNCTION STATISTIC_EXT');
const commented = typesOf(
  'TABLE COLUMN TABCONSTRAINT VIEW INDEX SEQUENCE SCHEMA DOMAIN DOMCONSTRAINT FUNCTION ' +
    'STATISTIC_EXT',
);

/** @throws DsqlError */
export function judgeView(node: JsonObject, context: StatementContext): Action {
  const view = asObject(node['view']);
  refuseTemporary(view, 'VIEW');
  refuseSystemEntity(relationOf(view));
  const walk = new QueryWalk(context.bytes).walk(node['query']);
  if (walk.locks.length > 0) throw unsupported('locking clauses not supported for CREATE VIEW');
  // An UPDATE of a view of it would change the settings of the session.
  if (walk.relations.some(({ name }) => name === 'pg_settings')) throw systemEntity();
  context.edits.push(...walk.edits);
  return ddl;
}

/** @throws DsqlError */
export function judgeCreateSchema(node: JsonObject): Action {
  const name = textOf(node, 'schemaname');
  if (isSystemSchema(name)) throw systemEntity();
  if ('schemaElts' in node) throw unsupported('elements not supported for CREATE SCHEMA');
  refuseSystemRole(roleOf(node['authrole']) ?? '');
  return ddl;
}

/** @throws DsqlError */
export function judgeStatistics(node: JsonObject, context: StatementContext): Action {
  if ('defnames' in node) refuseSystemEntity(qualifiedName(node['defnames']));
  for (const element of nodesOf('StatsElem', node['exprs'])) {
    judgeExpression(element['expr'], context);
  }
  for (const relation of nodesOf('RangeVar', node['relations'])) {
    refuseSystemEntity(relationOf(relation));
  }
  return ddl;
}

/** The object of a statement: a RangeVar, a dotted name, a name of a schema, a type, a function. */
function objectOf(value: Json | undefined): RelationName {
  const found = unwrap(value);
  switch (found?.kind) {
    case 'RangeVar':
      return relationOf(found.node);
    case 'List':
      return qualifiedName(found.node['items']);
    case 'TypeName':
      return qualifiedName(found.node['names']);
    case 'ObjectWithArgs':
      return qualifiedName(found.node['objname']);
    default:
      return { schema: constantOf(value), name: '' };
  }
}

/** `object` of DROP, COMMENT and the like. */
function refuseObject(type: string, value: Json | undefined): void {
  const object = objectOf(value);
  if (type !== 'OBJECT_SCHEMA') refuseSystemEntity(object);
  else if (object.schema === 'public' || isSystemSchema(object.schema ?? '')) throw systemEntity();
}

/** @throws DsqlError */
export function judgeRename(node: JsonObject): Action {
  const type = textOf(node, 'renameType');
  if (!renamed.has(type)) throw unsupported('unsupported object in RENAME statement');
  const name = textOf(node, 'newname');
  // Under such a name its calls would pass for PostgreSQL's own, which do not write.
  if (type === 'OBJECT_FUNCTION' && isBuiltinName(name)) {
    throw unsupported(`RENAME of a function to ${name} not supported`);
  }
  if (type === 'OBJECT_SCHEMA') {
    const schema = textOf(node, 'subname');
    if (schema === 'public' || isSystemSchema(schema)) throw systemEntity();
  } else if ('relation' in node) refuseSystemEntity(relationOf(node['relation']));
  else refuseObject(type, node['object']);
  return ddl;
}

/** @throws DsqlError */
export function judgeDrop(node: JsonObject): Action {
  const type = textOf(node, 'removeType');
  if (type === 'OBJECT_PROCEDURE') throw unsupported('PROCEDURE is not supported');
  if (!dropped.has(type)) throw unsupported('unsupported object in DROP statement');
  if (isTrue(node, 'concurrent')) throw unsupported('CONCURRENTLY not supported for DROP INDEX');
  if (type === 'OBJECT_DOMAIN' && node['behavior'] === 'DROP_CASCADE') {
    throw unsupported('DROP DOMAIN with CASCADE unsupported');
  }
  for (const object of asList(node['objects'])) refuseObject(type, object);
  return ddl;
}

/** @throws DsqlError */
export function judgeMove(node: JsonObject): Action {
  if (!moved.has(textOf(node, 'objectType'))) throw unsupportedStatement('AlterObjectSchemaStmt');
  if (isSystemSchema(textOf(node, 'newschema'))) throw systemEntity();
  if ('relation' in node) refuseSystemEntity(relationOf(node['relation']));
  else refuseObject('', node['object']);
  return ddl;
}

/** @throws DsqlError */
export function judgeOwner(node: JsonObject): Action {
  const type = textOf(node, 'objectType');
  if (!owned.has(type)) throw unsupportedStatement('AlterOwnerStmt');
  refuseSystemRole(roleOf(node['newowner']) ?? '');
  refuseObject(type, node['object']);
  return ddl;
}

/** A comment on the schema `public` and the like is left to PostgreSQL's own rights. */
export function judgeComment(node: JsonObject): Action {
  if (!commented.has(textOf(node, 'objtype'))) {
    throw unsupported('unsupported object in COMMENT statement');
  }
  return ddl;
}
