/**
 * Secrets at rest: AES-256-GCM with a data key for each secret, which the master key wraps. To
 * change the master key only the wrapped data keys are written anew, and what was sealed under a
 * key that is known no more stays unreadable without harm to the rest.
 */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { GatewayError } from '../base/errors.ts';
import type { Random } from '../base/time.ts';
import {
  decodeEnvelope,
  encodeEnvelope,
  KEY_ID_SIZE,
  KEY_SIZE,
  NONCE_SIZE,
  TAG_SIZE,
} from './envelope-format.ts';

const ALGORITHM = 'aes-256-gcm';

/** Names a key without telling anything of it. */
export function keyIdOf(key: Uint8Array): Buffer {
  return createHash('sha256')
    .update('millrace master key\0')
    .update(key)
    .digest()
    .subarray(0, KEY_ID_SIZE);
}

function encrypt(key: Uint8Array, nonce: Uint8Array, text: Uint8Array, context: string): Buffer {
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_SIZE });
  cipher.setAAD(Buffer.from(context));
  return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

/** Throws when the tag does not fit: another key, another context, or changed bytes. */
function decrypt(key: Uint8Array, nonce: Uint8Array, sealed: Buffer, context: string): Buffer {
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_SIZE });
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_SIZE));
  const text = decipher.update(sealed.subarray(0, sealed.length - TAG_SIZE));
  return Buffer.concat([text, decipher.final()]);
}

/** The data key's context differs from the text's: one cannot stand for the other. */
const keyContext = (context: string): string => `data key of ${context}`;

/** Seals and opens with the master keys of this process. */
export class SecretBox {
  readonly #keys: ReadonlyMap<string, Uint8Array>;
  readonly #current: Uint8Array;
  readonly #random: Random;

  /** @param keys of 32 bytes each; the first one seals, all of them open */
  constructor(keys: readonly [Uint8Array, ...Uint8Array[]], random: Random) {
    this.#current = keys[0];
    this.#keys = new Map(keys.map((key) => [keyIdOf(key).toString('hex'), key]));
    this.#random = random;
  }

  /** The id of the key that seals, in hexadecimal. */
  get keyId(): string {
    return keyIdOf(this.#current).toString('hex');
  }

  /** @param context where the secret belongs; it opens only there, so rows cannot be swapped */
  seal(text: string, context: string): Buffer {
    const dataKey = this.#random.bytes(KEY_SIZE);
    const keyNonce = Buffer.from(this.#random.bytes(NONCE_SIZE));
    const textNonce = Buffer.from(this.#random.bytes(NONCE_SIZE));
    return encodeEnvelope({
      keyId: keyIdOf(this.#current),
      keyNonce,
      wrappedKey: encrypt(this.#current, keyNonce, dataKey, keyContext(context)),
      textNonce,
      sealedText: encrypt(dataKey, textNonce, Buffer.from(text), context),
    });
  }

  /** @throws GatewayError `MR_STORE_KEY` */
  open(sealed: Buffer, context: string): string {
    const { dataKey, envelope } = this.#unwrap(sealed, context);
    try {
      return decrypt(dataKey, envelope.textNonce, envelope.sealedText, context).toString();
    } catch (cause) {
      throw keyError('a secret was changed, or moved from another place', cause);
    }
  }

  /** Whether the current key sealed it; otherwise {@link reseal} is due. */
  isCurrent(sealed: Buffer): boolean {
    return decodeEnvelope(sealed)?.keyId.equals(keyIdOf(this.#current)) === true;
  }

  /**
   * The same secret under the current key; the text itself is not deciphered.
   * @throws GatewayError `MR_STORE_KEY`
   */
  reseal(sealed: Buffer, context: string): Buffer {
    const { dataKey, envelope } = this.#unwrap(sealed, context);
    const keyNonce = Buffer.from(this.#random.bytes(NONCE_SIZE));
    return encodeEnvelope({
      ...envelope,
      keyId: keyIdOf(this.#current),
      keyNonce,
      wrappedKey: encrypt(this.#current, keyNonce, dataKey, keyContext(context)),
    });
  }

  #unwrap(sealed: Buffer, context: string) {
    const envelope = decodeEnvelope(sealed);
    if (envelope === null) throw keyError('a sealed secret has an unknown form');
    const key = this.#keys.get(envelope.keyId.toString('hex'));
    if (key === undefined) throw keyError('a secret was sealed with a key that is not at hand');
    try {
      const { keyNonce, wrappedKey } = envelope;
      return { envelope, dataKey: decrypt(key, keyNonce, wrappedKey, keyContext(context)) };
    } catch (cause) {
      throw keyError('a secret was changed, or moved from another place', cause);
    }
  }
}

function keyError(subject: string, cause?: unknown): GatewayError {
  return new GatewayError('MR_STORE_KEY', { subject, cause });
}
