import { MessageWriter } from '../../base/bytes.ts';
import { ClientCode } from '../../protocol/codes.ts';
import type { Capture, Read } from '../../session/reads/read-cache.ts';
import { Session } from '../../session/session.ts';
import type { SessionHost, SessionPort } from '../../session/session-host.ts';
import type { Settings } from '../../session/settings.ts';
import { COMMENT_MARK } from '../../sql/shape/text-parts.ts';

/**
 * A client that nobody is: it asks once for what a cached answer is to be replaced with, in the
 * words and with the settings of the client that was given the old one.
 */
export class Refresher implements SessionPort {
  readonly sinceMs: number;
  readonly #session: Session;
  readonly #capture: Capture;
  readonly #onDone: (refresher: Refresher) => void;
  #isDone = false;

  constructor(
    host: SessionHost,
    settings: Settings,
    capture: Capture,
    sinceMs: number,
    onDone: (refresher: Refresher) => void,
  ) {
    this.sinceMs = sinceMs;
    this.#capture = capture;
    this.#onDone = onDone;
    this.#session = new Session(host, this, settings, false);
  }

  /** @param bytes one unit, whole */
  ask(bytes: Uint8Array): void {
    this.#session.reads?.take(this.#capture);
    this.#session.feed(bytes);
    // It leaves when it has its answer.
    this.#session.endInput();
  }

  /** It takes too long, or is not wanted any more. */
  close(): void {
    this.#session.close();
    this.end();
  }

  end(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#capture.abandon();
    this.#onDone(this);
  }

  fail(): void {
    this.end();
  }

  send(): void {}
  flush(): void {}
  pause(): void {}
  resume(): void {}
  sendError(): void {}
}

const PORTAL = 0x50;

/** The unit of the read as a client would send it that has prepared nothing. */
export function unitOf({ text, bound, types }: Read): Uint8Array {
  const writer = new MessageWriter();
  const bytes = Buffer.from(text.replaceAll(COMMENT_MARK, ' '), 'latin1');
  if (bound === null) return writer.begin(ClientCode.Query).bytes(bytes).byte(0).end().take();
  writer.begin(ClientCode.Parse).cstring('').bytes(bytes).byte(0).int16(types.length);
  for (const type of types) writer.int32(type);
  writer.end();
  writer.begin(ClientCode.Bind).cstring('').cstring('').bytes(Buffer.from(bound, 'latin1')).end();
  writer.begin(ClientCode.Describe).byte(PORTAL).cstring('').end();
  writer.begin(ClientCode.Execute).cstring('').int32(0).end();
  return writer.begin(ClientCode.Sync).end().take();
}
