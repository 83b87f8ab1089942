import { Effect } from './facts.ts';

/** What a kind of statement does of itself, before its parts are looked at. */
export type StatementKind = {
  readonly effects: number;
  readonly reason: string;
  /** No limit of statement time applies. */
  readonly exempt: boolean;
  readonly ddl: boolean;
  /** Relations named in it directly are written, or changed. */
  readonly writes: boolean;
};

const clean = (options: { exempt?: boolean; writes?: boolean } = {}): StatementKind => ({
  effects: Effect.None,
  reason: '',
  exempt: options.exempt ?? false,
  ddl: false,
  writes: options.writes ?? false,
});

const session = (reason: string, exempt = false): StatementKind => ({
  effects: Effect.Session,
  reason,
  exempt,
  ddl: false,
  writes: exempt,
});

/**
 * Every kind that is known to be something else than DDL. What is not here is taken for DDL, which
 * may create, change or drop a temporary object whether it says so or not, since `search_path` can
 * begin with `pg_temp`.
 */
const kinds: ReadonlyMap<string, StatementKind> = new Map([
  ['SelectStmt', clean()],
  ['InsertStmt', clean()],
  ['UpdateStmt', clean()],
  ['DeleteStmt', clean()],
  ['MergeStmt', clean()],
  ['ReturnStmt', clean()],
  ['TransactionStmt', clean()],
  ['ExplainStmt', clean()],
  ['VariableShowStmt', clean()],
  // What a SET does depends on its name; the walker looks.
  ['VariableSetStmt', clean()],
  ['FetchStmt', clean()],
  ['NotifyStmt', clean()],
  ['LockStmt', clean()],
  ['CopyStmt', clean({ exempt: true })],
  // WITH HOLD is looked at by the walker.
  ['DeclareCursorStmt', clean()],
  ['ConstraintsSetStmt', clean()],
  ['CheckPointStmt', clean({ exempt: true })],
  // CASCADE is looked at by the walker.
  ['TruncateStmt', clean({ writes: true })],
  ['ListenStmt', session('LISTEN')],
  ['UnlistenStmt', session('UNLISTEN')],
  ['ClosePortalStmt', session('CLOSE')],
  ['PrepareStmt', session('PREPARE')],
  ['ExecuteStmt', clean()],
  ['DeallocateStmt', session('DEALLOCATE')],
  ['DiscardStmt', session('DISCARD')],
  ['DoStmt', session('DO')],
  ['CallStmt', session('CALL')],
  ['VacuumStmt', session('VACUUM', true)],
  ['ClusterStmt', session('CLUSTER', true)],
  // Event triggers hear of it, from PostgreSQL 17 on.
  ['ReindexStmt', { ...session('REINDEX', true), ddl: true }],
  [
    'LoadStmt',
    { effects: Effect.Permanent, reason: 'LOAD', exempt: false, ddl: false, writes: false },
  ],
]);

const ddl: StatementKind = {
  effects: Effect.Session,
  reason: 'DDL',
  exempt: true,
  ddl: true,
  writes: true,
};

/** It runs a script that nobody has read. */
const extension: StatementKind = { ...ddl, effects: Effect.Permanent, reason: 'extension script' };

/** `kind` is the parser's node name; null when it is not a statement at all. */
export function statementKind(kind: string): StatementKind | null {
  const known = kinds.get(kind);
  if (known !== undefined) return known;
  if (kind === 'CreateExtensionStmt' || kind === 'AlterExtensionStmt') return extension;
  return kind.endsWith('Stmt') ? ddl : null;
}

/**
 * Nodes of raw parse trees that are no statements and carry nothing but their children, and those
 * that the walker reads itself. Any other node is something this program has never heard of.
 */
export const knownNodes: ReadonlySet<string> = new Set(
  `Integer Float Boolean String BitString List IntList OidList A_Const Alias RangeVar IntoClause
  NamedArgExpr BoolExpr SubLink CollateClause CaseExpr CaseWhen RowExpr CoalesceExpr MinMaxExpr
  SQLValueFunction XmlExpr XmlSerialize JsonFormat JsonReturning JsonValueExpr JsonBehavior
  JsonIsPredicate JsonOutput JsonArgument JsonFuncExpr JsonTablePathSpec JsonTable
  JsonTableColumn JsonKeyValue JsonParseExpr JsonScalarExpr JsonSerializeExpr
  JsonObjectConstructor JsonArrayConstructor JsonArrayQueryConstructor JsonAggConstructor
  JsonObjectAgg JsonArrayAgg NullTest BooleanTest GroupingFunc GroupingSet MergeSupportFunc
  SetToDefault CurrentOfExpr JoinExpr TypeName ColumnRef ParamRef A_Expr TypeCast RoleSpec
  FuncCall A_Star A_Indices A_Indirection A_ArrayExpr ResTarget MultiAssignRef SortBy WindowDef
  RangeSubselect RangeFunction RangeTableFunc RangeTableFuncCol RangeTableSample ColumnDef
  TableLikeClause IndexElem DefElem LockingClause PartitionElem PartitionSpec PartitionBoundSpec
  PartitionRangeDatum PartitionCmd WithClause InferClause OnConflictClause CTESearchClause
  CTECycleClause CommonTableExpr MergeWhenClause ReturningOption ReturningClause
  TriggerTransition RawStmt AlterTableCmd ATAlterConstraint ObjectWithArgs AccessPriv Constraint
  CreateOpClassItem StatsElem FunctionParameter VacuumRelation PublicationTable
  PublicationObjSpec`.split(/\s+/),
);
