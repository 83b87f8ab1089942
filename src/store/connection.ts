/** Connections to the store: few, bounded in time, and made again when they break. */
import pg from 'pg';
import type { Log } from '../base/log.ts';
import { isLoopback } from '../base/loopback.ts';
import { type OriginKind, originRules } from '../session/origin-rules.ts';

/** Where the store is; a configuration's origin fits. */
export type StoreAddress = {
  /** As the kind of an origin; PostgreSQL unless it is given. */
  readonly kind?: OriginKind;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | null;
  /** As libpq, but `allow` and `prefer` are `disable` on this machine and `require` elsewhere. */
  readonly sslmode: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
  /** PEM texts, or null. */
  readonly ca: string | null;
  readonly clientCert: string | null;
  readonly clientKey: string | null;
};

/** Work on the store is rare and short. */
const CONNECTIONS_MAX = 4;
const CONNECT_TIMEOUT_MS = 5_000;
const IDLE_TIMEOUT_MS = 30_000;
/** The server ends a statement after this; the client gives up a little later. */
const STATEMENT_TIMEOUT_MS = 15_000;
const QUERY_TIMEOUT_MS = 20_000;
const APPLICATION_NAME = 'millrace store';

function tlsOf(address: StoreAddress): pg.ClientConfig['ssl'] {
  const { sslmode, host, ca, clientCert, clientKey } = address;
  if (sslmode === 'disable') return false;
  if ((sslmode === 'allow' || sslmode === 'prefer') && isLoopback(host)) return false;
  return {
    rejectUnauthorized: sslmode.startsWith('verify') || ca !== null,
    ...(ca === null ? {} : { ca }),
    ...(clientCert === null ? {} : { cert: clientCert }),
    ...(clientKey === null ? {} : { key: clientKey }),
    ...(sslmode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  };
}

function settingsOf(address: StoreAddress): pg.ClientConfig {
  const { kind = 'postgres', host, port, database, user, password } = address;
  const takesAll = originRules(kind).settings === null;
  return {
    host,
    port,
    database,
    user,
    password: password ?? '',
    ssl: tlsOf(address) ?? false,
    application_name: APPLICATION_NAME,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    ...(takesAll ? { statement_timeout: STATEMENT_TIMEOUT_MS } : {}),
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
  };
}

/** The pool that all work of a store shares. */
export function makePool(address: StoreAddress, log: Log): pg.Pool {
  const pool = new pg.Pool({
    ...settingsOf(address),
    max: CONNECTIONS_MAX,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
  });
  // A connection that breaks while nobody uses it is thrown away by the pool itself.
  pool.on('error', (error) => log.debug({ reason: error.message }, 'a store connection broke'));
  // Work on one that breaks is told of it; an event that nobody hears would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** One connection apart from the pool; it is not connected yet. */
export function makeClient(address: StoreAddress): pg.Client {
  return new pg.Client(settingsOf(address));
}

/** SQLSTATE classes of a server that does not let us in, or not now. */
const UNAVAILABLE_CLASSES: readonly string[] = ['08', '28', '3D', '53', '57'];
/** A database that takes no connections, a role without rights there, and a standby. */
const UNAVAILABLE_STATES: readonly string[] = ['55000', '42501', '25006'];

/** Why the store cannot be had, in a few words that hold no secret; null for any other error. */
export function unavailability(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if (error instanceof AggregateError) return unavailability(error.errors[0]);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (/^E[A-Z]+(_|$)/.test(code)) return code;
  if (code.length === 5) {
    const isAway =
      UNAVAILABLE_CLASSES.includes(code.slice(0, 2)) || UNAVAILABLE_STATES.includes(code);
    return isAway ? `${error.message} (SQLSTATE ${code})` : null;
  }
  return /connection|timeout|SSL|TLS|ended/i.test(error.message) ? error.message : null;
}
