/** Composes `millrace serve`: the gateway of a configuration file, reloads, and the way down. */
import type { Log } from '../../base/log.ts';
import { loadConfig } from '../../config/load.ts';
import { Gateway } from '../../gateway/gateway.ts';
import { jsonLog } from '../logger.ts';
import { StopSignals, signalExitCode } from '../stop-signals.ts';
import { stopGateway } from '../stopping.ts';
import type { Terminal } from '../terminal.ts';
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

/** Runs until a signal; the exit code, 0 after a polite end. Throws when it cannot start. */
export async function runServe(path: string, terminal: Terminal): Promise<number> {
  const log = jsonLog(terminal);
  const onError = warnsUnwatched(log);
  // Watching begins before the first read, so that no change is missed; one that comes before the
  // gateway runs is taken up after it.
  let reloader: Reloader | null = null;
  let isChangedEarly = false;
  const onChange = (reason: string) => {
    if (reloader === null) isChangedEarly = true;
    else void reloader.request(reason);
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
  try {
    const { config, warnings } = await load();
    for (const warning of warnings) log.warn({}, warning);
    const gateway = await Gateway.start(config, { log });
    reloader = new Reloader(config, { load, apply: (next) => gateway.reload(next), log });
    log.info({ addresses: gateway.addresses() }, 'listening');
    if (isChangedEarly) void reloader.request('changed during the start');
    const signal = await signals.first;
    const { drainTimeoutMs } = reloader.current;
    log.info({ signal, drainTimeoutMs }, 'draining');
    await stopGateway(gateway, drainTimeoutMs, signals);
    log.info({}, 'stopped');
    return secondSignal === null ? 0 : signalExitCode(secondSignal);
  } finally {
    watcher.close();
    others.close();
    signals.dispose();
    process.off('SIGHUP', onHangup);
  }
}
