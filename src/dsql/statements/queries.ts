/** SELECT, INSERT, UPDATE and DELETE, and the statements that hold one: EXPLAIN, PREPARE, COPY. */
import type { JsonObject } from '../../sql/facts/parser.ts';
import { unsupported } from '../dsql-error.ts';
import type { StatementContext } from './context.ts';
import { applyEdits } from './edits.ts';
import type { Action, Write } from './judgement.ts';
import { refuseSystemEntity } from './system-entity.ts';
import { TokenKind, TokenReader } from './tokens.ts';
import { constantOf, isTrue, type Node, optionsOf, relationOf, textOf, unwrap } from './tree.ts';
import { unsupportedStatement } from './unsupported.ts';
import { QueryWalk } from './walk.ts';

export const queryKinds: ReadonlySet<string> = new Set(
  'SelectStmt InsertStmt UpdateStmt DeleteStmt'.split(' '),
);

/** @throws DsqlError */
export function judgeQuery({ kind, node }: Node, context: StatementContext): Action {
  const walk = new QueryWalk(context.bytes).walk({ [kind]: node });
  context.edits.push(...walk.edits);
  const isRead = walk.writeCount === 0 && walk.locks.length === 0 && !walk.callsUserFunction;
  if (isRead) return { kind: 'read' };
  const { relations, targets, locks } = walk;
  return {
    kind: 'write',
    write: { relations, targets, locks, insert: insertOf(kind, node, walk) },
  };
}

/** A plain INSERT: all that it does is to add the rows that RETURNING tells. */
function insertOf(kind: string, node: JsonObject, walk: QueryWalk): Write['insert'] {
  if (kind !== 'InsertStmt' || 'onConflictClause' in node) return null;
  const doesMore = walk.writeCount !== 1 || walk.callsUserFunction || walk.locks.length > 0;
  if (doesMore) return null;
  return { into: relationOf(node['relation']), hasReturning: 'returningClause' in node };
}

/** @throws DsqlError */
export function judgeExplain(node: JsonObject, context: StatementContext): Action {
  const query = unwrap(node['query']);
  if (query === null) throw unsupportedStatement('ExplainStmt');
  if (!queryKinds.has(query.kind)) throw unsupportedStatement(query.kind);
  const action = judgeQuery(query, context);
  if (action.kind !== 'write' || !isAnalyze(node)) return { kind: 'other' };
  return { kind: 'write', write: { ...action.write, insert: null } };
}

/** Whether EXPLAIN runs the statement: PostgreSQL takes the last ANALYZE of its options. */
function isAnalyze(node: JsonObject): boolean {
  const option = optionsOf(node['options']).findLast(({ name }) => name === 'analyze');
  if (option === undefined) return false;
  const value = constantOf(option.value)?.toLowerCase() ?? 'true';
  return value !== 'false' && value !== 'off' && value !== '0';
}

/** @throws DsqlError */
export function judgePrepare(node: JsonObject, context: StatementContext): Action {
  const query = unwrap(node['query']);
  if (query === null || !queryKinds.has(query.kind)) {
    throw unsupportedStatement(query?.kind ?? 'PrepareStmt');
  }
  const action = judgeQuery(query, context);
  const start = startOfPrepared(context);
  const text = applyEdits(context.bytes, start, context.end, context.edits);
  return { kind: 'prepare', name: textOf(node, 'name'), body: { text, action, tag: null } };
}

/** Behind the AS of `PREPARE name [(types)] AS …`. */
function startOfPrepared({ bytes, start, end }: StatementContext): number {
  const token = new TokenReader(bytes, start, end);
  token.next();
  token.next();
  let depth = 0;
  while (token.next() !== TokenKind.End && token.kind !== TokenKind.Bad) {
    if (token.isPunctuation('(')) depth++;
    else if (token.isPunctuation(')')) depth--;
    else if (depth === 0 && token.isWord('as')) return token.end;
  }
  return end;
}

/** @throws DsqlError */
export function judgeExecute(node: JsonObject, context: StatementContext): Action {
  const walk = new QueryWalk(context.bytes).walk(node['params']);
  context.edits.push(...walk.edits);
  return { kind: 'execute', name: textOf(node, 'name') };
}

/** @throws DsqlError */
export function judgeCopy(node: JsonObject, context: StatementContext): Action {
  if (isTrue(node, 'is_program')) throw unsupported('COPY with PROGRAM not supported');
  if ('filename' in node) throw unsupported('COPY with a file not supported');
  const isIn = isTrue(node, 'is_from');
  const relation = 'relation' in node ? relationOf(node['relation']) : null;
  if (relation !== null && isIn) refuseSystemEntity(relation);
  const query = unwrap(node['query']);
  if (query !== null) {
    const action = judgeQuery(query, context);
    if (action.kind !== 'read')
      throw unsupported('COPY from a statement that writes not supported');
  }
  const walk = new QueryWalk(context.bytes, 'definition').walk(node['whereClause']);
  context.edits.push(...walk.edits);
  return { kind: 'copy', direction: isIn ? 'in' : 'out', relation };
}
