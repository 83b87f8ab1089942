/** Unsigned big-endian reads without bounds noise; the caller has checked that the bytes exist. */

export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

export function readUint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** Index of the next zero byte in `[start, end)`, or -1. */
export function indexOfZero(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) if (bytes[at] === 0) return at;
  return -1;
}

/** Bytes as a string of the same length, whatever their encoding. */
export function byteString(chunk: Uint8Array, start: number, end: number): string {
  return Buffer.from(chunk.buffer, chunk.byteOffset + start, end - start).toString('latin1');
}

/** The UTF-8 bytes of a text as such a string. */
export function utf8ByteString(text: string): string {
  return Buffer.from(text).toString('latin1');
}

const NOTHING = Buffer.alloc(0);
const WRITER_BYTES = 256;

/** Grows as needed and frames v3 messages; meant for cold paths and for short messages. */
export class MessageWriter {
  #buffer: Buffer;
  #length = 0;
  #messageStart = 0;

  constructor(sizeHint = WRITER_BYTES) {
    this.#buffer = Buffer.allocUnsafe(sizeHint);
  }

  get length(): number {
    return this.#length;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#buffer.length) return;
    const size = Math.max(this.#buffer.length * 2, this.#length + count, WRITER_BYTES);
    const grown = Buffer.allocUnsafe(size);
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }

  /** Opens a message of type `code`; 0 for the untyped first packets. Close it with {@link end}. */
  begin(code: number): this {
    this.#reserve(5);
    if (code !== 0) this.#buffer[this.#length++] = code;
    this.#messageStart = this.#length;
    this.#length += 4;
    return this;
  }

  /** Writes the length of the open message. */
  end(): this {
    this.#buffer.writeUInt32BE(this.#length - this.#messageStart, this.#messageStart);
    return this;
  }

  byte(value: number): this {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  int16(value: number): this {
    this.#reserve(2);
    this.#length = this.#buffer.writeUInt16BE(value & 0xffff, this.#length);
    return this;
  }

  int32(value: number): this {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32BE(value >>> 0, this.#length);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** UTF-8 text and its terminating zero. */
  cstring(value: string): this {
    const size = Buffer.byteLength(value);
    this.#reserve(size + 1);
    this.#buffer.write(value, this.#length);
    this.#length += size;
    this.#buffer[this.#length++] = 0;
    return this;
  }

  /** The bytes written so far, owned by the caller; the writer starts anew. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length);
    this.#buffer = NOTHING;
    this.#length = 0;
    return taken;
  }
}
