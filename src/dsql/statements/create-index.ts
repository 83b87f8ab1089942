/** CREATE INDEX ASYNC. */
import { asObject, type JsonObject } from '../../sql/facts/parser.ts';
import { unsupported } from '../dsql-error.ts';
import { judgeCollation, judgeExpression, refuseTooManyKeys } from './columns.ts';
import type { StatementContext } from './context.ts';
import { guardKeyColumn } from './guards.ts';
import type { Action, Guard, RelationName } from './judgement.ts';
import { refuseSystemEntity } from './system-entity.ts';
import { TokenKind, TokenReader } from './tokens.ts';
import { isTrue, locationOf, nodesOf, relationOf, textOf } from './tree.ts';

/** As Aurora DSQL calls the one kind of index that it has, in dumps for one. */
const OWN_METHOD = 'btree_index';

/** @throws DsqlError */
export function judgeCreateIndex(node: JsonObject, context: StatementContext): Action {
  if (isTrue(node, 'concurrent')) throw unsupported('CONCURRENTLY not supported for CREATE INDEX');
  if (!context.isAsync) throw unsupported('unsupported mode. please use CREATE INDEX ASYNC.');
  const table = relationOf(node['relation']);
  refuseSystemEntity(table);
  const isOwnMethod = textOf(node, 'accessMethod') === OWN_METHOD;
  if (!isOwnMethod && namesOtherMethod(node, context))
    throw unsupported('USING not supported for CREATE INDEX');
  if ('options' in node) throw unsupported('WITH not supported for CREATE INDEX');
  if ('tableSpace' in node) throw unsupported('TABLESPACE not supported for CREATE INDEX');
  const keys = nodesOf('IndexElem', node['indexParams']);
  refuseTooManyKeys(keys.length);
  const guards = keys.flatMap((key) => judgeKey(key, table, context));
  judgeExpression(node['whereClause'], context);
  const name = textOf(node, 'idxname');
  return {
    kind: 'job',
    job: {
      type: 'INDEX_BUILD',
      table,
      index: name === '' ? null : name,
      isIfNotExists: isTrue(node, 'if_not_exists'),
    },
    guards,
  };
}

function judgeKey(key: JsonObject, table: RelationName, context: StatementContext): Guard[] {
  if (textOf(key, 'ordering') !== 'SORTBY_DEFAULT') {
    throw unsupported('specifying sort order not supported for index keys');
  }
  if ('opclass' in key || 'opclassopts' in key) {
    throw unsupported('opclass not supported for index keys');
  }
  if ('collation' in key) judgeCollation({ collname: key['collation'] ?? null });
  judgeExpression(key['expr'], context);
  const column = textOf(key, 'name');
  return column === '' ? [] : [guardKeyColumn(table, column)];
}

/** USING btree is written: the tree has the same without. It stands behind the table's name. */
function namesOtherMethod(node: JsonObject, { bytes, end }: StatementContext): boolean {
  if (textOf(node, 'accessMethod') !== 'btree') return true;
  const relation = asObject(node['relation']);
  if (relation === null) return false;
  const token = new TokenReader(bytes, locationOf(relation), end);
  while (token.next() !== TokenKind.End && token.kind !== TokenKind.Bad) {
    if (token.isPunctuation('(')) return false;
    if (token.isWord('using')) return true;
  }
  return false;
}
