/** Rows that are handed out in parts, as Execute with a limit asks for. */
import { ServerCode } from '../../protocol/codes.ts';
import { eachMessage } from '../server/link-messages.ts';
import type { ReplySink } from '../server/server-link.ts';
import { ANSWER_BYTES_MAX, checkAnswer } from '../transactions/quotas.ts';

export class RowBuffer implements ReplySink {
  /** Each a DataRow. */
  readonly rows: Buffer[] = [];
  /** Notices, in order. */
  readonly others: Buffer[] = [];
  #bytes = 0;

  take(messages: Buffer): void {
    eachMessage(messages, (code, start, end) => {
      this.#bytes += end - start;
      const message = messages.subarray(start, end);
      if (this.#bytes > ANSWER_BYTES_MAX) this.#forget();
      else if (code === ServerCode.DataRow) this.rows.push(message);
      else this.others.push(message);
    });
  }

  /** @throws DsqlError when there was more than can be kept */
  check(): void {
    checkAnswer(this.#bytes);
  }

  #forget(): void {
    this.rows.length = 0;
    this.others.length = 0;
  }
}
