import { pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { saslprep } from '../auth/saslprep.ts';

const derive = promisify(pbkdf2);

/**
 * The slow step of SCRAM-SHA-256, on Node's thread pool so that no session waits for it: the
 * salted password, 32 bytes.
 */
export function deriveSaltedPassword(
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<Buffer> {
  return derive(saslprep(password), salt, iterations, 32, 'sha256');
}
