/** Simple queries of the gateway's own on a connection that is in nobody's pool. */
import type { Socket } from 'node:net';
import { GatewayError } from '../base/errors.ts';
import { SocketReader } from '../net/socket-reader.ts';
import { ClientCode, ServerCode } from '../protocol/codes.ts';
import { decodeErrorFields } from '../protocol/error-response.ts';
import { decodeDataRow } from '../protocol/result.ts';

const MESSAGE_LENGTH_MAX = 1_048_576;
/** A server that says more than this in answer to one query is not read to its end. */
const MESSAGES_MAX = 10_000;

/** A query failed on a connection that worked; the server's words are in the detail. */
export class OriginQueryError extends GatewayError {
  readonly sqlstate: string;

  constructor(sqlstate: string, detail: string, cause?: unknown) {
    super('MR_ORIGIN_REJECTED', { detail, cause });
    this.sqlstate = sqlstate;
  }
}

/**
 * Runs a simple Query and gives its rows, columns as text. The socket is as
 * {@link EstablishedLink} has it, before and after.
 *
 * @throws OriginQueryError when the server refuses it, says goodbye, or does not answer in time;
 *   the connection is of no use then unless `sqlstate` is not empty
 */
export async function queryRows(
  socket: Socket,
  sql: string,
  timeoutMs: number,
): Promise<(string | null)[][]> {
  const reader = new SocketReader(socket, AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs))));
  try {
    socket.write(encodeQuery(sql));
    const rows = await readRows(reader);
    if (reader.isDrained) return rows;
    throw new OriginQueryError('', 'the server spoke on behind its answer');
  } catch (cause) {
    if (cause instanceof OriginQueryError) throw cause;
    const detail = cause instanceof GatewayError ? cause.clientText : 'no answer in time';
    throw new OriginQueryError('', detail, cause);
  } finally {
    reader.release();
  }
}

function encodeQuery(text: string): Buffer {
  const body = Buffer.from(`${text}\0`);
  const head = Buffer.alloc(5);
  head[0] = ClientCode.Query;
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

async function readRows(reader: SocketReader): Promise<(string | null)[][]> {
  const rows: (string | null)[][] = [];
  let refusal: OriginQueryError | null = null;
  for (let count = 0; count < MESSAGES_MAX; count++) {
    const message = await reader.message(() => MESSAGE_LENGTH_MAX);
    if (message === null) break;
    const { code, body } = message;
    if (code === ServerCode.DataRow) {
      const row = decodeDataRow(body, 0, body.length);
      rows.push(row.map((text) => (text === null ? null : Buffer.from(text, 'latin1').toString())));
    } else if (code === ServerCode.ErrorResponse) {
      const { sqlstate, severity, message: text } = decodeErrorFields(body, 0, body.length);
      refusal = new OriginQueryError(sqlstate, `${sqlstate}: ${text}`);
      // Behind its goodbye a server says nothing more.
      if (severity === 'FATAL' || severity === 'PANIC') {
        throw new OriginQueryError('', refusal.detail);
      }
    } else if (code === ServerCode.ReadyForQuery) {
      if (refusal !== null) throw refusal;
      return rows;
    }
  }
  throw refusal ?? new OriginQueryError('', 'the server closed the connection');
}
