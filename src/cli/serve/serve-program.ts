/** Composes `millrace serve`: the gateway of a configuration file, reloads, and the way down. */
import type { Log } from '../../base/log.ts';
import { loadConfig } from '../../config/load.ts';
import type { ConfigurationConfig } from '../../config/model.ts';
import { Gateway } from '../../gateway/gateway.ts';
import { ControlPlane, storedConfigurations } from '../control/control-plane.ts';
import { type OpenedStore, openStore } from '../control/open-store.ts';
import { jsonLog } from '../logger.ts';
import { StopSignals, signalExitCode } from '../stop-signals.ts';
import { stopBeside, stopGateway } from '../stopping.ts';
import type { Terminal } from '../terminal.ts';
import { readVersion } from '../version.ts';
import { ConfigSource } from './config-source.ts';
import { FileWatches } from './file-watches.ts';
import { Reloader } from './reloader.ts';
import { watchFile } from './watch-file.ts';

/** Watching is a convenience: without it SIGHUP still reloads. */
async function watchQuietly(
  path: string,
  onChange: () => void,
  onError: (error: unknown) => void,
): Promise<{ close(): void }> {
  try {
    return await watchFile(path, { onChange, onError });
  } catch (error) {
    onError(error);
    return { close: () => {} };
  }
}

const warnsUnwatched =
  (log: Log) =>
  (error: unknown): void => {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn({ reason }, 'a file is not watched, only SIGHUP reloads it');
  };

/** The gateway of `source`, with its control plane when there is a store. */
class Running {
  readonly gateway: Gateway;
  readonly reloader: Reloader;
  readonly #source: ConfigSource;
  readonly #log: Log;
  #control: ControlPlane | null = null;
  #applied: readonly ConfigurationConfig[];

  constructor(gateway: Gateway, source: ConfigSource, log: Log) {
    this.#applied = source.stored;
    this.gateway = gateway;
    this.#source = source;
    this.#log = log;
    const apply = (next: typeof source.merged) => gateway.reload(next);
    this.reloader = new Reloader(source.merged, { load: () => source.load(), apply, log });
  }

  async startControl({ store }: OpenedStore): Promise<void> {
    const api = this.#source.file.control?.api ?? null;
    this.#control = await ControlPlane.start({
      store,
      api,
      plane: {
        fileConfigurations: () => this.#source.file.config.configurations,
        serve: (configurations) => this.#serve(configurations),
        status: async () => this.gateway.status(),
        addresses: () => this.gateway.addresses(),
      },
      version: readVersion(),
      log: this.#log,
    });
    const { url = null } = this.#control.api ?? {};
    if (url !== null) this.#log.info({ url }, 'the API listens');
  }

  async stopControl(): Promise<void> {
    await this.#control?.close();
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

async function runUntilStopped(
  running: Running,
  opened: OpenedStore | null,
  signals: StopSignals,
  log: Log,
): Promise<void> {
  const { gateway, reloader } = running;
  try {
    if (opened !== null) await running.startControl(opened);
    const signal = await signals.first;
    const { drainTimeoutMs } = reloader.current;
    log.info({ signal, drainTimeoutMs }, 'draining');
    await stopBeside(() => running.stopControl());
    await stopGateway(gateway, drainTimeoutMs, signals);
    log.info({}, 'stopped');
  } catch (error) {
    await running.stopControl();
    await gateway.close();
    throw error;
  }
}

/** Runs until a signal; the exit code, 0 after a polite end. Throws when it cannot start. */
export async function runServe(path: string, terminal: Terminal): Promise<number> {
  const log = jsonLog(terminal);
  const onError = warnsUnwatched(log);
  // Watching begins before the first read, so that no change is missed; one that comes before the
  // gateway runs is taken up after it.
  let started: { reloader: Reloader; source: ConfigSource } | null = null;
  let isChangedEarly = false;
  const onChange = (reason: string) => {
    if (started === null) {
      isChangedEarly = true;
      return;
    }
    started.source.onFileChanged();
    void started.reloader.request(reason);
  };
  const onHangup = () => onChange('SIGHUP');
  process.on('SIGHUP', onHangup);
  const signals = new StopSignals(process, ['SIGINT', 'SIGTERM']);
  let secondSignal: string | null = null;
  void signals.second.then((signal) => {
    secondSignal = signal;
  });
  const watcher = await watchQuietly(path, () => onChange('file changed'), onError);
  const others = new FileWatches({ onChange: (file) => onChange(`${file} changed`), onError });
  const load = async () => {
    const loaded = await loadConfig(path, terminal.env);
    await others.follow(loaded.files);
    return loaded;
  };
  let opened: OpenedStore | null = null;
  try {
    const file = await load();
    for (const warning of file.warnings) log.warn({}, warning);
    const source = new ConfigSource(file, load);
    if (file.control !== null) {
      opened = await openStore(file.control.store, log);
      source.setStored(await storedConfigurations(opened.store));
    }
    const gateway = await Gateway.start(source.merged, { log });
    const running = new Running(gateway, source, log);
    started = { reloader: running.reloader, source };
    log.info({ addresses: gateway.addresses() }, 'listening');
    if (isChangedEarly) onChange('changed during the start');
    await runUntilStopped(running, opened, signals, log);
    return secondSignal === null ? 0 : signalExitCode(secondSignal);
  } finally {
    await opened?.close();
    watcher.close();
    others.close();
    signals.dispose();
    process.off('SIGHUP', onHangup);
  }
}
