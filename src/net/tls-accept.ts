import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { guard } from './guard.ts';

export type { SecureContext } from 'node:tls';

/** The name of this protocol in ALPN; a client that offers only others is turned away. */
export const ALPN_POSTGRESQL = 'postgresql';

/** TLS 1.0 and 1.1 are withdrawn (RFC 8996). */
export const TLS_VERSION_MIN = 'TLSv1.2';

/**
 * Certificate and key of a listener. A context is immutable: to change certificates make another
 * one and give it to the handshakes that come; established connections keep theirs.
 *
 * @throws Error of OpenSSL when the PEM texts cannot be used
 */
export function serverSecureContext(pem: { cert: string; key: string }): SecureContext {
  return createSecureContext({ cert: pem.cert, key: pem.key, minVersion: TLS_VERSION_MIN });
}

/**
 * Does the server's side of a TLS handshake on an accepted socket, whose reader must have been
 * released with nothing left to read. The result is paused; destroying it destroys the socket
 * below.
 *
 * Rejects with the TLS error, or with the signal's reason;
 * the socket is destroyed then.
 */
export function acceptTls(
  socket: Socket,
  secureContext: SecureContext,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const secure = guard(
    new TLSSocket(socket, {
      isServer: true,
      secureContext,
      requestCert: false,
      ALPNProtocols: [ALPN_POSTGRESQL],
    }),
  );
  secure.pause();
  // A server socket made by hand reports TLS errors, before and after the handshake, by this event
  // alone (tls.Server would turn them into `error`): without it a corrupt record would be ignored.
  let failure: Error | null = null;
  secure.on('_tlsError', (error: Error) => {
    failure = error;
    secure.destroy();
  });
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      signal.removeEventListener('abort', onAbort);
      secure.off('secure', onSecure);
      secure.off('close', onClose);
    };
    const onSecure = (): void => {
      settle();
      resolve(secure);
    };
    const onClose = (): void => {
      settle();
      reject(failure ?? new Error('the peer closed during the TLS handshake'));
    };
    const onAbort = (): void => {
      settle();
      secure.destroy();
      reject(signal.reason);
    };
    secure.on('secure', onSecure);
    secure.on('close', onClose);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
}
