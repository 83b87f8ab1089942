import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { GatewayError } from '../base/errors.ts';
import type { OriginConfig } from '../config/model.ts';
import { addressOf, dial } from '../net/dial.ts';
import { resolveHost } from '../net/resolve.ts';
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
  /** The IP address of the server, which is another than the name's once that has moved. */
  readonly address: string;
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

export type TransportOptions = {
  /** Called once TCP stands, to tell an absent server from an unwilling one. */
  readonly onConnected?: () => void;
  /** The IP address to go to, instead of where the name of the origin leads. */
  readonly address?: string;
};

/**
 * Dials the origin and, as the plan says, changes over to TLS. The socket is paused and unread.
 *
 * @throws GatewayError `MR_ORIGIN_REFUSED`, `_NAME`, `_TIMEOUT`, `_TLS`, `_REJECTED`; or the
 * signal's reason. No socket is left behind.
 */
export async function openTransport(
  origin: OriginConfig,
  plan: TlsPlan,
  signal: AbortSignal,
  options: TransportOptions = {},
): Promise<Transport> {
  const socket = await reach(origin, options.address, signal);
  options.onConnected?.();
  const plain = {
    socket,
    encrypted: false,
    endPoint: null,
    address: addressOf(socket, origin.host),
  };
  if (plan === 'never') return plain;
  try {
    if (origin.sslnegotiation === 'postgres' && !(await isTlsOffered(socket, signal))) {
      if (plan === 'if-offered') return plain;
      throw new GatewayError('MR_ORIGIN_TLS', { detail: 'the server does not support TLS' });
    }
    return { ...plain, ...(await upgrade(origin, socket, signal)) };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** A socket to the origin, or to the given address of it. */
async function reach(
  origin: OriginConfig,
  address: string | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  const { host, port, dnsServers } = origin;
  let addresses: readonly string[] | undefined;
  if (address !== undefined) addresses = [address];
  else if (dnsServers !== null) {
    addresses = await resolveHost(host, dnsServers, signal).catch((error) => {
      throw nameError(error, host, dnsServers);
    });
  }
  return await dial({ host, port, addresses }, signal).catch((error) => {
    throw dialError(error);
  });
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
): Promise<Omit<Transport, 'address'>> {
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

function nameError(cause: unknown, host: string, servers: readonly string[]): GatewayError {
  if (cause instanceof GatewayError) return cause;
  const detail = reasonOf(cause);
  // Where names are looked up is for the log; a client is told the reason alone.
  const about = new Error(`${detail} for ${host} from ${servers.join(', ')}`, { cause });
  return new GatewayError('MR_ORIGIN_NAME', { detail, cause: about });
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
