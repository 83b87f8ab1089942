/** What SHOW answers where Aurora DSQL says something else than the PostgreSQL below. */
import { DsqlError } from '../dsql-error.ts';
import { fixedSettings } from '../statements/settings.ts';
import { ownDefault } from './own-settings.ts';
import type { SessionSettings } from './session-settings.ts';

const SHOWN: ReadonlyMap<string, string> = new Map([
  ...fixedSettings,
  ['transaction_isolation', 'repeatable read'],
  ['default_transaction_isolation', 'repeatable read'],
  ['is_superuser', 'off'],
]);

/** Settings of PostgreSQL that Aurora DSQL does not know. */
const UNKNOWN: ReadonlySet<string> = new Set(['lc_collate', 'lc_ctype']);

/**
 * @param name in small letters
 * @param settings of the session
 * @returns null where PostgreSQL is to answer
 * @throws DsqlError for a setting that is not known
 */
export function shown(name: string, settings: SessionSettings): string | null {
  if (UNKNOWN.has(name)) {
    throw new DsqlError('42704', `unrecognized configuration parameter "${name}"`);
  }
  const own = ownDefault(name);
  if (own !== null) return settings.valueOf(name) ?? own;
  return SHOWN.get(name) ?? null;
}
