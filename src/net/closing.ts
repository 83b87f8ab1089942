import type { Socket } from 'node:net';

/** How long a peer may take to read the last words and close. */
const CLOSE_LINGER_MS = 1_000;

/** A peer that goes on sending past this is cut off. */
const CLOSE_DISCARD_BYTES_MAX = 1_048_576;

/**
 * Sends the last bytes, ends our side, and destroys the socket when the peer has closed its own or
 * after a second. What still arrives is read and dropped: closing with unread bytes would make the
 * system send a reset, which can overtake the last words.
 */
export function closeGently(socket: Socket, lastBytes: Uint8Array | null = null): void {
  if (socket.destroyed) return;
  let discarded = 0;
  const timer = setTimeout(() => socket.destroy(), CLOSE_LINGER_MS);
  socket.on('close', () => clearTimeout(timer));
  socket.on('end', () => socket.destroySoon());
  socket.on('data', (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > CLOSE_DISCARD_BYTES_MAX) socket.destroy();
  });
  if (lastBytes === null) socket.end();
  else socket.end(lastBytes);
  socket.resume();
}
