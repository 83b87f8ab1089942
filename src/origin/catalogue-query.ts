/**
 * The queries that read a database's catalogue. Everything is qualified, operators too, since they
 * run under whatever `search_path` the role has. They need no rights but those of any role, and
 * know PostgreSQL 13 to 18. Object ids from 16384 belong to users.
 */

import { trustedExtensions } from '../sql/catalogue/trusted-extensions.ts';
import {
  builtinFunctionEffect,
  builtinFunctionsWith,
  sequenceReaders,
} from '../sql/facts/builtin-functions.ts';
import { Effect } from '../sql/facts/facts.ts';
import { anyOf, CONCAT, classId, EQ, LT, NE, SYSTEM, text, USER } from './catalogue-sql.ts';

/** Longer bodies of functions are not fetched, and so not proven to be harmless. */
const FUNCTION_BYTES_MAX = 256 * 1024;

/** One row: names of PostgreSQL's own functions, volatile ones, relations, types and operators. */
export const SYSTEM_NAMES_QUERY: string = [
  names('pg_proc', 'proname', ''),
  names('pg_proc', 'proname', `AND c.provolatile ${EQ} 'v'::"char"`),
  names('pg_class', 'relname', ''),
  names('pg_type', 'typname', ''),
  names('pg_operator', 'oprname', ''),
].reduce((query, column, index) => `${query}${index === 0 ? '' : ', '}${column}`, 'SELECT ');

function names(table: string, column: string, condition: string): string {
  return (
    `(SELECT pg_catalog.string_agg(DISTINCT ${text(`c.${column}`)}, ' ')` +
    ` FROM pg_catalog.${table} c WHERE c.oid ${SYSTEM} ${condition})`
  );
}

/** Members of extensions that are trusted: class and id. */
const TRUSTED = `SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_extension e ON e.oid ${EQ} d.refobjid
  WHERE d.refclassid ${EQ} ${classId('pg_extension')} AND d.deptype ${EQ} 'e'::"char"
  AND ${text('e.extname')} ${anyOf(trustedExtensions)}`;

const CLASS_LETTERS: readonly (readonly [string, string])[] = [
  ['pg_proc', 'f'],
  ['pg_operator', 'o'],
  ['pg_type', 't'],
  ['pg_cast', 'c'],
  ['pg_class', 'r'],
];

export const letterOf = (column: string): string =>
  `CASE ${CLASS_LETTERS.map(
    ([table, letter]) => `WHEN ${column} ${EQ} ${classId(table)} THEN '${letter}'`,
  ).join(' ')} END`;

/** A row of the one result: its kind, and seven columns of text. */
export function row(kind: string, columns: readonly string[], rest: string): string {
  const padded = [...columns, ...Array.from({ length: 7 - columns.length }, () => "''")];
  return `SELECT '${kind}', ${padded.map(text).join(', ')} ${rest}`;
}

const FUNCTIONS = row(
  'function',
  [
    'p.oid',
    'n.nspname',
    'p.proname',
    `CASE WHEN p.prokind ${EQ} 'a'::"char" THEN '' ELSE ${text('l.lanname')} END`,
    `p.pronargs ${NE} 0::pg_catalog.int2`,
    `CASE WHEN ${text('l.lanname')} ${anyOf(['sql', 'plpgsql'])}
      AND p.prokind ${NE} 'a'::"char" AND t.objid IS NULL
      AND pg_catalog.octet_length(p.prosrc) ${LT} ${FUNCTION_BYTES_MAX}
      THEN pg_catalog.pg_get_functiondef(p.oid) END`,
  ],
  `FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid ${EQ} p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid ${EQ} p.prolang
  LEFT JOIN trusted t ON t.classid ${EQ} ${classId('pg_proc')} AND t.objid ${EQ} p.oid
  WHERE p.oid ${USER}`,
);

export const RELATIONS = row(
  'relation',
  ['c.oid', 'n.nspname', 'c.relname', 'c.relkind'],
  `FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid ${EQ} c.relnamespace
  WHERE c.oid ${USER} AND c.relpersistence ${NE} 't'::"char"
  AND ${text('c.relkind')} ${anyOf(['r', 'p', 'v', 'm', 'f', 'S', 'c'])}`,
);

/** Row types are left out, as the names of their relations say them; arrays of them too. */
export const TYPES = row(
  'type',
  ['t.oid', 'n.nspname', 't.typname'],
  `FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid ${EQ} t.typnamespace
  LEFT JOIN pg_catalog.pg_type e ON e.oid ${EQ} t.typelem
  WHERE t.oid ${USER} AND t.typrelid ${EQ} 0::pg_catalog.oid
  AND (e.oid IS NULL OR e.typrelid ${EQ} 0::pg_catalog.oid)`,
);

export const OPERATORS = row(
  'implied',
  ["'o'", 'o.oid', 'n.nspname', 'o.oprname', 'o.oprleft', 'o.oprright'],
  `FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid ${EQ} o.oprnamespace
  WHERE o.oid ${USER}`,
);

export const CASTS = row(
  'implied',
  ["'c'", 'c.oid', "''", "''", 'c.castsource', 'c.casttarget'],
  `FROM pg_catalog.pg_cast c WHERE c.oid ${USER}`,
);

const SUPPORT_FUNCTIONS = row(
  'implied',
  ["'p'", 'a.amproc::pg_catalog.oid', "''", "''", 'a.amproclefttype', 'a.amprocrighttype'],
  `FROM pg_catalog.pg_amproc a WHERE a.amproc::pg_catalog.oid ${USER} OR a.oid ${USER}`,
);

const EVENT_TRIGGERS = row('event', ['e.evtfoid'], 'FROM pg_catalog.pg_event_trigger e');

/**
 * What checks the options of foreign servers and tables, and the bodies of functions, runs with DDL
 * too. One in C is taken for one that only checks: every procedural language has such a one.
 */
const VALIDATORS = row(
  'event',
  ['p.oid'],
  `FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid ${EQ} p.prolang
  WHERE p.oid ${USER} AND ${text('l.lanname')} ${anyOf(['sql', 'plpgsql'])} AND p.oid ${EQ} ANY (
  ARRAY(SELECT v.lanvalidator FROM pg_catalog.pg_language v UNION ALL
  SELECT w.fdwvalidator FROM pg_catalog.pg_foreign_data_wrapper w))`,
);

const TRUSTED_ROWS = row(
  'trusted',
  [`${letterOf('t.classid')} ${CONCAT} ${text('t.objid')}`],
  `FROM trusted t WHERE ${letterOf('t.classid')} IS NOT NULL`,
);

/** What depends on a function, operator, type or relation of a user, as PostgreSQL records it. */
export const DEPENDENCIES = `SELECT DISTINCT d.classid, d.objid, d.refobjid,
  ${letterOf('d.refclassid')} AS letter FROM pg_catalog.pg_depend d
  WHERE d.objid ${USER} AND d.refobjid ${USER} AND d.deptype ${NE} 'e'::"char"
  AND ${letterOf('d.refclassid')} IS NOT NULL`;

const ref = ['d.letter', 'd.refobjid'];
const of = (table: string, alias: string): string =>
  `FROM dependency d JOIN pg_catalog.${table} ${alias} ON ${alias}.oid ${EQ} d.objid
  AND d.classid ${EQ} ${classId(table)}`;

/** A view's own rule; reading a materialized view does not run it. */
const ruleMode = `CASE WHEN x.rulename ${NE} '_RETURN'::pg_catalog.name THEN 'W'
  WHEN k.relkind ${EQ} 'm'::"char" THEN 'W' ELSE 'V' END`;
const defaultMode = `CASE WHEN a.attgenerated ${EQ} 'v'::"char" THEN 'R' ELSE 'W' END`;
const notSelf = (owner: string): string => `(d.letter ${NE} 'r' OR d.refobjid ${NE} ${owner})`;
const ruleRelation = `JOIN pg_catalog.pg_class k ON k.oid ${EQ} x.ev_class`;
const defaultColumn = `JOIN pg_catalog.pg_attribute a ON a.attrelid ${EQ} x.adrelid
  AND a.attnum ${EQ} x.adnum`;

/** Of what lies in catalogues that Aurora DSQL has as well. */
export const EDGES = [
  row(
    'edge',
    [defaultMode, "'r'", 'x.adrelid', ...ref],
    `${of('pg_attrdef', 'x')} ${defaultColumn} WHERE d.letter ${NE} 'r'`,
  ),
  row(
    'edge',
    ["'R'", "'r'", 'x.conrelid', ...ref],
    `${of('pg_constraint', 'x')} WHERE x.conrelid ${NE} 0::pg_catalog.oid AND d.letter ${NE} 'r'`,
  ),
  row(
    'edge',
    ["'R'", "'t'", 'x.contypid', ...ref],
    `${of('pg_constraint', 'x')} WHERE x.contypid ${NE} 0::pg_catalog.oid
    AND NOT (d.letter ${EQ} 't' AND d.refobjid ${EQ} x.contypid)`,
  ),
  row(
    'edge',
    ["'R'", "'r'", 'COALESCE(i.indrelid, d.objid)', ...ref],
    `FROM dependency d LEFT JOIN pg_catalog.pg_index i ON i.indexrelid ${EQ} d.objid
    WHERE d.classid ${EQ} ${classId('pg_class')} AND d.letter ${NE} 'r'`,
  ),
  row(
    'edge',
    ["'R'", letterOf('d.classid'), 'd.objid', ...ref],
    `FROM dependency d WHERE d.classid ${NE} ${classId('pg_class')}
    AND ${letterOf('d.classid')} IS NOT NULL`,
  ),
  // PostgreSQL records of a composite type's relation that it needs the type, and not the reverse.
  row(
    'edge',
    ["'R'", "'t'", 't.oid', "'r'", 't.typrelid'],
    `FROM pg_catalog.pg_type t WHERE t.oid ${USER} AND t.typrelid ${USER}`,
  ),
  // An expression may be turned around, or negated, by operators that it does not name.
  ...['oprcom', 'oprnegate'].map((column) =>
    row(
      'edge',
      ["'R'", "'o'", 'o.oid', "'o'", `o.${column}`],
      `FROM pg_catalog.pg_operator o WHERE o.oid ${USER} AND o.${column} ${USER}`,
    ),
  ),
  row(
    'edge',
    ["'V'", "'r'", 'h.inhrelid', "'r'", 'h.inhparent'],
    `FROM pg_catalog.pg_inherits h WHERE h.inhrelid ${USER}`,
  ),
  row(
    'edge',
    ["'V'", "'r'", 'h.inhparent', "'r'", 'h.inhrelid'],
    `FROM pg_catalog.pg_inherits h WHERE h.inhrelid ${USER}`,
  ),
  row(
    'edge',
    ["'W'", "'r'", 'x.confrelid', "'r'", 'x.conrelid'],
    `FROM pg_catalog.pg_constraint x WHERE x.contype ${EQ} 'f'::"char"
    AND (${text('x.confdeltype')} ${anyOf(['c', 'n', 'd'])}
    OR ${text('x.confupdtype')} ${anyOf(['c', 'n', 'd'])})`,
  ),
];

const FURTHER_EDGES = [
  row(
    'edge',
    [ruleMode, "'r'", 'x.ev_class', ...ref],
    `${of('pg_rewrite', 'x')} ${ruleRelation} WHERE ${notSelf('x.ev_class')}`,
  ),
  row(
    'edge',
    ["'W'", "'r'", 'x.tgrelid', ...ref],
    `${of('pg_trigger', 'x')} WHERE NOT x.tgisinternal AND ${notSelf('x.tgrelid')}`,
  ),
  row(
    'edge',
    ["'R'", "'r'", 'x.polrelid', ...ref],
    `${of('pg_policy', 'x')} WHERE ${notSelf('x.polrelid')}`,
  ),
  // Planning a read already runs what is constant in an expression that statistics are kept of.
  row(
    'edge',
    ["'R'", "'r'", 'x.stxrelid', ...ref],
    `${of('pg_statistic_ext', 'x')} WHERE d.letter ${NE} 'r'`,
  ),
];

/** A locking clause, or a relation with an id below 16384, in the query of a view. */
const MORE_THAN_READING =
  ':hasForUpdate true|:relid ([1-9][0-9]{0,3}|1[0-5][0-9]{3}|16[0-2][0-9]{2}|163[0-7][0-9]|' +
  '1638[0-3]) ';

/** Stored expressions of relations and types: mode, class and id of the owner, the tree. */
const TREES = [
  // Under its own name the column would be an error before PostgreSQL 14.
  `SELECT 'R', 'r', x.stxrelid,
    pg_catalog.to_jsonb(x) OPERATOR(pg_catalog.->>) 'stxexprs'::pg_catalog.text
    FROM pg_catalog.pg_statistic_ext x`,
  `SELECT 'R', 'r', x.ev_class, ${text('x.ev_action')} FROM pg_catalog.pg_rewrite x`,
  `SELECT 'R', 'r', x.ev_class, ${text('x.ev_qual')} FROM pg_catalog.pg_rewrite x`,
  `SELECT ${defaultMode}, 'r', x.adrelid, ${text('x.adbin')}
    FROM pg_catalog.pg_attrdef x ${defaultColumn}`,
  `SELECT 'R', 'r', x.conrelid, ${text('x.conbin')} FROM pg_catalog.pg_constraint x
    WHERE x.conrelid ${NE} 0::pg_catalog.oid`,
  `SELECT 'R', 't', x.contypid, ${text('x.conbin')} FROM pg_catalog.pg_constraint x
    WHERE x.contypid ${NE} 0::pg_catalog.oid`,
  `SELECT 'R', 'r', x.polrelid, ${text('x.polqual')} FROM pg_catalog.pg_policy x`,
  `SELECT 'R', 'r', x.polrelid, ${text('x.polwithcheck')} FROM pg_catalog.pg_policy x`,
  `SELECT 'W', 'r', x.tgrelid, ${text('x.tgqual')} FROM pg_catalog.pg_trigger x`,
  `SELECT 'R', 'r', x.indrelid, ${text('x.indexprs')} FROM pg_catalog.pg_index x`,
  `SELECT 'R', 'r', x.indrelid, ${text('x.indpred')} FROM pg_catalog.pg_index x`,
  `SELECT 'R', 'r', x.partrelid, ${text('x.partexprs')} FROM pg_catalog.pg_partitioned_table x`,
  `SELECT 'R', 't', x.oid, ${text('x.typdefaultbin')} FROM pg_catalog.pg_type x`,
];

/**
 * Functions that are bound to an object of a user's by its definition: what PostgreSQL records of
 * them leaves its own functions out. Kinds of objects whose functions cannot be of those with an
 * effect, by the types they must take or give, are left out: types, ranges, transforms,
 * conversions, text search, access methods, triggers.
 */
const PARTS = [
  ...['trans', 'final', 'combine', 'serial', 'deserial', 'mtrans', 'minvtrans', 'mfinal'].map(
    (part) => `SELECT 'f', a.aggfnoid::pg_catalog.oid, a.agg${part}fn::pg_catalog.oid
      FROM pg_catalog.pg_aggregate a`,
  ),
  `SELECT 'o', o.oid, o.oprcode::pg_catalog.oid FROM pg_catalog.pg_operator o`,
  `SELECT 'c', c.oid, c.castfunc FROM pg_catalog.pg_cast c`,
].map((part) => part.replace(/\s+/g, ' '));

/** Support functions need no owner: what runs them leads to them, also to PostgreSQL's own. */
const SUPPORT_PARTS = `SELECT 'f', a.amproc::pg_catalog.oid, a.amproc::pg_catalog.oid
  FROM pg_catalog.pg_amproc a WHERE a.oid ${USER}`;

/**
 * Calls in stored trees, whose text is no SQL: what follows `:funcid` is the function. Operators
 * are not looked at, as no function of the table belongs to one. Then what is bound by definition.
 */
const CALLS = `SELECT DISTINCT t.mode, t.kind, t.owner, pg_catalog.split_part(c.part, ' ', 1) AS id
  FROM tree t, LATERAL pg_catalog.unnest(
    (pg_catalog.string_to_array(t.expression, ':funcid '))[2:]) AS c(part)
  UNION ALL SELECT 'R', b.kind, b.owner, ${text('b.part')}
  FROM (${PARTS.join(' UNION ALL ')}) AS b(kind, owner, part) WHERE b.owner ${USER}
  UNION ALL SELECT 'R', b.kind, b.owner, ${text('b.part')}
  FROM (${SUPPORT_PARTS}) AS b(kind, owner, part)`;

/**
 * Functions of PostgreSQL that trees run when their owner is read, also as operators and
 * aggregates; of a view also whether it locks rows or reads PostgreSQL's own relations.
 */
const USES = row(
  'use',
  [
    'u.kind',
    'u.owner',
    "pg_catalog.string_agg(DISTINCT p.proname::pg_catalog.text, ' ')",
    'pg_catalog.bool_or(u.is_more)',
  ],
  `FROM (SELECT t.kind, t.owner, false AS is_more, (m.found)[1]::pg_catalog.oid AS id
    FROM tree t, LATERAL pg_catalog.regexp_matches(t.expression,
      ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([0-9]+)', 'g') AS m(found)
    WHERE t.mode ${EQ} 'R'
    UNION ALL SELECT t.kind, t.owner, true, NULL FROM tree t WHERE t.mode ${EQ} 'R'
    AND t.expression OPERATOR(pg_catalog.~) '${MORE_THAN_READING}') AS u
  LEFT JOIN pg_catalog.pg_proc p ON p.oid ${EQ} u.id AND p.oid ${SYSTEM}
  GROUP BY u.kind, u.owner`,
);

/** Calls of functions of PostgreSQL that have an effect on the session, or tell of sequences. */
function unsafe(unknownVolatile: readonly string[]): string[] {
  const session = [...builtinFunctionsWith(Effect.Session), ...unknownVolatile];
  const one = (functionNames: Iterable<string>, effects: number, readsSequences: boolean): string =>
    row(
      'unsafe',
      ['c.mode', 'c.kind', 'c.owner', String(effects), String(readsSequences)],
      `FROM called c JOIN pg_catalog.pg_proc p ON ${text('p.oid')} ${EQ} c.id
      WHERE p.oid ${SYSTEM} AND ${text('p.proname')} ${anyOf(functionNames)}`,
    );
  return [
    one(session, Effect.Session, false),
    one(builtinFunctionsWith(Effect.Permanent), Effect.Permanent, false),
    one(sequenceReaders, Effect.None, true),
    // Writing to the view of settings sets them, also through a view of a user's.
    row(
      'unsafe',
      ["'W'", "'r'", 'x.ev_class', String(Effect.Session), 'false'],
      `FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite x ON x.oid ${EQ} d.objid
      WHERE d.classid ${EQ} ${classId('pg_rewrite')} AND x.oid ${USER}
      AND d.refobjid ${EQ} ${classId('pg_settings')}::pg_catalog.oid`,
    ),
  ];
}

/**
 * All that is known of users' objects, in one statement and so at one time: rows of a kind and
 * seven columns.
 *
 * @param systemVolatile names of PostgreSQL's own volatile functions
 */
export function catalogueQuery(systemVolatile: Iterable<string>): string {
  const unknown = [...systemVolatile].filter((name) => builtinFunctionEffect(name) === undefined);
  const trees = `SELECT * FROM (${TREES.join(' UNION ALL ')}) AS x(mode, kind, owner, expression)
    WHERE x.owner ${USER} AND x.expression IS NOT NULL`;
  const rows = [
    FUNCTIONS,
    RELATIONS,
    TYPES,
    OPERATORS,
    CASTS,
    SUPPORT_FUNCTIONS,
    EVENT_TRIGGERS,
    VALIDATORS,
    TRUSTED_ROWS,
    ...EDGES,
    ...FURTHER_EDGES,
    ...unsafe(unknown),
    USES,
  ];
  return `WITH trusted AS MATERIALIZED (${TRUSTED}), dependency AS MATERIALIZED (${DEPENDENCIES}),
    tree AS MATERIALIZED (${trees}), called AS MATERIALIZED (${CALLS})
    ${rows.join(' UNION ALL ')}`;
}
