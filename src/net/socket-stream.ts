import type { Socket } from 'node:net';
import { closeGently } from './closing.ts';
import { atTurnEnd, type TurnTask } from './turn.ts';

/** Up to this many bytes, several pieces are copied together rather than written one by one. */
const JOINED_BYTES_MAX = 16_384;
/** With more than this unsent, whoever feeds the stream should pause. */
const BLOCKED_BYTES = 65_536;

/** Why a stream is not read; several may hold at once. */
export const Pause = {
  /** The peer of this stream does not read what it asked for. */
  Unread: 1,
  /** Where the bytes go is blocked. */
  Sink: 2,
  /** What has arrived cannot be worked on yet. */
  Backlog: 4,
} as const;
export type Pause = (typeof Pause)[keyof typeof Pause];

export type StreamEvents = {
  /** Bytes that arrived, owned by the callee. */
  onData(chunk: Buffer): void;
  /** The peer will send nothing more. */
  onEnd(): void;
  /** The stream took in more than it could send, or has sent it all. */
  onBlocked(isBlocked: boolean): void;
  /** Nothing more will happen. */
  onClose(): void;
};

/**
 * A socket as the data path sees it: bytes are gathered and leave in one write per turn, and
 * reading stops for as long as there is any reason for it.
 */
export class SocketStream implements TurnTask {
  readonly #socket: Socket;
  readonly #events: StreamEvents;
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  /** Where the last piece came from: `[#lastStart, #lastEnd)` of the chunk. */
  #lastChunk: Uint8Array | null = null;
  #lastStart = 0;
  #lastEnd = 0;
  #pauses: number = 0;
  #isBlocked = false;
  #isEnding = false;
  #isQueued = false;
  readonly #isUrgent: boolean;
  /** What was unsent when {@link hasStood} was last asked. */
  #unsentBefore = 0;

  /** @param isUrgent whether it is written before others: servers should begin early */
  constructor(socket: Socket, events: StreamEvents, isUrgent: boolean) {
    this.#isUrgent = isUrgent;
    this.#socket = socket;
    this.#events = events;
    socket.on('data', (chunk: Buffer) => {
      if (!this.#isEnding) events.onData(chunk);
    });
    socket.on('end', () => {
      if (!this.#isEnding) events.onEnd();
    });
    socket.on('drain', () => this.#setBlocked(false));
    socket.on('close', () => events.onClose());
    socket.resume();
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Whether the peer has read nothing since the last call, though there was something to read. */
  hasStood(): boolean {
    const unsent = this.#socket.writableLength;
    const stood = unsent > 0 && unsent === this.#unsentBefore;
    this.#unsentBefore = unsent;
    return stood;
  }

  /** Takes `[start, end)`, which nobody changes any more, to be sent at the next flush. */
  send(chunk: Uint8Array, start: number, end: number): void {
    this.#partsBytes += end - start;
    if (chunk === this.#lastChunk && start === this.#lastEnd) {
      // It goes on where the last piece ended: one piece, then, and nothing to join.
      this.#lastEnd = end;
      this.#parts[this.#parts.length - 1] = chunk.subarray(this.#lastStart, end);
      return;
    }
    this.#lastChunk = chunk;
    this.#lastStart = start;
    this.#lastEnd = end;
    this.#parts.push(start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end));
  }

  /** Has what was taken in sent at the end of the turn, or at once when it is much. */
  flush(): void {
    if (this.#parts.length === 0) return;
    if (this.#partsBytes >= BLOCKED_BYTES) {
      this.#write();
    } else if (!this.#isQueued) {
      this.#isQueued = true;
      atTurnEnd(this, this.#isUrgent);
    }
  }

  atTurnEnd(): void {
    this.#isQueued = false;
    this.#write();
  }

  #write(): void {
    const parts = this.#parts;
    const size = this.#partsBytes;
    if (parts.length === 0) return;
    this.#parts = [];
    this.#partsBytes = 0;
    this.#lastChunk = null;
    if (this.#isEnding || this.#socket.destroyed) return;
    if (parts.length === 1) {
      this.#socket.write(parts[0] as Uint8Array);
    } else if (size <= JOINED_BYTES_MAX) {
      this.#socket.write(Buffer.concat(parts, size));
    } else {
      this.#socket.cork();
      for (const part of parts) this.#socket.write(part);
      this.#socket.uncork();
    }
    if (this.#socket.writableLength > BLOCKED_BYTES) this.#setBlocked(true);
  }

  /** Stops reading for a reason, or lifts the reason. */
  pause(reason: Pause, isPaused: boolean): void {
    const pauses = isPaused ? this.#pauses | reason : this.#pauses & ~reason;
    if (pauses === this.#pauses) return;
    const wasReading = this.#pauses === 0;
    this.#pauses = pauses;
    if (this.#isEnding) return;
    if (pauses === 0) this.#socket.resume();
    else if (wasReading) this.#socket.pause();
  }

  /** Sends what there is, then closes politely; nothing more is read. */
  end(): void {
    if (this.#isEnding) return;
    this.#write();
    this.#isEnding = true;
    closeGently(this.#socket);
  }

  /** Closes at once. */
  destroy(): void {
    this.#isEnding = true;
    this.#socket.destroy();
  }

  #setBlocked(isBlocked: boolean): void {
    if (this.#isBlocked === isBlocked) return;
    this.#isBlocked = isBlocked;
    this.#events.onBlocked(isBlocked);
  }
}
