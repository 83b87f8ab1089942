import { hkdfSync } from 'node:crypto';
import type { Socket } from 'node:net';
import { GatewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ListenerConfig } from '../config/model.ts';
import { type Listener, listen } from '../net/listen.ts';
import { type ServerTls, serverTls, TICKET_KEYS_BYTES } from '../net/tls-accept.ts';

/** What a listener is to be; see {@link preparedListeners}. */
export type PreparedListener = {
  readonly config: ListenerConfig;
  readonly serverTls: ServerTls | null;
};

/** By a key that stays the same over reloads. */
export type PreparedListeners = ReadonlyMap<string, PreparedListener>;

export type BoundAddress = { readonly address: string; readonly port: number };

type OpenListener = { key: string; readonly listener: Listener };

/** Sockets that listen. Which settings apply to a connection is found by its listener's key. */
export class Listeners {
  readonly #log: Log;
  readonly #onSocket: (key: string, socket: Socket) => void;
  #open: OpenListener[] = [];
  #isClosed = false;

  constructor(onSocket: (key: string, socket: Socket) => void, log: Log) {
    this.#onSocket = onSocket;
    this.#log = log;
  }

  /** In the order of the configuration, with the ports that the system chose. */
  addresses(): readonly BoundAddress[] {
    return this.#open.map(({ listener: { address, port } }) => ({ address, port }));
  }

  /**
   * Listens as wanted, and no more where it is not: new ones first, so that nothing has changed
   * when one of them fails. Those whose port a leaving one has can only come after it.
   *
   * @param commit called when all but those listen
   * @throws GatewayError `MR_LISTEN_FAILED`; after the commit everything else is in force
   */
  async reload(wanted: PreparedListeners, commit: () => Promise<void> | void): Promise<void> {
    const before = this.#open;
    const renamed = this.#renamed(wanted);
    const nextKeyOf = (one: OpenListener) => renamed.get(one) ?? one.key;
    const leaving = before.filter((one) => !wanted.has(nextKeyOf(one)));
    const known = new Set(before.map(nextKeyOf));
    const fresh = [...wanted].filter(([key]) => !known.has(key));
    const isBarred = (port: number) => leaving.some(({ listener }) => listener.port === port);
    const opened: OpenListener[] = [];
    const oldKeys = before.map(({ key }) => key);
    try {
      for (const [key, { config }] of fresh) {
        if (!isBarred(config.port)) opened.push(await this.#listen(key, config));
      }
      for (const one of before) one.key = nextKeyOf(one);
      await commit();
    } catch (error) {
      for (const [at, one] of before.entries()) one.key = oldKeys[at] as string;
      for (const { listener } of opened) listener.close();
      throw error;
    }
    for (const { listener } of leaving) listener.close();
    this.#keep(wanted, [...before.filter((one) => !leaving.includes(one)), ...opened]);
    for (const [key, { config }] of fresh) {
      if (isBarred(config.port))
        this.#keep(wanted, [...this.#open, await this.#listen(key, config)]);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const { listener } of this.#open) listener.close();
  }

  #keep(wanted: PreparedListeners, open: readonly OpenListener[]): void {
    const order = [...wanted.keys()];
    this.#open = open.toSorted((left, right) => order.indexOf(left.key) - order.indexOf(right.key));
    if (this.#isClosed) this.close();
  }

  /** Who listens on a port that the system chose, and is now wanted at that very port, stays. */
  #renamed(wanted: PreparedListeners): ReadonlyMap<OpenListener, string> {
    const known = new Set(this.#open.map(({ key }) => key));
    const renamed = new Map<OpenListener, string>();
    for (const open of this.#open) {
      const place = placeOf(open.listener);
      const isMoved = !wanted.has(open.key) && wanted.has(place) && !known.has(place);
      if (isMoved) renamed.set(open, place);
    }
    return renamed;
  }

  async #listen(key: string, config: ListenerConfig): Promise<OpenListener> {
    const open: { key: string; listener?: Listener } = { key };
    const listener = await listen(
      config,
      (socket) => this.#onSocket(open.key, socket),
      (error) => this.#log.warn({ reason: error.message }, 'a connection could not be accepted'),
    );
    return Object.assign(open, { listener });
  }
}

/**
 * Listeners with what may fail already done, so that nothing is changed by half. Those at one
 * address whose ports the system chooses are told apart by their order.
 *
 * @param ticketSecret what the keys of their TLS tickets are made of, or null for random ones
 * @throws GatewayError `MR_CONFIG_INVALID` when OpenSSL does not take a certificate or key
 */
export function preparedListeners(
  configs: readonly ListenerConfig[],
  ticketSecret: Uint8Array | null = null,
): PreparedListeners {
  const keyed = new Map<string, PreparedListener>();
  for (const config of configs) {
    const place = placeOf(config);
    let key = place;
    for (let number = 2; keyed.has(key); number++) key = `${place} ${number}`;
    const ticketKeys = ticketSecret === null ? null : ticketKeysOf(ticketSecret, key);
    keyed.set(key, { config, serverTls: serverTlsOf(config, place, ticketKeys) });
  }
  return keyed;
}

function placeOf({ address, port }: BoundAddress): string {
  return `${address}:${port}`;
}

/** Each listener has its own, so that a session of one is nothing to another. */
function ticketKeysOf(secret: Uint8Array, key: string): Buffer {
  const info = `millrace TLS tickets ${key}`;
  return Buffer.from(hkdfSync('sha256', secret, '', info, TICKET_KEYS_BYTES));
}

function serverTlsOf(
  config: ListenerConfig,
  place: string,
  ticketKeys: Buffer | null,
): ServerTls | null {
  const { tls, tlsCert: cert, tlsKey: key, tlsClientCa: clientCa } = config;
  if (tls === 'off' || cert === null || key === null) return null;
  try {
    return serverTls({ cert, key, clientCa }, ticketKeys);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const subject = `the certificates of the listener ${place} (${reason})`;
    throw new GatewayError('MR_CONFIG_INVALID', { subject, cause });
  }
}
