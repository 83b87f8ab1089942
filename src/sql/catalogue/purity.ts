/**
 * Whether a statement only computes and looks at tables of users. Names are compared as in
 * `name-resolver.ts`: all that a name could mean must be pure, and what nobody knows is not.
 */

import type { Facts, Name } from '../facts/facts.ts';
import { pureFunctions, pureOperators } from '../facts/pure-builtins.generated.ts';
import { type CatalogueGraph, EVERYTHING } from './catalogue-graph.ts';
import type { CatalogueRelation, CatalogueRows } from './catalogue-rows.ts';
import { NameIndex } from './name-index.ts';
import type { NameResolver } from './name-resolver.ts';

/** Tables, partitioned ones, views and materialized views; foreign tables are far away. */
const READABLE_KINDS = 'rpvm';

export class Purity {
  readonly #rows: CatalogueRows;
  readonly #graph: CatalogueGraph;
  readonly #resolver: NameResolver;
  readonly #relations = new NameIndex<CatalogueRelation>();

  constructor(rows: CatalogueRows, graph: CatalogueGraph, resolver: NameResolver) {
    this.#rows = rows;
    this.#graph = graph;
    this.#resolver = resolver;
    for (const relation of rows.relations) {
      this.#relations.add(relation.schema, relation.name, relation);
    }
  }

  isPure(facts: Facts): boolean {
    return (
      facts.plainRead &&
      !this.#graph.isImpure(EVERYTHING) &&
      facts.relations.every((name) => this.#isReadable(name)) &&
      facts.functions.every((name) => isListed(name, pureFunctions)) &&
      facts.operators.every((name) => isListed(name, pureOperators)) &&
      facts.fields.every((field) => this.#isField(field)) &&
      this.#reachesPure(facts)
    );
  }

  /** System views tell of the session and of its link, and take locks of their own. */
  #isReadable(name: Name): boolean {
    if (name.schema === null && this.#rows.systemRelations.has(name.name)) return false;
    const found = this.#relations.find(name);
    return found.length > 0 && found.every(({ kind }) => READABLE_KINDS.includes(kind));
  }

  /** `t.f` calls the function `f` where there is no such column. */
  #isField(field: string): boolean {
    return pureFunctions.has(field) || !this.#rows.systemFunctions.has(field);
  }

  #reachesPure(facts: Facts): boolean {
    let isPure = true;
    this.#resolver.reach(facts, {
      node: (node) => {
        isPure &&= !this.#graph.isImpure(node);
      },
      effect: () => {
        isPure = false;
      },
    });
    return isPure;
  }
}

/** Of PostgreSQL's own; what users have given the same name is judged by what it reaches. */
function isListed({ schema, name }: Name, names: ReadonlySet<string>): boolean {
  return (schema === null || schema === 'pg_catalog') && names.has(name);
}
