/** A client's socket as a session sees it: messages in, bytes out, neither without a limit. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { GatewayError } from '../../base/errors.ts';
import { closeGently } from '../../net/closing.ts';
import { type Message, SocketReader } from '../../net/socket-reader.ts';
import { DsqlError } from '../dsql-error.ts';
import { SessionEnd } from './session-end.ts';

/** Aurora DSQL's own limit. Source: its User Guide, "Cluster quotas and database limits". */
const MESSAGE_LENGTH_MAX = 10 * 1_048_576;
/** What is gathered before it is written. */
const GATHERED_BYTES = 65_536;

export class ClientPort {
  readonly #socket: Socket;
  readonly #reader: SocketReader;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  readonly #interruption = new AbortController();
  #onBlocked: (isBlocked: boolean) => void = () => {};
  #onGone: () => void = () => {};
  #reading: Promise<Message | null> | null = null;

  /** @param leftover what was read of the client before; it comes first */
  constructor(socket: Socket, leftover: Buffer) {
    this.#socket = socket;
    if (leftover.length > 0) socket.unshift(leftover);
    this.#reader = new SocketReader(socket, this.#interruption.signal);
    socket.on('drain', () => this.#onBlocked(false));
    const onGone = (): void => this.#onGone();
    socket.on('end', onGone);
    socket.on('close', onGone);
  }

  /** Who works for the client is told when it has left; maybe more than once. */
  onGone(listener: () => void): void {
    this.#onGone = listener;
  }

  /** While a message is worked on: has a client noticed that leaves meanwhile. */
  readAhead(): void {
    this.#reader.readAhead();
  }

  /** Who feeds the client is told when it does not keep up, and when it does again. */
  onBlocked(listener: (isBlocked: boolean) => void): void {
    this.#onBlocked = listener;
  }

  /**
   * The client's next message, or null when it has closed. Who asks while another one waits gets
   * the same message.
   * @throws SessionEnd for a message that is too long; what {@link interrupt} was given
   */
  async read(): Promise<Message | null> {
    this.#reading ??= this.#next();
    try {
      return await this.#reading;
    } finally {
      this.#reading = null;
    }
  }

  /** A client that does not read its answers is not asked for more. */
  async #next(): Promise<Message | null> {
    if (this.#socket.writableNeedDrain) await this.#drained();
    try {
      return await this.#reader.message(() => MESSAGE_LENGTH_MAX);
    } catch (error) {
      throw wordsOf(error);
    }
  }

  /** Settles when the client has read, has gone, or is to go. */
  async #drained(): Promise<void> {
    const settled = new AbortController();
    const signal = AbortSignal.any([this.#interruption.signal, settled.signal]);
    const either = [
      once(this.#socket, 'drain', { signal }),
      once(this.#socket, 'close', { signal }),
    ];
    await Promise.race(either).catch(() => {});
    settled.abort();
  }

  /** Nothing more is read: whoever waits for a message, now or later, gets this error instead. */
  interrupt(error: Error): void {
    this.#interruption.abort(error);
  }

  /** Takes bytes that nobody changes any more. */
  send(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= GATHERED_BYTES) this.flush();
  }

  flush(): void {
    if (this.#bytes === 0) return;
    const parts = this.#parts;
    const size = this.#bytes;
    this.#parts = [];
    this.#bytes = 0;
    if (!this.#socket.writable) return;
    const hasRoom = this.#socket.write(Buffer.concat(parts, size));
    if (!hasRoom) this.#onBlocked(true);
  }

  /** Sends what there is and the last words, and closes. */
  end(lastWords: Uint8Array | null): void {
    this.flush();
    this.#reader.release();
    closeGently(this.#socket, lastWords);
  }
}

/** A length out of bounds in the words of Aurora DSQL, anything else as it is. */
function wordsOf(error: unknown): unknown {
  const isLength = error instanceof GatewayError && error.code === 'MR_PROTOCOL_VIOLATION';
  return isLength ? new SessionEnd(new DsqlError('08P01', 'invalid message length')) : error;
}
