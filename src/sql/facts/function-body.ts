/**
 * What the body of a function or DO block does, as far as it can be proven by reading it. Of SQL
 * and PL/pgSQL every expression is read; code in any other language, and SQL put together at run
 * time, may do anything, which includes setting a custom setting that no probe can find by name.
 */

import type { FactsBuilder } from './facts-builder.ts';
import { isNestingParseable, isTextParseable } from './parse-guard.ts';
import {
  asList,
  asObject,
  asText,
  type Json,
  type JsonObject,
  nameParts,
  type SqlParser,
} from './parser.ts';
import { walkTree } from './walk.ts';

/** Bodies inside bodies, as in a DO block inside a DO block. */
const BODY_DEPTH_MAX = 8;

/** RawParseMode of PostgreSQL's `parser.h`, for the expressions of PL/pgSQL. */
const RAW_PARSE_DEFAULT = 0;
const RAW_PARSE_PLPGSQL_EXPR = 2;

/** Statements of PL/pgSQL of which all that matters is in the expressions below them. */
const plainStatements: ReadonlySet<string> = new Set(
  `block assign if case loop while fori fors forc foreach_a exit return return_next return_query
  raise assert execsql call commit rollback getdiag open fetch close perform`
    .split(/\s+/)
    .map((name) => `PLpgSQL_stmt_${name}`),
);

export class FunctionBodies {
  readonly #parser: SqlParser;
  #depth = 0;

  constructor(parser: SqlParser) {
    this.#parser = parser;
  }

  /** Adds to `builder` what a body does; what cannot be read is opaque. */
  readonly read = (language: string, body: string, builder: FactsBuilder): void => {
    if (this.#depth >= BODY_DEPTH_MAX) {
      builder.opaque('nested bodies');
      return;
    }
    this.#depth++;
    try {
      if (language === 'sql') this.#sql(body, builder);
      else if (language === 'plpgsql') this.#plpgsql(wrap(body), builder);
      else builder.opaque(`language ${language}`);
    } catch {
      builder.opaque(`${language} not understood`);
    } finally {
      this.#depth--;
    }
  };

  /**
   * What a function does when it is called, from its whole `CREATE FUNCTION` or `PROCEDURE`:
   * defaults of its parameters, and its body. The SET clause of a function ends with it.
   */
  readFunction(language: string, definition: string, builder: FactsBuilder): void {
    try {
      const statement = asObject(asList(this.#parser.parse(definition)['stmts'])[0]);
      const create = asObject(asObject(statement?.['stmt'])?.['CreateFunctionStmt']);
      if (create === null) throw new Error('not a function');
      walkTree([create['parameters'] ?? null, create['sql_body'] ?? null], builder, this.read);
      if (language === 'plpgsql') this.#plpgsql(definition, builder);
      else if ('sql_body' in create) return;
      else this.read(language, bodyOf(create), builder);
    } catch {
      builder.opaque(`${language} not understood`);
    }
  }

  #sql(text: string, builder: FactsBuilder): void {
    if (text.trim() === '') return;
    if (!isTextParseable(text)) throw new Error('too complex');
    walkTree(this.#parser.parse(text), builder, this.read);
  }

  #plpgsql(createFunction: string, builder: FactsBuilder): void {
    if (!isNestingParseable(createFunction)) throw new Error('too complex');
    const tasks: Json[] = [this.#parser.parsePlPgSql(createFunction)];
    let functions = 0;
    for (let value = tasks.pop(); value !== undefined; value = tasks.pop()) {
      if (Array.isArray(value)) {
        for (const item of value) tasks.push(item);
        continue;
      }
      for (const [key, child] of Object.entries(asObject(value) ?? {})) {
        if (key === 'PLpgSQL_function') functions++;
        this.#plpgsqlNode(key, child, builder);
        if (child !== null && typeof child === 'object') tasks.push(child);
      }
    }
    if (functions !== 1) throw new Error('not one function');
  }

  #plpgsqlNode(key: string, node: Json, builder: FactsBuilder): void {
    if (key === 'PLpgSQL_expr') {
      const mode = asObject(node)?.['parseMode'] ?? RAW_PARSE_DEFAULT;
      this.#expression(asText(asObject(node)?.['query']) ?? '', Number(mode), builder);
    } else if (key === 'PLpgSQL_type') {
      this.#type(asText(asObject(node)?.['typname']) ?? '', builder);
    } else if (key === 'dynquery' || key.startsWith('PLpgSQL_stmt_dyn')) {
      builder.opaque('EXECUTE of a computed statement');
    } else if (key.startsWith('PLpgSQL_stmt_') && !plainStatements.has(key)) {
      builder.opaque(`unknown statement ${key}`);
    }
  }

  #expression(text: string, mode: number, builder: FactsBuilder): void {
    if (mode === RAW_PARSE_DEFAULT) this.#sql(text, builder);
    else if (mode === RAW_PARSE_PLPGSQL_EXPR) this.#sql(`SELECT ${text}`, builder);
    else this.#assignment(text, builder);
  }

  /** Both sides are expressions to read: the target can have subscripts. */
  #assignment(text: string, builder: FactsBuilder): void {
    const sign = assignmentAt(text);
    if (sign < 0) throw new Error('not an assignment');
    this.#sql(`SELECT ${text.slice(0, sign)}`, builder);
    this.#sql(`SELECT ${text.slice(sign + (text[sign] === ':' ? 2 : 1))}`, builder);
  }

  #type(text: string, builder: FactsBuilder): void {
    const percent = text.indexOf('%');
    if (percent < 0) {
      this.#sql(`SELECT NULL::${text}`, builder);
      return;
    }
    // `table%ROWTYPE` and `table.column%TYPE`; a plain `variable%TYPE` has its type elsewhere.
    const name = text.slice(0, percent);
    const column = text
      .slice(percent + 1)
      .toLowerCase()
      .startsWith('type');
    const dot = name.lastIndexOf('.');
    if (!column) this.#sql(`SELECT FROM ${name}`, builder);
    else if (dot >= 0) this.#sql(`SELECT FROM ${name.slice(0, dot)}`, builder);
  }
}

function bodyOf(create: JsonObject): string {
  for (const item of asList(create['options'])) {
    const option = asObject(asObject(item)?.['DefElem']);
    if (option?.['defname'] !== 'as') continue;
    const [body] = nameParts(asObject(asObject(option['arg'])?.['List'])?.['items']);
    if (body !== undefined) return body;
  }
  throw new Error('no body');
}

/**
 * Where the assignment sign of PL/pgSQL stands: the first `=` or `:=` outside of brackets. The
 * target before it is a dotted name with subscripts, in which strings and quoted names may stand.
 */
function assignmentAt(text: string): number {
  let depth = 0;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === "'" || character === '"') quote = character;
    else if (character === '[' || character === '(') depth++;
    else if (character === ']' || character === ')') depth--;
    else if (depth === 0 && character === '=') return at;
    else if (depth === 0 && character === ':' && text[at + 1] === '=') return at;
  }
  return -1;
}

/** A DO block as the function that the parser takes. */
function wrap(body: string): string {
  let tag = '$body$';
  for (let number = 0; body.includes(tag); number++) tag = `$body${number}$`;
  return `CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS ${tag}${body}${tag}`;
}
