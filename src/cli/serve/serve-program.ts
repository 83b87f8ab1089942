/** Composes `millrace serve`: the gateway of a configuration file, reloads, and the way down. */
import type { Log } from '../../base/log.ts';
import { loadConfig } from '../../config/load.ts';
import type { WorkerCount } from '../../config/model.ts';
import { storedConfigurations } from '../control/control-plane.ts';
import { type OpenedStore, openStore } from '../control/open-store.ts';
import { jsonLog } from '../logger.ts';
import { type RunningGateway, startGateway } from '../start-gateway.ts';
import { StopSignals, signalExitCode } from '../stop-signals.ts';
import type { Terminal } from '../terminal.ts';
import { ConfigSource } from './config-source.ts';
import { FileWatches } from './file-watches.ts';
import type { Reloader } from './reloader.ts';
import { Running } from './running.ts';
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

const NOT_REPLACED = 'workers are not replaced';

/** What SIGUSR2 does: processes are replaced, one round at a time. */
function restarter({ restart }: RunningGateway, log: Log): () => void {
  let isRunning = false;
  return () => {
    if (restart === null || isRunning) {
      const reason = isRunning ? 'one is under way' : 'there are no worker processes';
      log.warn({ reason }, NOT_REPLACED);
      return;
    }
    isRunning = true;
    restart()
      .catch((error: unknown) => log.error({ error }, 'workers were not all replaced'))
      .finally(() => {
        isRunning = false;
      });
  };
}

const warnsUnwatched =
  (log: Log) =>
  (error: unknown): void => {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn({ reason }, 'a file is not watched, only SIGHUP reloads it');
  };

/**
 * Runs until a signal; the exit code, 0 after a polite end. Throws when it cannot start or go on.
 * @param workers overrides the file when not null
 */
export async function runServe(
  path: string,
  workers: WorkerCount | null,
  terminal: Terminal,
): Promise<number> {
  process.title = 'millrace: serve';
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
  let restart = (): void => log.warn({ reason: 'they are starting' }, NOT_REPLACED);
  const onRestart = () => restart();
  process.on('SIGUSR2', onRestart);
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
    const gateway = await startGateway(source.merged, {
      workers: workers ?? source.merged.workers,
      log,
      logFormat: 'json',
    });
    const running = new Running(gateway, source, log);
    started = { reloader: running.reloader, source };
    restart = restarter(gateway, log);
    log.info({ addresses: gateway.addresses() }, 'listening');
    if (isChangedEarly) onChange('changed during the start');
    await running.untilStopped(opened, signals);
    return secondSignal === null ? 0 : signalExitCode(secondSignal);
  } finally {
    await opened?.close();
    watcher.close();
    others.close();
    signals.dispose();
    process.off('SIGHUP', onHangup);
    process.off('SIGUSR2', onRestart);
  }
}
