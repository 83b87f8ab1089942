/** ALTER TABLE, VIEW, INDEX and SEQUENCE as far as the parser takes them for the same. */
import { asObject, type JsonObject } from '../../sql/facts/parser.ts';
import { type DsqlError, unsupported } from '../dsql-error.ts';
import { judgeCache, judgeColumn, judgeConstraint, judgeExpression } from './columns.ts';
import type { StatementContext } from './context.ts';
import {
  guardDropColumn,
  guardDropConstraint,
  guardIdentityColumn,
  guardOwnType,
} from './guards.ts';
import type { Action, Guard, RelationName } from './judgement.ts';
import { refuseSystemEntity, refuseSystemRole } from './system-entity.ts';
import { isTrue, nodeOf, nodesOf, relationOf, roleOf, textOf } from './tree.ts';
import { unsupportedStatement } from './unsupported.ts';

/** How DSQL names the forms it refuses, by the parser's name without `AT_`. */
const forms: ReadonlyMap<string, string> = new Map([
  ['AlterColumnType', 'ALTER COLUMN ... SET DATA TYPE'],
  ['SetNotNull', 'ALTER COLUMN ... SET NOT NULL'],
  ['SetStatistics', 'ALTER COLUMN ... SET STATISTICS'],
  ['SetExpression', 'ALTER COLUMN ... SET EXPRESSION'],
  ['SetCompression', 'ALTER COLUMN ... SET COMPRESSION'],
  ['SetOptions', 'ALTER COLUMN ... SET'],
  ['ResetOptions', 'ALTER COLUMN ... RESET'],
  ['EnableRowSecurity', 'ENABLE ROW SECURITY'],
  ['DisableRowSecurity', 'DISABLE ROW SECURITY'],
  ['ForceRowSecurity', 'FORCE ROW SECURITY'],
  ['NoForceRowSecurity', 'NO FORCE ROW SECURITY'],
  ['SetTableSpace', 'SET TABLESPACE'],
  ['SetAccessMethod', 'SET ACCESS METHOD'],
  ['SetLogged', 'SET LOGGED'],
  ['SetUnLogged', 'SET UNLOGGED'],
  ['SetRelOptions', 'SET'],
  ['ResetRelOptions', 'RESET'],
  ['AddInherit', 'INHERIT'],
  ['DropInherit', 'NO INHERIT'],
  ['AddOf', 'OF'],
  ['DropOf', 'NOT OF'],
  ['ClusterOn', 'CLUSTER ON'],
  ['DropCluster', 'SET WITHOUT CLUSTER'],
  ['DropOids', 'SET WITHOUT OIDS'],
  ['EnableTrig', 'ENABLE TRIGGER'],
  ['EnableTrigAll', 'ENABLE TRIGGER'],
  ['EnableTrigUser', 'ENABLE TRIGGER'],
  ['EnableAlwaysTrig', 'ENABLE ALWAYS TRIGGER'],
  ['EnableReplicaTrig', 'ENABLE REPLICA TRIGGER'],
  ['DisableTrig', 'DISABLE TRIGGER'],
  ['DisableTrigAll', 'DISABLE TRIGGER'],
  ['DisableTrigUser', 'DISABLE TRIGGER'],
  ['EnableRule', 'ENABLE RULE'],
  ['EnableAlwaysRule', 'ENABLE ALWAYS RULE'],
  ['EnableReplicaRule', 'ENABLE REPLICA RULE'],
  ['DisableRule', 'DISABLE RULE'],
]);

/** `AT_AttachPartition` is ATTACH PARTITION, where the table above has nothing. */
function formRefused(subtype: string): DsqlError {
  const name = subtype.replace(/^AT_/, '');
  const words = forms.get(name) ?? name.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toUpperCase();
  return unsupported(`unsupported ALTER TABLE ${words} statement`);
}

const harmless: ReadonlySet<string> = new Set([
  'AT_DropNotNull',
  'AT_DropExpression',
  'AT_SetStorage',
  'AT_DropIdentity',
]);

/** Those that views, indexes and sequences may have as well. */
const ofAnyRelation: ReadonlySet<string> = new Set(['AT_ChangeOwner']);
const ofViews: ReadonlySet<string> = new Set([
  'AT_ChangeOwner',
  'AT_ColumnDefault',
  'AT_SetRelOptions',
  'AT_ResetRelOptions',
]);

/** @throws DsqlError */
export function judgeAlterTable(node: JsonObject, context: StatementContext): Action {
  const table = relationOf(node['relation']);
  refuseSystemEntity(table);
  const commands = nodesOf('AlterTableCmd', node['cmds']);
  const objectType = textOf(node, 'objtype');
  if (objectType === 'OBJECT_TYPE') throw unsupported('ALTER TYPE not supported');
  if (objectType !== 'OBJECT_TABLE') return judgeOther(objectType, commands, context);
  const guards = commands.flatMap((command) => judgeCommand(command, table, context));
  const first = commands[0];
  if (context.isAsync && first !== undefined) {
    if (commands.length > 1) throw unsupported('unsupported ALTER TABLE ASYNC statement');
    const constraint = textOf(first, 'name');
    return { kind: 'job', job: { type: 'VALIDATE_CONSTRAINT', table, constraint }, guards };
  }
  return { kind: 'ddl', guards };
}

function judgeOther(
  objectType: string,
  commands: readonly JsonObject[],
  context: StatementContext,
): Action {
  const object = objectType.replace('OBJECT_', '');
  const isKnown = object === 'VIEW' || object === 'INDEX' || object === 'SEQUENCE';
  if (!isKnown) throw unsupportedStatement(`AlterTableStmt`);
  for (const command of commands) {
    const subtype = textOf(command, 'subtype');
    if (!(object === 'VIEW' ? ofViews : ofAnyRelation).has(subtype)) {
      const { message } = formRefused(subtype);
      throw unsupported(message.replace('ALTER TABLE', `ALTER ${object}`));
    }
    if (subtype === 'AT_ChangeOwner') refuseOwner(command);
    if (subtype === 'AT_ColumnDefault') judgeExpression(command['def'], context);
  }
  return { kind: 'ddl', guards: [] };
}

function refuseOwner(command: JsonObject): void {
  refuseSystemRole(roleOf(command['newowner']) ?? '');
}

function judgeCommand(
  command: JsonObject,
  table: RelationName,
  context: StatementContext,
): Guard[] {
  const subtype = textOf(command, 'subtype');
  const name = textOf(command, 'name');
  if (harmless.has(subtype)) return [];
  switch (subtype) {
    case 'AT_AddColumn':
      return judgeAddColumn(nodeOf('ColumnDef', command['def']), context);
    case 'AT_DropColumn':
      return [guardDropColumn(table, name)];
    case 'AT_ColumnDefault':
      judgeExpression(command['def'], context);
      return [];
    case 'AT_ChangeOwner':
      refuseOwner(command);
      return [];
    case 'AT_AddIdentity':
      judgeCache(nodeOf('Constraint', command['def'])?.['options'], 'identity column', true);
      return [guardIdentityColumn(table, name)];
    case 'AT_SetIdentity':
      judgeCache(asObject(asObject(command['def'])?.['List'])?.['items'], 'identity column', false);
      return [];
    case 'AT_AddConstraint':
      judgeAddConstraint(nodeOf('Constraint', command['def']), context);
      return [];
    case 'AT_DropConstraint':
      return [guardDropConstraint(table, name)];
    case 'AT_ValidateConstraint':
      if (context.isAsync) return [];
      throw unsupported('unsupported ALTER TABLE VALIDATE CONSTRAINT statement');
    default:
      throw formRefused(subtype);
  }
}

function judgeAddColumn(column: JsonObject | null, context: StatementContext): Guard[] {
  if (column === null) return [];
  const type = judgeColumn(column, context);
  if ('constraints' in column) {
    throw unsupported('ALTER TABLE ADD COLUMN with constraint not supported');
  }
  return type !== null && type.builtin === null ? [guardOwnType(column['typeName'])] : [];
}

function judgeAddConstraint(constraint: JsonObject | null, context: StatementContext): void {
  const kind = textOf(constraint, 'contype');
  const isCheck = kind === 'CONSTR_CHECK' || kind === 'CONSTR_FOREIGN';
  const isAllowed = isCheck
    ? constraint !== null && isTrue(constraint, 'skip_validation')
    : kind === 'CONSTR_UNIQUE' && textOf(constraint, 'indexname') !== '';
  if (constraint === null || !isAllowed) {
    throw unsupported('unsupported ALTER TABLE ADD CONSTRAINT statement');
  }
  judgeConstraint(constraint, context);
}
