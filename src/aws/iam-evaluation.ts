/**
 * Whether policies let somebody do something: an explicit deny wins, and what nobody allows is
 * denied. Source: IAM User Guide, "Policy evaluation logic"; of one account an allow of the
 * identity's policies or of the resource's is enough ("How AWS enforcement code logic evaluates
 * requests to allow or deny access"), of two accounts both are needed, and a role's trust policy
 * must always allow.
 */
import { accountOf } from './arn.ts';
import type { Condition, Patterns, Policy, PrincipalPattern, Statement } from './iam-policy.ts';
import type { Principal } from './identities.ts';

/** What is judged. */
export type Asked = {
  readonly principal: Principal;
  readonly action: string;
  /** An ARN. */
  readonly resource: string;
  readonly resourceTags: Readonly<Record<string, string>>;
  /** What the request says beside that, by condition keys in small letters. */
  readonly said?: Readonly<Record<string, string>>;
};

/**
 * What policies say together; `delegate` is an allow to a whole account, which leaves it to the
 * account's own policies who of it may.
 */
type Verdict = 'deny' | 'allow' | 'delegate' | 'none';

/** @param resourcePolicy of the resource itself, or null when it has none */
export function isAllowedBy(
  identityPolicies: readonly Policy[],
  resourcePolicy: Policy | null,
  asked: Asked,
): boolean {
  const own = verdictOf(identityPolicies, asked);
  const its = verdictOf(resourcePolicy === null ? [] : [resourcePolicy], asked);
  if (own === 'deny' || its === 'deny') return false;
  if (accountOf(asked.resource) === asked.principal.accountId) {
    return own === 'allow' || its === 'allow';
  }
  return own === 'allow' && its !== 'none';
}

/** Whether somebody may assume a role, the resource asked for, that has this trust policy. */
export function mayAssume(
  identityPolicies: readonly Policy[],
  trustPolicy: Policy,
  asked: Asked,
): boolean {
  const own = verdictOf(identityPolicies, asked);
  const its = verdictOf([trustPolicy], asked);
  if (own === 'deny' || its === 'deny' || its === 'none') return false;
  const isSameAccount = accountOf(asked.resource) === asked.principal.accountId;
  return own === 'allow' || (its === 'allow' && isSameAccount);
}

function verdictOf(policies: readonly Policy[], asked: Asked): Verdict {
  let verdict: Verdict = 'none';
  for (const { statements } of policies) {
    for (const statement of statements) {
      const whom = matchPrincipals(statement.principals, asked.principal);
      if (whom === 'none' || !matchesRest(statement, asked)) continue;
      if (!statement.isAllow) return 'deny';
      if (verdict !== 'allow') verdict = whom;
    }
  }
  return verdict;
}

function matchPrincipals(
  patterns: readonly PrincipalPattern[] | null,
  principal: Principal,
): 'allow' | 'delegate' | 'none' {
  if (patterns === null) return 'allow';
  let found: 'delegate' | 'none' = 'none';
  for (const pattern of patterns) {
    if (pattern.kind === 'any') return 'allow';
    if (pattern.kind === 'account') {
      if (pattern.accountId === principal.accountId) found = 'delegate';
    } else if (pattern.arn === principal.arn || pattern.arn === principal.mappedArn) return 'allow';
  }
  return found;
}

function matchesRest({ actions, resources, conditions }: Statement, asked: Asked): boolean {
  const action = asked.action.toLowerCase();
  return (
    matches(actions, (pattern) => matchesGlob(pattern.toLowerCase(), action)) &&
    (resources === null || matches(resources, (pattern) => matchesArn(pattern, asked.resource))) &&
    conditions.every((condition) => holds(condition, asked))
  );
}

const matches = ({ isNot, patterns }: Patterns, test: (pattern: string) => boolean): boolean =>
  patterns.some(test) !== isNot;

/** What is not known fits no value: so a negated condition holds. */
function holds({ comparison, isNot, key, values }: Condition, asked: Asked): boolean {
  const actual = factOf(key, asked);
  if (actual === null) return isNot;
  const isOne = values.some((value) => {
    if (comparison === 'equal') return value === actual;
    return comparison === 'like' ? matchesGlob(value, actual) : matchesArn(value, actual);
  });
  return isOne !== isNot;
}

const TAG_KEY = 'aws:resourcetag/';

function factOf(key: string, { principal, resourceTags, said = {} }: Asked): string | null {
  // Of an assumed role this key is the role.
  if (key === 'aws:principalarn') return principal.mappedArn;
  if (key === 'aws:principalaccount') return principal.accountId;
  if (!key.startsWith(TAG_KEY)) return Object.hasOwn(said, key) ? (said[key] ?? null) : null;
  const wanted = key.slice(TAG_KEY.length);
  const found = Object.entries(resourceTags).find(([name]) => name.toLowerCase() === wanted);
  return found?.[1] ?? null;
}

/** Colons that part an ARN; those behind belong to the resource. */
const ARN_PARTS = 6;

function partsOf(arn: string): string[] {
  const parts = arn.split(':');
  return [...parts.slice(0, ARN_PARTS - 1), parts.slice(ARN_PARTS - 1).join(':')];
}

/** Part by part: a `*` does not reach over a colon. Parts that are left out are `*`. */
export function matchesArn(pattern: string, arn: string): boolean {
  if (pattern === '*') return true;
  const given = pattern.split(':').length;
  const patterns = partsOf(pattern);
  const parts = partsOf(arn);
  return parts.every((part, at) => at >= given || matchesGlob(patterns[at] ?? '*', part));
}

/** `*` for any characters, `?` for one; never more than the product of both lengths in steps. */
export function matchesGlob(pattern: string, text: string): boolean {
  let [at, from, star, starText] = [0, 0, -1, 0];
  while (from < text.length) {
    // A star first: the text itself may hold one.
    if (pattern[at] === '*') {
      star = at++;
      starText = from;
    } else if (pattern[at] === '?' || pattern[at] === text[from]) {
      at++;
      from++;
    } else if (star !== -1) {
      at = star + 1;
      from = ++starText;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
