import { createHash } from 'node:crypto';

const md5 = (...parts: (string | Uint8Array)[]): string => {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

/**
 * The answer to AuthenticationMD5Password: `md5` and the digest over (digest over password and
 * user) and salt. Source: PostgreSQL manual, "Message Flow".
 *
 * @param salt the four bytes of the request
 */
export function md5Answer(user: string, password: string, salt: Uint8Array): string {
  return `md5${md5(md5(password, user), salt)}`;
}
