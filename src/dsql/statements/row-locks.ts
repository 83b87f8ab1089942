/** FOR UPDATE and FOR KEY SHARE: which relations a SELECT locks rows of. */
import { asList, asObject, type Json, type JsonObject } from '../../sql/facts/parser.ts';
import { DsqlError, unsupported } from '../dsql-error.ts';
import type { RelationName, RowLock } from './judgement.ts';
import { nodesOf, relationOf, textOf, unwrap } from './tree.ts';

const strengths: ReadonlyMap<string, RowLock['strength']> = new Map([
  ['LCS_FORUPDATE', 'FOR UPDATE'],
  ['LCS_FORKEYSHARE', 'FOR KEY SHARE'],
]);

/** One item of FROM by the name that it has in the query, and the tables that a lock reaches. */
type FromItem = { readonly name: string; readonly relations: readonly RelationName[] };

/** Each may name all of FROM, and nobody writes so many. */
const LOCKING_CLAUSES_MAX = 64;

/**
 * Of a SelectStmt. `isCte` tells names of WITH queries, whose rows a lock does not reach.
 *
 * @throws DsqlError for other strengths, and for SKIP LOCKED and NOWAIT: nothing is ever waited for
 */
export function locksOf(select: JsonObject, isCte: (name: string) => boolean): RowLock[] {
  const clauses = nodesOf('LockingClause', select['lockingClause']);
  if (clauses.length > LOCKING_CLAUSES_MAX) {
    throw new DsqlError('54001', 'statement too complex', {
      detail: `It has more than ${LOCKING_CLAUSES_MAX} locking clauses.`,
    });
  }
  const items = itemsOf(select['fromClause'], isCte);
  return clauses.map((clause) => lockOf(clause, items));
}

function lockOf(clause: JsonObject, items: readonly FromItem[]): RowLock {
  const strength = strengths.get(textOf(clause, 'strength'));
  if (strength === undefined) {
    throw unsupported('locking clauses other than FOR UPDATE/FOR KEY SHARE are not supported');
  }
  const policy = clause['waitPolicy'];
  if (policy === 'LockWaitSkip') throw unsupported('SKIP LOCKED not supported');
  if (policy === 'LockWaitError') throw unsupported('NOWAIT not supported');
  const named = new Set(
    nodesOf('RangeVar', clause['lockedRels']).map((node) => textOf(node, 'relname')),
  );
  const locked = named.size === 0 ? items : items.filter(({ name }) => named.has(name));
  return { strength, relations: locked.flatMap(({ relations }) => relations) };
}

function itemsOf(from: Json | undefined, isCte: (name: string) => boolean): FromItem[] {
  const items: FromItem[] = [];
  const open: (Json | undefined)[] = asList(from).toReversed();
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    const found = unwrap(value);
    if (found === null) continue;
    const { kind, node } = found;
    const alias = textOf(asObject(node['alias']), 'aliasname');
    if (kind === 'JoinExpr') open.push(node['rarg'], node['larg']);
    else if (kind === 'RangeVar') {
      const relation = relationOf(node);
      if (relation.schema === null && isCte(relation.name)) continue;
      items.push({ name: alias || relation.name, relations: [relation] });
    } else if (kind === 'RangeSubselect') {
      // A lock on a subquery locks what is in its own FROM.
      const inner = unwrap(node['subquery'])?.node;
      const below = inner === undefined ? [] : itemsOf(inner['fromClause'], isCte);
      items.push({ name: alias, relations: below.flatMap(({ relations }) => relations) });
    }
  }
  return items;
}
