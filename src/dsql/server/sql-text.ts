/** Names and values in statements of the endpoint's own. */

export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** As an escape string, which means the same whatever `standard_conforming_strings` is. */
export const quoteText = (text: string): string =>
  ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
