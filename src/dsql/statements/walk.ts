/**
 * Goes through a query, or any expression of another statement: refuses what must not stand in it,
 * and notes what it reads, writes and locks. It has a list of its own instead of recursion, and
 * lets through only kinds of nodes that it knows.
 */
import { asList, asObject, type Json, type JsonObject } from '../../sql/facts/parser.ts';
import { unsupported } from '../dsql-error.ts';
import type { Edit } from './edits.ts';
import { refuseGeometricCall, refuseGeometricCast } from './geometric-types.ts';
import type { RelationName, RowLock } from './judgement.ts';
import { isBuiltin } from './known-functions.ts';
import { refuseFunction } from './refused-functions.ts';
import { locksOf } from './row-locks.ts';
import { refuseSystemEntity } from './system-entity.ts';
import { refuseConfigurationOfCall, refuseConfigurationOfCast } from './text-search.ts';
import { isTrue, nodesOf, qualifiedName, relationOf, textOf, unwrap } from './tree.ts';
import { unsupportedStatement } from './unsupported.ts';
import { answerOfCall, type CallPlace } from './version-calls.ts';

/** Names of the WITH queries that are visible at a place. */
export type CteScope = { readonly names: ReadonlySet<string>; readonly outer: CteScope | null };

type Task = { readonly value: Json; readonly scope: CteScope | null };

/** Kinds of nodes that carry nothing but their children, or are looked at here. */
const knownNodes: ReadonlySet<string> = new Set(
  `SelectStmt InsertStmt UpdateStmt DeleteStmt
  Integer Float Boolean String BitString List A_Const Alias RangeVar NamedArgExpr BoolExpr SubLink
  CollateClause CaseExpr CaseWhen RowExpr CoalesceExpr MinMaxExpr SQLValueFunction XmlExpr
  XmlSerialize JsonFormat JsonReturning JsonValueExpr JsonIsPredicate JsonOutput JsonArgument
  JsonKeyValue JsonObjectConstructor JsonArrayConstructor JsonArrayQueryConstructor
  JsonAggConstructor JsonObjectAgg JsonArrayAgg NullTest BooleanTest GroupingFunc GroupingSet
  SetToDefault CurrentOfExpr JoinExpr TypeName ColumnRef ParamRef A_Expr TypeCast FuncCall A_Star
  A_Indices A_Indirection A_ArrayExpr ResTarget MultiAssignRef SortBy WindowDef RangeSubselect
  RangeFunction RangeTableFunc RangeTableFuncCol ColumnDef LockingClause WithClause InferClause
  OnConflictClause CTESearchClause CTECycleClause CommonTableExpr ReturningClause IndexElem
  DefElem RoleSpec FunctionParameter ReturnStmt`.split(/\s+/),
);

/** Written by users of PostgreSQL 17 and later; in 16, whose grammar is Aurora DSQL's, an error. */
const laterNodes: ReadonlyMap<string, string> = new Map([
  ['JsonTable', 'JSON_TABLE'],
  ['JsonFuncExpr', 'JSON_EXISTS, JSON_QUERY and JSON_VALUE'],
  ['JsonParseExpr', 'JSON'],
  ['JsonScalarExpr', 'JSON_SCALAR'],
  ['JsonSerializeExpr', 'JSON_SERIALIZE'],
  ['ReturningOption', 'RETURNING WITH'],
  ['MergeSupportFunc', 'MERGE_ACTION'],
]);

const writers: ReadonlySet<string> = new Set(['InsertStmt', 'UpdateStmt', 'DeleteStmt']);

const noScope: CteScope | null = null;

export class QueryWalk {
  readonly relations: RelationName[] = [];
  readonly targets: RelationName[] = [];
  readonly locks: RowLock[] = [];
  readonly edits: Edit[] = [];
  /** Statements that write, WITH queries among them. */
  writeCount = 0;
  /** Whether a function is called that is not PostgreSQL's own. */
  callsUserFunction = false;
  readonly #bytes: Uint8Array;
  readonly #tasks: Task[] = [];
  readonly #seen = new Set<string>();
  readonly #edited = new Set<number>();
  readonly #place: CallPlace;

  /**
   * @param bytes the text that the offsets of the tree count in
   * @param place `definition` for expressions in which no subquery may stand
   */
  constructor(bytes: Uint8Array, place: CallPlace = 'expression') {
    this.#bytes = bytes;
    this.#place = place;
  }

  /** @throws DsqlError for what is refused anywhere in it */
  walk(root: Json | undefined): this {
    this.#push(root, noScope);
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) {
      if (Array.isArray(task.value)) {
        for (const item of task.value) this.#push(item, task.scope);
      } else this.#object(task.value as JsonObject, task.scope);
    }
    return this;
  }

  #push(value: Json | undefined, scope: CteScope | null): void {
    if (value !== null && typeof value === 'object') this.#tasks.push({ value, scope });
  }

  #object(object: JsonObject, scope: CteScope | null): void {
    const wrapped = unwrap(object);
    if (wrapped === null) this.#content('', object, scope);
    else {
      this.#refuseKind(wrapped.kind, wrapped.node);
      this.#content(wrapped.kind, wrapped.node, scope);
    }
  }

  #refuseKind(kind: string, node: JsonObject): void {
    if (kind === 'RangeTableSample') throw unsupported('TABLESAMPLE clause not supported');
    const later = laterNodes.get(kind);
    if (later !== undefined) throw unsupported(`${later} not supported`);
    if (!knownNodes.has(kind)) throw unsupportedStatement(kind);
    if (kind === 'SelectStmt' && 'intoClause' in node) throw unsupportedStatement('CreateTableAs');
  }

  #content(kind: string, node: JsonObject, outer: CteScope | null): void {
    const scope = 'withClause' in node ? this.#ctes(node, outer) : outer;
    if ('relname' in node) this.#relation(node, scope);
    if ('funcname' in node) this.#call(node);
    if (kind === 'SelectStmt') this.#locks(node, scope);
    if (kind === 'RangeFunction') this.#tableFunctions(node);
    if (kind === 'TypeCast') {
      refuseConfigurationOfCast(node);
      refuseGeometricCast(node);
    }
    if (writers.has(kind)) this.#target(node);
    for (const [key, value] of Object.entries(node)) {
      // A locking clause names what FROM has named already.
      if (key === 'withClause' || key === 'lockingClause') continue;
      if (key === 'relation' && writers.has(kind)) continue;
      this.#push(value, scope);
    }
  }

  /** What is written is never a WITH query, whatever it is called. */
  #target(node: JsonObject): void {
    const target = relationOf(node['relation']);
    refuseSystemEntity(target);
    this.writeCount++;
    this.targets.push(target);
    this.#note(target);
  }

  #relation(node: JsonObject, scope: CteScope | null): void {
    const relation = relationOf(node);
    if (relation.schema === null && isCte(scope, relation.name)) return;
    this.#note(relation);
  }

  #note(relation: RelationName): void {
    const key = JSON.stringify([relation.schema, relation.name]);
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.relations.push(relation);
  }

  #call(node: JsonObject): void {
    const name = qualifiedName(node['funcname']);
    refuseFunction(name);
    refuseConfigurationOfCall(node);
    refuseGeometricCall(node);
    if (!isBuiltin(name)) this.callsUserFunction = true;
    this.#rewrite(node, this.#place);
  }

  /** A function in FROM can be no subquery, since those need an alias. */
  #tableFunctions(node: JsonObject): void {
    for (const item of asList(node['functions'])) {
      const call = unwrap(asList(unwrap(item)?.node['items'])[0]);
      if (call?.kind !== 'FuncCall') continue;
      const hasAlias = 'alias' in node || isTrue(node, 'is_rowsfrom');
      this.#rewrite(call.node, hasAlias ? 'aliased' : 'from');
    }
  }

  /** A function in FROM is met twice, and first there. */
  #rewrite(node: JsonObject, place: CallPlace): void {
    const edit = answerOfCall(node, this.#bytes, place);
    if (edit === null || this.#edited.has(edit.start)) return;
    this.#edited.add(edit.start);
    this.edits.push(edit);
  }

  #locks(node: JsonObject, scope: CteScope | null): void {
    if ('lockingClause' in node) this.locks.push(...locksOf(node, (name) => isCte(scope, name)));
  }

  /** Without RECURSIVE a WITH query sees those before it: each adds a scope to that of the last. */
  #ctes(node: JsonObject, outer: CteScope | null): CteScope {
    const clause = asObject(node['withClause']);
    const queries = nodesOf('CommonTableExpr', clause?.['ctes']);
    const names = queries.map((query) => textOf(query, 'ctename'));
    const all: CteScope = { names: new Set(names), outer };
    const isRecursive = clause?.['recursive'] === true;
    let before = outer;
    for (const [index, query] of queries.entries()) {
      this.#push(query, isRecursive ? all : before);
      before = { names: new Set([names[index] ?? '']), outer: before };
    }
    return all;
  }
}

function isCte(scope: CteScope | null, name: string): boolean {
  for (let at = scope; at !== null; at = at.outer) if (at.names.has(name)) return true;
  return false;
}
