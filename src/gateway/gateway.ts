import type { Socket } from 'node:net';
import { GatewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ConfigurationConfig, MillraceConfig } from '../config/model.ts';
import { closeGently } from '../net/closing.ts';
import { loadParser } from '../origin/parser.ts';
import { FactsCache } from '../sql/facts/facts-cache.ts';
import type { SqlParser } from '../sql/facts/parser.ts';
import { OriginWritesTable } from './cache/origin-writes-table.ts';
import type { WriteBoard } from './cache/write-board.ts';
import { cancelClient } from './clients/cancel-client.ts';
import { ClientRegistry } from './clients/client-registry.ts';
import { Database } from './database.ts';
import { drainDatabase } from './drain.ts';
import { OwnLinkRates } from './links/link-rates.ts';
import {
  type BoundAddress,
  Listeners,
  type PreparedListener,
  type PreparedListeners,
  preparedListeners,
} from './listeners.ts';
import { Credentials } from './login/credentials.ts';
import { Reception } from './login/reception.ts';
import type { PurgeOutcome, PurgeTarget } from './purge.ts';
import type { SharedSecrets } from './shared-secrets.ts';
import type { LinkRates, News, Siblings } from './siblings.ts';
import { StatementReader } from './statements/statement-reader.ts';
import type { ConfigurationStatus } from './status.ts';
import { clock, random } from './system.ts';

/** Limits are looked at this often, and so may be overrun by as much. */
const TICK_MS = 50;

/** A listener's clients. Its settings are looked up for every connection, so they can change. */
type Entrance = { prepared: PreparedListener; readonly reception: Reception };

export type GatewayOptions = {
  readonly log: Log;
  /** When it is one of several workers: it then listens to nothing itself. */
  readonly siblings?: Siblings;
  /** When other processes serve the same clients. */
  readonly secrets?: SharedSecrets;
  /**
   * Whether other processes write for the same clients to the same origins, and say so nowhere.
   * What they write is not seen here, so nothing is kept in mode `write-through`.
   */
  readonly hasOtherWriters?: boolean;
  /** Where all of several workers say what they write. */
  readonly board?: WriteBoard | null;
};

/** A configuration with what may fail already done; see {@link Gateway.prepare}. */
export type PreparedConfig = {
  readonly config: MillraceConfig;
  readonly listeners: PreparedListeners;
  readonly credentials: Credentials;
};

/** The data plane: listeners, configurations, and the clients between them. */
export class Gateway {
  readonly #log: Log;
  readonly #siblings: Siblings | null;
  readonly #clients: ClientRegistry;
  readonly #databases = new Map<string, Database>();
  /** Configurations that were removed, while their clients end. */
  readonly #leaving = new Set<Database>();
  readonly #entrances = new Map<string, Entrance>();
  readonly #listeners: Listeners;
  readonly #parser: SqlParser;
  readonly #board: WriteBoard | null;
  readonly #writes: OriginWritesTable;
  readonly #rates: LinkRates;
  readonly #facts: FactsCache;
  readonly #hasOtherWriters: boolean;
  #credentials: Credentials;
  #drainTimeoutMs: number;
  readonly #ticker: NodeJS.Timeout;
  #isClosed = false;

  private constructor(
    parser: SqlParser,
    credentials: Credentials,
    drainTimeoutMs: number,
    { log, siblings, hasOtherWriters = false, board = null }: GatewayOptions,
  ) {
    this.#parser = parser;
    this.#drainTimeoutMs = drainTimeoutMs;
    this.#credentials = credentials;
    this.#log = log;
    this.#hasOtherWriters = hasOtherWriters;
    this.#siblings = siblings ?? null;
    this.#board = board;
    this.#writes = new OriginWritesTable(board);
    this.#rates = siblings?.rates ?? new OwnLinkRates(clock);
    this.#clients = new ClientRegistry(random, siblings?.number ?? null);
    this.#listeners = new Listeners((key, socket) => this.receive(key, socket), log);
    this.#facts = new FactsCache(parser);
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#ticker.unref();
  }

  /**
   * Opens all listeners.
   * @throws GatewayError `MR_LISTEN_FAILED`, with nothing left open
   */
  static async start(config: MillraceConfig, options: GatewayOptions): Promise<Gateway> {
    const prepared = await preparedConfig(config, null, options.secrets);
    const parser = await loadParser();
    const gateway = new Gateway(parser, prepared.credentials, config.drainTimeoutMs, options);
    try {
      await gateway.#listen(prepared);
    } catch (error) {
      await gateway.close();
      throw error;
    }
    return gateway;
  }

  /** Where it listens, in the order of the configuration, with the ports that the system chose. */
  addresses(): readonly BoundAddress[] {
    return this.#listeners.addresses();
  }

  /**
   * Takes a new configuration. Clients of configurations that remain stay connected.
   * @throws GatewayError `MR_CONFIG_INVALID` and `MR_LISTEN_FAILED`: nothing has changed, save when
   * a listener could only open in the place of another; everything else is in force then
   */
  async reload(config: MillraceConfig): Promise<void> {
    await this.#listen(await this.prepare(config));
  }

  /**
   * The first half of a reload, which may fail and changes nothing.
   * @throws GatewayError `MR_CONFIG_INVALID`
   */
  prepare(config: MillraceConfig, secrets?: SharedSecrets): Promise<PreparedConfig> {
    return preparedConfig(config, this.#credentials, secrets);
  }

  /** The second half, for a gateway that listens to nothing itself. */
  apply({ config, listeners, credentials }: PreparedConfig): void {
    this.#credentials = credentials;
    this.#drainTimeoutMs = config.drainTimeoutMs;
    const wanted = new Map(config.configurations.map((one) => [one.name, one]));
    for (const [name, database] of this.#databases) {
      const next = wanted.get(name);
      if (next === undefined || next.poolMode !== database.config.poolMode) {
        this.#databases.delete(name);
        this.#remove(database);
      } else if (needsFreshLinks(database.config, next)) database.reconfigure(next, true);
      else {
        // As the same object it keeps its tokens, its secret and its TLS session.
        database.reconfigure({ ...next, origin: database.config.origin }, false);
      }
    }
    for (const [name, configuration] of wanted) {
      if (!this.#databases.has(name)) this.#addDatabase(configuration);
    }
    for (const [key, prepared] of listeners) this.#openEntrance(key, prepared);
    for (const key of this.#entrances.keys()) if (!listeners.has(key)) this.#entrances.delete(key);
  }

  /** Takes a connection that was accepted for the listener of that key; paused and unread. */
  receive(key: string, socket: Socket): void {
    const entrance = this.#entrances.get(key);
    if (entrance === undefined || this.#isClosed) {
      closeGently(socket);
      return;
    }
    const { config, serverTls } = entrance.prepared;
    void entrance.reception.receive(socket, config, serverTls);
  }

  /** Cancels what the client with this key does, in whichever worker it is. Never rejects. */
  async cancel(processId: number, secretKey: Uint8Array): Promise<void> {
    if (await this.cancelHere(processId, secretKey)) return;
    await this.#siblings?.cancel(processId, secretKey);
  }

  /** The same, if the client is in this process; else it answers false. */
  async cancelHere(processId: number, secretKey: Uint8Array): Promise<boolean> {
    const client = this.#clients.find(processId, secretKey);
    if (client !== null) await cancelClient(client);
    return client !== null;
  }

  /** Another worker has told something. */
  onNews(configuration: string, news: News): void {
    this.#databases.get(configuration)?.onNews(news);
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

  /** Forgets answers of a configuration's query cache. */
  async purge(configuration: string, target: PurgeTarget): Promise<PurgeOutcome> {
    const database = this.#databases.get(configuration);
    return database?.purge(target) ?? { answers: 0, problem: 'unserved' };
  }

  /** Takes over what the worker of that number was writing, which is no more. */
  takeOver(worker: number): void {
    this.#board?.takeOver(worker, clock.nowMs());
  }

  /** Ends politely: no new clients; see {@link drainDatabase}. */
  async drain(timeoutMs: number): Promise<void> {
    this.#listeners.close();
    const all = [...this.#databases.values()];
    await Promise.all(all.map((one) => drainDatabase(one, 'MR_SHUTTING_DOWN', timeoutMs, clock)));
    await this.close();
  }

  /** Ends at once: every client is told, every link is closed. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listeners.close();
    clearInterval(this.#ticker);
    for (const database of [...this.#databases.values(), ...this.#leaving]) {
      database.close('MR_SHUTTING_DOWN');
    }
    this.#databases.clear();
    this.#writes.flush();
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
    this.#writes.tick(nowMs);
    for (const database of this.#databases.values()) database.tick(nowMs);
    for (const database of this.#leaving) database.tick(nowMs);
  }

  #addDatabase(configuration: ConfigurationConfig): void {
    const parts = {
      statements: new StatementReader(this.#facts),
      parser: this.#parser,
      clock,
      log: this.#log,
      siblings: this.#siblings,
      writes: this.#writes,
      rates: this.#rates,
      hasOtherWriters: this.#hasOtherWriters,
    };
    this.#databases.set(configuration.name, new Database(configuration, parts));
  }

  /** For a client that has logged in: much may have happened meanwhile. */
  #served(name: string): Database {
    if (this.#isClosed) throw new GatewayError('MR_SHUTTING_DOWN');
    const database = this.#databases.get(name);
    if (database === undefined) throw new GatewayError('MR_CONFIG_REMOVED');
    return database;
  }

  #openEntrance(key: string, prepared: PreparedListener): void {
    const open = this.#entrances.get(key);
    if (open !== undefined) {
      open.prepared = prepared;
      return;
    }
    const reception = new Reception({
      clients: this.#clients,
      credentials: () => this.#credentials,
      database: (name) => this.#served(name),
      cancel: (processId, secretKey) => this.cancel(processId, secretKey),
      random,
      log: this.#log,
    });
    this.#entrances.set(key, { prepared, reception });
  }

  async #listen(prepared: PreparedConfig): Promise<void> {
    const wanted = this.#siblings === null ? prepared.listeners : new Map();
    await this.#listeners.reload(wanted, () => this.apply(prepared));
  }
}

async function preparedConfig(
  config: MillraceConfig,
  previous: Credentials | null,
  secrets?: SharedSecrets,
): Promise<PreparedConfig> {
  const listeners = preparedListeners(config.listeners, secrets?.ticketSecret ?? null);
  const credentials = await Credentials.of(config, random, previous, secrets?.mockSecret ?? null);
  return { config, listeners, credentials };
}

function needsFreshLinks(before: ConfigurationConfig, after: ConfigurationConfig): boolean {
  const isSame = JSON.stringify(before.origin) === JSON.stringify(after.origin);
  return !isSame || before.restartedOn !== after.restartedOn;
}
