/** Tries the settings of a client that logs in, so that wrong ones are refused at once. */
import { asApplicationName } from '../../protocol/startup-settings.ts';
import { isOwnSetting } from './own-settings.ts';
import type { Links } from './session-context.ts';

/** Every client has it so, and nothing can be wrong with it. */
const UNTRIED: ReadonlySet<string> = new Set(['application_name', 'client_encoding']);

/**
 * @param asked by name in small letters
 * @returns the same with the values that PostgreSQL shows
 * @throws ServerError for a value that PostgreSQL refuses; GatewayError when it cannot be asked
 */
export async function startupValues(
  links: Links,
  role: string,
  asked: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  const values = new Map(asked);
  values.delete('client_encoding');
  const name = values.get('application_name');
  if (name !== undefined) values.set('application_name', asApplicationName(name));
  const tried = [...values.keys()].filter((key) => !UNTRIED.has(key) && !isOwnSetting(key));
  if (tried.length === 0) return values;
  const link = await links.checkOut(role);
  try {
    await links.apply(link, values);
    const shown = tried.map((_, at) => `pg_catalog.current_setting($${at + 1})`);
    const { rows } = await link.query(`SELECT ${shown.join(', ')}`, tried);
    for (const [at, key] of tried.entries()) values.set(key, rows[0]?.[at] ?? '');
    links.checkIn(link, values);
    return values;
  } catch (error) {
    links.discard(link);
    throw error;
  }
}
