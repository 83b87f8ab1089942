/** Brings the settings of a link from what they are to what a session needs. */
import { quoteName, quoteText } from '../sql-text.ts';

/** What Aurora DSQL has and PostgreSQL does not know. */
const NOT_OF_POSTGRESQL = /^(dsql\..*|amzn-cluster-id|disable_sync_create_index)$/;
/** Only SET LOCAL has it, and it ends with the transaction. */
const ROLE = 'role';

/**
 * The statements for the difference, as one text; empty when there is none. They take effect
 * together or not at all.
 *
 * @param known what the link has been set to; null when that is not known
 * @param wanted by name in small letters; all others are to have their defaults
 */
export function settingsChange(
  known: ReadonlyMap<string, string> | null,
  wanted: ReadonlyMap<string, string>,
): string {
  const parts: string[] = [];
  if (known === null) parts.push('RESET ALL');
  for (const name of known?.keys() ?? []) {
    if (isSent(name) && !wanted.has(name)) parts.push(`RESET ${quoteName(name)}`);
  }
  for (const [name, value] of wanted) {
    if (!isSent(name) || known?.get(name) === value) continue;
    const [quoted, text] = [quoteText(name), quoteText(value)];
    parts.push(`SELECT pg_catalog.set_config(${quoted},${text}, false)`);
  }
  return parts.join('; ');
}

const isSent = (name: string): boolean => name !== ROLE && !NOT_OF_POSTGRESQL.test(name);
