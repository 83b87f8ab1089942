/**
 * How catalogues are asked. Everything is qualified, operators too, since it runs under whatever
 * `search_path` the role has.
 */

/** Runs one statement and answers its rows, every column as text. */
export type RunCatalogueQuery = (sql: string) => Promise<(string | null)[][]>;

export const EQ = 'OPERATOR(pg_catalog.=)';
export const NE = 'OPERATOR(pg_catalog.<>)';
export const LT = 'OPERATOR(pg_catalog.<)';
export const CONCAT = 'OPERATOR(pg_catalog.||)';
/** Behind an object id: it belongs to a user, or to PostgreSQL. */
export const USER = 'OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid';
export const SYSTEM = `${LT} 16384::pg_catalog.oid`;

export const text = (expression: string): string => `(${expression})::pg_catalog.text`;
export const classId = (name: string): string => `'pg_catalog.${name}'::pg_catalog.regclass`;

/** Behind a text: it is one of the names, none of which needs quoting. */
export const anyOf = (names: Iterable<string>): string =>
  `${EQ} ANY (ARRAY[${[...names].map((name) => `'${name}'`).join(',')}]::pg_catalog.text[])`;
