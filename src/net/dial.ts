import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { guard, KEEPALIVE_DELAY_MS } from './guard.ts';

/**
 * How long one address of a name may take before the next is tried: long enough for any network on
 * earth, since Node gives up an attempt when it goes on to the next.
 */
const ADDRESS_ATTEMPT_MS = 500;

export type DialTarget = {
  /** A name or an IP address. */
  readonly host: string;
  readonly port: number;
  /** Where the name leads, when that is known already; else the system is asked. */
  readonly addresses?: readonly string[] | undefined;
};

/**
 * Connects, trying every address of the name in the resolver's order. The socket is paused, without
 * Nagle's delay and with keep-alive; the end of the peer's side ends it altogether, because a
 * PostgreSQL server never closes only half.
 *
 * Rejects with the system's own error (`ECONNREFUSED`, `ENOTFOUND`, …) or the signal's reason.
 */
export function dial(target: DialTarget, signal: AbortSignal): Promise<Socket> {
  if (signal.aborted) return Promise.reject(signal.reason);
  const socket = guard(
    connect({
      host: target.host,
      port: target.port,
      ...(target.addresses === undefined ? {} : { lookup: answering(target.addresses) }),
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_DELAY_MS,
    }),
  );
  socket.pause();
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      signal.removeEventListener('abort', onAbort);
      socket.off('connect', onConnect);
      socket.off('error', onError);
    };
    const onConnect = (): void => {
      settle();
      resolve(socket);
    };
    const onError = (error: Error): void => {
      settle();
      reject(error);
    };
    const onAbort = (): void => {
      settle();
      socket.destroy();
      reject(signal.reason);
    };
    socket.on('connect', onConnect);
    socket.on('error', onError);
    signal.addEventListener('abort', onAbort);
  });
}

/** A resolver that knows one answer. */
function answering(addresses: readonly string[]): LookupFunction {
  const answer = addresses.map((address) => ({ address, family: isIP(address) }));
  // Node asks for all of them wherever it may try more than one.
  return (_host, _options, callback) => callback(null, answer);
}

/**
 * The IP address that a dialed socket leads to. A configured address is as it was written, since a
 * socket does not tell the zone of an IPv6 address.
 */
export function addressOf(socket: Socket, host: string): string {
  return isIP(host) === 0 ? (socket.remoteAddress ?? host) : host;
}
