/** A gateway in this process, in front of a database of its own. */
import { randomBytes } from 'node:crypto';
import type { Log } from '../../src/base/log.ts';
import { cachingDefaults } from '../../src/config/caching.ts';
import type {
  CachingConfig,
  MillraceConfig,
  OriginConfig,
  PoolMode,
  TimeoutsConfig,
} from '../../src/config/model.ts';
import type { WriteBoard } from '../../src/gateway/cache/write-board.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { plainOrigin } from './origin.ts';
import { createDatabase, type TestDatabase } from './pg.ts';
import { WireClient, type WireTarget } from './wire.ts';

const CONFIGURATION = 'app';
const USER = 'web';
/** What other tests look at is the origin; but they should not notice. */
const CACHES_BY_DEFAULT = process.env['MILLRACE_TEST_CACHE'] === 'on';

export type GatewayOptions = {
  readonly poolMode?: PoolMode;
  /** Links at most; 1 unless said. */
  readonly links?: number;
  readonly waitersMax?: number;
  /** On unless said, or unless the environment has MILLRACE_TEST_SHARE=off. */
  readonly shareLinks?: boolean;
  readonly shareDepth?: number;
  readonly hedgeMs?: number;
  readonly timeouts?: Partial<TimeoutsConfig>;
  /** Off unless said: what other tests look at is the origin. */
  readonly caching?: Partial<CachingConfig>;
  /** Where the origin is to be found instead of at the database itself, such as a proxy. */
  readonly originAt?: { readonly host: string; readonly port: number };
  readonly originUser?: { readonly user: string; readonly password: string };
  readonly loginTimeoutMs?: number;
  /** Whatever else is to be said of the origin. */
  readonly origin?: Partial<OriginConfig>;
  readonly hasOtherWriters?: boolean;
  /** As for one of several workers. */
  readonly board?: WriteBoard;
};

export class TestGateway {
  readonly database: TestDatabase;
  /** As a client of the gateway. */
  readonly target: WireTarget;
  /** As the origin's own superuser, past the gateway. */
  readonly direct: WireTarget;
  readonly gateway: Gateway;
  /** What the log got as a warning or an error. */
  readonly complaints: readonly string[];
  readonly config: MillraceConfig;
  readonly #ownsDatabase: boolean;

  private constructor(
    gateway: Gateway,
    config: MillraceConfig,
    database: TestDatabase,
    password: string,
    complaints: readonly string[],
    ownsDatabase: boolean,
  ) {
    const { port } = gateway.addresses()[0] as { port: number };
    this.gateway = gateway;
    this.config = config;
    this.database = database;
    this.target = { host: '127.0.0.1', port, user: USER, password, database: CONFIGURATION };
    this.direct = directTarget(database);
    this.complaints = complaints;
    this.#ownsDatabase = ownsDatabase;
  }

  /** @param database a database to use, which stays; else it makes one of its own */
  static async start(options: GatewayOptions = {}, database?: TestDatabase): Promise<TestGateway> {
    const password = randomBytes(12).toString('hex');
    const used = database ?? (await createDatabase());
    const direct = directTarget(used);
    const complaints: string[] = [];
    const config: MillraceConfig = {
      workers: 1,
      drainTimeoutMs: 1_000,
      listeners: [
        {
          address: '127.0.0.1',
          port: 0,
          tls: 'off' as const,
          tlsCert: null,
          tlsKey: null,
          tlsClientCa: null,
          tlsClientCert: 'off' as const,
          loginTimeoutMs: options.loginTimeoutMs ?? 10_000,
          clientsMax: 1_000,
        },
      ],
      configurations: [
        {
          name: CONFIGURATION,
          origin: plainOrigin({
            ...direct,
            ...options.originUser,
            ...options.originAt,
            ...options.origin,
          }),
          originConnectionLimit: options.links ?? 1,
          waitersMax: options.waitersMax ?? 1_000,
          shareLinks: options.shareLinks ?? process.env['MILLRACE_TEST_SHARE'] !== 'off',
          shareDepth: options.shareDepth ?? 16,
          hedgeMs: options.hedgeMs ?? 20,
          poolMode: options.poolMode ?? ('transaction' as const),
          timeouts: { ...TIMEOUTS, ...options.timeouts },
          caching: {
            ...cachingDefaults,
            disabled: options.caching === undefined && !CACHES_BY_DEFAULT,
            ...options.caching,
          },
          credentials: [{ user: USER, verifier: null, password }],
        },
      ],
    };
    const gateway = await Gateway.start(config, {
      log: complaintsTo(complaints),
      hasOtherWriters: options.hasOtherWriters ?? false,
      board: options.board ?? null,
    });
    return new TestGateway(gateway, config, used, password, complaints, database === undefined);
  }

  connect(settings: Readonly<Record<string, string>> = {}): Promise<WireClient> {
    return WireClient.connect(this.target, settings);
  }

  /** A client of the origin itself. */
  connectDirect(settings: Readonly<Record<string, string>> = {}): Promise<WireClient> {
    return WireClient.connect(this.direct, settings);
  }

  async stop(): Promise<void> {
    await this.gateway.close();
    if (this.#ownsDatabase) await this.database.drop();
  }
}

const TIMEOUTS: TimeoutsConfig = {
  connectTimeoutMs: 10_000,
  waitTimeoutMs: 10_000,
  idleLinkTimeoutMs: 600_000,
  linkLifetimeMs: 3_600_000,
  statementTimeoutMs: 0,
  clientUnreadTimeoutMs: 300_000,
};

export function directTarget(database: TestDatabase): WireTarget {
  const url = new URL(database.url);
  return {
    host: url.hostname,
    port: Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: database.name,
  };
}

function complaintsTo(complaints: string[]): Log {
  const note = (fields: object, message: string): void => {
    const { error } = fields as { error?: unknown };
    complaints.push(error instanceof Error ? `${message}: ${error.stack}` : message);
  };
  return { debug: () => {}, info: () => {}, warn: note, error: note };
}
