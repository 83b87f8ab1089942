import type { Socket } from 'node:net';
import { readUint32 } from '../base/bytes.ts';
import { GatewayError } from '../base/errors.ts';

/** A typed message of the protocol, copied out of the stream. */
export type Message = { readonly code: number; readonly body: Buffer };

type Waiter = { resolve(arrived: boolean): void; reject(error: unknown): void };

/**
 * Reads a socket piece by piece while a connection is being established. The socket flows only
 * while someone waits in {@link more}, so what is buffered here is at most one message and one
 * chunk. {@link release} ends the reader's part and loses no byte.
 */
export class SocketReader {
  readonly #socket: Socket;
  readonly #signal: AbortSignal;
  #pending: Buffer = Buffer.alloc(0);
  #closed = false;
  #waiter: Waiter | null = null;

  /**
   * @param socket paused, nobody else listens to its data
   * @param signal its reason is what a waiting {@link more} rejects with when it aborts
   */
  constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
    socket.pause();
    socket.on('data', this.#onData);
    socket.on('end', this.#onClosed);
    socket.on('close', this.#onClosed);
    signal.addEventListener('abort', this.#onAbort);
  }

  /** Bytes that arrived and were not taken; borrowed until the next call of a method. */
  get pending(): Buffer {
    return this.#pending;
  }

  /** Whether nothing at all has arrived beyond what was taken, the socket's own buffer included. */
  get isDrained(): boolean {
    return this.#pending.length === 0 && this.#socket.readableLength === 0;
  }

  /**
   * Waits for more bytes than are pending now. False when none can come: the peer has ended its
   * side, or the connection broke.
   */
  more(): Promise<boolean> {
    if (this.#signal.aborted) return Promise.reject(this.#signal.reason);
    if (this.#closed || this.#socket.destroyed) return Promise.resolve(false);
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      this.#socket.resume();
    });
  }

  /**
   * Lets a chunk in though nobody waits for one, so that the end of the peer is noticed. Only where
   * nothing is pending: more than that is not kept.
   */
  readAhead(): void {
    const isWanted = this.#pending.length === 0 && !this.#closed && !this.#signal.aborted;
    if (isWanted) this.#socket.resume();
  }

  /** Takes the first `size` bytes, which must be pending; owned by the caller. */
  take(size: number): Buffer {
    const taken = Buffer.from(this.#pending.subarray(0, size));
    this.#pending = this.#pending.subarray(size);
    return taken;
  }

  /**
   * Reads one typed message, or null when the peer closed before it was complete.
   *
   * @param lengthMaxOf largest length field for a message type; throws when the type has no place
   * @throws GatewayError `MR_PROTOCOL_VIOLATION` when the length is out of bounds
   */
  async message(lengthMaxOf: (code: number) => number): Promise<Message | null> {
    for (;;) {
      const { length: available, 0: code } = this.#pending;
      if (code !== undefined) {
        const lengthMax = lengthMaxOf(code);
        if (available >= 5) {
          const length = readUint32(this.#pending, 1);
          if (length < 4 || length > lengthMax) {
            throw new GatewayError('MR_PROTOCOL_VIOLATION', { subject: 'invalid message length' });
          }
          if (available > length) {
            return { code, body: this.take(length + 1).subarray(5) };
          }
        }
      }
      if (!(await this.more())) return null;
    }
  }

  /** Lets go of the socket, which stays paused, and hands over what was read too far. */
  release(): Buffer {
    this.#socket.off('data', this.#onData);
    this.#socket.off('end', this.#onClosed);
    this.#socket.off('close', this.#onClosed);
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#socket.pause();
    return this.take(this.#pending.length);
  }

  #settle(arrived: boolean): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.resolve(arrived);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#socket.pause();
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#settle(true);
  };

  readonly #onClosed = (): void => {
    this.#closed = true;
    this.#settle(false);
  };

  readonly #onAbort = (): void => {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.reject(this.#signal.reason);
  };
}
