/** PostgreSQL's own parser as this folder sees it; loading it takes I/O and is done elsewhere. */

/** A JSON value that nobody has looked at. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

export type SqlParser = {
  /** The raw parse tree in the JSON of libpg_query. Throws on a syntax error. */
  parse(text: string): JsonObject;
  /** The tree of a `CREATE FUNCTION … LANGUAGE plpgsql` in the same JSON. Throws likewise. */
  parsePlPgSql(createFunction: string): JsonObject;
};

export function asObject(value: Json | undefined): JsonObject | null {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? (value as JsonObject)
    : null;
}

export function asList(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

export function asText(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

/** The content of `{"String": {"sval": …}}`; the parser leaves empty strings out. */
export function stringNode(value: Json | undefined): string | null {
  const inner = asObject(asObject(value)?.['String']);
  return inner ? (asText(inner['sval']) ?? '') : null;
}

/** The strings of a list of String nodes, such as the parts of a dotted name. */
export function nameParts(value: Json | undefined): string[] {
  const parts: string[] = [];
  for (const item of asList(value)) {
    const part = stringNode(item);
    if (part !== null) parts.push(part);
  }
  return parts;
}
