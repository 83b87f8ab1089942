import type { Socket } from 'node:net';
import { type ErrorCode, GatewayError } from '../../base/errors.ts';
import { closeGently } from '../../net/closing.ts';
import { directSocket } from '../../net/direct-socket.ts';
import {
  negotiate,
  type Opening,
  type OpeningTls,
  openingOf,
  readOpening,
} from '../../net/opening.ts';
import { encodeGatewayError } from '../../protocol/error-response.ts';
import { PROTOCOL_MINOR_MAX } from '../../protocol/startup.ts';
import { settingsOf } from '../../protocol/startup-settings.ts';
import type { Admitted, LoginContext } from './login-context.ts';
import { authenticate } from './login-scram.ts';

/** Failures that say nothing of the gateway or its users: port scans, health checks, hang-ups. */
const UNREMARKABLE: ReadonlySet<ErrorCode> = new Set(['MR_CLIENT_LOST', 'MR_NOT_POSTGRES']);

/**
 * Takes an accepted connection through TLS, startup packet and authentication.
 *
 * On success the client has yet to hear of it: what says so, and ParameterStatus, BackendKeyData
 * and ReadyForQuery behind it, are the caller's to send. On failure the client has been told, where
 * it can be, the log has a line, the socket is closing, and the promise rejects, for counting only.
 *
 * @param socket paused and unread, with errors guarded
 * @throws GatewayError
 */
export async function admit(socket: Socket, context: LoginContext): Promise<Admitted> {
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new GatewayError('MR_LOGIN_TIMEOUT')),
    context.loginTimeoutMs,
  );
  const remote = socket.remoteAddress;
  const { signal } = deadline;
  const opening = openingOf(socket, signal);
  try {
    return await logIn(opening, context, signal);
  } catch (caught) {
    const error = GatewayError.from(caught);
    opening.reader.release();
    const cause = error.cause instanceof Error ? error.cause.message : undefined;
    const report = { code: error.code, remote, encrypted: opening.encrypted, cause };
    if (UNREMARKABLE.has(error.code)) context.log.debug(report, `login: ${error.message}`);
    else context.log.info(report, `login refused: ${error.message}`);
    closeGently(opening.socket, isAnswered(opening, error) ? encodeGatewayError(error) : null);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function logIn(
  opening: Opening,
  context: LoginContext,
  signal: AbortSignal,
): Promise<Admitted> {
  const packet = await readOpening(opening, tlsOf(context), signal);
  if (packet.kind === 'cancel') {
    opening.reader.release();
    const { processId, secretKey } = packet;
    return { kind: 'cancel', socket: opening.socket, processId, secretKey };
  }
  negotiate(opening, packet);
  const { user, database } = packet;
  const accepted = await authenticate(opening, context, user, database);
  const leftover = opening.reader.release();
  const socket = directSocket(opening.socket);
  const minor = Math.min(packet.minor, PROTOCOL_MINOR_MAX);
  const settings = settingsOf(packet);
  return { kind: 'client', socket, user, database, minor, settings, accepted, leftover };
}

/** Whether the client hears of the failure; see `Opening.answerable` for those that come early. */
function isAnswered(opening: Opening, error: GatewayError): boolean {
  return opening.answerable && error.code !== 'MR_CLIENT_LOST';
}

const tlsOf = ({ serverTls, tls }: LoginContext): OpeningTls => ({
  serverTls,
  isRequired: tls === 'required',
});
