/** Reading SCRAM messages: `a=value` attributes parted by commas (RFC 5802, section 5.1 and 7). */
import { GatewayError } from '../base/errors.ts';

/**
 * Longest message read. A real one has about 100 bytes; PostgreSQL itself takes 1,024. Nonce and
 * salt are bounded by it, and so nothing a peer sends can grow what we hash or keep.
 */
export const SCRAM_MESSAGE_SIZE_MAX = 2_048;

export function scramViolation(what: string): GatewayError {
  return new GatewayError('MR_PROTOCOL_VIOLATION', {
    subject: `malformed SCRAM message (${what})`,
  });
}

/** The message as text; SCRAM of PostgreSQL is printable ASCII but for names and extensions. */
export function scramText(message: Uint8Array): string {
  if (message.length > SCRAM_MESSAGE_SIZE_MAX) throw scramViolation('too long');
  const text = Buffer.from(message).toString('latin1');
  if (text.includes('\0')) throw scramViolation('zero byte');
  return text;
}

/** Walks the attributes of one message in the order the grammar wants. */
export class AttributeReader {
  readonly #parts: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#parts = text.split(',');
  }

  /** Value of the next attribute, which must be called `name`. */
  take(name: string): string {
    const part = this.#parts[this.#at++];
    if (part === undefined || !part.startsWith(`${name}=`)) {
      throw scramViolation(`expected attribute ${name}`);
    }
    return part.slice(name.length + 1);
  }

  /** Whether the next attribute is called `name`; nothing is taken. */
  nextIs(name: string): boolean {
    return this.#parts[this.#at]?.startsWith(`${name}=`) ?? false;
  }
}

/** A nonce is printable ASCII without the comma. */
export function isNonce(text: string): boolean {
  return /^[\x21-\x2b\x2d-\x7e]+$/.test(text);
}
