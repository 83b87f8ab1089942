/** A store in a database of its own. */
import { randomBytes } from 'node:crypto';
import { silentLog } from '../../src/base/log.ts';
import { parseOriginUrl } from '../../src/config/resolve-origin.ts';
import type { ConfigurationDraft } from '../../src/store/configurations.ts';
import type { MasterKeys } from '../../src/store/master-keys.ts';
import { Store } from '../../src/store/store.ts';
import type { TestDatabase } from './pg.ts';

export const ACCOUNT = '0123456789abcdef0123456789abcdef';

export const newId = (): string => randomBytes(16).toString('hex');

export async function openStore(
  database: TestDatabase,
  keys: MasterKeys = [randomBytes(32)],
): Promise<Store> {
  const { origin: address } = await parseOriginUrl(database.url);
  const random = { bytes: (count: number) => randomBytes(count) };
  return new Store({ address, keys, random, log: silentLog });
}

export function draftOf(
  name: string,
  changes: Partial<ConfigurationDraft> = {},
): ConfigurationDraft {
  return {
    name,
    origin: { scheme: 'postgres', host: 'db.example.com', port: 5432, database: 'app', user: 'u' },
    originPassword: 'plain origin password',
    caching: { disabled: false },
    mtls: {},
    originConnectionLimit: null,
    ...changes,
  };
}
