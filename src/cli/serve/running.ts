/** The gateway of `millrace serve` at work, with its control plane when there is a store. */
import type { Log } from '../../base/log.ts';
import type { ConfigurationConfig, DsqlConfig } from '../../config/model.ts';
import type { Store } from '../../store/store.ts';
import { ControlPlane } from '../control/control-plane.ts';
import type { OpenedStore } from '../control/open-store.ts';
import type { RunningDsql } from '../dsql/dsql-program.ts';
import type { RunningGateway } from '../start-gateway.ts';
import type { StopSignals } from '../stop-signals.ts';
import { stopBeside, stopGateway } from '../stopping.ts';
import { readVersion } from '../version.ts';
import type { ConfigSource } from './config-source.ts';
import { Reloader } from './reloader.ts';

export class Running {
  readonly gateway: RunningGateway;
  readonly reloader: Reloader;
  readonly #source: ConfigSource;
  readonly #log: Log;
  #control: ControlPlane | null = null;
  #dsql: RunningDsql | null = null;
  #applied: readonly ConfigurationConfig[];

  constructor(gateway: RunningGateway, source: ConfigSource, log: Log) {
    this.#applied = source.stored;
    this.gateway = gateway;
    this.#source = source;
    this.#log = log;
    const apply = (next: typeof source.merged) => gateway.reload(next);
    this.reloader = new Reloader(source.merged, { load: () => source.load(), apply, log });
  }

  /**
   * Runs until the first signal, then drains.
   * @param opened the store, or null when there is none
   * @throws GatewayError `MR_LISTEN_FAILED` for the API, `MR_WORKER_FAILED`; everything is closed
   */
  async untilStopped(opened: OpenedStore | null, signals: StopSignals): Promise<void> {
    try {
      if (opened !== null) await this.#startControl(opened);
      const signal = await Promise.race([signals.first, this.gateway.failed]);
      const { drainTimeoutMs } = this.reloader.current;
      this.#log.info({ signal, drainTimeoutMs }, 'draining');
      await stopBeside(async () => this.#control?.close());
      await Promise.all([
        stopGateway(this.gateway, drainTimeoutMs, signals),
        Promise.race([this.#dsql?.drain(drainTimeoutMs), signals.second]),
      ]);
      await stopBeside(async () => this.#dsql?.close());
      this.#log.info({}, 'stopped');
    } catch (error) {
      await this.#stopControl();
      await this.gateway.close();
      throw error;
    }
  }

  async #startControl({ store }: OpenedStore): Promise<void> {
    const { api = null, dsql = null } = this.#source.file.control ?? {};
    if (dsql !== null) await this.#startDsql(dsql, store);
    const aws = this.#dsql?.plane;
    this.#control = await ControlPlane.start({
      store,
      api,
      ...(aws === undefined ? {} : { aws }),
      plane: {
        fileConfigurations: () => this.#source.file.config.configurations,
        serve: (configurations) => this.#serve(configurations),
        status: () => this.gateway.status(),
        purge: (configuration, target) => this.gateway.purge(configuration, target),
        addresses: () => this.gateway.addresses(),
      },
      version: readVersion(),
      log: this.#log,
    });
    const { url = null } = this.#control.api ?? {};
    if (url !== null) this.#log.info({ url }, 'the API listens');
  }

  async #startDsql(config: DsqlConfig, store: Store): Promise<void> {
    // Loaded here: without the endpoint nobody needs what is behind it.
    const { RunningDsql } = await import('../dsql/dsql-program.ts');
    const options = { config, store, isEphemeral: false, log: this.#log };
    this.#dsql = await RunningDsql.start(options);
    const { endpoint, caFile, region } = this.#dsql;
    const { address, port } = endpoint;
    this.#log.info({ address, port, region, caFile }, 'the DSQL endpoint listens');
  }

  async #stopControl(): Promise<void> {
    await this.#control?.close();
    await this.#dsql?.close();
  }

  /** Through the one path of reloads, so that a change of the file is never overtaken. */
  async #serve(configurations: readonly ConfigurationConfig[]): Promise<void> {
    if (JSON.stringify(configurations) === JSON.stringify(this.#applied)) return;
    this.#source.setStored(configurations);
    await this.reloader.request('the store changed');
    // A wrong file may have spoilt the reload that this change shared with it.
    if (!this.#isServed(configurations)) await this.reloader.request('the store changed');
    if (!this.#isServed(configurations)) throw new Error('the gateway did not take the change');
    this.#applied = configurations;
  }

  #isServed(configurations: readonly ConfigurationConfig[]): boolean {
    const spell = (one: ConfigurationConfig) => JSON.stringify(one);
    const current = new Set(this.reloader.current.configurations.map(spell));
    const inFile = new Set(this.#source.file.config.configurations.map(({ name }) => name));
    return configurations.every((one) => current.has(spell(one)) || inFile.has(one.name));
  }
}
