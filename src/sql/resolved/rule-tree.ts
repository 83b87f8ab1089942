/**
 * Reads the tree that PostgreSQL keeps of a view's query (`pg_rewrite.ev_action`): names are ids
 * there, operators and casts are the functions behind them, and literals have their types. Only
 * what is listed here is understood; anything else makes the tree unreadable, which is safe.
 * Source: outfuncs.c, readfuncs.c and primnodes.h of PostgreSQL 13 to 18.
 */

/** Ids of the catalogue that a query reaches by itself; views are not looked through. */
export type RuleTree = {
  readonly relations: ReadonlySet<number>;
  readonly functions: ReadonlySet<number>;
  readonly operators: ReadonlySet<number>;
  readonly types: ReadonlySet<number>;
  /** A value is written as text and read back as another type: its types' own functions run. */
  readonly convertsByText: boolean;
};

/** Longer trees are not read. */
export const RULE_TREE_CHARACTERS_MAX = 4 << 20;

/** Nodes without effect of their own; versions of PostgreSQL differ in some of the names. */
const NODES: ReadonlySet<string> = new Set(
  `AGGREF ALIAS ARRAY ARRAYCOERCEEXPR ARRAYEXPR BOOLEANTEST BOOLEXPR CASE CASEEXPR CASETESTEXPR
  CASEWHEN COALESCE COALESCEEXPR COERCEVIAIO COLLATEEXPR COMMONTABLEEXPR CONST CONVERTROWTYPEEXPR
  CTECYCLECLAUSE CTESEARCHCLAUSE DISTINCTEXPR FIELDSELECT FROMEXPR FUNCEXPR GROUPINGFUNC GROUPINGSET
  JOINEXPR MINMAX MINMAXEXPR NAMEDARGEXPR NULLIFEXPR NULLTEST OPEXPR QUERY RANGETBLENTRY
  RANGETBLFUNCTION RANGETBLREF RELABELTYPE ROW ROWCOMPARE ROWCOMPAREEXPR ROWEXPR RTE
  RTEPERMISSIONINFO SCALARARRAYOPEXPR SETOPERATIONSTMT SORTGROUPCLAUSE SUBLINK SUBSCRIPTINGREF
  TARGETENTRY VAR WHEN WINDOWCLAUSE WINDOWFUNC`.split(/\s+/),
);

const FUNCTION_FIELDS: ReadonlySet<string> = new Set([
  ':aggfnoid',
  ':funcid',
  ':hashfuncid',
  ':negfuncid',
  ':opfuncid',
  ':winfnoid',
]);
const OPERATOR_FIELDS: ReadonlySet<string> = new Set([
  ':cycle_mark_neop',
  ':eqop',
  ':opno',
  ':opnos',
  ':sortop',
]);
const TYPE_FIELDS: ReadonlySet<string> = new Set([
  ':aggtype',
  ':array_typeid',
  ':casetype',
  ':coalescetype',
  ':consttype',
  ':cycle_mark_type',
  ':element_typeid',
  ':funccoltypes',
  ':funcresulttype',
  ':minmaxtype',
  ':opresulttype',
  ':refcontainertype',
  ':refelemtype',
  ':refrestype',
  ':resulttype',
  ':row_typeid',
  ':typeId',
  ':vartype',
  ':wintype',
]);
/** Flags of a query that must not be set. */
const FORBIDDEN_FLAGS: ReadonlySet<string> = new Set([
  ':hasForUpdate',
  ':hasModifyingCTE',
  ':hasRowSecurity',
]);
/** cmin, xmax and cmax, which a lock of a row changes as well, and that is no write to anybody. */
const LOCKED_COLUMNS: ReadonlySet<string> = new Set(['-3', '-4', '-5']);
/** CMD_SELECT. */
const SELECT = '1';

/** Brackets, and words in which a backslash takes the next character literally. */
const TOKEN = /[{}()]|(?:\\[\s\S]|[^\s{}()\\])+/g;
const NUMBER = /^\d+$/;

/** The tree in the text, or null when something in it is not understood. */
export function readRuleTree(text: string): RuleTree | null {
  if (text.length > RULE_TREE_CHARACTERS_MAX) return null;
  const relations = new Set<number>();
  const functions = new Set<number>();
  const operators = new Set<number>();
  const types = new Set<number>();
  let convertsByText = false;
  let field = '';
  let before = '';
  for (const [token] of text.matchAll(TOKEN)) {
    if (before === '{') {
      if (!NODES.has(token)) return null;
      convertsByText ||= token === 'COERCEVIAIO';
      field = '';
    } else if (token.startsWith(':')) field = token;
    else if (field === ':commandType' && token !== SELECT) return null;
    else if (FORBIDDEN_FLAGS.has(field) && token !== 'false') return null;
    else if (field === ':varattno' && LOCKED_COLUMNS.has(token)) return null;
    else if (field !== '' && NUMBER.test(token) && token !== '0') {
      const id = Number(token);
      if (FUNCTION_FIELDS.has(field)) functions.add(id);
      else if (OPERATOR_FIELDS.has(field)) operators.add(id);
      else if (TYPE_FIELDS.has(field)) types.add(id);
      else if (field === ':relid') relations.add(id);
    }
    before = token;
  }
  return { relations, functions, operators, types, convertsByText };
}
