import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { GatewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Clock, Random } from '../base/time.ts';
import type { ConfigurationConfig, ListenerConfig, MillraceConfig } from '../config/model.ts';
import { type Listener, listen } from '../net/listen.ts';
import { type ServerTls, serverTls } from '../net/tls-accept.ts';
import { loadParser } from '../origin/parser.ts';
import { FactsCache } from '../sql/facts/facts-cache.ts';
import type { SqlParser } from '../sql/facts/parser.ts';
import { ClientRegistry } from './clients/client-registry.ts';
import { Database } from './database.ts';
import { drainDatabase } from './drain.ts';
import { Credentials } from './login/credentials.ts';
import { Reception } from './login/reception.ts';
import { StatementReader } from './statements/statement-reader.ts';
import type { ConfigurationStatus } from './status.ts';

/** Limits are looked at this often, and so may be overrun by as much. */
const TICK_MS = 50;

const clock: Clock = { nowMs: () => performance.now() };
const random: Random = { bytes: (count) => randomBytes(count) };

/** What a listener is to be; see {@link preparedListeners}. */
type PreparedListener = { readonly config: ListenerConfig; readonly serverTls: ServerTls | null };

/** A listener at work. Its settings are looked up for every connection, so they can change. */
type OpenListener = {
  config: ListenerConfig;
  serverTls: ServerTls | null;
  readonly listener: Listener;
  readonly reception: Reception;
};

/** The data plane: listeners, configurations, and the clients between them. */
export class Gateway {
  readonly #log: Log;
  readonly #clients = new ClientRegistry(random);
  readonly #databases = new Map<string, Database>();
  /** Configurations that were removed, while their clients end. */
  readonly #leaving = new Set<Database>();
  readonly #listeners = new Map<string, OpenListener>();
  readonly #parser: SqlParser;
  readonly #facts: FactsCache;
  #credentials: Credentials;
  #drainTimeoutMs: number;
  readonly #ticker: NodeJS.Timeout;
  #isClosed = false;

  private constructor(
    parser: SqlParser,
    credentials: Credentials,
    drainTimeoutMs: number,
    log: Log,
  ) {
    this.#parser = parser;
    this.#drainTimeoutMs = drainTimeoutMs;
    this.#credentials = credentials;
    this.#log = log;
    this.#facts = new FactsCache(parser);
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#ticker.unref();
  }

  /**
   * Opens all listeners.
   * @throws GatewayError `MR_LISTEN_FAILED`, with nothing left open
   */
  static async start(config: MillraceConfig, options: { readonly log: Log }): Promise<Gateway> {
    const listeners = preparedListeners(config.listeners);
    const credentials = await Credentials.of(config, random, null);
    const parser = await loadParser();
    const gateway = new Gateway(parser, credentials, config.drainTimeoutMs, options.log);
    try {
      for (const configuration of config.configurations) gateway.#addDatabase(configuration);
      await gateway.#reloadListeners(listeners);
    } catch (error) {
      await gateway.close();
      throw error;
    }
    return gateway;
  }

  /** Where it listens, in the order of the configuration, with the ports that the system chose. */
  addresses(): readonly { readonly address: string; readonly port: number }[] {
    return [...this.#listeners.values()].map(({ listener }) => ({
      address: listener.address,
      port: listener.port,
    }));
  }

  /**
   * Takes a new configuration. Clients of configurations that remain stay connected.
   * @throws GatewayError `MR_CONFIG_INVALID`: nothing has changed; `MR_LISTEN_FAILED`: everything
   * else is in force then
   */
  async reload(config: MillraceConfig): Promise<void> {
    const listeners = preparedListeners(config.listeners);
    this.#credentials = await Credentials.of(config, random, this.#credentials);
    this.#drainTimeoutMs = config.drainTimeoutMs;
    const wanted = new Map(config.configurations.map((one) => [one.name, one]));
    for (const [name, database] of this.#databases) {
      const next = wanted.get(name);
      if (next === undefined || next.poolMode !== database.config.poolMode) {
        this.#databases.delete(name);
        this.#remove(database);
      } else database.reconfigure(next, needsFreshLinks(database.config, next));
    }
    for (const [name, configuration] of wanted) {
      if (!this.#databases.has(name)) this.#addDatabase(configuration);
    }
    await this.#reloadListeners(listeners);
  }

  /** Each configuration at work, in no order. */
  status(): readonly ConfigurationStatus[] {
    return [...this.#databases.values()].map(({ config, clients, counts }) => ({
      name: config.name,
      clients: clients.size,
      waiting: counts.waiting,
      links: { idle: counts.idle, checkedOut: counts.checkedOut, opening: counts.opening },
    }));
  }

  /** Ends politely: no new clients; see {@link drainDatabase}. */
  async drain(timeoutMs: number): Promise<void> {
    this.#closeListeners();
    const all = [...this.#databases.values()];
    await Promise.all(all.map((one) => drainDatabase(one, 'MR_SHUTTING_DOWN', timeoutMs, clock)));
    await this.close();
  }

  /** Ends at once: every client is told, every link is closed. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closeListeners();
    clearInterval(this.#ticker);
    for (const database of [...this.#databases.values(), ...this.#leaving]) {
      database.close('MR_SHUTTING_DOWN');
    }
    this.#databases.clear();
    // Goodbyes leave with the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** A configuration is gone from the file: its clients may end what they have begun. */
  #remove(database: Database): void {
    this.#leaving.add(database);
    const { name } = database.config;
    const count = database.clients.size;
    this.#log.warn({ configuration: name, clients: count }, 'the configuration was removed');
    void drainDatabase(database, 'MR_CONFIG_REMOVED', this.#drainTimeoutMs, clock).then(() =>
      this.#leaving.delete(database),
    );
  }

  #tick(): void {
    const nowMs = clock.nowMs();
    for (const database of this.#databases.values()) database.tick(nowMs);
    for (const database of this.#leaving) database.tick(nowMs);
  }

  #addDatabase(configuration: ConfigurationConfig): void {
    const parts = {
      statements: new StatementReader(this.#facts),
      parser: this.#parser,
      clock,
      log: this.#log,
    };
    this.#databases.set(configuration.name, new Database(configuration, parts));
  }

  async #openListener(key: string, prepared: PreparedListener): Promise<void> {
    const reception = new Reception({
      clients: this.#clients,
      credentials: () => this.#credentials,
      database: (name) => this.#databases.get(name) ?? null,
      random,
      log: this.#log,
    });
    const open = { ...prepared, reception };
    const listener = await listen(
      prepared.config,
      (socket: Socket) => void reception.receive(socket, open.config, open.serverTls),
      (error) => this.#log.warn({ reason: error.message }, 'a connection could not be accepted'),
    );
    this.#listeners.set(key, Object.assign(open, { listener }));
  }

  async #reloadListeners(wanted: ReadonlyMap<string, PreparedListener>): Promise<void> {
    for (const [key, { listener }] of this.#listeners) {
      if (wanted.has(key)) continue;
      listener.close();
      this.#listeners.delete(key);
    }
    for (const [key, prepared] of wanted) {
      const open = this.#listeners.get(key);
      if (open === undefined) await this.#openListener(key, prepared);
      else Object.assign(open, prepared);
    }
  }

  #closeListeners(): void {
    for (const { listener } of this.#listeners.values()) listener.close();
  }
}

/**
 * Listeners with what may fail already done, so that nothing is changed by half. Those at one
 * address whose ports the system chooses are told apart by their order.
 *
 * @throws GatewayError `MR_CONFIG_INVALID` when OpenSSL does not take a certificate or key
 */
function preparedListeners(
  configs: readonly ListenerConfig[],
): ReadonlyMap<string, PreparedListener> {
  const keyed = new Map<string, PreparedListener>();
  for (const config of configs) {
    const place = `${config.address}:${config.port}`;
    let key = place;
    for (let number = 2; keyed.has(key); number++) key = `${place} ${number}`;
    keyed.set(key, { config, serverTls: serverTlsOf(config, place) });
  }
  return keyed;
}

function serverTlsOf(config: ListenerConfig, place: string): ServerTls | null {
  const { tls, tlsCert: cert, tlsKey: key, tlsClientCa: clientCa } = config;
  if (tls === 'off' || cert === null || key === null) return null;
  try {
    return serverTls({ cert, key, clientCa });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const subject = `the certificates of the listener ${place} (${reason})`;
    throw new GatewayError('MR_CONFIG_INVALID', { subject, cause });
  }
}

function needsFreshLinks(before: ConfigurationConfig, after: ConfigurationConfig): boolean {
  const isSame = JSON.stringify(before.origin) === JSON.stringify(after.origin);
  return !isSame || before.restartedOn !== after.restartedOn;
}
