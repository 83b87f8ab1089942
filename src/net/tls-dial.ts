import { isIP, type Socket } from 'node:net';
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { guard } from './guard.ts';
import { ALPN_POSTGRESQL, TLS_VERSION_MIN } from './tls-accept.ts';

/** What is checked of the server's certificate: nothing, its chain, or its chain and the name. */
export type Verification = 'none' | 'chain' | 'full';

/**
 * Trust and identity for dialing.
 *
 * @param pem.ca roots to trust instead of the well-known ones, or null
 * @param pem.cert our own certificate chain for servers that ask for one, or null
 * @throws Error of OpenSSL when the PEM texts cannot be used
 */
export function clientSecureContext(pem: {
  ca: string | null;
  cert: string | null;
  key: string | null;
}): SecureContext {
  return createSecureContext({
    minVersion: TLS_VERSION_MIN,
    ...(pem.ca === null ? {} : { ca: pem.ca }),
    ...(pem.cert === null ? {} : { cert: pem.cert }),
    ...(pem.key === null ? {} : { key: pem.key }),
  });
}

/** How to do one handshake. */
export type DialTlsOptions = {
  /**
   * The name of the server: sent as SNI unless it is an IP address (RFC 6066 forbids that), and
   * compared with the certificate when `verification` is `full`.
   */
  readonly serverName: string;
  readonly secureContext: SecureContext;
  readonly verification: Verification;
  /** A session to offer, which must come from a handshake with these same options; or null. */
  readonly session: Buffer | null;
  /** Given every session that the server lets us resume, now or while the connection lives. */
  onSession(session: Buffer): void;
};

/**
 * Does the client's side of a TLS handshake on a dialed socket, whose reader must have been
 * released with nothing left to read. The result is paused; destroying it destroys the socket
 * below. When a session is resumed, the server is not verified again: it has proven that it is the
 * one that was. There is never early data (0-RTT).
 *
 * Rejects with the TLS error or the signal's reason; the socket is destroyed then.
 */
export function dialTls(
  socket: Socket,
  options: DialTlsOptions,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const { serverName, secureContext, verification, session } = options;
  if (signal.aborted) return Promise.reject(signal.reason);
  const secure = guard(
    connect({
      socket,
      secureContext,
      servername: isIP(serverName) === 0 ? serverName : '',
      ...(session === null ? {} : { session }),
      ALPNProtocols: [ALPN_POSTGRESQL],
      rejectUnauthorized: verification !== 'none',
      checkServerIdentity: (_name, certificate) =>
        verification === 'full' ? checkServerIdentity(serverName, certificate) : undefined,
    }),
  );
  secure.pause();
  secure.on('session', (fresh: Buffer) => options.onSession(fresh));
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      signal.removeEventListener('abort', onAbort);
      secure.off('secureConnect', onSecure);
      secure.off('error', onError);
      secure.off('close', onClose);
    };
    const fail = (error: unknown): void => {
      settle();
      secure.destroy();
      reject(error);
    };
    const onSecure = (): void => {
      settle();
      resolve(secure);
    };
    const onError = (error: Error): void => fail(error);
    const onClose = (): void => fail(new Error('the peer closed during the TLS handshake'));
    const onAbort = (): void => fail(signal.reason);
    secure.on('secureConnect', onSecure);
    secure.on('error', onError);
    secure.on('close', onClose);
    signal.addEventListener('abort', onAbort);
  });
}
