/** Cuts what a server sends into messages; keeps the bodies of those only that somebody reads. */
import { ServerCode } from '../../src/protocol/codes.ts';

const HEAD_SIZE = 5;

/** Authentication requests and errors; a result may be of any size. */
const keptCodes: readonly number[] = [ServerCode.Authentication, ServerCode.ErrorResponse];

const nothing = Buffer.alloc(0);

export class MessageReader {
  readonly #onMessage: (code: number, body: Buffer) => void;
  readonly #head = Buffer.alloc(HEAD_SIZE);
  #headSize = 0;
  #bodyLeft = 0;
  #pieces: Buffer[] = [];

  /** @param onMessage gets an empty body for messages that nobody reads */
  constructor(onMessage: (code: number, body: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  feed(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#headSize < HEAD_SIZE) {
        this.#head[this.#headSize++] = chunk[at++] as number;
        if (this.#headSize < HEAD_SIZE) continue;
        this.#bodyLeft = this.#head.readUInt32BE(1) - 4;
      }
      const end = Math.min(chunk.length, at + this.#bodyLeft);
      const code = this.#head[0] as number;
      if (keptCodes.includes(code)) this.#pieces.push(Buffer.from(chunk.subarray(at, end)));
      this.#bodyLeft -= end - at;
      at = end;
      if (this.#bodyLeft > 0) continue;
      const body = this.#pieces.length === 0 ? nothing : Buffer.concat(this.#pieces);
      this.#headSize = 0;
      this.#pieces = [];
      this.#onMessage(code, body);
    }
  }
}
