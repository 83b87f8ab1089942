/** The account that there is, and new names and secrets. */
import type { Random } from '../../base/time.ts';

/** For clients that ask which account there is; every other one works as well. */
export const ACCOUNT_ID_DEFAULT = '00000000000000000000000000000001';

const ID_SIZE = 16;
const SECRET_SIZE = 32;
const SUFFIX_SIZE = 4;

/** 32 hexadecimal digits, as Cloudflare's ids. */
export function newId(random: Random): string {
  return Buffer.from(random.bytes(ID_SIZE)).toString('hex');
}

/** Without a character that a URL, a shell or an unescaped connection string could trip over. */
export function newSecret(random: Random): string {
  return Buffer.from(random.bytes(SECRET_SIZE)).toString('base64url');
}

export function newSuffix(random: Random): string {
  return Buffer.from(random.bytes(SUFFIX_SIZE)).toString('hex');
}
