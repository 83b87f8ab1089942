import { createServer, type Server, type Socket } from 'node:net';
import { GatewayError } from '../base/errors.ts';
import { guard, KEEPALIVE_DELAY_MS } from './guard.ts';

/** Connections the system queues before we accept them; it cuts this to its own `somaxconn`. */
const BACKLOG = 1_024;

export type Listener = {
  readonly address: string;
  /** The one the system chose when 0 was asked for. */
  readonly port: number;
  /** Stops accepting; connections that are open live on and are not waited for. */
  close(): void;
};

/**
 * Listens for TCP connections.
 *
 * Sockets are handed over paused, without Nagle's delay, with keep-alive, and half-open: a client
 * may end its side and still wait for answers to what it sent, as PostgreSQL grants. So the owner
 * of a socket has to end it itself once it has seen `end`.
 *
 * @param onAcceptError a connection could not be accepted (no descriptors left); listening goes on
 * @throws GatewayError `MR_LISTEN_FAILED`, with the system's error as its cause
 */
export function listen(
  options: { readonly address: string; readonly port: number },
  onSocket: (socket: Socket) => void,
  onAcceptError: (error: Error) => void,
): Promise<Listener> {
  const server = createServer(
    {
      allowHalfOpen: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_DELAY_MS,
      noDelay: true,
      pauseOnConnect: true,
    },
    (socket) => onSocket(guard(socket)),
  );
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const subject = `${options.address}:${options.port}`;
      reject(new GatewayError('MR_LISTEN_FAILED', { subject, cause }));
    });
    server.listen({ host: options.address, port: options.port, backlog: BACKLOG }, () => {
      server.on('error', onAcceptError);
      resolve(listenerOf(server));
    });
  });
}

function listenerOf(server: Server): Listener {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('a TCP listener has an address');
  return { address: bound.address, port: bound.port, close: () => server.close() };
}
