/** Messages to a client that the endpoint itself makes. */
import { MessageWriter, readUint16 } from '../../base/bytes.ts';
import { ServerCode, TransactionStatus } from '../../protocol/codes.ts';
import { type Column, type ColumnType, encodeResult } from '../../protocol/result.ts';

export type BlockState = 'idle' | 'open' | 'failed';

const STATUS: Readonly<Record<BlockState, number>> = {
  idle: TransactionStatus.Idle,
  open: TransactionStatus.InTransaction,
  failed: TransactionStatus.Failed,
};

const bare = (code: number): Buffer => Buffer.of(code, 0, 0, 0, 4);

/** `boolean` of PostgreSQL. */
export const BOOLEAN: ColumnType = { oid: 16, size: 1 };

export const BIND_COMPLETE = bare(ServerCode.BindComplete);
export const EMPTY_QUERY = bare(ServerCode.EmptyQueryResponse);
export const PORTAL_SUSPENDED = bare(ServerCode.PortalSuspended);

export function readyForQuery(state: BlockState): Buffer {
  return new MessageWriter(6).begin(ServerCode.ReadyForQuery).byte(STATUS[state]).end().take();
}

export function commandComplete(tag: string): Buffer {
  return new MessageWriter().begin(ServerCode.CommandComplete).cstring(tag).end().take();
}

export function parameterStatus(name: string, value: string): Buffer {
  const writer = new MessageWriter().begin(ServerCode.ParameterStatus);
  return writer.cstring(name).cstring(value).end().take();
}

/** A warning, which changes nothing. */
export function warning(sqlstate: string, message: string): Buffer {
  const writer = new MessageWriter().begin(ServerCode.NoticeResponse);
  const put = (field: string, value: string): void => {
    writer.byte(field.charCodeAt(0)).cstring(value);
  };
  put('S', 'WARNING');
  put('V', 'WARNING');
  put('C', sqlstate);
  put('M', message);
  return writer.byte(0).end().take();
}

const bytesOf = (text: string): string => Buffer.from(text).toString('latin1');

/** RowDescription and DataRows of an answer of the endpoint's own, without CommandComplete. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): { readonly description: Buffer; readonly rows: Buffer } {
  const named = columns.map(({ name, type }) => ({ name: bytesOf(name), type }));
  const whole = encodeResult(
    named,
    rows.map((row) => row.map(bytesOf)),
  );
  const descriptionEnd = 1 + whole.readUInt32BE(1);
  // The CommandComplete is what is left behind the rows.
  const tag = commandComplete(`SELECT ${rows.length}`);
  return {
    description: whole.subarray(0, descriptionEnd),
    rows: whole.subarray(descriptionEnd, whole.length - tag.length),
  };
}

/**
 * The RowDescription of a portal: that of its statement, with the formats that Bind asked for.
 * @param description as of a statement; it is not changed
 * @param formats none for text, one for all columns, or one for each
 */
export function withFormats(description: Uint8Array, formats: readonly number[]): Uint8Array {
  if (formats.length === 0 || description[0] !== ServerCode.RowDescription) return description;
  const patched = Buffer.from(description);
  const count = readUint16(patched, 5);
  let at = 7;
  for (let column = 0; column < count; column++) {
    at = patched.indexOf(0, at) + 1 + 16;
    patched.writeUInt16BE((formats.length === 1 ? formats[0] : formats[column]) ?? 0, at);
    at += 2;
  }
  return patched;
}
