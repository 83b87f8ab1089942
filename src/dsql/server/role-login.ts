/** How the endpoint logs in to PostgreSQL as the roles of its clients. */
import {
  formatVerifier,
  hmac,
  SCRAM_ITERATIONS_DEFAULT,
  SCRAM_SALT_SIZE,
  verifierOf,
} from '../../auth/scram-keys.ts';
import type { Random } from '../../base/time.ts';
import { deriveSaltedPassword } from '../../origin/login-derive.ts';
import type { LinkLogin } from './postgres-link.ts';

/**
 * Passwords are derived rather than kept: HMAC-SHA-256 of the role's name, in base64url.
 *
 * @param roleSecret of the cluster, 32 bytes
 */
export function roleLogin(roleSecret: Uint8Array, role: string): LinkLogin {
  return { role, password: hmac(roleSecret, role).toString('base64url') };
}

/** What PostgreSQL is to keep of that password: the password itself is never sent to it. */
export async function roleVerifier(
  roleSecret: Uint8Array,
  role: string,
  random: Random,
): Promise<string> {
  const salt = Buffer.from(random.bytes(SCRAM_SALT_SIZE));
  const { password } = roleLogin(roleSecret, role);
  const salted = await deriveSaltedPassword(password ?? '', salt, SCRAM_ITERATIONS_DEFAULT);
  return formatVerifier(verifierOf(salted, salt, SCRAM_ITERATIONS_DEFAULT));
}
