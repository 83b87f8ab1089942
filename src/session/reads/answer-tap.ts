import { ServerCode, TransactionStatus } from '../../protocol/codes.ts';
import { type FrameHandler, Framer, Take } from '../../protocol/framer.ts';
import type { Capture } from './read-cache.ts';

/**
 * Sees the answer to one unit as it goes to its client, and hands on what another client may be
 * given. An error, a notice and whatever else is unusual ends it.
 */
export class AnswerTap implements FrameHandler {
  readonly #capture: Capture;
  readonly #framer = new Framer(this);
  #isOver = false;
  /** What comes next tells of the statement, and not of what is given. */
  #isOfStatement = false;

  constructor(capture: Capture) {
    this.#capture = capture;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The next bytes for the client. */
  feed(chunk: Uint8Array, start: number, end: number): void {
    this.#framer.feed(chunk, start, end);
    if (this.#capture.isOver) this.#isOver = true;
  }

  /** The answer will not be whole. */
  abandon(): void {
    this.#isOver = true;
    this.#capture.abandon();
  }

  onHeader(code: number): Take {
    if (this.#isOver) return Take.Stop;
    switch (code) {
      case ServerCode.ParseComplete:
      case ServerCode.BindComplete:
        return Take.Swallow;
      case ServerCode.ParameterDescription:
        this.#isOfStatement = true;
        return Take.Swallow;
      case ServerCode.RowDescription:
      case ServerCode.NoData:
        if (!this.#isOfStatement) return Take.Hold;
        this.#isOfStatement = false;
        return Take.Swallow;
      case ServerCode.ReadyForQuery:
        return Take.Hold;
      case ServerCode.DataRow:
      case ServerCode.CommandComplete:
        return Take.Forward;
      default:
        this.abandon();
        return Take.Stop;
    }
  }

  onWhole(code: number, chunk: Uint8Array, start: number, end: number): Take {
    if (code !== ServerCode.ReadyForQuery) {
      this.#capture.describe(chunk, start, end);
      return Take.Swallow;
    }
    this.#framer.flushRun();
    this.#isOver = true;
    if (chunk[start + 5] === TransactionStatus.Idle) this.#capture.complete();
    else this.#capture.abandon();
    return Take.Stop;
  }

  onPrefix(): Take {
    throw new Error('an answer has no prefixes');
  }

  onRun(chunk: Uint8Array, start: number, end: number): void {
    this.#capture.append(chunk, start, end);
  }
}
