import { ClientCode } from '../protocol/codes.ts';
import { decodeDataRow } from '../protocol/result.ts';
import type { Consequence } from './ledger.ts';

/** A query of ours never answers with more rows than this; the rest is dropped. */
const ROWS_MAX = 10_000;

/** A simple Query that the gateway sends for itself on a link, with the rows that come back. */
export class OwnQuery implements Consequence {
  readonly message: Uint8Array;
  readonly #rowsMax: number;
  /** Text columns as byte strings. */
  readonly rows: (string | null)[][] = [];
  /** The fields of the server's error as a byte string, or null. */
  error: string | null = null;
  /** Whether the client is told of the reported parameters that it changes. */
  isTold = false;
  /** Called once, when the answer is complete or an error has taken its place. */
  onDone: (() => void) | null = null;

  /**
   * @param text a byte string: one or more statements, everything in them qualified
   * @param rowsMax rows above this many are dropped
   */
  constructor(text: string, rowsMax = ROWS_MAX) {
    this.#rowsMax = rowsMax;
    const message = Buffer.allocUnsafe(text.length + 6);
    message[0] = ClientCode.Query;
    message.writeUInt32BE(text.length + 5, 1);
    message.write(text, 5, 'latin1');
    message[text.length + 5] = 0;
    this.message = message;
  }

  /** A DataRow lies in `[start, end)`; it is copied. */
  onRow(chunk: Uint8Array, start: number, end: number): void {
    if (this.rows.length < this.#rowsMax) this.rows.push(decodeDataRow(chunk, start + 5, end));
  }

  onError(fields: string): void {
    this.error = fields;
  }

  commit(): void {
    this.onDone?.();
  }

  rollback(): void {
    this.error ??= '';
    this.onDone?.();
  }
}
