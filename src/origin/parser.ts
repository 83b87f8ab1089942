/**
 * PostgreSQL's own parser, which comes as a WebAssembly module. Should it ever run out of its stack
 * it is left broken, so a fresh instance takes its place: callers of the pure `sql/` folder bound
 * the depth of what they hand over, and this is the second line.
 */

import type { JsonObject, SqlParser } from '../sql/facts/parser.ts';
import { blankLineComments } from '../sql/shape/line-comments.ts';

/** What we use of the module. */
type ParserModule = {
  loadModule(): Promise<void>;
  parseSync(text: string): unknown;
  parsePlPgSQLSync(text: string): unknown;
};

/** Instances are never freed by the module loader, so there is an end to replacing them. */
const REPLACEMENTS_MAX = 16;

class ReplaceableParser implements SqlParser {
  #module: ParserModule | null;
  #replacementCount = 0;

  constructor(module: ParserModule) {
    this.#module = module;
  }

  parse(text: string): JsonObject {
    // The module refuses an empty text, which PostgreSQL takes.
    if (text === '') return { stmts: [] };
    try {
      return this.#guarded((module) => module.parseSync(text));
    } catch (error) {
      const isRefused = error instanceof Error && error.name === 'SqlError';
      const blanked = isRefused && text.includes('--') ? blankLineComments(text) : null;
      if (blanked === null || blanked === text) throw error;
      return this.#guarded((module) => module.parseSync(blanked));
    }
  }

  parsePlPgSql(createFunction: string): JsonObject {
    return this.#guarded((module) => module.parsePlPgSQLSync(createFunction));
  }

  #guarded(work: (module: ParserModule) => unknown): JsonObject {
    const module = this.#module;
    if (module === null) throw new Error('the parser is being replaced');
    try {
      return work(module) as JsonObject;
    } catch (error) {
      // Every trap of WebAssembly is a RuntimeError, but for the stack of the engine itself.
      const name = error instanceof Error ? error.name : '';
      if (name === 'RangeError' || name === 'RuntimeError') this.#replace();
      throw error;
    }
  }

  #replace(): void {
    this.#module = null;
    if (this.#replacementCount >= REPLACEMENTS_MAX) return;
    this.#replacementCount++;
    importParser(`?replacement=${this.#replacementCount}`).then(
      (module) => {
        this.#module = module;
      },
      () => {},
    );
  }
}

/** A query makes it another module to the loader, with an instance of its own. */
async function importParser(query: string): Promise<ParserModule> {
  const url = `${import.meta.resolve('libpg-query')}${query}`;
  const module = (await import(url)) as ParserModule;
  await module.loadModule();
  return module;
}

/** Loads the parser; what it answers is synchronous from then on. */
export async function loadParser(): Promise<SqlParser> {
  return new ReplaceableParser(await importParser(''));
}
