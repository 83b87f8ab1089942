/** Proves that an origin works: connects, logs in, and runs a query that does nothing. */
import { GatewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { OriginConfig } from '../config/model.ts';
import { SocketReader } from '../net/socket-reader.ts';
import { ClientCode, ServerCode } from '../protocol/codes.ts';
import { decodeErrorFields } from '../protocol/error-response.ts';
import { TERMINATE } from '../protocol/messages.ts';
import { connectOrigin } from './connect.ts';

const EMPTY_QUERY = ';';
const MESSAGE_LENGTH_MAX = 30_000;
/** An answer to an empty query has two messages; a server may add notices and parameters. */
const MESSAGES_MAX = 100;
const APPLICATION_NAME = 'Millrace check';

export type ProbeResult = {
  /** From the start of the connection until it was ready. */
  readonly connectMs: number;
  /** From the query to its answer: one round trip. */
  readonly queryMs: number;
  readonly encrypted: boolean;
  /** What the server reports of itself. */
  readonly parameters: ReadonlyMap<string, string>;
};

/** The test query failed on a connection that worked; the server's words are in the detail. */
export class ProbeQueryError extends GatewayError {}

/**
 * @param timeoutMs over everything
 * @throws GatewayError `MR_ORIGIN_…` when connecting fails; a {@link ProbeQueryError} when the
 *   query does. Nothing is left open.
 */
export async function probeOrigin(
  origin: OriginConfig,
  timeoutMs: number,
  log: Log,
): Promise<ProbeResult> {
  const beganMs = performance.now();
  const link = await connectOrigin(origin, {
    connectTimeoutMs: timeoutMs,
    applicationName: APPLICATION_NAME,
    log,
  });
  const { socket, encrypted, parameters } = link;
  try {
    const readyMs = performance.now();
    const leftMs = Math.max(1, Math.ceil(timeoutMs - (readyMs - beganMs)));
    const reader = new SocketReader(socket, AbortSignal.timeout(leftMs));
    socket.write(encodeQuery(EMPTY_QUERY));
    await readAnswer(reader);
    const queryMs = performance.now() - readyMs;
    reader.release();
    socket.end(TERMINATE);
    return { connectMs: readyMs - beganMs, queryMs, encrypted, parameters };
  } catch (cause) {
    if (cause instanceof ProbeQueryError) throw cause;
    const detail = cause instanceof GatewayError ? cause.clientText : 'no answer in time';
    throw new ProbeQueryError('MR_ORIGIN_REJECTED', { detail, cause });
  } finally {
    socket.destroySoon();
  }
}

function encodeQuery(text: string): Buffer {
  const body = Buffer.from(`${text}\0`);
  const head = Buffer.alloc(5);
  head[0] = ClientCode.Query;
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

async function readAnswer(reader: SocketReader): Promise<void> {
  for (let count = 0; count < MESSAGES_MAX; count++) {
    const message = await reader.message(() => MESSAGE_LENGTH_MAX);
    if (message === null) break;
    if (message.code === ServerCode.ReadyForQuery) return;
    if (message.code === ServerCode.ErrorResponse) {
      const fields = decodeErrorFields(message.body, 0, message.body.length);
      const detail = `${fields.sqlstate}: ${fields.message}`;
      throw new ProbeQueryError('MR_ORIGIN_REJECTED', { detail });
    }
  }
  const detail = 'the server closed the connection';
  throw new ProbeQueryError('MR_ORIGIN_REJECTED', { detail });
}
