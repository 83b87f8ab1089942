/** Composes `millrace dev`: a database, the gateway in front of it, and the way down. */
import picocolors from 'picocolors';
import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { OriginConfig } from '../../config/model.ts';
import { parseOriginUrl } from '../../config/resolve-origin.ts';
import type { AuroraCluster } from '../../embedded/aurora/aurora-cluster.ts';
import { type EmbeddedServer, startEmbedded } from '../../embedded/embedded.ts';
import { listen } from '../../net/listen.ts';
import { connectOrigin } from '../../origin/connect.ts';
import { TERMINATE } from '../../protocol/messages.ts';
import { freshPassword } from '../control/open-store.ts';
import { humanLog } from '../logger.ts';
import { type RunningGateway, startGateway } from '../start-gateway.ts';
import { StopSignals, signalExitCode } from '../stop-signals.ts';
import { stopBeside, stopGateway } from '../stopping.ts';
import type { Terminal } from '../terminal.ts';
import { auroraReady } from './aurora-report.ts';
import { connectionUrl, readyJson, readyText } from './connection-strings.ts';
import { type DevControl, startDevControl } from './dev-control.ts';
import { DEV_ADDRESS, DEV_ROLE, type DevOptions, demoOrigin, devConfig } from './dev-options.ts';
import { onFirstFreePort } from './first-free-port.ts';
import { shellQuote } from './shell-quote.ts';

type Database = {
  readonly origin: OriginConfig;
  /** As the user gave it, or ready to paste. */
  readonly url: string;
  readonly server: EmbeddedServer | null;
  /** With `--like aurora`; then there is no other server. */
  readonly aurora: AuroraCluster | null;
};

async function openDatabase(options: DevOptions, log: Log): Promise<Database> {
  if (options.originUrl !== null) {
    const { origin, warnings } = await parseOriginUrl(options.originUrl);
    for (const warning of warnings) log.warn({}, warning);
    return { origin, url: options.originUrl, server: null, aurora: null };
  }
  if (options.like === 'aurora') {
    // Loaded here: nobody else needs what makes certificates and answers DNS.
    const { auroraOrigin, startAurora } = await import('./like-aurora.ts');
    const aurora = await startAurora(log);
    const origin = auroraOrigin(aurora);
    return { origin, url: connectionUrl(atWriter(origin, aurora)), server: null, aurora };
  }
  const server = await startEmbedded({
    dataDir: options.dataDir,
    port: 0,
    ephemeral: options.isEphemeral,
    // Of this run only.
    superuser: { user: 'postgres', password: freshPassword() },
    demo: DEV_ROLE,
    log,
  });
  const origin = demoOrigin(server);
  return { origin, url: connectionUrl(origin), server, aurora: null };
}

/** At its address, since its names are known to a DNS server of its own alone. */
function atWriter(origin: OriginConfig, { writer }: AuroraCluster): OriginConfig {
  return { ...origin, host: writer.address };
}

/** Somebody is waiting: a host that swallows packets must not keep them for long. */
const TRIAL_TIMEOUT_MS = 5_000;

/**
 * Tells at once when a database of the user's own cannot be used. It may be started later, so this
 * is no failure of the program.
 */
async function tryOrigin(origin: OriginConfig, log: Log): Promise<void> {
  const options = { connectTimeoutMs: TRIAL_TIMEOUT_MS, applicationName: 'millrace', log };
  try {
    const { socket } = await connectOrigin(origin, options);
    socket.end(TERMINATE);
  } catch (caught) {
    const { clientText, detail, row } = GatewayError.from(caught);
    const why = [clientText, detail, row.hint].filter((text) => text !== '').join(' ');
    log.warn({}, `the database of --origin cannot be used: ${why}`);
  }
}

async function openGateway(
  options: DevOptions,
  origin: OriginConfig,
  log: Log,
  usesColor: boolean,
): Promise<RunningGateway> {
  const { workers } = options;
  const logFormat = usesColor ? 'human-color' : 'human';
  const start = (port: number) =>
    startGateway(devConfig(origin, port), { workers, log, logFormat });
  if (options.isPortExplicit) return start(options.port);
  const { started, port } = await onFirstFreePort(options.port, start);
  if (port !== options.port) log.info({}, `port ${options.port} is in use, taking ${port}`);
  return started;
}

function adminUrlOf({ origin, server, aurora }: Database): string | null {
  if (aurora !== null) return connectionUrl({ ...atWriter(origin, aurora), ...aurora.superuser });
  if (server === null) return null;
  const { user, password } = server;
  return connectionUrl({ ...origin, user, password });
}

function report(
  gateway: RunningGateway,
  database: Database,
  control: DevControl | null,
  isJson: boolean,
  terminal: Terminal,
): void {
  const [listening] = gateway.addresses();
  if (listening === undefined) throw new GatewayError('MR_INTERNAL');
  const { address: host, port } = listening;
  const { origin } = database;
  const password = origin.password ?? DEV_ROLE.password;
  const url = connectionUrl({ host, port, user: origin.user, password, database: origin.database });
  const api = control?.api ?? null;
  const { aurora } = database;
  const ready = {
    gateway: { url, host, port },
    origin: { url: database.url, adminUrl: adminUrlOf(database) },
    aurora: aurora === null ? null : auroraReady(aurora),
    api,
    dsql: control?.dsql ?? null,
  };
  const paint = picocolors.createColors(terminal.usesColor);
  const command = `node ${shellQuote(process.argv[1] ?? 'millrace')}`;
  terminal.out(isJson ? readyJson(ready) : readyText(ready, paint, command));
}

/** A port of the user's choice that is taken is told before anything is started. */
async function tryPort({ isPortExplicit, port }: DevOptions): Promise<void> {
  if (!isPortExplicit || port === 0) return;
  const listener = await listen(
    { address: DEV_ADDRESS, port },
    (socket) => socket.destroy(),
    () => {},
  );
  listener.close();
}

/** Settles with the exit code when a signal came, or throws when the embedded server died. */
function untilStop(database: Database, signals: StopSignals): Promise<void> {
  const died = new Promise<never>((_, reject) => {
    database.server?.onExit(() => {
      reject(new GatewayError('MR_EMBEDDED_FAILED', { subject: 'it ended by itself' }));
    });
  });
  return Promise.race([signals.first.then(() => {}), died]);
}

async function serveDatabase(
  options: DevOptions,
  database: Database,
  signals: StopSignals,
  terminal: Terminal,
): Promise<void> {
  const log = humanLog(terminal);
  if (signals.isRequested) return;
  const gateway = await openGateway(options, database.origin, log, terminal.usesColor);
  if (options.originUrl !== null) await tryOrigin(database.origin, log);
  const { drainTimeoutMs } = devConfig(database.origin, options.port);
  let control: DevControl | null = null;
  try {
    control = await startDevControl(options, database, gateway, log);
    report(gateway, database, control, options.isJson, terminal);
    await Promise.race([untilStop(database, signals), gateway.failed]);
    log.info({}, 'stopping');
  } finally {
    const limitMs = signals.isRequested ? drainTimeoutMs : 0;
    await Promise.all([
      stopGateway(gateway, limitMs, signals),
      Promise.race([control?.drain(limitMs), signals.second]),
    ]);
    if (control !== null) await stopBeside(control.close);
  }
}

/** Runs until a signal; the exit code, 0 after a polite end. Throws what `startEmbedded` throws. */
export async function runDev(options: DevOptions, terminal: Terminal): Promise<number> {
  process.title = 'millrace: dev';
  const signals = new StopSignals(process, ['SIGINT', 'SIGTERM', 'SIGHUP']);
  let secondSignal: string | null = null;
  void signals.second.then((signal) => {
    secondSignal = signal;
  });
  try {
    await tryPort(options);
    const database = await openDatabase(options, humanLog(terminal));
    try {
      await serveDatabase(options, database, signals, terminal);
    } finally {
      const server = database.server ?? database.aurora;
      if (server !== null) await stopBeside(() => server.stop());
    }
    return secondSignal === null ? 0 : signalExitCode(secondSignal);
  } finally {
    signals.dispose();
  }
}
