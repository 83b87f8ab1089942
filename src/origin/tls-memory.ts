import type { X509Certificate } from 'node:crypto';
import { endPointHash } from '../auth/certificate-hash.ts';
import type { OriginConfig } from '../config/model.ts';
import type { SecureContext } from '../net/tls-accept.ts';
import { clientSecureContext } from '../net/tls-dial.ts';

/** Sessions hold the server's certificate and a ticket; larger ones are not kept. */
const SESSION_BYTES_MAX = 16 * 1024;

/**
 * The server is verified anew at least this often: by resumption alone, which renews tickets, one
 * whose certificate has expired or was replaced could be trusted for ever.
 */
const VERIFICATION_AGE_MAX_MS = 3_600_000;

/** What was found out about a server in the handshake that verified it. */
export type Verified = {
  readonly verifiedAtMs: number;
  /** See {@link endPointHash}. Node does not tell the certificate when a session is resumed. */
  readonly endPoint: Buffer | null;
};

type KeptSession = Verified & { readonly bytes: Buffer };

/**
 * What is remembered of TLS with one origin, as it is configured: the parsed trust, the last
 * session that may be resumed, and the last certificate's hash. Another configuration has another
 * memory.
 */
export class TlsMemory {
  readonly context: SecureContext;
  #session: KeptSession | null = null;
  #lastCertificate: Buffer | null = null;
  #lastEndPoint: Buffer | null = null;

  /** @throws Error of OpenSSL when the PEM texts cannot be used */
  constructor({ ca, clientCert, clientKey }: OriginConfig) {
    this.context = clientSecureContext({ ca, cert: clientCert, key: clientKey });
  }

  /** A session to offer to the server, or null. */
  sessionAt(nowMs: number): KeptSession | null {
    const session = this.#session;
    if (session === null || nowMs - session.verifiedAtMs < VERIFICATION_AGE_MAX_MS) return session;
    this.#session = null;
    return null;
  }

  keep(bytes: Buffer, verified: Verified): void {
    if (bytes.length <= SESSION_BYTES_MAX) this.#session = { ...verified, bytes };
  }

  /** After a handshake or a login that failed, nothing is taken for granted. */
  forget(): void {
    this.#session = null;
  }

  /** See {@link endPointHash}; reading a certificate costs more than comparing it. */
  endPointOf(certificate: X509Certificate | undefined): Buffer | null {
    if (certificate === undefined) return null;
    const { raw } = certificate;
    if (this.#lastCertificate?.equals(raw) !== true) {
      this.#lastCertificate = raw;
      this.#lastEndPoint = endPointHash(raw);
    }
    return this.#lastEndPoint;
  }
}

const memories = new WeakMap<OriginConfig, TlsMemory>();

/** PEM is parsed once per origin; a bundle of roots takes milliseconds. */
export function tlsMemoryOf(origin: OriginConfig): TlsMemory {
  let memory = memories.get(origin);
  if (memory === undefined) {
    memory = new TlsMemory(origin);
    memories.set(origin, memory);
  }
  return memory;
}
