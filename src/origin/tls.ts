import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { GatewayError } from '../base/errors.ts';
import type { OriginConfig } from '../config/model.ts';
import { dial } from '../net/dial.ts';
import { SocketReader } from '../net/socket-reader.ts';
import { ALPN_POSTGRESQL } from '../net/tls-accept.ts';
import { dialTls, type Verification } from '../net/tls-dial.ts';
import { encodeSslRequest } from '../protocol/startup.ts';
import { type TlsMemory, tlsMemoryOf, type Verified } from './tls-memory.ts';

/** Whether one attempt asks for TLS: not at all, goes on without, or gives up without. */
export type TlsPlan = 'never' | 'if-offered' | 'always';

export type Transport = {
  readonly socket: Socket;
  readonly encrypted: boolean;
  /** The hash of the server's certificate for channel binding, or null when there can be none. */
  readonly endPoint: Buffer | null;
};

const YES = 0x53;
const NO = 0x4e;

/** The attempts that libpq makes for an `sslmode`, in order; the second only if the first fails. */
export function tlsPlans(origin: OriginConfig): readonly [TlsPlan, ...TlsPlan[]] {
  switch (origin.sslmode) {
    case 'disable':
      return ['never'];
    case 'allow':
      return ['never', 'always'];
    case 'prefer':
      return ['if-offered', 'never'];
    default:
      return ['always'];
  }
}

/** As libpq: a given CA is always checked, even by the modes that ask for encryption only. */
function verificationOf(origin: OriginConfig): Verification {
  if (origin.sslmode === 'verify-full') return 'full';
  return origin.sslmode === 'verify-ca' || origin.ca !== null ? 'chain' : 'none';
}

/**
 * Dials the origin and, as the plan says, changes over to TLS. The socket is paused and unread.
 *
 * @param onConnected called once TCP stands, to tell an absent server from an unwilling one
 * @throws GatewayError `MR_ORIGIN_REFUSED`, `_NAME`, `_TIMEOUT`, `_TLS`, `_REJECTED`; or the
 * signal's reason. No socket is left behind.
 */
export async function openTransport(
  origin: OriginConfig,
  plan: TlsPlan,
  signal: AbortSignal,
  onConnected: () => void = () => {},
): Promise<Transport> {
  const socket = await dial(origin, signal).catch((error) => {
    throw dialError(error);
  });
  onConnected();
  if (plan === 'never') return { socket, encrypted: false, endPoint: null };
  try {
    if (origin.sslnegotiation === 'postgres' && !(await isTlsOffered(socket, signal))) {
      if (plan === 'if-offered') return { socket, encrypted: false, endPoint: null };
      throw new GatewayError('MR_ORIGIN_TLS', { detail: 'the server does not support TLS' });
    }
    return await upgrade(origin, socket, signal);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Sends SSLRequest and reads the one byte that answers it. */
async function isTlsOffered(socket: Socket, signal: AbortSignal): Promise<boolean> {
  const reader = new SocketReader(socket, signal);
  try {
    socket.write(encodeSslRequest());
    if (!(await reader.more())) {
      const detail = 'the server closed the connection when asked for TLS';
      throw new GatewayError('MR_ORIGIN_REJECTED', { detail });
    }
    const [answer] = reader.take(1);
    if (answer === YES || answer === NO) {
      // Bytes sent along are not protected by the handshake to come: CVE-2021-23222.
      if (reader.isDrained) return answer === YES;
      throw new GatewayError('MR_ORIGIN_PROTOCOL', {
        detail: 'the server sent data along with its answer to SSLRequest',
      });
    }
    // An ErrorResponse here comes from whoever is on the wire: its text is not repeated.
    const detail = 'the server answered SSLRequest with neither yes nor no';
    throw new GatewayError(answer === 0x45 ? 'MR_ORIGIN_REJECTED' : 'MR_ORIGIN_PROTOCOL', {
      detail,
    });
  } finally {
    reader.release();
  }
}

async function upgrade(
  origin: OriginConfig,
  socket: Socket,
  signal: AbortSignal,
): Promise<Transport> {
  try {
    const memory = tlsMemoryOf(origin);
    const { secure, endPoint } = await shakeHands(origin, socket, memory, signal);
    if (origin.sslnegotiation === 'direct' && secure.alpnProtocol !== ALPN_POSTGRESQL) {
      // As libpq: who does not answer to the name may be a server of something else.
      secure.destroy();
      memory.forget();
      const detail = 'direct TLS was established without ALPN';
      throw new GatewayError('MR_ORIGIN_TLS', { detail });
    }
    return { socket: secure, encrypted: true, endPoint };
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError('MR_ORIGIN_TLS', { detail: reasonOf(cause), cause });
  }
}

/** The handshake, which resumes the last session with the origin where both sides can. */
async function shakeHands(
  origin: OriginConfig,
  socket: Socket,
  memory: TlsMemory,
  signal: AbortSignal,
): Promise<{ readonly secure: TLSSocket; readonly endPoint: Buffer | null }> {
  const nowMs = Date.now();
  const kept = memory.sessionAt(nowMs);
  let verified: Verified | null = null;
  let early: Buffer | null = null;
  const onSession = (session: Buffer): void => {
    // TLS 1.2 hands it out before the server is verified.
    if (verified === null) early = session;
    else memory.keep(session, verified);
  };
  try {
    const options = {
      serverName: origin.tlsServerName ?? origin.host,
      secureContext: memory.context,
      verification: verificationOf(origin),
      session: kept?.bytes ?? null,
      onSession,
    };
    const secure = await dialTls(socket, options, signal);
    verified =
      kept !== null && secure.isSessionReused()
        ? { verifiedAtMs: kept.verifiedAtMs, endPoint: kept.endPoint }
        : { verifiedAtMs: nowMs, endPoint: memory.endPointOf(secure.getPeerX509Certificate()) };
    if (early !== null) memory.keep(early, verified);
    return { secure, endPoint: verified.endPoint };
  } catch (error) {
    memory.forget();
    throw error;
  }
}

function dialError(cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause;
  const detail = reasonOf(cause);
  if (detail === 'ENOTFOUND' || detail.startsWith('EAI_')) {
    return new GatewayError('MR_ORIGIN_NAME', { detail, cause });
  }
  const code = detail === 'ETIMEDOUT' ? 'MR_ORIGIN_TIMEOUT' : 'MR_ORIGIN_REFUSED';
  return new GatewayError(code, { detail, cause });
}

/** The code of a system or TLS error, which names no address; else its text. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
