import { GatewayError } from '../base/errors.ts';
import {
  decodeBase64,
  equalInConstantTime,
  GS2_BOUND,
  hmac,
  type ScramVerifier,
  sha256,
  xor,
} from './scram-keys.ts';
import { AttributeReader, isNonce, scramText, scramViolation } from './scram-messages.ts';

/** What a server knows of the channel of an exchange. */
export type ServerChannel = {
  /** The hash of its own certificate when it has offered SCRAM-SHA-256-PLUS, else null. */
  readonly endPoint: Uint8Array | null;
  /** Whether the client has chosen SCRAM-SHA-256-PLUS, which was offered then. */
  readonly isBound: boolean;
};

const NO_CHANNEL: ServerChannel = { endPoint: null, isBound: false };

/**
 * The server's side of one SCRAM-SHA-256 or SCRAM-SHA-256-PLUS exchange, as pure steps:
 * {@link onClientFirst}, then {@link onClientFinal}, each once.
 *
 * The name inside the exchange is ignored, as PostgreSQL does: the startup packet has said who it
 * is, and a second name could only contradict it.
 */
export class ScramServer {
  readonly #verifier: ScramVerifier;
  readonly #genuine: boolean;
  readonly #serverNonce: string;
  readonly #channel: ServerChannel;
  #gs2Header = '';
  #nonce = '';
  #clientFirstBare = '';
  #serverFirst = '';

  /**
   * @param genuine false for a mock verifier: the exchange runs through and always fails
   * @param nonce fresh and random: 18 bytes or more in base64
   */
  constructor(
    verifier: ScramVerifier,
    genuine: boolean,
    nonce: string,
    channel: ServerChannel = NO_CHANNEL,
  ) {
    this.#verifier = verifier;
    this.#genuine = genuine;
    this.#serverNonce = nonce;
    this.#channel = channel;
  }

  /** Takes client-first-message, gives server-first-message. */
  onClientFirst(message: Uint8Array): Buffer {
    const text = scramText(message);
    // gs2-header: binding flag, authorisation identity (none here), and then the bare message.
    const header = /^(n|y|p=[^,]*),([^,]*),/.exec(text);
    if (header === null) throw scramViolation('gs2 header');
    this.#checkBinding(header[1] as string);
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
    const { endPoint, isBound } = this.#channel;
    const parts = [Buffer.from(this.#gs2Header, 'latin1')];
    if (isBound && endPoint !== null) parts.push(Buffer.from(endPoint));
    if (binding !== Buffer.concat(parts).toString('base64')) {
      if (!isBound) throw scramViolation('channel binding');
      // The client sees another certificate: somebody is in the middle.
      const subject = 'SCRAM channel binding check failed';
      throw new GatewayError('MR_CHANNEL_BINDING', { subject });
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

  /** @param flag the first attribute of the gs2 header */
  #checkBinding(flag: string): void {
    const { endPoint, isBound } = this.#channel;
    if (flag.startsWith('p=')) {
      if (!isBound) throw scramViolation('channel binding without its mechanism');
      if (`${flag},,` !== GS2_BOUND) {
        const subject = 'this type of SCRAM channel binding';
        throw new GatewayError('MR_UNSUPPORTED', { subject });
      }
    } else if (isBound) {
      throw scramViolation('no channel binding in its mechanism');
    } else if (flag === 'y' && endPoint !== null) {
      // The offer did not reach the client: somebody has taken it out.
      throw new GatewayError('MR_CHANNEL_BINDING', {
        subject: 'SCRAM channel binding negotiation error',
        detail:
          'The client supports SCRAM channel binding but thinks the server does not.  ' +
          'However, this server does support channel binding.',
      });
    }
  }
}
