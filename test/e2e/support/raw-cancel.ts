/** A CancelRequest by hand, for drivers that cannot send one. */
import { once } from 'node:events';
import { connect } from 'node:net';

/** Sends it and waits until the gateway has closed the connection, which is its only answer. */
export async function sendCancel(port: number, pid: number, secret: number): Promise<void> {
  const message = Buffer.alloc(16);
  message.writeInt32BE(16, 0);
  message.writeInt32BE(80_877_102, 4);
  message.writeInt32BE(pid, 8);
  message.writeInt32BE(secret, 12);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(message);
  socket.resume();
  await once(socket, 'close');
}
