import { type AddressInfo, createServer, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { silentLog } from '../../../src/base/log.ts';
import type { OriginConfig } from '../../../src/config/model.ts';
import { serverTls } from '../../../src/net/tls-accept.ts';
import { plainOrigin } from '../../support/origin.ts';
import { pki } from '../../support/pki.ts';
import {
  encodeBackendKeyData,
  encodeParameterStatus,
  encodeReadyForQuery,
} from '../../support/server-messages.ts';

export const OK = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);

/** Everything a willing server says after AuthenticationOk. */
export const WELCOME = Buffer.concat([
  OK,
  encodeParameterStatus('server_version', '15.0'),
  encodeParameterStatus('TimeZone', 'UTC'),
  encodeBackendKeyData(4711, Buffer.from([1, 2, 3, 4])),
  encodeReadyForQuery(0x49),
]);

export type FakeServer = {
  readonly port: number;
  readonly sockets: Socket[];
  close(): void;
};

/** Hands every connection to `serve`, with the number it has. */
export async function fakeServer(
  serve: (socket: Socket, number: number) => void,
): Promise<FakeServer> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    sockets.push(socket);
    serve(socket, sockets.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: (server.address() as AddressInfo).port, sockets, close };
}

/** Answers the first chunk with `bytes`, and the ones after it with nothing. */
export const answering =
  (bytes: Uint8Array | string) =>
  (socket: Socket): void => {
    socket.once('data', () => socket.write(typeof bytes === 'string' ? latin(bytes) : bytes));
  };

export const latin = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Says yes to SSLRequest with the named certificate, then hands over the TLS socket. */
export const offeringTls =
  (certificate: string, serve: (socket: TLSSocket) => void, options: object = {}) =>
  (socket: Socket): void => {
    socket.once('data', () => {
      socket.write('S');
      const { secureContext } = serverTls({
        cert: pki(`${certificate}.crt`),
        key: pki(`${certificate}.key`),
        clientCa: null,
      });
      const secure = new TLSSocket(socket, { isServer: true, secureContext, ...options });
      secure.on('error', () => {});
      serve(secure);
    });
  };

export const originAt = (port: number, changes: Partial<OriginConfig> = {}): OriginConfig =>
  plainOrigin({
    host: '127.0.0.1',
    port,
    database: 'shop',
    user: 'joe',
    password: 's3cret',
    ...changes,
  });

export const OPTIONS = { connectTimeoutMs: 5_000, applicationName: 'test', log: silentLog };
