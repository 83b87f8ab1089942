/**
 * From the names in facts to nodes of the catalogue's graph. Names are compared without regard to
 * `search_path` and argument types: whatever a name could mean, it is taken to mean.
 */

import { builtinFunctionEffect } from '../facts/builtin-functions.ts';
import { Effect, type Facts, type Name } from '../facts/facts.ts';
import type { CatalogueRows } from './catalogue-rows.ts';
import { NameIndex } from './name-index.ts';

/** Told of each node that a statement reaches, and of each name that means nothing known. */
export type Reach = {
  node(node: string): void;
  effect(effects: number, reason: string): void;
};

const systemSchemas: ReadonlySet<string> = new Set(['pg_catalog', 'information_schema']);

/** Written through a rule of its own, which sets the setting. */
const SETTINGS_VIEW = 'pg_settings';

export class NameResolver {
  readonly #rows: CatalogueRows;
  readonly #functions = new NameIndex<string>();
  /** Functions that `(x).f` can call. */
  readonly #fields = new NameIndex<string>();
  readonly #relations = new NameIndex<string>();
  readonly #types = new NameIndex<string>();
  readonly #operators = new NameIndex<string>();

  constructor(rows: CatalogueRows) {
    this.#rows = rows;
    for (const { oid, schema, name, takesArgument } of rows.functions) {
      this.#functions.add(schema, name, `f${oid}`);
      if (takesArgument) this.#fields.add(schema, name, `f${oid}`);
    }
    for (const { oid, schema, name } of rows.relations) this.#relations.add(schema, name, oid);
    for (const { oid, schema, name } of rows.types) this.#types.add(schema, name, `t${oid}`);
    for (const { kind, oid, schema, name } of rows.implied) {
      if (kind === 'o') this.#operators.add(schema, name, `o${oid}`);
    }
  }

  /** Reports all that the names in `facts` can reach. */
  reach(facts: Facts, to: Reach): void {
    for (const use of facts.relations) this.#relation(use, use.writes, to);
    for (const name of facts.functions) this.#function(name, to);
    for (const name of facts.operators) {
      this.#named(name, this.#operators, this.#rows.systemOperators, 'operator', to);
    }
    for (const name of facts.types) this.#type(name, to);
    for (const field of facts.fields) {
      for (const node of this.#fields.find({ schema: null, name: field })) to.node(node);
    }
  }

  #relation(name: Name, writes: boolean, to: Reach): void {
    const found = this.#relations.find(name);
    for (const oid of found) to.node(`${writes ? 'w' : 'r'}${oid}`);
    if (found.length > 0) return;
    const isSystem =
      name.schema === null
        ? this.#rows.systemRelations.has(name.name)
        : systemSchemas.has(name.schema);
    if (!isSystem) to.effect(Effect.Session, `unknown relation ${name.name}`);
    else if (writes && name.name === SETTINGS_VIEW) to.effect(Effect.Session, SETTINGS_VIEW);
  }

  #function(name: Name, to: Reach): void {
    this.#named(name, this.#functions, this.#rows.systemFunctions, 'function', to);
    // A function of PostgreSQL that this program's table has never heard of.
    const isOwn = name.schema === null || name.schema === 'pg_catalog';
    const isVolatile = isOwn && this.#rows.systemVolatile.has(name.name);
    if (isVolatile && builtinFunctionEffect(name.name) === undefined) {
      to.effect(Effect.Session, name.name);
    }
  }

  /** A table's name is the name of its row type too. */
  #type(name: Name, to: Reach): void {
    const relations = this.#relations.find(name);
    for (const oid of relations) to.node(`r${oid}`);
    if (relations.length === 0) {
      this.#named(name, this.#types, this.#rows.systemTypes, 'type', to);
    } else {
      for (const node of this.#types.find(name)) to.node(node);
    }
  }

  #named(
    name: Name,
    index: NameIndex<string>,
    system: ReadonlySet<string>,
    what: string,
    to: Reach,
  ): void {
    const found = index.find(name);
    for (const node of found) to.node(node);
    if (found.length > 0) return;
    const isSystem = name.schema === null ? system.has(name.name) : systemSchemas.has(name.schema);
    if (!isSystem) to.effect(Effect.Session, `unknown ${what} ${name.name}`);
  }
}
