import { byteString, indexOfZero, readUint16 } from '../../base/bytes.ts';
import { ServerCode } from '../../protocol/codes.ts';
import type { Consequence } from '../ledger.ts';
import { RESERVED_PREFIX } from './statements.ts';

/**
 * The result type of a prepared statement is settled when the statement is parsed. PostgreSQL
 * refuses to run it with another one, when it is bound or described: clients have built decoders
 * upon the first. What the gateway prepares again in the client's place is held to the same, but
 * for collations, which no message tells.
 * Source: `resultDesc` and `fixed_result` in plancache.c, `RevalidateCachedQuery`.
 */

/** Of a statement that returns no rows. */
const NO_ROWS = '';
const ROWS = 'rows:';
/** Behind the name of a column: table, column number, type, size, modifier, format. */
const COLUMN_BYTES = 18;

/**
 * Columns of a RowDescription in `[start, end)` as far as PostgreSQL compares them: name, type and
 * type modifier. Null when the message is malformed.
 */
export function rowTypeOf(chunk: Uint8Array, start: number, end: number): string | null {
  let text = ROWS;
  let at = start + 7;
  while (at < end) {
    const nameEnd = indexOfZero(chunk, at, end);
    if (nameEnd < 0 || nameEnd + 1 + COLUMN_BYTES > end) return null;
    const tableAt = nameEnd + 1;
    text += byteString(chunk, at, tableAt);
    text += byteString(chunk, tableAt + 6, tableAt + 10);
    text += byteString(chunk, tableAt + 12, tableAt + 16);
    at = tableAt + COLUMN_BYTES;
  }
  return at === end ? text : null;
}

/**
 * A Describe of the gateway's own, beside a Parse. It tells the types of the parameters, as in the
 * body of the ParameterDescription, and behind them what {@link rowTypeOf} says.
 */
export class Description implements Consequence {
  readonly #onTold: (described: string | null) => void;
  #parameters = '';

  /** @param onTold is given the answer, or null when an error came instead */
  constructor(onTold: (described: string | null) => void) {
    this.#onTold = onTold;
  }

  /** The bytes of the answer follow. */
  commit(): void {}

  rollback(): void {
    this.#onTold(null);
  }

  onNoData(): void {
    this.#onTold(this.#parameters + NO_ROWS);
  }

  /**
   * A ParameterDescription or RowDescription lies in `[start, end)`.
   * @returns false when it is malformed
   */
  onMessage(chunk: Uint8Array, start: number, end: number): boolean {
    if (chunk[start] === ServerCode.ParameterDescription) {
      this.#parameters = byteString(chunk, start + 5, end);
      return end - start >= 7 && end - start === 7 + readUint16(chunk, start + 5) * 4;
    }
    const rowType = rowTypeOf(chunk, start, end);
    if (rowType !== null) this.#onTold(this.#parameters + rowType);
    return rowType !== null;
  }
}

function parametersOf(described: string): Buffer {
  const count = (described.charCodeAt(0) << 8) | described.charCodeAt(1);
  return Buffer.from(described.slice(0, 2 + count * 4), 'latin1');
}

/** What {@link rowTypeOf} says, of what a {@link Description} told. */
export function rowTypeIn(described: string): string {
  const count = (described.charCodeAt(0) << 8) | described.charCodeAt(1);
  return described.slice(2 + count * 4);
}

/**
 * The body of the Parse that prepares a statement again: its parameters have the types that were
 * found at first, as PostgreSQL keeps them, whatever they would be taken for now.
 */
export function bodyAgain(body: Uint8Array, described: string | null): Uint8Array {
  if (described === null) return body;
  const textEnd = body.indexOf(0, 1);
  return Buffer.concat([body.subarray(0, textEnd + 1), parametersOf(described)]);
}

/** What PostgreSQL answers to a Describe before it finds that the result type has changed. */
export function parameterDescription(described: string): Uint8Array {
  const types = parametersOf(described);
  const message = Buffer.allocUnsafe(5 + types.length);
  message[0] = ServerCode.ParameterDescription;
  message.writeUInt32BE(4 + types.length, 1);
  message.set(types, 5);
  return message;
}

/** Whether {@link Description} was told of no columns. */
export function returnsNoRows(described: string): boolean {
  return described.length === parametersOf(described).length;
}

/** No link has a statement of this name: put for the one whose result type has changed. */
const CHANGED = `${RESERVED_PREFIX}changed`;
export const CHANGED_NAME = Buffer.from(CHANGED, 'latin1');

/**
 * The fields of PostgreSQL's own error in place of those that say that {@link CHANGED_NAME} does
 * not exist; null for any other error. Drivers look at the code, the message and the routine.
 */
export function changedTypeFields(fields: string): string | null {
  if (!fields.includes(`"${CHANGED}"`)) return null;
  return `${[
    ...fields.split('\0').filter((field) => field[0] === 'S' || field[0] === 'V'),
    'C0A000',
    'Mcached plan must not change result type',
    'Fplancache.c',
    'RRevalidateCachedQuery',
  ].join('\0')}\0\0`;
}

/** Whether the fields of an error are those of a statement whose result type has changed. */
export function isChangedType(fields: string): boolean {
  return fields.includes('\0C0A000\0') && fields.includes('\0RRevalidateCachedQuery\0');
}
