import { beforeAll, describe, expect, it } from 'vitest';
import { StatementJudge } from '../../../../src/dsql/statements/statement-judge.ts';
import { loadParser } from '../../../../src/origin/parser.ts';

let judge: StatementJudge;
beforeAll(async () => {
  judge = new StatementJudge(await loadParser());
});

const ARN = 'arn:aws:iam::123456789012:role/app';

function only(text: string) {
  const { statements, refused } = judge.judge(text);
  expect(refused?.message ?? null).toBeNull();
  expect(statements).toHaveLength(1);
  return statements[0];
}

const told = (text: string) => {
  const { refused } = judge.judge(text);
  return refused === null ? 'accepted' : `${refused.sqlstate} ${refused.message}`;
};

describe('AWS IAM', () => {
  // dsql §3.2
  it.each([
    [`AWS IAM GRANT app TO '${ARN}'`, 'app'],
    [`aws iam grant App to '${ARN}';`, 'app'],
    [`AWS/**/IAM -- it's\nGRANT "My ""Role" /* ; */ TO '${ARN}'`, 'My "Role'],
    [`  ;; Aws Iam Grant büro To '${ARN}' ;`, 'büro'],
  ])('%s maps a role', (text, role) => {
    expect(only(text)).toMatchObject({
      action: { kind: 'role', role: { kind: 'iam', isGrant: true, role, arn: ARN } },
      tag: 'GRANT',
    });
  });

  // dsql §3.3
  it('revokes', () => {
    const text = `AWS IAM REVOKE app FROM '${ARN}'`;
    const role = { kind: 'iam', isGrant: false, role: 'app', arn: ARN };
    expect(only(text)).toEqual({ text, action: { kind: 'role', role }, tag: 'REVOKE' });
  });

  // dsql §3.11
  it.each([
    ['AWS', '42601 syntax error at or near "AWS"'],
    ['aws lambda', '42601 syntax error at or near "aws"'],
    ['AWS IAM', '42601 syntax error at end of input'],
    ['AWS IAM DROP app', '42601 syntax error at or near "DROP"'],
    ['AWS IAM GRANT app', '42601 syntax error at end of input'],
    [`AWS IAM GRANT app FROM '${ARN}'`, '42601 syntax error at or near "FROM"'],
    ['AWS IAM GRANT app TO app', '42601 syntax error at or near "app"'],
    [`AWS IAM GRANT 'app' TO '${ARN}'`, `42601 syntax error at or near "'app'"`],
    [`AWS IAM GRANT app TO '${ARN}', 'b'`, '42601 syntax error at or near ","'],
    [`AWS IAM GRANT U&"app" TO '${ARN}'`, /^0A000 AWS IAM takes a role/],
    [`AWS IAM GRANT app TO E'${ARN}'`, /^0A000 AWS IAM takes an ARN/],
    [`AWS IAM GRANT app TO $$${ARN}$$`, /^0A000 AWS IAM takes an ARN/],
    [`AWS IAM GRANT pg_monitor TO '${ARN}'`, '0A000 Role pg_monitor not supported'],
    [`"AWS" IAM GRANT app TO '${ARN}'`, '42601 syntax error at or near ""AWS""'],
    [
      `CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; AWS IAM GRANT app TO '${ARN}'; END`,
      '42601 syntax error at or near "AWS"',
    ],
    [`EXPLAIN AWS IAM GRANT app TO '${ARN}'`, '42601 syntax error at or near "AWS"'],
  ])('%s is refused', (text, expected) => {
    if (typeof expected === 'string') expect(told(text)).toBe(expected);
    else expect(told(text)).toMatch(expected);
  });

  it('stands among other statements, in its order', () => {
    const { statements, refused } = judge.judge(
      `SELECT 'ü'; AWS IAM GRANT a TO 'x'; SELECT 'é; aws iam grant'; aws iam revoke b from 'y'`,
    );
    expect(refused).toBeNull();
    expect(statements.map(({ text }) => text.trim())).toEqual([
      "SELECT 'ü'",
      "AWS IAM GRANT a TO 'x'",
      "SELECT 'é; aws iam grant'",
      "aws iam revoke b from 'y'",
    ]);
  });

  it('is refused in its turn', () => {
    const { statements, refused } = judge.judge("SELECT 1; AWS IAM GRANT pg_x TO 'x'; SELECT 2");
    expect([statements.length, refused?.message]).toEqual([1, 'Role pg_x not supported']);
  });
});

describe('ASYNC', () => {
  const build = (index: string | null, isIfNotExists = false) => ({
    kind: 'job',
    job: { type: 'INDEX_BUILD', table: { schema: null, name: 't' }, index, isIfNotExists },
  });

  it.each([
    ['CREATE INDEX ASYNC i ON t (a)', 'CREATE INDEX       i ON t (a)', build('i')],
    ['create unique index async on t (a)', 'create unique index       on t (a)', build(null)],
    ['CREATE INDEX async async ON t (a)', 'CREATE INDEX       async ON t (a)', build('async')],
    [
      'CREATE INDEX ASYNC i ON t USING btree_index (a)',
      'CREATE INDEX       i ON t USING btree_index (a)',
      build('i'),
    ],
    ['CREATE INDEX ASYNC "I" ON t (a)', 'CREATE INDEX       "I" ON t (a)', build('I')],
    [
      'CREATE INDEX/**/ASYNC--\nIF NOT EXISTS i ON t (lower(a)) INCLUDE (b) WHERE b > 0',
      'CREATE INDEX/**/     --\nIF NOT EXISTS i ON t (lower(a)) INCLUDE (b) WHERE b > 0',
      build('i', true),
    ],
    [
      'CREATE INDEX ASYNC i ON t (a NULLS FIRST) NULLS NOT DISTINCT',
      'CREATE INDEX       i ON t (a NULLS FIRST) NULLS NOT DISTINCT',
      build('i'),
    ],
  ])('%s is a job', (text, run, action) => {
    const statement = only(text);
    expect(statement?.text).toBe(run);
    expect(statement?.action).toMatchObject(action);
  });

  it('asks the catalogue whether each column can be a key', () => {
    expect(only('CREATE INDEX ASYNC ON s."T" (a, lower(b), "C")')?.action).toMatchObject({
      guards: [{ parameters: ['"s"."T"', 'a'] }, { parameters: ['"s"."T"', 'C'] }],
    });
  });

  it.each([
    ['ALTER TABLE ASYNC t VALIDATE CONSTRAINT c', null, 't'],
    ['alter table async IF EXISTS ONLY s."t" VALIDATE CONSTRAINT c', 's', 't'],
    ['ALTER TABLE ASYNC async VALIDATE CONSTRAINT c', null, 'async'],
  ])('%s is a job', (text, schema, name) => {
    const statement = only(text);
    expect(statement?.text).toBe(text.replace(/async/i, '     '));
    expect(statement?.action).toEqual({
      kind: 'job',
      job: { type: 'VALIDATE_CONSTRAINT', table: { schema, name }, constraint: 'c' },
      guards: [],
    });
  });

  it.each([
    ['CREATE INDEX "async" ON t (a)', '0A000 unsupported mode. please use CREATE INDEX ASYNC.'],
    ['CREATE INDEX i ON async (a)', '0A000 unsupported mode. please use CREATE INDEX ASYNC.'],
    ['CREATE TABLE ASYNC t (a int)', '42601 syntax error at or near "t"'],
    ['DROP INDEX ASYNC i', '42601 syntax error at or near "i"'],
    ['ALTER TABLE ASYNC t ADD COLUMN b int', '42601 syntax error at or near "t"'],
    [
      'ALTER TABLE async VALIDATE CONSTRAINT c',
      '0A000 unsupported ALTER TABLE VALIDATE CONSTRAINT statement',
    ],
    [
      'ALTER TABLE ASYNC t VALIDATE CONSTRAINT c, ALTER a SET NOT NULL',
      '0A000 unsupported ALTER TABLE ALTER COLUMN ... SET NOT NULL statement',
    ],
    [
      'ALTER TABLE ASYNC t VALIDATE CONSTRAINT c, ADD COLUMN b int',
      '0A000 unsupported ALTER TABLE ASYNC statement',
    ],
  ])('%s is refused', (text, expected) => {
    expect(told(text)).toBe(expected);
  });
});
