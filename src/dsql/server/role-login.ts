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
 * What every session of a cluster begins with, whatever the server, its database or the role itself
 * is configured to: Aurora DSQL has these values, and no time limits that a session could set.
 */
export const ROLE_SETTINGS = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  search_path: '"$user", public',
  default_transaction_isolation: 'repeatable read',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'off',
  standard_conforming_strings: 'on',
  backslash_quote: 'safe_encoding',
  bytea_output: 'hex',
  xmlbinary: 'base64',
  client_min_messages: 'notice',
  row_security: 'on',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
} as const;

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
