/**
 * The bytes of a sealed secret. Layout, version 1:
 *
 * | bytes | what |
 * | --- | --- |
 * | 1 | version |
 * | 8 | id of the master key |
 * | 12 | nonce of the data key |
 * | 48 | data key, encrypted by the master key, and its tag |
 * | 12 | nonce of the text |
 * | n + 16 | text, encrypted by the data key, and its tag |
 */

export const ENVELOPE_VERSION = 1;
export const KEY_ID_SIZE = 8;
export const KEY_SIZE = 32;
/** AES-GCM: the sizes that NIST SP 800-38D recommends. */
export const NONCE_SIZE = 12;
export const TAG_SIZE = 16;

const HEAD_SIZE = 1 + KEY_ID_SIZE + NONCE_SIZE + KEY_SIZE + TAG_SIZE;
const SIZE_MIN = HEAD_SIZE + NONCE_SIZE + TAG_SIZE;

/** The parts of a sealed secret; all but the ids are unreadable without the master key. */
export type Envelope = {
  readonly keyId: Buffer;
  readonly keyNonce: Buffer;
  /** The data key and its tag. */
  readonly wrappedKey: Buffer;
  readonly textNonce: Buffer;
  /** The text and its tag. */
  readonly sealedText: Buffer;
};

export function encodeEnvelope(envelope: Envelope): Buffer {
  return Buffer.concat([
    Buffer.from([ENVELOPE_VERSION]),
    envelope.keyId,
    envelope.keyNonce,
    envelope.wrappedKey,
    envelope.textNonce,
    envelope.sealedText,
  ]);
}

/** Null when the bytes are no envelope of this version. The parts are views of `bytes`. */
export function decodeEnvelope(bytes: Buffer): Envelope | null {
  if (bytes.length < SIZE_MIN || bytes[0] !== ENVELOPE_VERSION) return null;
  let at = 1;
  const take = (size: number): Buffer => bytes.subarray(at, (at += size));
  return {
    keyId: take(KEY_ID_SIZE),
    keyNonce: take(NONCE_SIZE),
    wrappedKey: take(KEY_SIZE + TAG_SIZE),
    textNonce: take(NONCE_SIZE),
    sealedText: bytes.subarray(at),
  };
}
