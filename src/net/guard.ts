import type { Socket } from 'node:net';

/** Silence on a connection before the system asks whether the peer is still there. */
export const KEEPALIVE_DELAY_MS = 60_000;

/**
 * Makes sure that an error between two owners of a socket does not end the process: a socket's
 * `error` without a listener would. Nothing is lost, since `close` always follows and `destroyed`
 * is set; an owner that wants the reason adds a listener of its own.
 */
export function guard<T extends Socket>(socket: T): T {
  socket.on('error', ignore);
  return socket;
}

/** One for all of them. */
function ignore(): void {}
