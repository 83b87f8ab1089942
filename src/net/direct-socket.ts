import { Socket, type SocketConstructorOpts } from 'node:net';
import { TLSSocket } from 'node:tls';
import { guard } from './guard.ts';

/** As much as Node itself reads at once. */
const READ_BYTES_MAX = 65_536;

/** What every socket reads into; emptied before the next one reads. */
const arrived = Buffer.allocUnsafeSlow(READ_BYTES_MAX);

/** What a socket has beyond its types: what stands for the system's connection. */
type Inner = { _handle: object | null };

/**
 * A socket for the same connection whose `data` events come past the buffers of Node's streams, and
 * without 64 KiB of fresh memory for each read: with short messages that is a good part of the cost
 * of a read. Node offers this as `onread`, but only where it makes the socket, and not for one that
 * was accepted. Where it cannot be (TLS, or something still to be read or written) the socket is
 * answered as it is.
 *
 * @param socket paused, and read and written by nobody from now on; both close together
 * @returns a socket that is paused
 */
export function directSocket(socket: Socket): Socket {
  const inner = socket as unknown as Inner;
  const { _handle: handle } = inner;
  const isBuffered = socket.readableLength > 0 || socket.writableLength > 0;
  const isOver = socket.destroyed || socket.readableEnded || socket.writableEnded;
  if (!handle || socket instanceof TLSSocket || isBuffered || isOver) return socket;
  const onBytes = (size: number): boolean => {
    const chunk = Buffer.allocUnsafe(size);
    arrived.copy(chunk, 0, 0, size);
    direct.emit('data', chunk);
    return true;
  };
  const options = {
    handle,
    allowHalfOpen: socket.allowHalfOpen,
    pauseOnCreate: true,
    onread: { buffer: arrived, callback: onBytes },
  };
  const direct = guard(new Socket(options as SocketConstructorOpts));
  inner._handle = null;
  direct.once('close', () => socket.destroy());
  socket.once('close', () => direct.destroy());
  return direct;
}
