/** Ids and secrets in the forms that AWS gives them. */
import type { Random } from '../../base/time.ts';

const ID_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const KEY_ID_LENGTH = 16;
const UNIQUE_ID_LENGTH = 17;
/** 40 characters in base64. */
const SECRET_SIZE = 30;
const SESSION_TOKEN_SIZE = 192;

function base32(random: Random, length: number): string {
  return Array.from(random.bytes(length), (byte) => ID_ALPHABET[byte & 31]).join('');
}

export const newAccessKeyId = (random: Random): string => `AKIA${base32(random, KEY_ID_LENGTH)}`;

export const newSessionKeyId = (random: Random): string => `ASIA${base32(random, KEY_ID_LENGTH)}`;

/** The unique id of a user or a role. */
export const newPrincipalId = (kind: 'user' | 'role', random: Random): string =>
  `${kind === 'user' ? 'AIDA' : 'AROA'}${base32(random, UNIQUE_ID_LENGTH)}`;

export const newSecretKey = (random: Random): string =>
  Buffer.from(random.bytes(SECRET_SIZE)).toString('base64');

export const newSessionToken = (random: Random): string =>
  Buffer.from(random.bytes(SESSION_TOKEN_SIZE)).toString('base64');
