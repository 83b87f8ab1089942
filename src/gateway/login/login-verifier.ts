import {
  SCRAM_ITERATIONS_DEFAULT,
  SCRAM_SALT_SIZE,
  type ScramVerifier,
  verifierOf,
} from '../../auth/scram-keys.ts';
import type { Random } from '../../base/time.ts';
import { deriveSaltedPassword } from '../../origin/login-derive.ts';

/**
 * What to keep of a password that a configuration gives in the clear: a verifier with a fresh salt
 * and PostgreSQL's default of iterations, which is also what a mock exchange shows.
 */
export async function mintVerifier(password: string, random: Random): Promise<ScramVerifier> {
  const salt = Buffer.from(random.bytes(SCRAM_SALT_SIZE));
  const iterations = SCRAM_ITERATIONS_DEFAULT;
  return verifierOf(await deriveSaltedPassword(password, salt, iterations), salt, iterations);
}
