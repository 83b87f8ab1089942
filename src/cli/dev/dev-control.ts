/** The control plane of `millrace dev`: a store beside the demo, and an API next to the gateway. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../base/log.ts';
import type { OriginConfig } from '../../config/model.ts';
import { parseOriginUrl } from '../../config/resolve-origin.ts';
import { mergeConfigurations } from '../../control/served.ts';
import { openDataDir } from '../../embedded/cluster-home.ts';
import type { EmbeddedServer } from '../../embedded/embedded.ts';
import { random } from '../../gateway/system.ts';
import type { Store } from '../../store/store.ts';
import { ControlPlane, type Plane } from '../control/control-plane.ts';
import { freshPassword, keysOf, openWith, storeAt, storeOnServer } from '../control/open-store.ts';
import type { RunningGateway } from '../start-gateway.ts';
import { readVersion } from '../version.ts';
import { keepDemo } from './demo-configuration.ts';
import { type DevDsql, startDevDsql } from './dev-dsql.ts';
import { DEV_ADDRESS, type DevOptions, devConfig } from './dev-options.ts';
import type { DsqlReady } from './dsql-report.ts';
import { onFirstFreePort } from './first-free-port.ts';

/** In the data directory, mode 0600: how `millrace config` finds a running `millrace dev`. */
export const API_FILE = 'api.json';
const KEY_FILE = 'store.key';

export type DevControl = {
  readonly api: { readonly url: string; readonly token: string };
  readonly dsql: DsqlReady | null;
  /** Lets clients of the DSQL endpoint end what is open, for so long at most. */
  readonly drain: (timeoutMs: number) => Promise<void>;
  readonly close: () => Promise<void>;
};

type Database = { readonly origin: OriginConfig; readonly server: EmbeddedServer | null };

async function openDevStore(
  options: DevOptions,
  server: EmbeddedServer | null,
  log: Log,
): Promise<Store | null> {
  const { storeUrl, isEphemeral, dataDir } = options;
  if (storeUrl === null && server === null) return null;
  const isKept = !isEphemeral || storeUrl !== null;
  if (isKept) await openDataDir(dataDir);
  const key = isKept
    ? { path: join(dataDir, KEY_FILE) }
    : { text: Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex') };
  const address =
    storeUrl === null
      ? await storeOnServer(server as EmbeddedServer)
      : (await parseOriginUrl(storeUrl)).origin;
  const keys = await keysOf(key);
  const store = storeAt(address, keys.keys, log);
  try {
    await openWith(store, keys);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The token of the last run, so that what was configured with it goes on. */
async function tokenOf({ isEphemeral, dataDir }: DevOptions): Promise<string> {
  if (isEphemeral) return freshPassword();
  try {
    const known: unknown = JSON.parse(await readFile(join(dataDir, API_FILE), 'utf8'));
    const token = typeof known === 'object' && known !== null && 'token' in known && known.token;
    if (typeof token === 'string' && token.length >= freshPassword().length) return token;
  } catch {
    // The first run, or somebody's mistake: a new one then.
  }
  return freshPassword();
}

async function writeApiFile(dataDir: string, api: DevControl['api']): Promise<void> {
  const path = join(dataDir, API_FILE);
  await rm(path, { force: true });
  await writeFile(path, `${JSON.stringify(api)}\n`, { mode: 0o600, flag: 'wx' });
}

/** @param isStored the configuration is one of the store's, and none of a file's */
function planeOf(
  options: DevOptions,
  origin: OriginConfig,
  gateway: RunningGateway,
  isStored: boolean,
): Plane {
  const [address] = gateway.addresses();
  const config = devConfig(origin, options.isPortExplicit ? options.port : (address?.port ?? 0));
  const own = isStored ? [] : config.configurations;
  return {
    fileConfigurations: () => own,
    serve: (stored) =>
      gateway.reload({
        ...config,
        configurations: mergeConfigurations(own, stored),
      }),
    status: () => gateway.status(),
    purge: (configuration, target) => gateway.purge(configuration, target),
    addresses: () => gateway.addresses(),
  };
}

/**
 * Null when there is neither an embedded server nor a URL for the store.
 * @throws GatewayError `MR_STORE_…`, `MR_LISTEN_FAILED`
 */
export async function startDevControl(
  options: DevOptions,
  { origin, server }: Database,
  gateway: RunningGateway,
  log: Log,
): Promise<DevControl | null> {
  const store = await openDevStore(options, server, log);
  if (store === null) return null;
  let dsql: DevDsql | null = null;
  try {
    dsql = options.hasDsql ? await startDevDsql(options, store, log) : null;
    const aws = dsql?.running.plane;
    const token = await tokenOf(options);
    // A store of somebody else's has no place for a database that ends with this program.
    const isStored = server !== null && options.storeUrl === null;
    if (isStored) await keepDemo(store, origin, random);
    const plane = planeOf(options, origin, gateway, isStored);
    const version = readVersion();
    const start = (port: number) => {
      const api = { address: DEV_ADDRESS, port, tls: null, token };
      return ControlPlane.start({ store, api, plane, version, log, ...(aws ? { aws } : {}) });
    };
    const [listening] = gateway.addresses();
    const isAnyPort = options.isPortExplicit && options.port === 0;
    const next = isAnyPort ? 0 : Math.min((listening?.port ?? 0) + 1, 65_535);
    const { started } = await onFirstFreePort(next, start);
    const api = { url: started.api?.url ?? '', token };
    if (!options.isEphemeral) await writeApiFile(options.dataDir, api);
    const close = async () => {
      await started.close();
      await dsql?.running.close();
      await store.close();
    };
    const sdkUrl = started.api === null ? null : new URL(started.api.url).origin;
    const drain = async (timeoutMs: number) => dsql?.running.drain(timeoutMs);
    return { api, dsql: dsql?.ready(sdkUrl) ?? null, drain, close };
  } catch (error) {
    await dsql?.running.close();
    await store.close();
    throw error;
  }
}
