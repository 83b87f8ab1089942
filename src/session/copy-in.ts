import { ClientCode } from '../protocol/codes.ts';
import { FLUSH } from '../protocol/messages.ts';
import { type Consequence, Owed, SWALLOW } from './ledger.ts';
import { isBrokenCopy, type Link } from './link.ts';
import { sendClose } from './statements/statement-messages.ts';
import { STAND_IN_NAME } from './statements/statements.ts';

/**
 * COPY … FROM STDIN. Inside one the server knows the messages of the data, ignores Sync and Flush,
 * and takes any other for an error: it fails the COPY and forgets the message. Were the COPY to
 * fail first, by its data, the same message would be worked on. Which of the two happens is the
 * server's to say, so such a message waits for that. Source: `CopyGetData` in copyfromparse.c.
 */

/** A message of ours in place of the client's, to which it means nothing whenever it arrives. */
class Breaker implements Consequence {
  /** Type of the client's message. */
  readonly code: number;
  /** Whether the server made an error of it; null before that is known. */
  isConsumed: boolean | null = null;

  constructor(code: number) {
    this.code = code;
  }

  commit(): void {
    this.isConsumed = false;
  }

  rollback(): void {
    this.isConsumed = true;
  }
}

/** What a session knows of its COPY. */
export class CopyIn {
  /** A COPY was sent that is not answered yet, and whose data the client has not ended. */
  #open: Consequence | null = null;
  #breaker: Breaker | null = null;

  /** Whether what is sent next may arrive inside a COPY. */
  get isOpen(): boolean {
    return this.#open !== null;
  }

  /** A statement that begins a COPY is about to be sent: what is to be noted with it. */
  begin(): Consequence {
    const end = () => {
      if (this.#open === open) this.#open = null;
    };
    const open: Consequence = { commit: end, rollback: end };
    this.#open = open;
    return open;
  }

  /** The client has sent CopyDone or CopyFail. */
  end(): void {
    this.#open = null;
  }

  /**
   * A message is next that has no place in a COPY. Whether it must wait, to be looked at again when
   * answers have come.
   */
  holdsUp(code: number, link: Link): boolean {
    if (link.ledger.takesCopyData) {
      this.#breaker = new Breaker(code);
      link.ledger.push(Owed.Close, SWALLOW, this.#breaker);
      sendClose(link.port, STAND_IN_NAME);
      link.port.send(FLUSH, 0, FLUSH.length);
      return true;
    }
    return this.#open !== null || (this.#breaker !== null && link.ledger.isCopyIn);
  }

  /** Whether the message that waited is the server's no more; the answer is given once. */
  takeConsumed(): boolean {
    const isConsumed = this.#breaker?.isConsumed ?? null;
    if (isConsumed !== null) this.#breaker = null;
    return isConsumed === true;
  }

  /** The fields of an error in which the client's own message stands for ours; null for others. */
  rewrite(fields: string): string | null {
    if (this.#breaker === null || !isBrokenCopy(fields)) return null;
    return fields.replace(hex(ClientCode.Close), hex(this.#breaker.code));
  }
}

function hex(code: number): string {
  return `0x${code.toString(16).toUpperCase().padStart(2, '0')}`;
}
