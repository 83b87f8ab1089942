/** Opens the store that a configuration asks for: at a URL, or on an embedded server of its own. */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { StoreConfig } from '../../config/model.ts';
import { type EmbeddedServer, startEmbedded } from '../../embedded/embedded.ts';
import { random } from '../../gateway/system.ts';
import type { StoreAddress } from '../../store/connection.ts';
import { type MasterKeys, openKeyFile, parseMasterKeys } from '../../store/master-keys.ts';
import { prepareStoreDatabase } from '../../store/own-database.ts';
import { Store } from '../../store/store.ts';
import { stopBeside } from '../stopping.ts';

const PASSWORD_SIZE = 24;

/** Where somebody needs a password that nobody has to know. */
export const freshPassword = (): string => randomBytes(PASSWORD_SIZE).toString('base64url');

export type OpenedStore = {
  readonly store: Store;
  /** Closes it, and ends the server when it is its own. */
  close(): Promise<void>;
};

/** The store's own database on a server whose superuser we are. */
export async function storeOnServer(server: EmbeddedServer): Promise<StoreAddress> {
  const { host, port, user, password } = server;
  try {
    return await prepareStoreDatabase({ host, port, user, password }, freshPassword());
  } catch (cause) {
    const subject = 'the database of the store could not be made';
    throw new GatewayError('MR_EMBEDDED_FAILED', { subject, cause });
  }
}

export function storeAt(address: StoreAddress, keys: MasterKeys, log: Log): Store {
  return new Store({ address, keys, random, log });
}

export type StoreKeys = {
  readonly keys: MasterKeys;
  /** The file that was made for them, as there was none. */
  readonly madeAt: string | null;
};

export async function keysOf(key: StoreConfig['key']): Promise<StoreKeys> {
  if ('text' in key) return { keys: parseMasterKeys(key.text), madeAt: null };
  const { keys, isFresh } = await openKeyFile(key.path, random);
  return { keys, madeAt: isFresh ? key.path : null };
}

/**
 * Opens the store. A key that was made for one which has secrets already is of no use, and would
 * lie where theirs belongs: its file is removed.
 * @throws GatewayError as {@link Store.open} does
 */
export async function openWith(store: Store, { madeAt }: StoreKeys): Promise<void> {
  try {
    await store.open();
  } catch (error) {
    const isKey = error instanceof GatewayError && error.code === 'MR_STORE_KEY';
    if (madeAt === null || !isKey) throw error;
    await rm(madeAt, { force: true });
    const subject = `there is no file ${madeAt}, and the store has secrets under a key`;
    throw new GatewayError('MR_STORE_KEY', { subject, cause: error });
  }
}

/**
 * A store at a URL may be away: it is tried again whenever it is asked.
 * @throws GatewayError when the key or the version does not fit, or the embedded server fails
 */
export async function openStore(config: StoreConfig, log: Log): Promise<OpenedStore> {
  const keys = await keysOf(config.key);
  if (config.address !== null) {
    const store = storeAt(config.address, keys.keys, log);
    return await opened(store, keys, log, () => store.close());
  }
  const server = await startEmbedded({
    dataDir: config.dataDir,
    port: 0,
    ephemeral: false,
    superuser: { user: 'postgres', password: freshPassword() },
    log,
  });
  try {
    const store = storeAt(await storeOnServer(server), keys.keys, log);
    return await opened(store, keys, log, async () => {
      await store.close();
      await stopBeside(() => server.stop());
    });
  } catch (error) {
    await stopBeside(() => server.stop());
    throw error;
  }
}

async function opened(
  store: Store,
  keys: StoreKeys,
  log: Log,
  close: () => Promise<void>,
): Promise<OpenedStore> {
  try {
    await openWith(store, keys);
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'MR_STORE_UNAVAILABLE') {
      await close();
      throw error;
    }
    log.warn({ reason: error.message }, 'the store is away: starting with the file alone');
  }
  return { store, close };
}
