import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { endPointHash } from '../auth/certificate-hash.ts';
import { guard } from './guard.ts';

export type { SecureContext } from 'node:tls';

/** The name of this protocol in ALPN; a client that offers only others is turned away. */
export const ALPN_POSTGRESQL = 'postgresql';

/** TLS 1.0 and 1.1 are withdrawn (RFC 8996). */
export const TLS_VERSION_MIN = 'TLSv1.2';

/** How long a session can be resumed; a client that comes later does the whole handshake again. */
const SESSION_TIMEOUT_S = 300;

/** OpenSSL resumes sessions with certificates of clients only where they have a context's name. */
const SESSION_ID_CONTEXT = 'millrace';

/** Name, key of the MAC and key of the cipher: as much as OpenSSL asks for. */
export const TICKET_KEYS_BYTES = 48;

/** What a listener shows of itself, and what it asks of its clients. */
export type ServerTls = {
  readonly secureContext: SecureContext;
  /** The hash of its certificate for channel binding, or null when there can be none. */
  readonly endPoint: Buffer | null;
  readonly asksForCertificate: boolean;
};

/**
 * TLS of a listener. It is immutable: to change certificates make another one and give it to the
 * handshakes that come; established connections keep theirs. Clients may resume sessions by ticket.
 * Without `ticketKeys` the keys of the tickets are random and belong to this context alone. Whoever
 * gives them sees to it that with another certificate or other authorities no session of before is
 * resumed. There is never early data (0-RTT).
 *
 * @param pem.clientCa authorities that sign certificates of clients; null asks for no certificate
 * @param ticketKeys {@link TICKET_KEYS_BYTES} that other processes with this listener use too
 * @throws Error of OpenSSL when the PEM texts cannot be used
 */
export function serverTls(
  pem: { cert: string; key: string; clientCa: string | null },
  ticketKeys: Buffer | null = null,
): ServerTls {
  const secureContext = createSecureContext({
    cert: pem.cert,
    key: pem.key,
    minVersion: TLS_VERSION_MIN,
    sessionTimeout: SESSION_TIMEOUT_S,
    sessionIdContext: SESSION_ID_CONTEXT,
    ...(pem.clientCa === null ? {} : { ca: pem.clientCa }),
    ...(ticketKeys === null ? {} : { ticketKeys }),
  });
  const endPoint = endPointHash(new X509Certificate(pem.cert).raw);
  return { secureContext, endPoint, asksForCertificate: pem.clientCa !== null };
}

/** What is known of a client by its certificate. */
export type ClientCertificate =
  | { readonly kind: 'absent' }
  /** Expired, or of no authority that we know; `reason` is OpenSSL's word. */
  | { readonly kind: 'distrusted'; readonly reason: string }
  /** `commonName` is null when it has none, or several. */
  | { readonly kind: 'valid'; readonly commonName: string | null };

/** OpenSSL's verdict on the peer's chain, which Node keeps for the sockets that it made itself. */
type Verdict = { readonly ssl: { verifyError(): (Error & { code?: string }) | null } };

/**
 * What a client has shown, which was asked for a certificate: in this handshake, or in the one
 * whose session it resumes. That one carries certificate and verdict; only time has passed since.
 */
export function clientCertificateOf(socket: TLSSocket): ClientCertificate {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { kind: 'absent' };
  const error = (socket as unknown as Verdict).ssl.verifyError();
  if (error) return { kind: 'distrusted', reason: error.code ?? error.message };
  if (Date.parse(certificate.validTo) < Date.now()) {
    return { kind: 'distrusted', reason: 'CERT_HAS_EXPIRED' };
  }
  const name: unknown = certificate.toLegacyObject().subject?.CN;
  return { kind: 'valid', commonName: typeof name === 'string' ? name : null };
}

/**
 * Does the server's side of a TLS handshake on an accepted socket, whose reader must have been
 * released; what is left to read must belong to the handshake. The result is paused; destroying it
 * destroys the socket below.
 *
 * Rejects with the TLS error, or with the signal's reason;
 * the socket is destroyed then.
 */
export function acceptTls(socket: Socket, tls: ServerTls, signal: AbortSignal): Promise<TLSSocket> {
  const secure = guard(
    new TLSSocket(socket, {
      isServer: true,
      secureContext: tls.secureContext,
      requestCert: tls.asksForCertificate,
      // The verdict is looked at later, where an answer can be given that people can read.
      rejectUnauthorized: false,
      ALPNProtocols: [ALPN_POSTGRESQL],
    }),
  );
  secure.pause();
  const failure = failureOf(secure);
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
      reject(failure.error ?? new Error('the peer closed during the TLS handshake'));
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

/**
 * Ends the socket at the first TLS error, which it notes. A server socket made by hand reports
 * them, before and after the handshake, by this event alone (tls.Server would turn them into
 * `error`): without a listener a corrupt record would be ignored. The listener lives as long as the
 * socket, so it is made where there is nothing of the handshake to hold on to.
 */
function failureOf(secure: TLSSocket): { readonly error: Error | null } {
  const failure: { error: Error | null } = { error: null };
  secure.on('_tlsError', (error: Error) => {
    failure.error = error;
    secure.destroy();
  });
  return failure;
}
