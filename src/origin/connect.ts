import type { Socket } from 'node:net';
import { GatewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { OriginConfig } from '../config/model.ts';
import { directSocket } from '../net/direct-socket.ts';
import { SocketReader } from '../net/socket-reader.ts';
import { encodeCancelRequest } from '../protocol/startup.ts';
import { originRules } from '../session/origin-rules.ts';
import { type LoggedIn, logIn } from './login.ts';
import type { Login } from './login-source.ts';
import { withLogin } from './login-sources.ts';
import { openTransport, type TlsPlan, tlsPlans } from './tls.ts';
import { tlsMemoryOf } from './tls-memory.ts';

/** Answer to a cancel request that is read and dropped; PostgreSQL sends nothing. */
const CANCEL_ANSWER_BYTES_MAX = 65_536;

export type ConnectOptions = {
  /** One deadline over name resolution, TCP, TLS, log-in and a second attempt. */
  readonly connectTimeoutMs: number;
  /** Empty for none. */
  readonly applicationName: string;
  readonly log: Log;
  /** Further startup parameters; `client_encoding` is always UTF8. */
  readonly parameters?: Readonly<Record<string, string>>;
};

/**
 * A connection that has just said ReadyForQuery. The socket is paused, nobody listens to its data,
 * and nothing has been read beyond ReadyForQuery.
 */
export type EstablishedLink = LoggedIn & {
  readonly socket: Socket;
  readonly encrypted: boolean;
  /** The IP address of the very server it is connected to. */
  readonly address: string;
  /** As whom it logged in, which a secret may have said. */
  readonly user: string;
};

/** What an attempt got to, for deciding whether the next one makes sense. */
type Progress = { connected: boolean; encrypted: boolean; failedInTls: boolean };

/**
 * Connects and logs in to the origin, with the attempts that libpq makes for its `sslmode`.
 *
 * @throws GatewayError with a code `MR_ORIGIN_…`; nothing is left open then
 */
export async function connectOrigin(
  origin: OriginConfig,
  options: ConnectOptions,
): Promise<EstablishedLink> {
  return await withDeadline(options.connectTimeoutMs, (signal) =>
    withLogin(origin, options.log, signal, (login) => attempts(origin, options, login, signal)),
  );
}

async function attempts(
  origin: OriginConfig,
  options: ConnectOptions,
  login: Login,
  signal: AbortSignal,
): Promise<EstablishedLink> {
  const [plan, next] = tlsPlans(origin);
  const first: Progress = { connected: false, encrypted: false, failedInTls: false };
  try {
    return await attempt(origin, options, login, plan, signal, first);
  } catch (firstError) {
    if (next === undefined || !mayRetry(plan, first, firstError, signal)) throw firstError;
    options.log.debug(
      { host: origin.host, plan: next },
      'trying the origin again, as sslmode asks',
    );
    const second: Progress = { connected: false, encrypted: false, failedInTls: false };
    try {
      return await attempt(origin, options, login, next, signal, second);
    } catch (secondError) {
      // What the server said inside TLS tells most: the other attempt is often barred anyway.
      throw first.encrypted || (plan === 'never' && !second.encrypted) ? firstError : secondError;
    }
  }
}

function mayRetry(plan: TlsPlan, progress: Progress, error: unknown, signal: AbortSignal): boolean {
  if (!progress.connected || signal.aborted || !(error instanceof GatewayError)) return false;
  if (error.code === 'MR_ORIGIN_PROTOCOL') return false;
  // `prefer` that went on without TLS has nothing left to try; `allow` still has TLS.
  return plan === 'never' || progress.encrypted || progress.failedInTls;
}

async function attempt(
  origin: OriginConfig,
  options: ConnectOptions,
  login: Login,
  plan: TlsPlan,
  signal: AbortSignal,
  progress: Progress,
): Promise<EstablishedLink> {
  progress.failedInTls = plan !== 'never';
  const onConnected = (): void => {
    progress.connected = true;
  };
  const transport = await openTransport(origin, plan, signal, { onConnected });
  const { socket, encrypted, address, endPoint } = transport;
  progress.failedInTls = false;
  progress.encrypted = encrypted;
  const reader = new SocketReader(socket, signal);
  try {
    const credentials = {
      user: login.user,
      password: login.password,
      encrypted,
      channelBinding: origin.channelBinding,
      endPoint,
    };
    const startup = startupOf(origin, options, login);
    const loggedIn = await logIn(socket, reader, credentials, startup, options.log);
    reader.release();
    return { ...loggedIn, socket: directSocket(socket), encrypted, address, user: login.user };
  } catch (error) {
    reader.release();
    socket.destroy();
    if (encrypted) tlsMemoryOf(origin).forget();
    throw asOriginError(error);
  }
}

function startupOf(
  origin: OriginConfig,
  options: ConnectOptions,
  { user }: Login,
): Map<string, string> {
  const startup = new Map(Object.entries(options.parameters ?? {}));
  if (options.applicationName !== '') startup.set('application_name', options.applicationName);
  startup.set('client_encoding', 'UTF8');
  startup.set('user', user);
  startup.set('database', origin.database);
  return startup;
}

/** A server that breaks the protocol is an error of the origin, not of a client. */
function asOriginError(error: unknown): unknown {
  if (!(error instanceof GatewayError) || error.code !== 'MR_PROTOCOL_VIOLATION') return error;
  return new GatewayError('MR_ORIGIN_PROTOCOL', { detail: error.clientText, cause: error });
}

/** What a cancel request needs to know of a link. */
export type LinkKey = Pick<EstablishedLink, 'processId' | 'secretKey' | 'encrypted' | 'address'>;

/**
 * Asks the origin to cancel what a link is doing, over a connection of its own to the very server
 * that the link is with, wherever the name of the origin leads by now; encrypted if and only if
 * the link is. Resolves to `sent` when the server has closed that connection, and so has
 * dealt with the request; to `failed` otherwise: after a time-out it may still take effect. Never
 * rejects.
 */
export async function requestCancel(
  origin: OriginConfig,
  link: LinkKey,
  timeoutMs: number,
): Promise<'sent' | 'failed'> {
  if (link.secretKey.length === 0 || !originRules(origin.kind).cancels) return 'failed';
  let socket: Socket | null = null;
  try {
    return await withDeadline(timeoutMs, async (signal) => {
      const plan = link.encrypted ? 'always' : 'never';
      ({ socket } = await openTransport(origin, plan, signal, { address: link.address }));
      return (await deliver(socket, link, signal)) ? 'sent' : 'failed';
    });
  } catch {
    return 'failed';
  } finally {
    (socket as Socket | null)?.destroy();
  }
}

/** Writes the request and waits for the server to close; false when it was not delivered. */
async function deliver(socket: Socket, link: LinkKey, signal: AbortSignal): Promise<boolean> {
  const reader = new SocketReader(socket, signal);
  try {
    let written = false;
    socket.write(encodeCancelRequest(link.processId, link.secretKey), (error) => {
      written = !error;
    });
    while (await reader.more()) {
      if (reader.pending.length > CANCEL_ANSWER_BYTES_MAX) return false;
    }
    return written;
  } finally {
    reader.release();
  }
}

async function withDeadline<T>(
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const timer = setTimeout(() => {
    const detail = `not established within ${timeoutMs} ms`;
    deadline.abort(new GatewayError('MR_ORIGIN_TIMEOUT', { detail }));
  }, timeoutMs);
  try {
    return await work(deadline.signal);
  } finally {
    clearTimeout(timer);
  }
}
