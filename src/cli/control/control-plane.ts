/** The control plane beside a running gateway: serves what the store holds, and the API. */
import type { Log } from '../../base/log.ts';
import type { ApiConfig, ConfigurationConfig } from '../../config/model.ts';
import type { AwsPlane } from '../../control/aws/aws-plane.ts';
import type { ControlContext } from '../../control/context.ts';
import { type ApiServer, serveApi } from '../../control/http/server.ts';
import { servedOf } from '../../control/served.ts';
import type { PurgeOutcome, PurgeTarget } from '../../gateway/purge.ts';
import type { ConfigurationStatus } from '../../gateway/status.ts';
import { random } from '../../gateway/system.ts';
import type { Store } from '../../store/store.ts';
import { tokenHash } from '../../store/tokens.ts';
import type { StoreWatch } from '../../store/watch.ts';

/** A request of the API waits no longer than this for the gateway to take a change over. */
const APPLY_TIMEOUT_MS = 5_000;

/** What the control plane needs of whoever runs the gateway, be it one process or many workers. */
export type Plane = {
  /** The configurations of the file, which come first. */
  fileConfigurations(): readonly ConfigurationConfig[];
  /** From now on these are served beside those of the file. Rejects when they could not be. */
  serve(configurations: readonly ConfigurationConfig[]): Promise<void>;
  status(): Promise<readonly ConfigurationStatus[]>;
  purge(configuration: string, target: PurgeTarget): Promise<PurgeOutcome>;
  addresses(): readonly { readonly address: string; readonly port: number }[];
};

export type ControlOptions = {
  readonly store: Store;
  /** Null for no API. */
  readonly api: ApiConfig | null;
  readonly plane: Plane;
  /** The APIs of AWS beside it; none unless said. */
  readonly aws?: AwsPlane;
  readonly version: string;
  readonly log: Log;
};

/** What the store holds now, ready to be served, or nothing when it is away. */
export async function storedConfigurations(store: Store): Promise<readonly ConfigurationConfig[]> {
  try {
    return (await servedOf(await store.snapshot(), Date.now())).configurations;
  } catch {
    // The watch tells of it, and serves them as soon as they can be had.
    return [];
  }
}

export class ControlPlane {
  /** Null when there is none. */
  readonly api: ApiServer | null;
  readonly #watch: StoreWatch;

  private constructor(api: ApiServer | null, watch: StoreWatch) {
    this.api = api;
    this.#watch = watch;
  }

  /** @throws GatewayError `MR_LISTEN_FAILED` */
  static async start(options: ControlOptions): Promise<ControlPlane> {
    const { store, api, plane, log } = options;
    const watch = store.watch(async () => {
      const served = await servedOf(await store.snapshot(), Date.now());
      for (const configuration of served.leftOut) {
        log.error({ configuration }, 'a certificate that it names is not there: it is not served');
      }
      await plane.serve(served.configurations);
      return served.dueMs;
    });
    try {
      if (api === null) return new ControlPlane(null, watch);
      const context = contextOf(options, api, watch);
      return new ControlPlane(await serveApi(context, { ...api, version: options.version }), watch);
    } catch (error) {
      await watch.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.api?.close();
    await this.#watch.close();
  }
}

function contextOf(options: ControlOptions, api: ApiConfig, watch: StoreWatch): ControlContext {
  const { store, plane, log } = options;
  return {
    store,
    rootTokenHash: tokenHash(api.token),
    fileConfigurations: () => plane.fileConfigurations(),
    status: () => plane.status(),
    purge: (configuration, target) => plane.purge(configuration, target),
    changesApplied: () => atMost(watch.look(), APPLY_TIMEOUT_MS),
    clientAddress: () => clientAddressOf(plane.addresses()),
    aws: options.aws ?? null,
    random,
    log,
  };
}

/** A listener on every interface is reached, from here, by the loopback address. */
function clientAddressOf(addresses: ReturnType<Plane['addresses']>) {
  const [first] = addresses;
  if (first === undefined) return null;
  const { address, port } = first;
  return { host: address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address, port };
}

async function atMost(work: Promise<void>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}
