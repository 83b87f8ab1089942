/** Which kinds of statements there are, and who judges each. What is not here is refused. */
import { asList, asObject, type JsonObject } from '../../sql/facts/parser.ts';
import { unsupported } from '../dsql-error.ts';
import {
  judgeAlterRole,
  judgeCreateRole,
  judgeDropRole,
  judgeGrant,
  judgeGrantRole,
} from './access.ts';
import { judgeAlterTable } from './alter-table.ts';
import type { StatementContext } from './context.ts';
import { judgeCreateIndex } from './create-index.ts';
import {
  judgeAlterDomain,
  judgeAlterSequence,
  judgeCreateDomain,
  judgeCreateSequence,
  judgeCreateTable,
} from './create-table.ts';
import { judgeAlterFunction, judgeCreateFunction } from './define-function.ts';
import type { Action } from './judgement.ts';
import {
  judgeComment,
  judgeCreateSchema,
  judgeDrop,
  judgeMove,
  judgeOwner,
  judgeRename,
  judgeStatistics,
  judgeView,
} from './objects.ts';
import {
  judgeCopy,
  judgeExecute,
  judgeExplain,
  judgePrepare,
  judgeQuery,
  queryKinds,
} from './queries.ts';
import { judgeSet, judgeShow } from './settings.ts';
import { judgeTransaction } from './transaction-control.ts';
import { constantOf, holdsKind, isTrue, type Node, qualifiedName, textOf } from './tree.ts';
import { unsupportedStatement } from './unsupported.ts';

type Judge = (node: JsonObject, context: StatementContext) => Action;

/** Refused in words of their own. */
const refusals: ReadonlyMap<string, string> = new Map([
  ['CreateTrigStmt', 'CREATE TRIGGER not supported'],
  ['CreateEnumStmt', 'CREATE TYPE not supported'],
  ['AlterEnumStmt', 'ALTER TYPE not supported'],
  ['AlterTypeStmt', 'ALTER TYPE not supported'],
]);

function judgeDeallocate(node: JsonObject): Action {
  const name = textOf(node, 'name');
  return { kind: 'deallocate', name: isTrue(node, 'isall') || name === '' ? null : name };
}

/** `CALL sys.wait_for_job('…')`; there are no other procedures. */
function judgeCall(node: JsonObject): Action {
  const call = asObject(node['funccall']);
  const { schema, name } = qualifiedName(call?.['funcname']);
  const args = asList(call?.['args']);
  const jobId = constantOf(args[0]);
  const isKnown = schema === 'sys' && name === 'wait_for_job' && args.length === 1;
  if (!isKnown) throw unsupportedStatement('CallStmt');
  if (holdsKind('SubLink', args)) throw unsupported('cannot use subquery in CALL argument');
  if (jobId === null) throw unsupported('sys.wait_for_job takes the id of a job as a literal');
  return { kind: 'wait-for-job', jobId };
}

/** ANALYZE is VACUUM to the parser. It takes names of tables, and nothing else. */
function judgeVacuum(node: JsonObject): Action {
  if (isTrue(node, 'is_vacuumcmd')) throw unsupported('unsupported VACUUM statement');
  if ('options' in node) throw unsupported('unsupported ANALYZE statement');
  return { kind: 'other' };
}

const judges: ReadonlyMap<string, Judge> = new Map<string, Judge>([
  ['TransactionStmt', judgeTransaction],
  ['VariableSetStmt', judgeSet],
  ['VariableShowStmt', judgeShow],
  ['ExplainStmt', judgeExplain],
  ['PrepareStmt', judgePrepare],
  ['ExecuteStmt', judgeExecute],
  ['DeallocateStmt', judgeDeallocate],
  ['CopyStmt', judgeCopy],
  ['CallStmt', judgeCall],
  ['ConstraintsSetStmt', () => ({ kind: 'other' })],
  ['VacuumStmt', judgeVacuum],
  ['CreateStmt', judgeCreateTable],
  ['AlterTableStmt', judgeAlterTable],
  ['IndexStmt', judgeCreateIndex],
  ['ViewStmt', judgeView],
  ['CreateSeqStmt', judgeCreateSequence],
  ['AlterSeqStmt', judgeAlterSequence],
  ['CreateDomainStmt', judgeCreateDomain],
  ['AlterDomainStmt', judgeAlterDomain],
  ['CreateFunctionStmt', judgeCreateFunction],
  ['AlterFunctionStmt', judgeAlterFunction],
  ['CreateSchemaStmt', judgeCreateSchema],
  ['CreateStatsStmt', judgeStatistics],
  ['RenameStmt', judgeRename],
  ['DropStmt', judgeDrop],
  ['AlterObjectSchemaStmt', judgeMove],
  ['AlterOwnerStmt', judgeOwner],
  ['CommentStmt', judgeComment],
  ['GrantStmt', judgeGrant],
  ['CreateRoleStmt', judgeCreateRole],
  ['AlterRoleStmt', judgeAlterRole],
  ['DropRoleStmt', judgeDropRole],
  ['GrantRoleStmt', judgeGrantRole],
]);

/** @throws DsqlError what the client is told of a statement that is refused */
export function judgeNode(statement: Node, context: StatementContext): Action {
  const { kind, node } = statement;
  if (queryKinds.has(kind)) return judgeQuery(statement, context);
  const judge = judges.get(kind);
  if (judge !== undefined) return judge(node, context);
  const refusal = refusals.get(kind);
  throw refusal === undefined ? unsupportedStatement(kind) : unsupported(refusal);
}
