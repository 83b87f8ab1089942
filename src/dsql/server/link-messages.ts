/** Messages of the endpoint's own queries, and reading their answers. */
import { MessageWriter, readUint32 } from '../../base/bytes.ts';
import { ClientCode, ServerCode } from '../../protocol/codes.ts';
import { decodeDataRow } from '../../protocol/result.ts';
import { DsqlError } from '../dsql-error.ts';
import type { ReplySink } from './server-link.ts';

/** What the answer to one query of the endpoint's own may take in memory. */
const OWN_ANSWER_BYTES_MAX = 64 * 1_048_576;
/** Code and length. */
const HEADER_BYTES = 5;

export function encodeSimpleQuery(text: string): Buffer {
  const writer = new MessageWriter(Buffer.byteLength(text) + 8);
  return writer.begin(ClientCode.Query).cstring(text).end().take();
}

/** Parse, Bind, Execute and Sync of the unnamed statement; values and results as text. */
export function encodeQuery(text: string, parameters: readonly (string | null)[]): Buffer {
  const writer = new MessageWriter(Buffer.byteLength(text) + 64);
  writer.begin(ClientCode.Parse).cstring('').cstring(text).int16(0).end();
  writer.begin(ClientCode.Bind).cstring('').cstring('').int16(0).int16(parameters.length);
  for (const value of parameters) {
    const bytes = value === null ? null : Buffer.from(value);
    writer.int32(bytes?.length ?? -1);
    if (bytes !== null) writer.bytes(bytes);
  }
  writer.int16(0).end();
  writer.begin(ClientCode.Execute).cstring('').int32(0).end();
  return writer.begin(ClientCode.Sync).end().take();
}

/** CopyFail, and the Sync that is needed when the COPY was begun by Execute. */
export function encodeCopyFail(reason: string, isExtended: boolean): Buffer {
  const writer = new MessageWriter().begin(ClientCode.CopyFail).cstring(reason).end();
  if (isExtended) writer.begin(ClientCode.Sync).end();
  return writer.take();
}

/**
 * Calls with the code of each message, and with its range, header included.
 * @param messages whole ones
 */
export function eachMessage(
  messages: Uint8Array,
  visit: (code: number, start: number, end: number) => void,
): void {
  for (let at = 0; at + HEADER_BYTES <= messages.length; ) {
    const end = at + 1 + readUint32(messages, at + 1);
    visit(messages[at] as number, at, end);
    at = end;
  }
}

/** Keeps the rows of an answer, columns as text. */
export class RowSink implements ReplySink {
  readonly #rows: (string | null)[][] = [];
  #bytes = 0;

  take(messages: Buffer): void {
    eachMessage(messages, (code, start, end) => {
      if (code !== ServerCode.DataRow) return;
      this.#bytes += end - start;
      if (this.#bytes <= OWN_ANSWER_BYTES_MAX) this.#keep(messages, start + HEADER_BYTES, end);
    });
  }

  /** @throws DsqlError when there was more than can be kept */
  rows(): (string | null)[][] {
    if (this.#bytes <= OWN_ANSWER_BYTES_MAX) return this.#rows;
    throw new DsqlError('54000', 'the answer to a query of the endpoint is too long');
  }

  #keep(messages: Buffer, start: number, end: number): void {
    const row = decodeDataRow(messages, start, end);
    this.#rows.push(
      row.map((text) => (text === null ? null : Buffer.from(text, 'latin1').toString())),
    );
  }
}
