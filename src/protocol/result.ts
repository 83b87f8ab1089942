import { MessageWriter, readUint16, readUint32 } from '../base/bytes.ts';
import { ServerCode } from './codes.ts';

/** The type of a result's column: its number in `pg_type`, and its size, -1 when that varies. */
export type ColumnType = { readonly oid: number; readonly size: number };

export const INT4: ColumnType = { oid: 23, size: 4 };
export const INT8: ColumnType = { oid: 20, size: 8 };
export const TEXT: ColumnType = { oid: 25, size: -1 };

export type Column = { readonly name: string; readonly type: ColumnType };

/**
 * RowDescription, DataRows and CommandComplete, as PostgreSQL answers a SELECT in a simple Query:
 * values as text. Names and values are byte strings.
 */
export function encodeResult(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): Buffer {
  const writer = new MessageWriter();
  writer.begin(ServerCode.RowDescription).int16(columns.length);
  for (const { name, type } of columns) {
    // Of no table, in text format, and without a modifier of its type.
    writer.cstring(name).int32(0).int16(0).int32(type.oid).int16(type.size).int32(-1).int16(0);
  }
  writer.end();
  for (const row of rows) {
    writer.begin(ServerCode.DataRow).int16(row.length);
    for (const value of row) {
      const bytes = Buffer.from(value, 'latin1');
      writer.int32(bytes.length).bytes(bytes);
    }
    writer.end();
  }
  return writer.begin(ServerCode.CommandComplete).cstring(`SELECT ${rows.length}`).end().take();
}

/** Columns, in text format as byte strings, of the DataRow whose body lies in `[start, end)`. */
export function decodeDataRow(chunk: Uint8Array, start: number, end: number): (string | null)[] {
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const row: (string | null)[] = [];
  if (end - start < 2) return row;
  const count = readUint16(chunk, start);
  let at = start + 2;
  for (let n = 0; n < count && at + 4 <= end; n++) {
    const size = readUint32(chunk, at) | 0;
    at += 4;
    if (size < 0) {
      row.push(null);
      continue;
    }
    row.push(bytes.toString('latin1', at, Math.min(at + size, end)));
    at += size;
  }
  return row;
}
