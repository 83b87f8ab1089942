/** Names and values in statements of the endpoint's own. */

export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

type Relation = { readonly schema: string | null; readonly name: string };

/** @param relation its schema is null where that is left to `search_path` */
export const quoteRelation = ({ schema, name }: Relation): string =>
  schema === null ? quoteName(name) : `${quoteName(schema)}.${quoteName(name)}`;

/** As an escape string, which means the same whatever `standard_conforming_strings` is. */
export const quoteText = (text: string): string =>
  ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
