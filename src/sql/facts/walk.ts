/**
 * Reads a raw parse tree into facts. The walk visits every node generically, with a list of its own
 * instead of recursion, so that no depth of nesting can exhaust the stack; what needs more than its
 * name being noted has a handler here or in `walk-nodes.ts`.
 */

import { Effect } from './facts.ts';
import type { FactsBuilder } from './facts-builder.ts';
import { asList, asObject, asText, type Json, type JsonObject } from './parser.ts';
import { knownNodes, statementKind } from './statement-kinds.ts';
import { noteInline, noteNode } from './walk-nodes.ts';

/** Names of the WITH queries that are visible at a place. */
export type CteScope = { readonly names: ReadonlySet<string>; readonly outer: CteScope | null };

type Task = { readonly value: Json; readonly scope: CteScope | null; readonly writes: boolean };

/** Takes the bodies of DO blocks, which are code of another language inside a string. */
export type BodyReader = (language: string, body: string, builder: FactsBuilder) => void;

function isCte(scope: CteScope | null, name: string): boolean {
  for (let at = scope; at !== null; at = at.outer) if (at.names.has(name)) return true;
  return false;
}

class Walker {
  readonly #builder: FactsBuilder;
  readonly #readBody: BodyReader;
  readonly #tasks: Task[] = [];

  constructor(builder: FactsBuilder, readBody: BodyReader) {
    this.#builder = builder;
    this.#readBody = readBody;
  }

  walk(root: Json): void {
    this.#push(root, null, false);
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) {
      if (Array.isArray(task.value)) {
        for (const item of task.value) this.#push(item, task.scope, task.writes);
      } else {
        this.#object(task.value as JsonObject, task);
      }
    }
  }

  #push(value: Json | undefined, scope: CteScope | null, writes: boolean): void {
    if (value !== null && typeof value === 'object') this.#tasks.push({ value, scope, writes });
  }

  /**
   * A node comes wrapped as `{"Kind": {…}}`, or bare where the grammar leaves no choice of kind.
   */
  #object(object: JsonObject, task: Task): void {
    const keys = Object.keys(object);
    const kind = keys.length === 1 ? (keys[0] as string) : '';
    if (kind !== '' && kind[0] !== kind[0]?.toLowerCase()) {
      const inner = asObject(object[kind]);
      if (inner !== null) this.#node(kind, inner, task);
      return;
    }
    this.#content('', object, task.scope, task.writes);
  }

  #node(kind: string, node: JsonObject, task: Task): void {
    let writes = task.writes;
    const statement = statementKind(kind);
    if (kind === 'LockingClause') this.#builder.doesMore = true;
    if (statement !== null) {
      if (kind !== 'SelectStmt') this.#builder.doesMore = true;
      this.#builder.effect(statement.effects, statement.reason);
      if (statement.exempt) this.#builder.exempt = true;
      if (statement.ddl) this.#builder.definition(makesTemporary(kind, node));
      writes = statement.writes;
      if (kind === 'CopyStmt') {
        writes = node['is_from'] === true;
        if (writes && node['filename'] === undefined) this.#builder.copiesIn = true;
      }
    } else if (!knownNodes.has(kind)) {
      this.#builder.effect(Effect.Session, `unknown construct ${kind}`);
    }
    noteNode(kind, node, this.#builder, this.#readBody);
    this.#content(kind, node, task.scope, writes);
  }

  #content(kind: string, node: JsonObject, outer: CteScope | null, writes: boolean): void {
    const relname = asText(node['relname']);
    if (relname !== null) this.#relation(node, relname, outer, writes);
    else noteInline(node, this.#builder);
    const scope = 'withClause' in node ? this.#ctes(node, outer, writes) : outer;
    for (const [key, value] of Object.entries(node)) {
      // A locking clause names what FROM has named already, by its alias.
      if (key === 'withClause' || key === 'lockedRels') continue;
      if (key === 'relation' && targetKinds.has(kind)) this.#target(value);
      else if (key === 'intoClause') this.#into(value);
      else this.#push(value, scope, writes);
    }
  }

  #relation(node: JsonObject, name: string, scope: CteScope | null, writes: boolean): void {
    const schema = asText(node['schemaname']);
    if (isTemporary(node)) {
      this.#builder.effect(Effect.Session, 'temporary table');
      // It is made here, and is none that the catalogue tells of.
      if (writes) return;
    }
    if (schema === null && isCte(scope, name)) return;
    this.#builder.relation(schema, name, writes);
    if (writes) this.#systemWrite(schema, name);
  }

  /** `UPDATE pg_settings` sets settings by a rule, and system catalogues can be written by hand. */
  #systemWrite(schema: string | null, name: string): void {
    if (schema === 'pg_catalog' || (schema === null && name.startsWith('pg_'))) {
      this.#builder.effect(Effect.Session, `write to ${name}`);
      this.#builder.definition(false);
    }
  }

  /** What INSERT, UPDATE, DELETE and MERGE write is never a WITH query, whatever it is called. */
  #target(value: Json): void {
    const relation = asObject(value);
    const name = asText(relation?.['relname']);
    if (relation !== null && name !== null) this.#relation(relation, name, null, true);
  }

  #into(value: Json): void {
    this.#builder.effect(Effect.Session, 'SELECT INTO');
    this.#builder.doesMore = true;
    this.#builder.definition(isTemporary(asObject(value)?.['rel']));
    this.#builder.exempt = true;
    this.#push(value, null, true);
  }

  /** Without RECURSIVE a WITH query sees those before it, so its own name is a relation to it. */
  #ctes(node: JsonObject, outer: CteScope | null, writes: boolean): CteScope {
    const clause = asObject(node['withClause']);
    const queries: JsonObject[] = [];
    for (const item of asList(clause?.['ctes'])) {
      const query = asObject(asObject(item)?.['CommonTableExpr']);
      if (query !== null) queries.push(query);
    }
    const names = queries.map((query) => asText(query['ctename']) ?? '');
    const all: CteScope = { names: new Set(names), outer };
    for (const [index, query] of queries.entries()) {
      const before = { names: new Set(names.slice(0, index)), outer };
      const scope = clause?.['recursive'] === true ? all : before;
      this.#push(query, scope, writes);
    }
    return all;
  }
}

const targetKinds: ReadonlySet<string> = new Set([
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
]);

/** Where statements that may make a temporary relation name it. */
const madeBy: ReadonlyMap<string, string> = new Map([
  ['CreateStmt', 'relation'],
  ['CreateSeqStmt', 'sequence'],
  ['ViewStmt', 'view'],
]);

function makesTemporary(kind: string, node: JsonObject): boolean {
  if (kind === 'CreateTableAsStmt') return isTemporary(asObject(node['into'])?.['rel']);
  const key = madeBy.get(kind);
  return key !== undefined && isTemporary(node[key]);
}

function isTemporary(relation: Json | undefined): boolean {
  return asObject(relation)?.['relpersistence'] === 't';
}

/** Adds to `builder` all that the tree under `root` uses and does. */
export function walkTree(root: Json, builder: FactsBuilder, readBody: BodyReader): void {
  new Walker(builder, readBody).walk(root);
}
