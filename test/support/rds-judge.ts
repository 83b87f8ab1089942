/** How RDS judges a token of IAM: by all that it was signed for, and always with the same words. */
import { readToken, refuseToken } from '../../src/aws/presigned-token.ts';
import type { SigningKey } from '../../src/aws/signing-key.ts';

export type ShownLogin = { readonly user: string; readonly password: string };

export type Refusal = { sqlstate: string; message: string; hint?: string };

export const pamRefusal = (user: string): Refusal => ({
  sqlstate: '28000',
  message: `PAM authentication failed for user "${user}"`,
});

export type TokenRules = {
  /** Who may sign, by access key. */
  readonly keys: ReadonlyMap<string, SigningKey>;
  /** What the token may be for, each `host:port`. */
  readonly hosts: readonly string[];
  readonly region: string;
};

/** By signature, region, host, port, user and time; null when the token is good. */
export function judgeToken(rules: TokenRules, { user, password }: ShownLogin): Refusal | null {
  const { keys, hosts, region } = rules;
  const token = readToken(password);
  if ('reason' in token || token.user !== user) return pamRefusal(user);
  const key = keys.get(token.accessKeyId) ?? null;
  const demand = { hosts, service: 'rds-db', region, key, nowMs: Date.now() } as const;
  return refuseToken(token, demand) === null ? null : pamRefusal(user);
}
