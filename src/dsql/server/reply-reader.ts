/**
 * Reads what a PostgreSQL server says on a link that is logged in: cuts it into whole messages and
 * tells those apart that end an exchange, fail it, or ask for data. No I/O.
 */
import { indexOfZero } from '../../base/bytes.ts';
import { GatewayError } from '../../base/errors.ts';
import { ServerCode, TransactionStatus } from '../../protocol/codes.ts';
import { decodeErrorFields, type ErrorFields } from '../../protocol/error-response.ts';
import { Framer, Take } from '../../protocol/framer.ts';
import type { Status } from './server-link.ts';

/**
 * A message is gathered whole before it passes on, so one of a hostile or broken server must not
 * fill the memory. PostgreSQL itself stops at 1 GiB; a transaction of Aurora DSQL has 128 MiB.
 */
export const SERVER_MESSAGE_BYTES_MAX = 128 * 1_048_576;

/** Code and length: the shortest message. */
const HEADER_BYTES = 5;

export type ReplyEvents = {
  /** Whether something was asked that is not answered to its end yet. */
  readonly isAsked: boolean;
  /** Whole messages of an answer, owned by the callee. */
  onMessages(messages: Buffer): void;
  onTag(tag: string): void;
  /** @param bytes the ErrorResponse as it came, owned by the callee */
  onError(fields: ErrorFields, bytes: Buffer): void;
  onParameter(name: string, value: string): void;
  /** The server waits for rows to copy; its CopyInResponse has been handed over. */
  onCopyIn(): void;
  /** Comes behind everything else that the answer had. */
  onReady(status: Status): void;
};

/** What comes only as part of an answer. */
const ANSWERS: ReadonlySet<number> = new Set([
  ServerCode.BindComplete,
  ServerCode.CloseComplete,
  ServerCode.CommandComplete,
  ServerCode.CopyData,
  ServerCode.CopyDone,
  ServerCode.CopyInResponse,
  ServerCode.CopyOutResponse,
  ServerCode.DataRow,
  ServerCode.EmptyQueryResponse,
  ServerCode.FunctionCallResponse,
  ServerCode.NoData,
  ServerCode.ParameterDescription,
  ServerCode.ParseComplete,
  ServerCode.PortalSuspended,
  ServerCode.ReadyForQuery,
  ServerCode.RowDescription,
]);

/** What a server may say at any time. */
const ASIDES: ReadonlySet<number> = new Set([
  ServerCode.ErrorResponse,
  ServerCode.NoticeResponse,
  ServerCode.NotificationResponse,
  ServerCode.ParameterStatus,
]);

const violation = (subject: string): GatewayError =>
  new GatewayError('MR_PROTOCOL_VIOLATION', { subject });

export class ReplyReader {
  readonly #events: ReplyEvents;
  readonly #framer: Framer;

  constructor(events: ReplyEvents) {
    this.#events = events;
    this.#framer = new Framer({
      onHeader: (code, size) => this.#onHeader(code, size),
      onWhole: (code, chunk, start, end) => this.#onWhole(code, chunk, start, end),
      // Only whole messages are asked for.
      onPrefix: () => Take.Hold,
      onRun: (chunk, start, end) => this.#events.onMessages(view(chunk, start, end)),
    });
  }

  /**
   * @param chunk owned by the reader from now on: what passes on are views of it
   * @throws GatewayError `MR_PROTOCOL_VIOLATION`; nothing more can be read then
   */
  feed(chunk: Uint8Array): void {
    this.#framer.feed(chunk, 0, chunk.length);
  }

  #onHeader(code: number, size: number): Take {
    if (size < HEADER_BYTES) throw violation('invalid message length');
    if (size > SERVER_MESSAGE_BYTES_MAX) {
      throw violation(`a message of the server is longer than ${SERVER_MESSAGE_BYTES_MAX} bytes`);
    }
    const isExpected = ASIDES.has(code) || (this.#events.isAsked && ANSWERS.has(code));
    if (!isExpected) throw violation('a message of the server that was not asked for');
    return Take.Hold;
  }

  #onWhole(code: number, chunk: Uint8Array, start: number, end: number): Take {
    const body = start + HEADER_BYTES;
    switch (code) {
      case ServerCode.ErrorResponse: {
        const bytes = Buffer.from(chunk.subarray(start, end));
        this.#events.onError(decodeErrorFields(chunk, body, end), bytes);
        return Take.Swallow;
      }
      case ServerCode.ReadyForQuery:
        return this.#ready(chunk, body, end);
      case ServerCode.CommandComplete:
        this.#events.onTag(textAt(chunk, body, end));
        return Take.Forward;
      case ServerCode.ParameterStatus: {
        const name = textAt(chunk, body, end);
        const valueAt = body + Buffer.byteLength(name) + 1;
        this.#events.onParameter(name, textAt(chunk, Math.min(valueAt, end), end));
        break;
      }
      case ServerCode.CopyInResponse:
        this.#framer.flushThrough();
        this.#events.onCopyIn();
        return Take.Forward;
      // Nobody can have asked for one: LISTEN is not supported.
      case ServerCode.NotificationResponse:
        return Take.Swallow;
    }
    return this.#events.isAsked ? Take.Forward : Take.Swallow;
  }

  #ready(chunk: Uint8Array, body: number, end: number): Take {
    const status = end - body === 1 ? statusOf(chunk[body]) : null;
    if (status === null) throw violation('malformed ReadyForQuery');
    this.#framer.flushRun();
    this.#events.onReady(status);
    return Take.Swallow;
  }
}

const statusOf = (byte: number | undefined): Status | null => {
  if (byte === TransactionStatus.Idle) return 'I';
  if (byte === TransactionStatus.InTransaction) return 'T';
  return byte === TransactionStatus.Failed ? 'E' : null;
};

const view = (chunk: Uint8Array, start: number, end: number): Buffer =>
  Buffer.from(chunk.buffer, chunk.byteOffset + start, end - start);

/** The text up to the next zero byte, or to the end. */
function textAt(chunk: Uint8Array, start: number, end: number): string {
  const zero = indexOfZero(chunk, start, end);
  return view(chunk, start, zero < 0 ? end : zero).toString();
}
