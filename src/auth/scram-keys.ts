/**
 * Keys and verifiers of SCRAM-SHA-256 (RFC 5802, RFC 7677). The slow step, PBKDF2, is not here: who
 * drives an exchange runs it without blocking and hands in the salted password.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export const SCRAM_SHA_256 = 'SCRAM-SHA-256';

/** The same with channel binding: both sides prove which certificate they see. */
export const SCRAM_SHA_256_PLUS = 'SCRAM-SHA-256-PLUS';

/** The gs2 header of a client that binds to the certificate of the server. */
export const GS2_BOUND = 'p=tls-server-end-point,,';

/** What PostgreSQL uses by default (`scram_iterations`), and so what a mock must show. */
export const SCRAM_ITERATIONS_DEFAULT = 4_096;

/**
 * PostgreSQL allows any count from 1, and some hosts use few because a pooler logs in often. The
 * upper bound is ours: about half a second of one core; beyond, a server would keep us busy.
 */
export const SCRAM_ITERATIONS_MAX = 1_000_000;

/** PostgreSQL makes salts of 16 bytes. */
export const SCRAM_SALT_SIZE = 16;

const KEY_SIZE = 32;

/** What a server keeps of a password: enough to check it, not enough to log in with. */
export type ScramVerifier = {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
};

export function hmac(key: Uint8Array, data: Uint8Array | string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

export function sha256(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}

export function xor(left: Uint8Array, right: Uint8Array): Buffer {
  return Buffer.from(left.map((byte, at) => byte ^ (right[at] ?? 0)));
}

/** Compares without telling by its time where two values differ. */
export function equalInConstantTime(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Base64 in its one canonical form, or null: Node's decoder would skip what it does not know. */
export function decodeBase64(text: string): Buffer | null {
  const decoded = Buffer.from(text, 'base64');
  return decoded.toString('base64') === text ? decoded : null;
}

/** @param saltedPassword PBKDF2-HMAC-SHA-256 of the prepared password, 32 bytes */
export function verifierOf(
  saltedPassword: Uint8Array,
  salt: Buffer,
  iterations: number,
): ScramVerifier {
  return {
    iterations,
    salt,
    storedKey: sha256(hmac(saltedPassword, 'Client Key')),
    serverKey: hmac(saltedPassword, 'Server Key'),
  };
}

/** The text form of `pg_authid.rolpassword`. */
export function formatVerifier(verifier: ScramVerifier): string {
  const [salt, storedKey, serverKey] = [verifier.salt, verifier.storedKey, verifier.serverKey].map(
    (bytes) => bytes.toString('base64'),
  );
  return `${SCRAM_SHA_256}$${verifier.iterations}:${salt}$${storedKey}:${serverKey}`;
}

/** Reads the text form of `pg_authid.rolpassword`; null when it is not a SCRAM verifier. */
export function parseVerifier(text: string): ScramVerifier | null {
  const match = /^SCRAM-SHA-256\$([0-9]{1,10}):([^$:]+)\$([^$:]+):([^$:]+)$/.exec(text);
  if (match === null) return null;
  const iterations = Number(match[1]);
  const [salt, storedKey, serverKey] = match.slice(2).map(decodeBase64);
  if (!salt?.length || storedKey?.length !== KEY_SIZE || serverKey?.length !== KEY_SIZE)
    return null;
  if (iterations < 1 || iterations > SCRAM_ITERATIONS_MAX) return null;
  return { iterations, salt, storedKey, serverKey };
}

/**
 * A verifier for a name that does not exist, the same at every attempt, so that the exchange shows
 * what it would for one that does. The database takes part, because otherwise a salt that differs
 * between two databases would tell which of them is real. No password fits it: see `ScramServer`.
 *
 * @param secret known to this gateway alone
 */
export function mockVerifier(secret: Uint8Array, user: string, database: string): ScramVerifier {
  const seed = hmac(secret, `${user}\0${database}`);
  return {
    iterations: SCRAM_ITERATIONS_DEFAULT,
    salt: seed.subarray(0, SCRAM_SALT_SIZE),
    storedKey: seed,
    serverKey: seed,
  };
}
