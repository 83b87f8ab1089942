/** Clients that begin with TLS at once, and log in by hand. */
import { once } from 'node:events';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { endPointHash } from '../../../../src/auth/certificate-hash.ts';
import { type ClientBinding, ScramClient } from '../../../../src/auth/scram-client.ts';
import { deriveSaltedPassword } from '../../../../src/origin/login-derive.ts';
import {
  encodeSaslInitialResponse,
  encodeSaslResponse,
} from '../../../../src/protocol/authentication.ts';
import { decodeErrorFields } from '../../../../src/protocol/error-response.ts';
import { encodeStartup } from '../../../../src/protocol/startup.ts';
import { RawClient } from './login-bench.ts';

export const ALPN = { ALPNProtocols: ['postgresql'] };
const dialed: TLSSocket[] = [];

/** Closes what {@link dialDirect} has opened. */
export function hangUp(): void {
  for (const socket of dialed.splice(0)) socket.destroy();
}

/** TLS at once, without SSLRequest; rejects when the handshake fails. */
export async function dialDirect(
  port: number,
  options: ConnectionOptions,
  onSession: (session: Buffer) => void = () => {},
): Promise<RawClient> {
  const to = { port, host: '127.0.0.1', rejectUnauthorized: false };
  const socket = connectTls({ ...to, ...options });
  dialed.push(socket);
  socket.on('error', () => {});
  socket.on('session', onSession);
  await once(socket, 'secureConnect');
  return new RawClient(socket);
}

/** What a login comes to: `in`, or SQLSTATE and text of the error. */
export async function logIn(
  joe: RawClient,
  mechanism: string,
  binding: ClientBinding,
  password = 's3cret',
  user = 'joe',
): Promise<string> {
  const next = async (): Promise<Buffer | string> => {
    const { code, body } = await joe.message();
    if (code !== 'E') return body;
    const { sqlstate, message } = decodeErrorFields(body, 0, body.length);
    return `${sqlstate} ${message}`;
  };
  joe.send(
    encodeStartup([
      ['user', user],
      ['database', 'shop'],
    ]),
  );
  const offer = await next();
  if (typeof offer === 'string') return offer;
  const scram = new ScramClient('fyko+d2lbbFgONRv9qkxdawL', binding);
  joe.send(encodeSaslInitialResponse(mechanism, scram.clientFirst()));
  const first = await next();
  if (typeof first === 'string') return first;
  const { salt, iterations } = scram.onServerFirst(first.subarray(4));
  const salted = await deriveSaltedPassword(password, salt, iterations);
  joe.send(encodeSaslResponse(scram.clientFinal(salted)));
  const final = await next();
  if (typeof final === 'string') return final;
  if (!scram.onServerFinal(final.subarray(4))) return 'impostor';
  const ok = await next();
  return typeof ok === 'string' ? ok : 'in';
}

export const hashSeenBy = (joe: RawClient): Buffer =>
  endPointHash((joe.socket as TLSSocket).getPeerCertificate().raw) as Buffer;
