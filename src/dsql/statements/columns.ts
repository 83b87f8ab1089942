/** Columns, and constraints of columns and tables, in CREATE TABLE, ALTER TABLE and domains. */
import { asObject, type Json, type JsonObject } from '../../sql/facts/parser.ts';
import { DsqlError, unsupported } from '../dsql-error.ts';
import { type ColumnType, judgeColumnType } from './column-types.ts';
import type { StatementContext } from './context.ts';
import { refuseSystemEntity } from './system-entity.ts';
import {
  constantOf,
  isTrue,
  nodesOf,
  optionsOf,
  qualifiedName,
  relationOf,
  textOf,
} from './tree.ts';
import { QueryWalk } from './walk.ts';

const CACHE_MIN = 65_536;
const KEY_COLUMNS_MAX = 8;

const cacheAdvice =
  'is not supported without an explicit cache size. ' +
  'please define CACHE greater than or equal to 65536 or equal to 1';

/**
 * How many values a session takes from a sequence at once decides how sessions wait for each other.
 *
 * @param subject what DSQL calls it: `CREATE SEQUENCE` or `identity column`
 * @param isRequired whether a CACHE must be there, or only be right when it is
 */
export function judgeCache(options: Json | undefined, subject: string, isRequired: boolean): void {
  const cache = optionsOf(options).findLast(({ name }) => name === 'cache');
  if (cache === undefined && !isRequired) return;
  const size = Number(cache === undefined ? 0 : constantOf(cache.value));
  if (size !== 1 && !(size >= CACHE_MIN)) throw unsupported(`${subject} ${cacheAdvice}`);
}

/** An expression of a definition: a default, a check, a generated column. */
export function judgeExpression(value: Json | undefined, context: StatementContext): void {
  const walk = new QueryWalk(context.bytes, 'definition').walk(value);
  context.edits.push(...walk.edits);
}

export function refuseTooManyKeys(count: number): void {
  if (count <= KEY_COLUMNS_MAX) return;
  throw new DsqlError(
    '54011',
    `more than ${KEY_COLUMNS_MAX} column keys in an index are not supported`,
  );
}

/** The only collation there is. */
export function judgeCollation(clause: Json | undefined): void {
  const node = asObject(clause);
  if (node === null) return;
  const { name } = qualifiedName(node['collname']);
  if (name === 'C' || name === 'default') return;
  throw new DsqlError('42704', `collation "${name}" for encoding "UTF8" does not exist`);
}

/**
 * A column with its type, and without its constraints.
 *
 * @throws DsqlError
 */
export function judgeColumn(column: JsonObject, context: StatementContext): ColumnType | null {
  if (textOf(column, 'compression') !== '') throw unsupported('COMPRESSION not supported');
  judgeCollation(column['collClause']);
  const typeName = asObject(column['typeName']);
  return typeName === null ? null : judgeColumnType(typeName, context);
}

/**
 * A constraint of a new column (`type` is the column's) or of a new table or domain.
 *
 * @throws DsqlError
 */
export function judgeConstraint(
  constraint: JsonObject,
  context: StatementContext,
  type: ColumnType | null = null,
): void {
  const kind = textOf(constraint, 'contype');
  refuseLater(constraint);
  if (kind === 'CONSTR_EXCLUSION') throw unsupported('EXCLUDE constraint not supported');
  if (kind === 'CONSTR_IDENTITY') judgeIdentity(constraint, type);
  if (kind === 'CONSTR_FOREIGN') refuseSystemEntity(relationOf(constraint['pktable']));
  if (kind === 'CONSTR_PRIMARY' || kind === 'CONSTR_UNIQUE') judgeKey(constraint);
  judgeExpression(constraint['raw_expr'], context);
  judgeExpression(constraint['where_clause'], context);
}

/** What PostgreSQL 17 and 18 brought to constraints. */
function refuseLater(constraint: JsonObject): void {
  const kind = textOf(constraint, 'contype');
  if (kind === 'CONSTR_GENERATED' && constraint['generated_kind'] !== 's') {
    throw unsupported('generated columns other than STORED not supported');
  }
  const isPeriod = isTrue(constraint, 'fk_with_period') || isTrue(constraint, 'pk_with_period');
  if (isPeriod || isTrue(constraint, 'without_overlaps')) {
    throw unsupported('PERIOD and WITHOUT OVERLAPS not supported');
  }
  const isEnforceable = kind === 'CONSTR_CHECK' || kind === 'CONSTR_FOREIGN';
  const isNotEnforced = isEnforceable && constraint['is_enforced'] !== true;
  if (isNotEnforced || kind === 'CONSTR_ATTR_NOT_ENFORCED' || kind === 'CONSTR_ATTR_ENFORCED') {
    throw unsupported('[NOT] ENFORCED not supported');
  }
}

function judgeIdentity(constraint: JsonObject, type: ColumnType | null): void {
  judgeCache(constraint['options'], 'identity column', true);
  if (type === null || type.builtin === 'int8') return;
  throw unsupported(`datatype ${type.display} not supported, identity column type must be bigint`);
}

function judgeKey(constraint: JsonObject): void {
  refuseTooManyKeys(nodesOf('String', constraint['keys']).length);
  if ('options' in constraint) throw unsupported('WITH not supported for index parameters');
  if (textOf(constraint, 'indexspace') !== '') {
    throw unsupported('USING INDEX TABLESPACE not supported');
  }
}
