/**
 * What a plain read names, for servers that cannot be asked what a statement means. Only forms are
 * taken of which nothing can hide: columns, constants and parameters, compared with each other, and
 * a few aggregates. Pure.
 */

import type { Json } from '../facts/parser.ts';
import { asList, asObject, asText, type JsonObject, nameParts } from '../facts/parser.ts';

/** One side of an operator, or an argument. */
export type Operand =
  /** `of` is the table's name or alias in the statement, or null. */
  | { readonly kind: 'column'; readonly of: string | null; readonly name: string }
  /** A constant or parameter; the type is 0 where the other side decides. */
  | { readonly kind: 'value'; readonly type: number };

export type PlainOperator = {
  readonly name: string;
  readonly left: Operand;
  readonly right: Operand;
};

export type PlainRead = {
  readonly relations: readonly {
    readonly schema: string | null;
    readonly name: string;
    /** As what the statement knows it. */
    readonly alias: string;
  }[];
  /** Every column that is named. */
  readonly columns: readonly (Operand & { readonly kind: 'column' })[];
  readonly operators: readonly PlainOperator[];
  /** Names of aggregates. */
  readonly aggregates: readonly string[];
  /** Names of types, without their schema, that something is cast to. */
  readonly types: readonly string[];
};

const INT4 = 23;
const INT8 = 20;
const NUMERIC = 1700;
const BOOL = 16;

/** Types that a constant or parameter may be cast to, by the name that the parser gives them. */
const TYPES: ReadonlyMap<string, number> = new Map([
  ['bool', BOOL],
  ['bytea', 17],
  ['int8', INT8],
  ['int2', 21],
  ['int4', INT4],
  ['text', 25],
  ['float4', 700],
  ['float8', 701],
  ['varchar', 1043],
  ['date', 1082],
  ['timestamp', 1114],
  ['timestamptz', 1184],
  ['numeric', NUMERIC],
  ['uuid', 2950],
]);

/** By their arrays: `= ANY ($1)` compares with each. */
const ELEMENTS: ReadonlyMap<number, number> = new Map([
  [0, 0],
  [1000, BOOL],
  [1005, 21],
  [1007, INT4],
  [1009, 25],
  [1015, 1043],
  [1016, INT8],
  [1021, 700],
  [1022, 701],
  [1231, NUMERIC],
  [2951, 2950],
]);

/** They compute with immutable functions alone, whatever they are given. */
const AGGREGATES: ReadonlySet<string> = new Set(['count', 'sum', 'min', 'max', 'avg']);

const CLAUSES: ReadonlySet<string> = new Set([
  'targetList',
  'fromClause',
  'whereClause',
  'groupClause',
  'havingClause',
  'sortClause',
  'limitCount',
  'limitOffset',
  'limitOption',
  'distinctClause',
  'op',
]);

/** Something that is not plain. */
class Involved extends Error {}

function involved(): never {
  throw new Involved();
}

/**
 * @param tree of the parser, for one statement
 * @param paramTypes those that the client has declared, 0 where it has not
 * @returns null when it is more than plain
 */
export function readPlainly(tree: JsonObject, paramTypes: readonly number[]): PlainRead | null {
  const [first, ...more] = asList(tree['stmts']);
  const select = asObject(asObject(asObject(first)?.['stmt'])?.['SelectStmt']);
  if (select === null || more.length > 0) return null;
  try {
    return new Reader(paramTypes).read(select);
  } catch (error) {
    if (error instanceof Involved) return null;
    throw error;
  }
}

class Reader {
  readonly #paramTypes: readonly number[];
  readonly #relations: { schema: string | null; name: string; alias: string }[] = [];
  readonly #columns: (Operand & { kind: 'column' })[] = [];
  readonly #operators: PlainOperator[] = [];
  readonly #aggregates = new Set<string>();
  readonly #types = new Set<string>();

  constructor(paramTypes: readonly number[]) {
    this.#paramTypes = paramTypes;
  }

  read(select: JsonObject): PlainRead {
    if (Object.keys(select).some((clause) => !CLAUSES.has(clause))) involved();
    if (select['op'] !== 'SETOP_NONE') involved();
    for (const item of asList(select['fromClause'])) this.#from(item);
    for (const item of asList(select['targetList'])) {
      const target = asObject(asObject(item)?.['ResTarget']);
      if (target === null || target['indirection'] !== undefined) involved();
      this.#expression(target['val']);
    }
    for (const clause of ['groupClause', 'distinctClause']) {
      // A DISTINCT without columns is a list of nothing.
      for (const item of asList(select[clause])) {
        if (Object.keys(asObject(item) ?? {}).length > 0) this.#operand(item);
      }
    }
    for (const item of asList(select['sortClause'])) {
      const sort = asObject(asObject(item)?.['SortBy']);
      if (sort === null || asList(sort['useOp']).length > 0) involved();
      this.#expression(sort['node']);
    }
    for (const clause of ['whereClause', 'havingClause']) {
      if (select[clause] !== undefined) this.#expression(select[clause]);
    }
    for (const clause of ['limitCount', 'limitOffset']) {
      if (select[clause] !== undefined) this.#operand(select[clause]);
    }
    return {
      relations: this.#relations,
      columns: this.#columns,
      operators: this.#operators,
      aggregates: [...this.#aggregates],
      types: [...this.#types],
    };
  }

  #from(item: Json): void {
    const range = asObject(asObject(item)?.['RangeVar']);
    if (range !== null) {
      this.#relation(range);
      return;
    }
    const join = asObject(asObject(item)?.['JoinExpr']) ?? involved();
    if (join['isNatural'] === true || join['alias'] !== undefined) involved();
    if (join['join_using_alias'] !== undefined) involved();
    this.#from(join['larg'] ?? null);
    this.#from(join['rarg'] ?? null);
    if (join['quals'] !== undefined) this.#expression(join['quals']);
    for (const name of nameParts(join['usingClause'])) {
      const column = this.#column(null, name);
      this.#operators.push({ name: '=', left: column, right: column });
    }
  }

  #relation(range: JsonObject): void {
    const name = asText(range['relname']) ?? involved();
    const alias = asObject(range['alias']);
    const isPlain = range['inh'] === true && range['catalogname'] === undefined;
    if (!isPlain || alias?.['colnames'] !== undefined) involved();
    const schema = asText(range['schemaname']);
    this.#relations.push({ schema, name, alias: asText(alias?.['aliasname']) ?? name });
  }

  #expression(value: Json | undefined): void {
    const [kind, node] = only(value);
    switch (kind) {
      case 'BoolExpr':
        for (const item of asList(node['args'])) this.#expression(item);
        return;
      case 'NullTest':
        this.#operand(node['arg']);
        return;
      case 'A_Expr':
        this.#operator(node);
        return;
      case 'ColumnRef':
        if (!this.#star(node)) this.#operand(value);
        return;
      default:
        this.#operand(value);
    }
  }

  #operator(node: JsonObject): void {
    const [name, ...schema] = nameParts(node['name']);
    if (name === undefined || schema.length > 0 || node['lexpr'] === undefined) involved();
    const left = this.#operand(node['lexpr']);
    const push = (operator: string, value: Json | undefined): void => {
      this.#operators.push({ name: operator, left, right: this.#operand(value) });
    };
    switch (node['kind']) {
      case 'AEXPR_OP':
      case 'AEXPR_DISTINCT':
      case 'AEXPR_NOT_DISTINCT':
      case 'AEXPR_LIKE':
      case 'AEXPR_ILIKE':
        push(name, node['rexpr']);
        return;
      case 'AEXPR_IN':
        for (const item of listOf(node['rexpr'])) push(name, item);
        return;
      case 'AEXPR_BETWEEN':
      case 'AEXPR_NOT_BETWEEN':
        for (const item of listOf(node['rexpr'])) {
          for (const operator of ['<', '<=', '>', '>=']) push(operator, item);
        }
        return;
      case 'AEXPR_OP_ANY':
        this.#operators.push({ name, left, right: this.#element(node['rexpr']) });
        return;
      default:
        involved();
    }
  }

  #operand(value: Json | undefined): Operand {
    const [kind, node] = only(value);
    switch (kind) {
      case 'ColumnRef': {
        const parts = nameParts(node['fields']);
        if (parts.length !== asList(node['fields']).length || parts.length > 2) involved();
        const name = parts.at(-1) ?? involved();
        return this.#column(parts.length === 2 ? (parts[0] ?? null) : null, name);
      }
      case 'A_Const':
        return { kind: 'value', type: constantType(node) };
      case 'ParamRef':
        return { kind: 'value', type: this.#paramType(node) };
      case 'TypeCast':
        return this.#cast(node);
      case 'FuncCall':
        return this.#aggregate(node);
      default:
        return involved();
    }
  }

  #column(of: string | null, name: string): Operand {
    const column = { kind: 'column' as const, of, name };
    this.#columns.push(column);
    return column;
  }

  #paramType(node: JsonObject): number {
    return this.#paramTypes[Number(node['number'] ?? 0) - 1] ?? 0;
  }

  /** What a parameter that is an array is made of. */
  #element(value: Json | undefined): Operand {
    const [kind, node] = only(value);
    if (kind !== 'ParamRef') involved();
    return { kind: 'value', type: ELEMENTS.get(this.#paramType(node)) ?? involved() };
  }

  /** Of a constant, or of a parameter that has no other type: nothing is converted then. */
  #cast(node: JsonObject): Operand {
    const name = asObject(node['typeName']);
    const names = nameParts(name?.['names']);
    const last = names.at(-1) ?? '';
    const isPlain = asList(name?.['arrayBounds']).length === 0 && name?.['setof'] !== true;
    if (!isPlain || names.length > 2 || (names.length === 2 && names[0] !== 'pg_catalog'))
      involved();
    if (asList(name?.['typmods']).length > 0) involved();
    const type = TYPES.get(last) ?? involved();
    const [kind, arg] = only(node['arg']);
    if (kind === 'ParamRef' ? ![0, type].includes(this.#paramType(arg)) : kind !== 'A_Const') {
      involved();
    }
    // A constant that is no string is converted, from a type to another.
    if (kind === 'A_Const' && ![0, type].includes(constantType(arg))) involved();
    this.#types.add(last);
    return { kind: 'value', type };
  }

  /** Only the type of what `count` returns is known here. */
  #aggregate(node: JsonObject): Operand {
    const [name, ...rest] = nameParts(node['funcname']);
    if (name === undefined || rest.length > 0 || !AGGREGATES.has(name)) involved();
    const hasMore = ['agg_order', 'agg_filter', 'over', 'func_variadic', 'agg_within_group'];
    if (hasMore.some((key) => node[key] !== undefined)) involved();
    this.#aggregates.add(name);
    for (const item of asList(node['args'])) {
      if (this.#operand(item).kind !== 'column') involved();
    }
    return { kind: 'value', type: name === 'count' ? INT8 : UNTYPED };
  }

  /** `*`, or `t.*`. */
  #star(node: JsonObject): boolean {
    const fields = asList(node['fields']);
    return fields.length <= 2 && asObject(fields.at(-1))?.['A_Star'] !== undefined;
  }
}

/** A type of which nothing is known: no operator takes it. */
const UNTYPED = -1;

function constantType(node: JsonObject): number {
  if (node['isnull'] === true || node['sval'] !== undefined) return 0;
  if (node['ival'] !== undefined) return INT4;
  if (node['boolval'] !== undefined) return BOOL;
  // Of the whole ones those that are too long for an integer are numeric or bigint.
  return node['fval'] === undefined ? involved() : NUMERIC;
}

function listOf(value: Json | undefined): readonly Json[] {
  return asList(asObject(asObject(value)?.['List'])?.['items']);
}

/** The one kind of a wrapped node, and its content. */
function only(value: Json | undefined): [string, JsonObject] {
  const [entry, ...more] = Object.entries(asObject(value) ?? {});
  if (entry === undefined || more.length > 0) involved();
  return [entry[0], asObject(entry[1]) ?? involved()];
}
