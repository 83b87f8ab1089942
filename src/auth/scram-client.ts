import {
  decodeBase64,
  equalInConstantTime,
  GS2_BOUND,
  hmac,
  SCRAM_ITERATIONS_MAX,
  sha256,
  xor,
} from './scram-keys.ts';
import { AttributeReader, isNonce, scramText, scramViolation } from './scram-messages.ts';

/** The effect a driver runs between two steps: PBKDF2-HMAC-SHA-256, 32 bytes. */
export type DeriveRequest = { readonly salt: Buffer; readonly iterations: number };

/**
 * What a client says of channel binding: `none` that it does not know it, `unoffered` that it would
 * have used it had the server offered it; or the hash of the server's certificate, which makes the
 * exchange one of SCRAM-SHA-256-PLUS.
 */
export type ClientBinding = 'none' | 'unoffered' | Uint8Array;

/**
 * The client's side of one SCRAM-SHA-256 or SCRAM-SHA-256-PLUS exchange, as pure steps:
 * {@link clientFirst}, {@link onServerFirst}, {@link clientFinal}, {@link onServerFinal}.
 * Only after the last one has returned has the server proven that it knows the password too.
 */
export class ScramClient {
  readonly #clientNonce: string;
  readonly #gs2Header: string;
  readonly #bindingBase64: string;
  #clientFirstBare = '';
  #serverFirst = '';
  #nonce = '';
  #serverSignature: Buffer | null = null;

  /** @param nonce fresh and random: 18 bytes or more in base64 */
  constructor(nonce: string, binding: ClientBinding = 'none') {
    this.#clientNonce = nonce;
    const isBound = typeof binding !== 'string';
    this.#gs2Header = isBound ? GS2_BOUND : binding === 'none' ? 'n,,' : 'y,,';
    const header = Buffer.from(this.#gs2Header, 'latin1');
    this.#bindingBase64 = Buffer.concat(isBound ? [header, binding] : [header]).toString('base64');
  }

  clientFirst(): Buffer {
    // The name is left empty, as libpq does: the startup packet has said it.
    this.#clientFirstBare = `n=,r=${this.#clientNonce}`;
    return Buffer.from(this.#gs2Header + this.#clientFirstBare, 'latin1');
  }

  /** Takes server-first-message, and says what must be derived to go on. */
  onServerFirst(message: Uint8Array): DeriveRequest {
    if (this.#clientFirstBare === '' || this.#serverFirst !== '') {
      throw scramViolation('out of order');
    }
    const text = scramText(message);
    const attributes = new AttributeReader(text);
    if (attributes.nextIs('m')) throw scramViolation('mandatory extension');
    const nonce = attributes.take('r');
    // A nonce without a part of the server's own could be a replay.
    if (!nonce.startsWith(this.#clientNonce) || nonce === this.#clientNonce || !isNonce(nonce)) {
      throw scramViolation('nonce');
    }
    const salt = decodeBase64(attributes.take('s'));
    if (salt === null || salt.length === 0) throw scramViolation('salt');
    const count = attributes.take('i');
    const iterations = Number(count);
    if (!/^[1-9][0-9]{0,9}$/.test(count) || iterations > SCRAM_ITERATIONS_MAX) {
      throw scramViolation('iteration count');
    }
    this.#nonce = nonce;
    this.#serverFirst = text;
    return { salt, iterations };
  }

  /** @param saltedPassword the result of the derivation */
  clientFinal(saltedPassword: Uint8Array): Buffer {
    if (this.#serverFirst === '') throw scramViolation('out of order');
    const withoutProof = `c=${this.#bindingBase64},r=${this.#nonce}`;
    const authMessage = Buffer.from(
      `${this.#clientFirstBare},${this.#serverFirst},${withoutProof}`,
      'latin1',
    );
    const clientKey = hmac(saltedPassword, 'Client Key');
    const proof = xor(clientKey, hmac(sha256(clientKey), authMessage));
    this.#serverSignature = hmac(hmac(saltedPassword, 'Server Key'), authMessage);
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`, 'latin1');
  }

  /** Takes server-final-message; false when the server does not know the password. */
  onServerFinal(message: Uint8Array): boolean {
    if (this.#serverSignature === null) throw scramViolation('out of order');
    const attributes = new AttributeReader(scramText(message));
    // PostgreSQL reports failures by ErrorResponse, yet the grammar allows `e=` here.
    if (attributes.nextIs('e')) return false;
    const signature = decodeBase64(attributes.take('v'));
    return signature !== null && equalInConstantTime(signature, this.#serverSignature);
  }
}
