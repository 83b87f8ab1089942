/** Rows that are handed out in parts, as Execute with a limit asks for. */
import { ServerCode } from '../../protocol/codes.ts';
import { DsqlError } from '../dsql-error.ts';
import type { ReplySink } from '../server/server-link.ts';

/** As much as a query may use at Aurora DSQL. */
const BYTES_MAX = 128 * 1_048_576;

export class RowBuffer implements ReplySink {
  /** Each a DataRow. */
  readonly rows: Buffer[] = [];
  /** Notices, in order. */
  readonly others: Buffer[] = [];
  #bytes = 0;

  take(messages: Buffer): void {
    for (let at = 0; at < messages.length; ) {
      const end = at + 1 + messages.readUInt32BE(at + 1);
      const message = messages.subarray(at, end);
      at = end;
      this.#bytes += message.length;
      if (this.#bytes > BYTES_MAX) this.#forget();
      else if (message[0] === ServerCode.DataRow) this.rows.push(message);
      else this.others.push(message);
    }
  }

  /** @throws DsqlError when there was more than can be kept */
  check(): void {
    if (this.#bytes <= BYTES_MAX) return;
    const text = 'query requires more than allowed temp space of 131072 KB to execute';
    throw new DsqlError('54000', text);
  }

  #forget(): void {
    this.rows.length = 0;
    this.others.length = 0;
  }
}
