/** Settings of Aurora DSQL that PostgreSQL does not have: they are taken, and change nothing. */

const OWN: ReadonlySet<string> = new Set([
  'disable_sync_create_index',
  'dsql.enable_batched_nestloop',
]);

/** @param name in small letters */
export const isOwnSetting = (name: string): boolean => OWN.has(name);
