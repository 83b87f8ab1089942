import { describe, expect, it } from 'vitest';
import { checkArn, namedRoles, refusalOf } from '../../../../src/dsql/roles/role-names.ts';
import {
  alterSql,
  createSql,
  dropSql,
  membershipSql,
  tagOf,
} from '../../../../src/dsql/roles/role-sql.ts';
import { createRole, membership } from '../../../support/dsql-below.ts';

const PARTS = { verifier: "v'\\", database: null };

describe('the SQL of a role statement', () => {
  it('makes a role with a verifier and a mark, and nothing else that was not asked for', () => {
    expect(createSql(createRole('a'), PARTS)).toEqual([
      `CREATE ROLE "a" LOGIN INHERIT PASSWORD E'v''\\\\'`,
      `COMMENT ON ROLE "a" IS E'role of an Aurora DSQL cluster of Millrace'`,
    ]);
  });

  it('keeps every name in its quotes', () => {
    const odd = 'x" SUPERUSER; --';
    const statement = { ...createRole(odd), inRoles: [odd], members: [odd], admins: [odd] };
    const texts = [
      ...createSql(statement, { ...PARTS, database: odd }),
      ...alterSql({ kind: 'alter', role: odd, isLogin: false, isInherit: true }),
      ...dropSql([odd]),
      ...membershipSql({ ...membership(true, odd, odd, true) } as never),
      ...membershipSql({ ...membership(false, odd, odd, true) } as never),
    ];
    expect(texts.length).toBeGreaterThan(8);
    for (const text of texts) {
      expect(text.replaceAll('"x"" SUPERUSER; --"', '')).not.toContain('SUPERUSER');
    }
  });

  it('takes only the admin option where that is what is revoked', () => {
    const statement = membership(false, 'a', 'b', true);
    if (statement.kind !== 'membership') throw new Error('no membership');
    expect(membershipSql(statement)).toEqual(['REVOKE ADMIN OPTION FOR "a" FROM "b"']);
    expect(tagOf(statement)).toBe('REVOKE ROLE');
  });

  it('is empty where there is nothing to change', () => {
    expect(alterSql({ kind: 'alter', role: 'a', isLogin: null, isInherit: null })).toEqual([]);
    expect(dropSql([])).toEqual([]);
  });
});

describe('the roles that a statement names', () => {
  it('are its own, what it gives, and whom it gives that to', () => {
    expect(namedRoles(membership(true, 'a', 'admin'))).toEqual({
      changed: ['a'],
      members: ['admin'],
    });
    expect(namedRoles({ ...createRole('a'), inRoles: ['b'], admins: ['c'] })).toEqual({
      changed: ['b'],
      members: ['c'],
    });
  });

  it.each([
    membership(true, 'admin', 'a'),
    membership(true, 'pg_monitor', 'a'),
    membership(true, 'a', 'pg_monitor'),
    createRole('pg_a'),
    { kind: 'drop', roles: ['a', 'admin'], isIfExists: true },
    { kind: 'alter', role: 'admin', isLogin: false, isInherit: null },
  ] as const)('may not be admin or predefined: %o', (statement) => {
    expect(() => namedRoles(statement)).toThrow(/^Role (admin|pg_\w+) not supported$/);
  });
});

describe('a refusal', () => {
  it('has the detail of PostgreSQL 16', () => {
    expect(refusalOf(membership(true, 'a', 'b'))).toMatchObject({
      sqlstate: '42501',
      message: 'permission denied to grant role "a"',
      detail: 'Only roles with the ADMIN option on role "a" may grant this role.',
    });
  });
});

describe('checkArn', () => {
  it.each([
    'arn:aws:iam::123456789012:role/app',
    'arn:aws:iam::123456789012:user/a.b@c',
    'arn:aws-us-gov:iam::123456789012:role/path/of/it',
  ])('takes %s', (arn) => {
    expect(() => checkArn(arn)).not.toThrow();
  });

  it.each([
    '',
    'app',
    'arn:aws:iam::12345:role/app',
    'arn:aws:iam::123456789012:group/app',
    'arn:aws:sts::123456789012:assumed-role/app/session',
    'arn:aws:iam::123456789012:role/',
    "arn:aws:iam::123456789012:role/a'b",
    'arn:aws:iam::123456789012:role/a\nb',
  ])('refuses %j', (arn) => {
    expect(() => checkArn(arn)).toThrow('IAM role must look like an IAM ARN');
  });
});
