/** What single nodes of a raw parse tree mean for the facts. */

import { builtinFunctionEffect, sequenceReaders } from './builtin-functions.ts';
import { Effect, type Name, type TransactionKind } from './facts.ts';
import { type FactsBuilder, isTemporarySchema } from './facts-builder.ts';
import {
  asList,
  asObject,
  asText,
  type Json,
  type JsonObject,
  nameParts,
  stringNode,
} from './parser.ts';
import type { BodyReader } from './walk.ts';
import { noteSetConfig, noteTypeCheck, noteVariableSet } from './walk-settings.ts';

/** Bit of DeclareCursorStmt.options: CURSOR_OPT_HOLD of PostgreSQL's `parsenodes.h`. */
const CURSOR_HOLD = 0x20;

const transactionKinds: Readonly<Record<string, TransactionKind>> = {
  TRANS_STMT_BEGIN: 'begin',
  TRANS_STMT_START: 'begin',
  TRANS_STMT_COMMIT: 'commit',
  TRANS_STMT_ROLLBACK: 'rollback',
  TRANS_STMT_SAVEPOINT: 'savepoint',
  TRANS_STMT_RELEASE: 'release',
  TRANS_STMT_ROLLBACK_TO: 'rollbackTo',
  TRANS_STMT_PREPARE: 'prepareTransaction',
  TRANS_STMT_COMMIT_PREPARED: 'commitPrepared',
  TRANS_STMT_ROLLBACK_PREPARED: 'rollbackPrepared',
};

/** The last two parts of a dotted name; null for an empty one. */
function nameOf(value: Json | undefined): Name | null {
  const parts = nameParts(value);
  const name = parts.at(-1);
  return name === undefined ? null : { schema: parts.at(-2) ?? null, name };
}

function noteOperator(value: Json | undefined, builder: FactsBuilder): void {
  const name = nameOf(value);
  if (name !== null && name.schema !== 'pg_catalog') builder.operator(name);
}

function noteExpression(node: JsonObject, builder: FactsBuilder): void {
  const kind = asText(node['kind']) ?? '';
  if (kind.includes('BETWEEN')) {
    // Its name is that of the construct, and no operator's.
    for (const name of ['>=', '<=', '<', '>']) builder.operator({ schema: null, name });
  } else noteOperator(node['name'], builder);
}

/** `(x).f`, and `t.f`, call the function `f` when there is no such column. */
function noteField(name: string, builder: FactsBuilder): void {
  builder.field(name);
  if (sequenceReaders.has(name)) builder.sequenceState = true;
  const effect = builtinFunctionEffect(name);
  if (effect) builder.effect(effect, name);
}

function noteFields(kind: string, node: JsonObject, builder: FactsBuilder): void {
  const parts = nameParts(kind === 'ColumnRef' ? node['fields'] : node['indirection']);
  const from = kind === 'ColumnRef' ? 1 : 0;
  for (const part of parts.slice(from)) noteField(part, builder);
}

function noteDo(node: JsonObject, builder: FactsBuilder, readBody: BodyReader): void {
  let language = 'plpgsql';
  let body: string | null = null;
  for (const item of asList(node['args'])) {
    const option = asObject(asObject(item)?.['DefElem']);
    if (option?.['defname'] === 'language') language = stringNode(option['arg']) ?? '';
    if (option?.['defname'] === 'as') body = stringNode(option['arg']);
  }
  builder.literalDependent = true;
  if (body === null) builder.opaque('DO');
  else readBody(language, body, builder);
  // It may make functions and triggers, of which everybody has to know before they run one. What a
  // function does that is called again and again is not taken for that: it would be for ever.
  if (builder.isOpaque) builder.definition(false);
}

/** DEALLOCATE, or DISCARD: of the latter only DISCARD ALL forgets prepared statements. */
function noteDeallocate(node: JsonObject, builder: FactsBuilder): void {
  const { isall, name, target } = node;
  if (target === 'DISCARD_ALL') builder.resets = '';
  if (isall === true || target === 'DISCARD_ALL') builder.deallocatesAll();
  else if (target === undefined) builder.deallocates(asText(name) ?? '');
}

function noteSample(node: JsonObject, builder: FactsBuilder): void {
  const method = nameOf(node['method']);
  if (method !== null && method.name !== 'system' && method.name !== 'bernoulli') {
    builder.function(method);
  }
}

function noteTransaction(node: JsonObject, builder: FactsBuilder): void {
  const transaction = transactionKinds[asText(node['kind']) ?? ''];
  if (transaction === undefined) builder.effect(Effect.Session, 'unknown transaction control');
  else builder.transaction(transaction);
}

/** Checks of a domain run on all that is stored of it. */
function noteAlterDomain(node: JsonObject, builder: FactsBuilder): void {
  const name = nameOf(node['typeName']);
  if (name !== null) builder.type(name);
}

function noteShow(node: JsonObject, builder: FactsBuilder): void {
  const name = (asText(node['name']) ?? '').toLowerCase();
  if (name.startsWith('millrace.')) builder.millraceShow = name.slice('millrace.'.length);
}

/** Called for every wrapped node. */
export function noteNode(
  kind: string,
  node: JsonObject,
  builder: FactsBuilder,
  readBody: BodyReader,
): void {
  switch (kind) {
    case 'A_Expr':
      noteExpression(node, builder);
      return;
    case 'SubLink':
      noteOperator(node['operName'], builder);
      return;
    case 'SortBy':
      noteOperator(node['useOp'], builder);
      return;
    case 'ColumnRef':
    case 'A_Indirection':
      noteFields(kind, node, builder);
      return;
    case 'RangeTableSample':
      noteSample(node, builder);
      return;
    case 'String': {
      const text = asText(node['sval']) ?? '';
      if (isTemporarySchema(text)) builder.effect(Effect.Session, 'temporary object');
      return;
    }
    case 'DeclareCursorStmt':
      if (Number(node['options'] ?? 0) & CURSOR_HOLD) {
        builder.effect(Effect.Session, 'DECLARE … WITH HOLD');
        builder.holdsCursor = true;
      }
      return;
    case 'TruncateStmt':
      if (node['behavior'] === 'DROP_CASCADE') {
        builder.effect(Effect.Session, 'TRUNCATE … CASCADE');
      }
      return;
    case 'TransactionStmt':
      noteTransaction(node, builder);
      return;
    case 'VariableShowStmt':
      noteShow(node, builder);
      return;
    case 'AlterDomainStmt':
      noteAlterDomain(node, builder);
      return;
    case 'VariableSetStmt':
      noteVariableSet(node, builder);
      return;
    case 'PrepareStmt':
      builder.prepares(asText(node['name']) ?? '');
      return;
    case 'ExecuteStmt':
      builder.executes(asText(node['name']) ?? '');
      return;
    case 'DeallocateStmt':
    case 'DiscardStmt':
      noteDeallocate(node, builder);
      return;
    case 'DoStmt':
      noteDo(node, builder, readBody);
      return;
    default:
  }
}

/** Functions whose arguments decide what they do. */
function noteBuiltin(name: string, node: JsonObject, builder: FactsBuilder): void {
  if (sequenceReaders.has(name)) builder.sequenceState = true;
  switch (name) {
    case 'set_config':
      noteSetConfig(asList(node['args']), builder);
      return;
    case 'pg_input_is_valid':
    case 'pg_input_error_info':
      noteTypeCheck(name, asList(node['args']), builder);
      return;
    default: {
      const effect = builtinFunctionEffect(name);
      if (effect) builder.effect(effect, name);
    }
  }
}

function noteFunction(node: JsonObject, builder: FactsBuilder): void {
  const name = nameOf(node['funcname']);
  if (name === null) return;
  if (name.schema === null || name.schema === 'pg_catalog') noteBuiltin(name.name, node, builder);
  // Those of users can be in `pg_catalog` too: some extensions put theirs there.
  builder.function(name);
}

/** Called for every node, wrapped or bare: function calls and type names are both. */
export function noteInline(node: JsonObject, builder: FactsBuilder): void {
  if ('funcname' in node) noteFunction(node, builder);
  if ('names' in node && 'typemod' in node && node['pct_type'] !== true) {
    const name = nameOf(node['names']);
    if (name !== null && name.schema !== 'pg_catalog') builder.type(name);
  }
}
