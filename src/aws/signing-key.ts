/** Keys that signatures are made with, and whether one is still good: of tokens and of requests. */
import { timingSafeEqual } from 'node:crypto';

/** How far the clock of the signer may be from ours, as at AWS. */
export const SKEW_MAX_MS = 900_000;

export type SigningKey = {
  readonly secretKey: string;
  /** Of temporary credentials: what the token must carry, and when the session ends. */
  readonly session: { readonly token: string; readonly expiresAtMs: number } | null;
};

/** What was signed, as far as its key and its time go. */
export type Signed = {
  readonly signature: Buffer;
  /** Of temporary credentials; null for lasting ones. */
  readonly sessionToken: string | null;
  readonly signedAtMs: number;
  readonly expiresAtMs: number;
};

export type SignatureRefusal =
  | 'unknown-key'
  | 'wrong-signature'
  | 'wrong-session-token'
  | 'session-expired'
  | 'not-yet-valid'
  | 'expired';

/**
 * Why a signature is not good, or null when it is. Times and session are only looked at once it is
 * known to be right; an unknown key takes as long as a wrong signature.
 *
 * @param key null when there is none of that id
 * @param expected what the secret of the key makes of what was signed
 */
export function refuseSignature(
  signed: Signed,
  key: SigningKey | null,
  expected: (secretKey: string) => Buffer,
  nowMs: number,
): SignatureRefusal | null {
  const { secretKey, session } = key ?? NO_KEY;
  const isSigned = timingSafeEqual(expected(secretKey), signed.signature);
  if (key === null) return 'unknown-key';
  if (!isSigned) return 'wrong-signature';
  if ((session?.token ?? null) !== signed.sessionToken) return 'wrong-session-token';
  if (session !== null && nowMs > session.expiresAtMs) return 'session-expired';
  if (signed.signedAtMs > nowMs + SKEW_MAX_MS) return 'not-yet-valid';
  return nowMs > signed.expiresAtMs ? 'expired' : null;
}

const NO_KEY: SigningKey = { secretKey: '', session: null };
