/**
 * Which types a column may have, and how Aurora DSQL calls those that it may not. Types in
 * expressions are free, but for geometric ones.
 */
import { asList, type JsonObject } from '../../sql/facts/parser.ts';
import { DsqlError, unsupported } from '../dsql-error.ts';
import type { StatementContext } from './context.ts';
import { TokenKind, TokenReader } from './tokens.ts';
import { constantOf, locationOf, qualifiedName } from './tree.ts';

/** What a column can be, by PostgreSQL's internal name; the value is what it displays. */
export const storableTypes: ReadonlyMap<string, string> = new Map([
  ['int2', 'smallint'],
  ['int4', 'integer'],
  ['int8', 'bigint'],
  ['float4', 'real'],
  ['float8', 'double precision'],
  ['numeric', 'numeric'],
  ['bpchar', 'character'],
  ['varchar', 'character varying'],
  ['text', 'text'],
  ['bytea', 'bytea'],
  ['bool', 'boolean'],
  ['date', 'date'],
  ['time', 'time without time zone'],
  ['timetz', 'time with time zone'],
  ['timestamp', 'timestamp without time zone'],
  ['timestamptz', 'timestamp with time zone'],
  ['interval', 'interval'],
  ['uuid', 'uuid'],
  ['json', 'json'],
  ['jsonb', 'jsonb'],
]);

/** PostgreSQL's other types by internal name; those that are displayed otherwise with it. */
const others: ReadonlyMap<string, string> = new Map(
  `aclitem any="any" anyarray anycompatible anycompatiblearray anycompatiblemultirange
  anycompatiblenonarray anycompatiblerange anyelement anyenum anymultirange anynonarray anyrange
  bit box char="char" cid cidr circle cstring datemultirange daterange event_trigger fdw_handler
  gtsvector index_am_handler inet int2vector int4multirange int4range int8multirange int8range
  internal jsonpath language_handler line lseg macaddr macaddr8 money name nummultirange numrange
  oid oidvector path point polygon record refcursor regclass regcollation regconfig regdictionary
  regnamespace regoper regoperator regproc regprocedure regrole regtype table_am_handler tid
  trigger tsm_handler tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector
  txid_snapshot unknown varbit=bit_varying void xid xid8 xml`
    .split(/\s+/)
    .map((entry) => {
      const [name = '', display = name] = entry.split('=');
      return [name, display.replace('_', ' ')] as const;
    }),
);

const serials: ReadonlySet<string> = new Set(
  'smallserial serial bigserial serial2 serial4 serial8'.split(' '),
);

/** Which storable types no index holds. */
export const isKeyless = (type: string): boolean => type === 'json' || type === 'jsonb';

const CHAR_BYTES_MAX = 4_096;
const VARCHAR_BYTES_MAX = 65_535;

/** How many digits, and how many of them behind the point, a bare `numeric` column holds. */
const NUMERIC_MODIFIER = '(18,6)';

export type ColumnType = {
  /** PostgreSQL's internal name, such as `int8`; null for a type of the client's own. */
  readonly builtin: string | null;
  /** As PostgreSQL displays it. */
  readonly display: string;
};

/** A type name of `pg_catalog` begins with an underscore for the array of it. */
function elementOf(name: string): string | null {
  const element = name.startsWith('_') ? name.slice(1) : null;
  return element !== null && (storableTypes.has(element) || others.has(element)) ? element : null;
}

const displayOf = (name: string): string => storableTypes.get(name) ?? others.get(name) ?? name;

/** What a TypeName names. */
export function typeOf(typeName: JsonObject): ColumnType {
  const { schema, name } = qualifiedName(typeName['names']);
  const isOwn = schema !== null && schema !== 'pg_catalog';
  const element = isOwn ? null : elementOf(name);
  const suffix = asList(typeName['arrayBounds']).length > 0 || element !== null ? '[]' : '';
  const base = element ?? name;
  const isKnown = storableTypes.has(base) || others.has(base) || base.startsWith('pg_');
  const isBuiltin = !isOwn && (isKnown || schema === 'pg_catalog');
  return {
    builtin: isBuiltin ? base + suffix : null,
    display: isOwn ? `${schema}.${name}${suffix}` : displayOf(base) + suffix,
  };
}

/**
 * A type of a column, or one that a domain is made of. A bare `numeric` gets its precision.
 *
 * @throws DsqlError `0A000`, `42704` for serials, `54000` above the limits of size
 */
export function judgeColumnType(typeName: JsonObject, context: StatementContext): ColumnType {
  const { schema, name } = qualifiedName(typeName['names']);
  if (schema === null && serials.has(name)) {
    throw new DsqlError('42704', `type "${name}" does not exist`);
  }
  const type = typeOf(typeName);
  const isArray = asList(typeName['arrayBounds']).length > 0;
  const isStorable = type.builtin === null ? !isArray : storableTypes.has(type.builtin);
  if (!isStorable || schema === 'information_schema' || typeName['setof'] === true) {
    throw unsupported(`datatype ${type.display} not supported`);
  }
  refuseLong(type.builtin, typeName);
  if (type.builtin === 'numeric' && asList(typeName['typmods']).length === 0) {
    const at = endOfTypeName(locationOf(typeName), context);
    if (at >= 0) context.edits.push({ start: at, end: at, text: NUMERIC_MODIFIER });
  }
  return type;
}

function refuseLong(builtin: string | null, typeName: JsonObject): void {
  const size = Number(constantOf(asList(typeName['typmods'])[0]) ?? 0);
  const isChar = builtin === 'bpchar';
  const sizeMax = isChar ? CHAR_BYTES_MAX : VARCHAR_BYTES_MAX;
  if ((!isChar && builtin !== 'varchar') || size <= sizeMax) return;
  const display = isChar ? 'char' : 'varchar';
  throw new DsqlError(
    '54000',
    `Datatype limit greater than ${sizeMax} bytes not supported for ${display}`,
  );
}

/** Behind `numeric` or `pg_catalog.numeric` that begins at `at`; -1 when that is not known. */
function endOfTypeName(at: number, { bytes, end }: StatementContext): number {
  if (at < 0) return -1;
  const token = new TokenReader(bytes, at, end);
  token.next();
  let last = token.end;
  while (token.next() !== TokenKind.End && token.isDot()) {
    token.next();
    last = token.end;
  }
  return last;
}
