import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Asked,
  isAllowedBy,
  matchesArn,
  matchesGlob,
  mayAssume,
} from '../../../src/aws/iam-evaluation.ts';
import {
  POLICY_LENGTH_MAX,
  type Policy,
  type PolicyKind,
  readPolicy,
} from '../../../src/aws/iam-policy.ts';
import type { Principal } from '../../../src/aws/identities.ts';

const ACCOUNT = '111122223333';
const CLUSTER = `arn:aws:dsql:us-east-1:${ACCOUNT}:cluster/${'a'.repeat(26)}`;
const ROLE = `arn:aws:iam::${ACCOUNT}:role/app`;

const user: Principal = {
  arn: `arn:aws:iam::${ACCOUNT}:user/ann`,
  mappedArn: `arn:aws:iam::${ACCOUNT}:user/ann`,
  accountId: ACCOUNT,
};
const session: Principal = {
  arn: `arn:aws:sts::${ACCOUNT}:assumed-role/app/s1`,
  mappedArn: ROLE,
  accountId: ACCOUNT,
};
const stranger: Principal = {
  arn: 'arn:aws:iam::999988887777:user/eve',
  mappedArn: 'arn:aws:iam::999988887777:user/eve',
  accountId: '999988887777',
};

const read = (document: unknown, kind: PolicyKind = 'identity') =>
  readPolicy(typeof document === 'string' ? document : JSON.stringify(document), kind);

function policy(kind: PolicyKind, ...statements: object[]): Policy {
  const found = read({ Version: '2012-10-17', Statement: statements }, kind);
  if ('problem' in found) throw new Error(found.problem);
  return found;
}

const ALLOW = { Effect: 'Allow', Action: 'dsql:DbConnect', Resource: '*' };
const DENY = { ...ALLOW, Effect: 'Deny' };

const asked = (changes: Partial<Asked> = {}): Asked => ({
  principal: user,
  action: 'dsql:DbConnect',
  resource: CLUSTER,
  resourceTags: {},
  ...changes,
});

describe('a policy that is written', () => {
  const statement = { Effect: 'Allow', Action: 'dsql:*', Resource: '*' };
  const of = (changes: object) => ({
    Version: '2012-10-17',
    Statement: { ...statement, ...changes },
  });
  const condition = (Condition: object) => of({ Condition });

  const cases: readonly [unknown, PolicyKind, string][] = [
    ['{', 'identity', 'not JSON'],
    ['[]', 'identity', 'must be an object'],
    ['null', 'identity', 'must be an object'],
    [{}, 'identity', 'no Statement'],
    [{ Statement: [] }, 'identity', 'no Statement'],
    [{ Statement: ['x'] }, 'identity', 'A statement must be an object'],
    [{ Statement: statement, Version: '2020-01-01' }, 'identity', 'Version'],
    [{ Statement: statement, Extra: 1 }, 'identity', 'not supported: Extra'],
    [of({ Effect: 'allow' }), 'identity', 'Effect'],
    [of({ Sid: 'a b' }), 'identity', 'Sid'],
    [of({ Action: undefined }), 'identity', 'no Action'],
    [of({ Action: [] }), 'identity', 'empty'],
    [of({ Action: [1] }), 'identity', 'string or a list'],
    [of({ Action: 'GetCluster' }), 'identity', 'service:Action'],
    [of({ NotAction: 'dsql:Get*' }), 'identity', 'both Action and NotAction'],
    [of({ Resource: undefined }), 'identity', 'no Resource'],
    [of({ Resource: 'cluster/x' }), 'identity', '* or an ARN'],
    [of({ Resource: 'arn:aws' }), 'identity', '* or an ARN'],
    [of({ Resource: `${CLUSTER}/\${aws:username}` }), 'identity', 'policy variable'],
    [of({ Principal: '*' }), 'identity', 'has no Principal'],
    [of({}), 'resource', 'no Principal'],
    [of({ NotPrincipal: '*' }), 'resource', 'not supported: NotPrincipal'],
    [of({ Principal: {} }), 'resource', 'empty'],
    [of({ Principal: { Service: 'x.amazonaws.com' } }), 'resource', 'not supported: Service'],
    [of({ Principal: { AWS: 'arn:aws:iam::111122223333:user/*' } }), 'resource', 'Principal must'],
    [of({ Principal: { AWS: 'arn:aws:iam::111122223333:group/x' } }), 'resource', 'Principal must'],
    [of({ Principal: { AWS: '1234' } }), 'resource', 'Principal must'],
    [of({ Principal: '*' }), 'trust', 'has no Resource'],
    [condition({ IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }), 'identity', 'IpAddress'],
    [condition({ StringEqualsIfExists: { 'aws:PrincipalArn': 'x' } }), 'identity', 'IfExists'],
    [condition({ 'ForAllValues:StringLike': { 'aws:TagKeys': 'x' } }), 'identity', 'ForAllValues'],
    [condition({ Null: { 'aws:PrincipalArn': 'true' } }), 'identity', 'Null'],
    [condition({ StringEquals: { 'aws:SourceVpc': 'x' } }), 'identity', 'aws:SourceVpc'],
    [condition({ StringEquals: { 'aws:RequestTag/a': 'x' } }), 'identity', 'aws:RequestTag/a'],
    [condition({ StringEquals: [] }), 'identity', 'must be an object'],
    [condition({ StringEquals: { 'aws:PrincipalArn': true } }), 'identity', 'string or a list'],
    [' '.repeat(POLICY_LENGTH_MAX.identity + 1), 'identity', '10240 characters or less'],
    [{ Statement: Array(101).fill(statement) }, 'identity', 'more than 100 statements'],
  ];
  const rows = cases.map(([document, kind, problem]) => ({ document, kind, problem }));

  it.each(rows)('in a policy of kind $kind is refused: $problem', ({ document, kind, problem }) => {
    expect(read(document, kind)).toEqual({ problem: expect.stringContaining(problem) });
  });

  it('of any form is read or refused, never an exception', () => {
    const leaf = fc.oneof(
      fc.constantFrom('Allow', 'Deny', '*', 'dsql:*', CLUSTER, ROLE, ACCOUNT, '2012-10-17', null),
      fc.string({ maxLength: 6 }),
      fc.integer(),
    );
    const key = fc.constantFrom(
      'Version',
      'Statement',
      'Effect',
      'Action',
      'NotAction',
      'Resource',
      'Principal',
      'AWS',
      'Condition',
      'StringLike',
      'aws:PrincipalArn',
      'aws:ResourceTag/a',
      '__proto__',
    );
    const { node } = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        leaf,
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(key, tie('node'), { maxKeys: 5 }),
      ),
    }));
    const good = fc.record(
      {
        Effect: fc.constantFrom('Allow', 'Deny'),
        Action: fc.constantFrom('dsql:*', '*'),
        Resource: fc.constantFrom('*', CLUSTER),
        Principal: fc.oneof(node, fc.constantFrom('*', { AWS: [ROLE, ACCOUNT] })),
        Condition: fc.oneof(node, fc.constant({ StringLike: { 'aws:PrincipalArn': 'a*' } })),
      },
      { requiredKeys: ['Effect', 'Action'] },
    );
    const document = fc.oneof(
      node.map((value) => JSON.stringify(value)),
      good.map((Statement) => JSON.stringify({ Statement })),
      fc.string({ maxLength: 30 }),
    );
    let count = 0;
    fc.assert(
      fc.property(document, fc.constantFrom('identity', 'resource', 'trust'), (text, kind) => {
        const found = readPolicy(text ?? '', kind as PolicyKind);
        if ('problem' in found) {
          expect(found.problem).not.toBe('');
          return;
        }
        count++;
        const policies = [found];
        // Whatever was read can be judged by.
        expect(typeof isAllowedBy(policies, null, asked())).toBe('boolean');
      }),
      { numRuns: 5_000 },
    );
    expect(count).toBeGreaterThan(50);
  });
});

describe('policies of an identity', () => {
  // dsql §2.12
  it('allow what they say, and nothing else', () => {
    expect(isAllowedBy([], null, asked())).toBe(false);
    expect(isAllowedBy([policy('identity', ALLOW)], null, asked())).toBe(true);
    const admin = asked({ action: 'dsql:DbConnectAdmin' });
    expect(isAllowedBy([policy('identity', ALLOW)], null, admin)).toBe(false);
  });

  it('deny whatever another statement or policy allows, in any order', () => {
    expect(isAllowedBy([policy('identity', ALLOW, DENY)], null, asked())).toBe(false);
    const [allow, deny] = [policy('identity', ALLOW), policy('identity', DENY)];
    expect(isAllowedBy([allow, deny], null, asked())).toBe(false);
    expect(isAllowedBy([deny, allow], null, asked())).toBe(false);
  });

  it.each([
    [{ StringEquals: { 'aws:ResourceTag/Team': ['a', 'blue'] } }, true],
    [{ StringEquals: { 'AWS:resourcetag/team': 'blue' } }, true],
    [{ StringEquals: { 'aws:ResourceTag/Team': 'Blue' } }, false],
    [{ StringEquals: { 'aws:ResourceTag/Team': 'b*' } }, false],
    [{ StringLike: { 'aws:ResourceTag/Team': 'b*' } }, true],
    [{ StringNotEquals: { 'aws:ResourceTag/Team': 'blue' } }, false],
    [{ StringNotEquals: { 'aws:ResourceTag/None': 'blue' } }, true],
    [{ StringEquals: { 'aws:ResourceTag/None': 'blue' } }, false],
    [{ StringNotLike: { 'aws:ResourceTag/Team': 'r*' } }, true],
    [{ ArnLike: { 'aws:PrincipalArn': `arn:aws:iam::${ACCOUNT}:user/*` } }, true],
    [{ ArnEquals: { 'aws:PrincipalArn': ROLE } }, false],
    [{ ArnNotEquals: { 'aws:PrincipalArn': ROLE } }, true],
    [{ StringEquals: { 'aws:PrincipalAccount': ACCOUNT } }, true],
    [
      {
        StringEquals: { 'aws:ResourceTag/Team': 'blue', 'aws:PrincipalAccount': '1' },
      },
      false,
    ],
    [
      {
        StringEquals: { 'aws:ResourceTag/Team': 'blue' },
        StringLike: { 'aws:PrincipalArn': '*eve' },
      },
      false,
    ],
  ])('allow under %j: %s', (Condition, expected) => {
    const one = policy('identity', { ...ALLOW, Condition });
    expect(isAllowedBy([one], null, asked({ resourceTags: { Team: 'blue' } }))).toBe(expected);
  });

  // dsql §2.13
  it('know an assumed role by its role', () => {
    const Condition = { StringEquals: { 'aws:PrincipalArn': ROLE } };
    const one = policy('identity', { ...ALLOW, Condition });
    expect(isAllowedBy([one], null, asked({ principal: session }))).toBe(true);
  });
});

describe('the policy of a resource', () => {
  const allowing = (AWS: string, effect = 'Allow') =>
    policy('resource', { ...ALLOW, Effect: effect, Principal: { AWS } });
  const own = [policy('identity', ALLOW)];

  it('is enough for somebody of the same account whom it names', () => {
    expect(isAllowedBy([], allowing(user.arn), asked())).toBe(true);
    expect(isAllowedBy([], allowing('*'), asked())).toBe(true);
    expect(isAllowedBy([], allowing(ROLE), asked({ principal: session }))).toBe(true);
    expect(isAllowedBy([], allowing(session.arn), asked({ principal: session }))).toBe(true);
    expect(isAllowedBy([], allowing(ROLE), asked())).toBe(false);
  });

  it('that allows an account leaves it to the policies there', () => {
    expect(isAllowedBy([], allowing(ACCOUNT), asked())).toBe(false);
    expect(isAllowedBy([], allowing(`arn:aws:iam::${ACCOUNT}:root`), asked())).toBe(false);
    expect(isAllowedBy(own, allowing(ACCOUNT), asked())).toBe(true);
  });

  // dsql §2.12
  it('denies what the identity may', () => {
    expect(isAllowedBy(own, null, asked())).toBe(true);
    for (const who of [user.arn, ACCOUNT, '*']) {
      expect(isAllowedBy(own, allowing(who, 'Deny'), asked())).toBe(false);
    }
    expect(isAllowedBy(own, allowing(ROLE, 'Deny'), asked())).toBe(true);
  });

  it('is needed by somebody of another account, and their own policies as well', () => {
    const by = asked({ principal: stranger });
    expect(isAllowedBy(own, null, by)).toBe(false);
    expect(isAllowedBy([], allowing('*'), by)).toBe(false);
    expect(isAllowedBy(own, allowing('*'), by)).toBe(true);
    expect(isAllowedBy(own, allowing(stranger.accountId), by)).toBe(true);
    expect(isAllowedBy(own, allowing(ACCOUNT), by)).toBe(false);
  });
});

describe('the trust policy of a role', () => {
  const trusting = (AWS: string, effect = 'Allow') =>
    policy('trust', { Effect: effect, Action: 'sts:AssumeRole', Principal: { AWS } });
  const assume = { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: ROLE };
  const mayHere = (own: Policy[], trust: Policy, principal = user) =>
    mayAssume(own, trust, asked({ principal, action: 'sts:AssumeRole', resource: ROLE }));

  // dsql §4.17
  it('is always needed; of an account with an allow of its own', () => {
    const own = [policy('identity', assume)];
    expect(mayHere([], trusting(user.arn))).toBe(true);
    expect(mayHere([], trusting(ACCOUNT))).toBe(false);
    expect(mayHere(own, trusting(ACCOUNT))).toBe(true);
    expect(mayHere(own, trusting(ROLE))).toBe(false);
    expect(mayHere(own, trusting(user.arn, 'Deny'))).toBe(false);
    expect(mayHere([policy('identity', { ...assume, Effect: 'Deny' })], trusting('*'))).toBe(false);
    expect(mayHere([], trusting('*'), stranger)).toBe(false);
    expect(mayHere(own, trusting('*'), stranger)).toBe(true);
  });
});

describe('patterns', () => {
  it.each([
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['a*c', 'abbc', true],
    ['a*c', 'abcb', false],
    ['a**c', 'ac', true],
    ['*a*b*', 'xxaxxbxx', true],
    ['?', '', false],
    ['a?c', 'abc', true],
    ['*ab', 'aab', true],
    ['a.c', 'abc', false],
    ['*', 'a*b', true],
    ['a*b', 'a*b', true],
    ['(a+)+', '(a+)+', true],
  ])('%s matches %s: %s', (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected);
  });

  it('match as a regular expression would, and are never slow', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 12 });
    fc.assert(
      fc.property(
        letters,
        fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 }),
        (p, t) => {
          const source = p.replaceAll('*', '.*').replaceAll('?', '.');
          expect(matchesGlob(p, t)).toBe(new RegExp(`^${source}$`).test(t));
        },
      ),
      { numRuns: 3_000 },
    );
    const startMs = performance.now();
    expect(matchesGlob('*a'.repeat(500), `${'a'.repeat(10_000)}b`)).toBe(false);
    expect(performance.now() - startMs).toBeLessThan(2_000);
  });

  it.each([
    ['*', CLUSTER, true],
    ['arn:*', CLUSTER, true],
    ['arn:aws:dsql:*', CLUSTER, true],
    [`arn:aws:dsql:us-east-1:${ACCOUNT}:cluster/*`, CLUSTER, true],
    ['arn:aws:dsql:*:*:cluster/*', CLUSTER, true],
    // A star ends at a colon.
    ['arn:aws:dsql:*:cluster/*', CLUSTER, false],
    ['arn:aws:dsql:us-*-1:*:*', CLUSTER, true],
    ['arn:aws:dsql:us-east-1::cluster/*', CLUSTER, false],
    ['arn:aws:rds:*:*:*', CLUSTER, false],
    ['arn:aws:x:a:1:b:*', 'arn:aws:x:a:1:b:c:d', true],
  ])('%s matches %s: %s', (pattern, arn, expected) => {
    expect(matchesArn(pattern, arn)).toBe(expected);
  });
});
