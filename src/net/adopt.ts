import type { Socket } from 'node:net';
import { guard } from './guard.ts';

/**
 * Makes a connection that another process has accepted what it would be from `listen`: half-open,
 * paused, guarded. What the other process set on the socket itself (no delay, keep-alive) is there.
 */
export function adopt(socket: Socket): Socket {
  socket.allowHalfOpen = true;
  socket.pause();
  return guard(socket);
}
