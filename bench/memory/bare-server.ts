/**
 * A program that does nothing but hold connections, as Node holds them: what a gateway in Node
 * could need at least. It prints its port. With a certificate and a key as arguments it speaks TLS
 * from the first byte.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { HOST } from '../ways/address.ts';

const [certPath, keyPath] = process.argv.slice(2);

function hold(socket: Socket): void {
  socket.setNoDelay(true);
  socket.on('data', () => {});
  socket.on('error', () => {});
}

const server =
  certPath === undefined || keyPath === undefined
    ? createServer(hold)
    : createTlsServer({ cert: readFileSync(certPath), key: readFileSync(keyPath) }, hold);
server.listen({ host: HOST, port: 0, backlog: 511 }, () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.stdout.write(`${address.port}\n`);
});
