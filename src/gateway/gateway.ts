import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { GatewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Clock, Random } from '../base/time.ts';
import type { ConfigurationConfig, ListenerConfig, MillraceConfig } from '../config/model.ts';
import { type Listener, listen } from '../net/listen.ts';
import { type SecureContext, serverSecureContext } from '../net/tls-accept.ts';
import { loadParser } from '../origin/parser.ts';
import { FactsCache } from '../sql/facts-cache.ts';
import type { SqlParser } from '../sql/parser.ts';
import { ClientRegistry } from './client-registry.ts';
import { Credentials } from './credentials.ts';
import { Database } from './database.ts';
import { Reception } from './reception.ts';
import { StatementReader } from './statement-reader.ts';

/** Limits are looked at this often, and so may be overrun by as much. */
const TICK_MS = 50;
const DRAIN_POLL_MS = 20;

const clock: Clock = { nowMs: () => performance.now() };
const random: Random = { bytes: (count) => randomBytes(count) };

/** A listener at work. Its settings are looked up for every connection, so they can change. */
type OpenListener = {
  config: ListenerConfig;
  secureContext: SecureContext | null;
  readonly listener: Listener;
  readonly reception: Reception;
};

/** The data plane: listeners, configurations, and the clients between them. */
export class Gateway {
  readonly #log: Log;
  readonly #clients = new ClientRegistry(random);
  readonly #databases = new Map<string, Database>();
  readonly #listeners = new Map<string, OpenListener>();
  readonly #parser: SqlParser;
  readonly #statements: StatementReader;
  #credentials: Credentials;
  readonly #ticker: NodeJS.Timeout;
  #isClosed = false;

  private constructor(parser: SqlParser, credentials: Credentials, log: Log) {
    this.#parser = parser;
    this.#credentials = credentials;
    this.#log = log;
    this.#statements = new StatementReader(new FactsCache(parser));
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#ticker.unref();
  }

  /**
   * Opens all listeners.
   * @throws GatewayError `MR_LISTEN_FAILED`, with nothing left open
   */
  static async start(config: MillraceConfig, options: { readonly log: Log }): Promise<Gateway> {
    const credentials = await Credentials.of(config, random, null);
    const gateway = new Gateway(await loadParser(), credentials, options.log);
    try {
      for (const configuration of config.configurations) gateway.#addDatabase(configuration);
      for (const listener of config.listeners) await gateway.#openListener(listener);
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
   * @throws GatewayError `MR_LISTEN_FAILED`: everything else is in force then
   */
  async reload(config: MillraceConfig): Promise<void> {
    this.#credentials = await Credentials.of(config, random, this.#credentials);
    const wanted = new Map(config.configurations.map((one) => [one.name, one]));
    for (const [name, database] of this.#databases) {
      const next = wanted.get(name);
      if (next === undefined || next.poolMode !== database.config.poolMode) {
        this.#databases.delete(name);
        database.close(new GatewayError('MR_CONFIG_REMOVED'));
      } else database.reconfigure(next, !isSame(next.origin, database.config.origin));
    }
    for (const [name, configuration] of wanted) {
      if (!this.#databases.has(name)) this.#addDatabase(configuration);
    }
    await this.#reloadListeners(config.listeners);
  }

  /** Ends politely: no new clients, idle ones are told, transactions may end within the time. */
  async drain(timeoutMs: number): Promise<void> {
    this.#closeListeners();
    const untilMs = clock.nowMs() + timeoutMs;
    for (;;) {
      for (const client of this.#clients.all()) {
        if (client.session.isAtRest) client.session.fail(new GatewayError('MR_SHUTTING_DOWN'));
      }
      if (this.#clients.size === 0 || clock.nowMs() >= untilMs) break;
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
    await this.close();
  }

  /** Ends at once: every client is told, every link is closed. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closeListeners();
    clearInterval(this.#ticker);
    for (const database of this.#databases.values()) {
      database.close(new GatewayError('MR_SHUTTING_DOWN'));
    }
    this.#databases.clear();
    // Goodbyes leave with the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
  }

  #tick(): void {
    const nowMs = clock.nowMs();
    for (const database of this.#databases.values()) database.tick(nowMs);
  }

  #addDatabase(configuration: ConfigurationConfig): void {
    const parts = {
      statements: this.#statements,
      parser: this.#parser,
      clock,
      log: this.#log,
    };
    this.#databases.set(configuration.name, new Database(configuration, parts));
  }

  async #openListener(config: ListenerConfig): Promise<void> {
    const reception = new Reception({
      clients: this.#clients,
      credentials: () => this.#credentials,
      database: (name) => this.#databases.get(name) ?? null,
      random,
      log: this.#log,
    });
    const open = { config, secureContext: secureContextOf(config), reception };
    const listener = await listen(
      config,
      (socket: Socket) => void reception.receive(socket, open.config, open.secureContext),
      (error) => this.#log.warn({ reason: error.message }, 'a connection could not be accepted'),
    );
    this.#listeners.set(keyOf(config), Object.assign(open, { listener }));
  }

  async #reloadListeners(wanted: readonly ListenerConfig[]): Promise<void> {
    const keys = new Set(wanted.map(keyOf));
    for (const [key, { listener }] of this.#listeners) {
      if (keys.has(key)) continue;
      listener.close();
      this.#listeners.delete(key);
    }
    for (const config of wanted) {
      const open = this.#listeners.get(keyOf(config));
      if (open === undefined) {
        await this.#openListener(config);
      } else {
        open.secureContext = secureContextOf(config);
        open.config = config;
      }
    }
  }

  #closeListeners(): void {
    for (const { listener } of this.#listeners.values()) listener.close();
  }
}

function keyOf({ address, port }: ListenerConfig): string {
  return `${address}:${port}`;
}

function secureContextOf({ tlsCert, tlsKey }: ListenerConfig): SecureContext | null {
  return tlsCert === null || tlsKey === null
    ? null
    : serverSecureContext({ cert: tlsCert, key: tlsKey });
}

function isSame(left: object, right: object): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
