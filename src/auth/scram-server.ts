import { GatewayError } from '../base/errors.ts';
import {
  decodeBase64,
  equalInConstantTime,
  hmac,
  type ScramVerifier,
  sha256,
  xor,
} from './scram-keys.ts';
import { AttributeReader, isNonce, scramText, scramViolation } from './scram-messages.ts';

/**
 * The server's side of one SCRAM-SHA-256 exchange without channel binding, as pure steps:
 * {@link onClientFirst}, then {@link onClientFinal}, each once.
 *
 * The name inside the exchange is ignored, as PostgreSQL does: the startup packet has said who it
 * is, and a second name could only contradict it.
 */
export class ScramServer {
  readonly #verifier: ScramVerifier;
  readonly #genuine: boolean;
  readonly #serverNonce: string;
  #gs2Header = '';
  #nonce = '';
  #clientFirstBare = '';
  #serverFirst = '';

  /**
   * @param genuine false for a mock verifier: the exchange runs through and always fails
   * @param nonce fresh and random: 18 bytes or more in base64
   */
  constructor(verifier: ScramVerifier, genuine: boolean, nonce: string) {
    this.#verifier = verifier;
    this.#genuine = genuine;
    this.#serverNonce = nonce;
  }

  /** Takes client-first-message, gives server-first-message. */
  onClientFirst(message: Uint8Array): Buffer {
    const text = scramText(message);
    // gs2-header: binding flag, authorisation identity (none here), and then the bare message.
    const header = /^(n|y|p=[^,]*),([^,]*),/.exec(text);
    if (header === null) throw scramViolation('gs2 header');
    if (header[1] !== 'n' && header[1] !== 'y') {
      throw new GatewayError('MR_UNSUPPORTED', { subject: 'SCRAM channel binding' });
    }
    if (header[2] !== '') {
      throw new GatewayError('MR_UNSUPPORTED', { subject: 'an authorization identity in SCRAM' });
    }
    this.#gs2Header = header[0];
    this.#clientFirstBare = text.slice(header[0].length);
    const attributes = new AttributeReader(this.#clientFirstBare);
    if (attributes.nextIs('m')) {
      throw new GatewayError('MR_UNSUPPORTED', { subject: 'mandatory SCRAM extensions' });
    }
    attributes.take('n');
    const clientNonce = attributes.take('r');
    if (!isNonce(clientNonce)) throw scramViolation('nonce');
    this.#nonce = clientNonce + this.#serverNonce;
    const { salt, iterations } = this.#verifier;
    this.#serverFirst = `r=${this.#nonce},s=${salt.toString('base64')},i=${iterations}`;
    return Buffer.from(this.#serverFirst, 'latin1');
  }

  /** Takes client-final-message, gives server-final-message, or null when the password is wrong. */
  onClientFinal(message: Uint8Array): Buffer | null {
    if (this.#serverFirst === '') throw scramViolation('out of order');
    const text = scramText(message);
    const attributes = new AttributeReader(text);
    const binding = attributes.take('c');
    if (binding !== Buffer.from(this.#gs2Header, 'latin1').toString('base64')) {
      throw scramViolation('channel binding');
    }
    if (attributes.take('r') !== this.#nonce) throw scramViolation('nonce');
    // Optional extensions may stand between nonce and proof; the proof is last and has no comma.
    const proofAt = text.lastIndexOf(',p=');
    const proof = proofAt < 0 ? null : decodeBase64(text.slice(proofAt + 3));
    if (proof?.length !== this.#verifier.storedKey.length) throw scramViolation('proof');
    const authMessage = Buffer.from(
      `${this.#clientFirstBare},${this.#serverFirst},${text.slice(0, proofAt)}`,
      'latin1',
    );
    const clientKey = xor(proof, hmac(this.#verifier.storedKey, authMessage));
    const proven = equalInConstantTime(sha256(clientKey), this.#verifier.storedKey);
    // Computed in every case, so that a mock takes as long as the real thing.
    const signature = hmac(this.#verifier.serverKey, authMessage).toString('base64');
    return proven && this.#genuine ? Buffer.from(`v=${signature}`, 'latin1') : null;
  }
}
