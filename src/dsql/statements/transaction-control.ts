/** BEGIN, COMMIT and ROLLBACK; everything else of transactions is refused. */
import type { JsonObject } from '../../sql/facts/parser.ts';
import { type DsqlError, unsupported } from '../dsql-error.ts';
import type { Action } from './judgement.ts';
import { refuseIsolation } from './settings.ts';
import { constantOf, isTrue, optionsOf, textOf } from './tree.ts';

const refusedKinds: ReadonlyMap<string, string> = new Map([
  ['TRANS_STMT_SAVEPOINT', 'SAVEPOINT'],
  ['TRANS_STMT_RELEASE', 'RELEASE'],
  ['TRANS_STMT_ROLLBACK_TO', 'ROLLBACK TO'],
  ['TRANS_STMT_PREPARE', 'PREPARE TRANSACTION'],
  ['TRANS_STMT_COMMIT_PREPARED', 'COMMIT PREPARED'],
  ['TRANS_STMT_ROLLBACK_PREPARED', 'ROLLBACK PREPARED'],
]);

const refusal = (words: string): DsqlError =>
  unsupported(`unsupported transaction statement: ${words}`);

/** @throws DsqlError */
export function judgeTransaction(node: JsonObject): Action {
  const kind = textOf(node, 'kind');
  switch (kind) {
    case 'TRANS_STMT_BEGIN':
    case 'TRANS_STMT_START':
      return judgeBegin(node);
    case 'TRANS_STMT_COMMIT':
      if (isTrue(node, 'chain')) throw refusal('COMMIT AND CHAIN');
      return { kind: 'commit' };
    case 'TRANS_STMT_ROLLBACK':
      if (isTrue(node, 'chain')) throw refusal('ROLLBACK AND CHAIN');
      return { kind: 'rollback' };
    default:
      throw refusal(refusedKinds.get(kind) ?? kind);
  }
}

function judgeBegin(node: JsonObject): Action {
  let isReadOnly = false;
  for (const { name, value } of optionsOf(node['options'])) {
    const text = constantOf(value) ?? '';
    if (name === 'transaction_isolation') refuseIsolation(text);
    else if (name === 'transaction_read_only') isReadOnly = text === '1';
    else if (text !== '0') throw refusal('DEFERRABLE');
  }
  return { kind: 'begin', isReadOnly };
}
