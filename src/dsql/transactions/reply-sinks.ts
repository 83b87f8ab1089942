/** What becomes of an answer's messages: some are for the client, some say nothing. */
import { createHash } from 'node:crypto';
import { MessageWriter, readUint16, readUint32 } from '../../base/bytes.ts';
import { ServerCode } from '../../protocol/codes.ts';
import { eachMessage } from '../server/link-messages.ts';
import type { ReplySink } from '../server/server-link.ts';
import { ANSWER_BYTES_MAX, checkAnswer } from './quotas.ts';

const HEADER_BYTES = 5;

/** The end of an exchange, and what stands for steps that the client did not ask for. */
const NOT_FOR_CLIENTS: ReadonlySet<number> = new Set([
  ServerCode.ParseComplete,
  ServerCode.BindComplete,
  ServerCode.CloseComplete,
  ServerCode.CommandComplete,
  ServerCode.EmptyQueryResponse,
  ServerCode.NoData,
  ServerCode.PortalSuspended,
]);

/** Passes on at once what is for the client. */
export class StreamingSink implements ReplySink {
  readonly #sink: ReplySink;
  /** Whether the client may have been given something. */
  hasGiven = false;
  /** Whether the client was asked for the rows of a COPY. */
  hasCopiedIn = false;
  copyIn?: () => void;

  constructor(sink: ReplySink) {
    this.#sink = sink;
    const copyIn = sink.copyIn?.bind(sink);
    if (copyIn === undefined) return;
    this.copyIn = () => {
      this.hasGiven = true;
      this.hasCopiedIn = true;
      copyIn();
    };
  }

  take(messages: Buffer): void {
    const kept: Buffer[] = [];
    eachMessage(messages, (code, start, end) => {
      if (!NOT_FOR_CLIENTS.has(code)) kept.push(messages.subarray(start, end));
    });
    if (kept.length === 0) return;
    this.hasGiven = true;
    const [first] = kept;
    this.#sink.take(kept.length === 1 && first !== undefined ? first : Buffer.concat(kept));
  }
}

export type KeptColumn = {
  /** Whether the rest of the rows is for the client. */
  readonly hasReturning: boolean;
};

/** Keeps what is for the client until the whole answer is there. */
export class KeepingSink implements ReplySink {
  /** The values of the column that was added, in order. */
  readonly captured: string[] = [];
  /** Whether one of them was NULL: there is no telling what the row was. */
  hasMissed = false;
  capturedBytes = 0;
  readonly #column: KeptColumn | null;
  readonly #kept: Buffer[] = [];
  #bytes = 0;
  #rowCount = 0;
  #digest = 0n;

  /** @param column the last one of each row is not the client's, but is to be captured */
  constructor(column: KeptColumn | null = null) {
    this.#column = column;
  }

  take(messages: Buffer): void {
    eachMessage(messages, (code, start, end) => {
      if (NOT_FOR_CLIENTS.has(code)) return;
      this.#bytes += end - start;
      if (this.#bytes > ANSWER_BYTES_MAX) {
        this.#kept.length = 0;
        return;
      }
      const message = messages.subarray(start, end);
      if (code === ServerCode.DataRow) this.#onRow(message);
      else if (code !== ServerCode.RowDescription || this.#column === null) {
        this.#kept.push(message);
      } else if (this.#column.hasReturning) this.#kept.push(withoutLastColumn(message));
    });
  }

  /**
   * What was told, to be compared with what a replay would tell. The order of rows does not count:
   * copies of tables may be read in another one.
   */
  get digest(): string {
    return `${this.#rowCount}:${this.#digest.toString(16)}`;
  }

  /** @throws DsqlError when it is more than can be kept */
  assertKept(): void {
    checkAnswer(this.#bytes);
  }

  giveTo(sink: ReplySink): void {
    const [first] = this.#kept;
    if (first === undefined) return;
    sink.take(this.#kept.length === 1 ? first : Buffer.concat(this.#kept));
  }

  #onRow(message: Buffer): void {
    let row = message;
    if (this.#column !== null) {
      const at = lastFieldAt(message);
      this.hasMissed ||= message.readInt32BE(at) < 0;
      this.captured.push(message.toString('utf8', at + 4));
      this.capturedBytes += message.length - at - 4;
      if (!this.#column.hasReturning) return;
      row = withoutLastField(message, at);
    }
    this.#kept.push(row);
    this.#rowCount++;
    const hash = createHash('sha256').update(row.subarray(HEADER_BYTES)).digest();
    this.#digest = BigInt.asUintN(64, this.#digest + hash.readBigUInt64BE(0));
  }
}

/** Where the last field of a DataRow begins, at its length. */
function lastFieldAt(message: Buffer): number {
  const count = readUint16(message, HEADER_BYTES);
  let at = HEADER_BYTES + 2;
  for (let n = 1; n < count; n++) {
    const size = readUint32(message, at) | 0;
    at += 4 + Math.max(size, 0);
  }
  return at;
}

function withoutLastField(message: Buffer, at: number): Buffer {
  const count = readUint16(message, HEADER_BYTES);
  const writer = new MessageWriter(at).begin(ServerCode.DataRow).int16(count - 1);
  return writer
    .bytes(message.subarray(HEADER_BYTES + 2, at))
    .end()
    .take();
}

/** Numbers and sizes behind the name of a column in RowDescription. */
const COLUMN_BYTES = 18;

function withoutLastColumn(message: Buffer): Buffer {
  const count = readUint16(message, HEADER_BYTES);
  let at = HEADER_BYTES + 2;
  for (let n = 1; n < count; n++) at = message.indexOf(0, at) + 1 + COLUMN_BYTES;
  const writer = new MessageWriter(at).begin(ServerCode.RowDescription).int16(count - 1);
  return writer
    .bytes(message.subarray(HEADER_BYTES + 2, at))
    .end()
    .take();
}
