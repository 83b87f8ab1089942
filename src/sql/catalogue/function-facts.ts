import { Effect, type Facts, opaqueFacts } from '../facts/facts.ts';
import { FactsBuilder } from '../facts/facts-builder.ts';
import { FunctionBodies } from '../facts/function-body.ts';
import type { SqlParser } from '../facts/parser.ts';
import type { CatalogueFunction } from './catalogue-rows.ts';

/** Facts of so many definitions are kept from one reading of the catalogue to the next. */
const KEPT_MAX = 10_000;

/** Reads what functions do when they are called, and remembers it by their definition. */
export class FunctionReader {
  readonly #bodies: FunctionBodies;
  #kept = new Map<string, Facts>();

  constructor(parser: SqlParser) {
    this.#bodies = new FunctionBodies(parser);
  }

  /** Facts of one call, but for what its arguments do. */
  read(fn: CatalogueFunction): Facts {
    const { language, definition } = fn;
    if (definition === null) return opaqueFacts(Effect.Permanent, `language ${language}`);
    const known = this.#kept.get(definition);
    if (known !== undefined) return known;
    const builder = new FactsBuilder();
    this.#bodies.readFunction(language, definition, builder);
    const facts = builder.build();
    if (this.#kept.size >= KEPT_MAX) this.#kept = new Map();
    this.#kept.set(definition, facts);
    return facts;
  }
}
