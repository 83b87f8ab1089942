/** Settings of Aurora DSQL that PostgreSQL does not have: they are taken, and change nothing. */

/** With what they are unless they are set; that of the second nobody has told. */
const OWN: ReadonlyMap<string, string> = new Map([
  ['disable_sync_create_index', 'on'],
  ['dsql.enable_batched_nestloop', 'on'],
]);

/** @param name in small letters */
export const isOwnSetting = (name: string): boolean => OWN.has(name);

/** What such a setting is unless it is set; null for any other. */
export const ownDefault = (name: string): string | null => OWN.get(name) ?? null;
