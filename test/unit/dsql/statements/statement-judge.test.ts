import { beforeAll, describe, expect, it } from 'vitest';
import {
  STATEMENTS_MAX,
  TEXT_BYTES_MAX,
  TOKENS_MAX,
} from '../../../../src/dsql/statements/complexity.ts';
import { StatementJudge } from '../../../../src/dsql/statements/statement-judge.ts';
import { loadParser } from '../../../../src/origin/parser.ts';
import type { SqlParser } from '../../../../src/sql/facts/parser.ts';

let parser: SqlParser;
let judge: StatementJudge;
beforeAll(async () => {
  parser = await loadParser();
  judge = new StatementJudge(parser);
});

describe('a text', () => {
  it.each(['', ' ', ';', ' ;; -- nothing\n /* at all */ ;'])('holds no statement: %j', (text) => {
    expect(judge.judge(text)).toEqual({ statements: [], refused: null });
  });

  it('keeps what stands around its only statement', () => {
    const text = " /* é */ SELECT 'ü', $1::int; -- end";
    expect(judge.judge(text).statements.map((one) => one.text)).toEqual([text]);
  });

  it('is split where PostgreSQL splits it', () => {
    const { statements } = judge.judge(
      `SELECT 'é;'; SELECT $$;$$, ";" ; /* ; */ DELETE FROM "ü" -- ;
      ; CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT $1`,
    );
    expect(statements.map(({ text }) => text.trim())).toEqual([
      "SELECT 'é;'",
      'SELECT $$;$$, ";"',
      // A comment in front belongs to no statement.
      'DELETE FROM "ü" -- ;',
      'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END',
      'SELECT $1',
    ]);
  });

  it('is judged up to the first statement that is refused', () => {
    const { statements, refused } = judge.judge('SELECT 1; TRUNCATE t; SELECT 2; LISTEN c');
    expect(statements).toHaveLength(1);
    expect(refused?.message).toBe('unsupported statement: Truncate');
  });

  it('is refused as a whole when PostgreSQL could not read it', () => {
    const { statements, refused } = judge.judge('SELECT 1; SELEC 2; SELECT 3');
    expect(statements).toEqual([]);
    expect(refused).toMatchObject({
      sqlstate: '42601',
      message: 'syntax error at or near "SELEC"',
    });
  });

  it.each([
    // PostgreSQL 15 takes it for the name of a column.
    'CREATE TABLE t (system_user int)',
    // And this for a call of a function.
    'SELECT json_scalar(a, b)',
  ])('that only older servers read runs nowhere: %s', (text) => {
    expect(judge.judge(text)).toMatchObject({ statements: [], refused: { sqlstate: '42601' } });
  });

  it('gets its new pieces at the right bytes', () => {
    const { statements } = judge.judge(
      'CREATE TABLE "é" ("ü" numeric, b /* ∞ */ pg_catalog . "numeric", c dec NOT NULL, d numeric(9)); ' +
        'ALTER TABLE "日本" ADD COLUMN "語" decimal',
    );
    expect(statements.map(({ text }) => text.trim())).toEqual([
      'CREATE TABLE "é" ("ü" numeric(18,6), b /* ∞ */ pg_catalog . "numeric"(18,6), ' +
        'c dec(18,6) NOT NULL, d numeric(9))',
      'ALTER TABLE "日本" ADD COLUMN "語" decimal(18,6)',
    ]);
  });

  it('is remembered, so that the same text gives the same judgement', () => {
    expect(judge.judge('SELECT 42')).toBe(judge.judge('SELECT 42'));
  });
});

describe('a text that is too much', () => {
  const code = (text: string) => judge.judge(text).refused?.sqlstate ?? 'accepted';

  it('is longer than a message may be', () => {
    const literal = (size: number) => `SELECT '${'x'.repeat(size - "SELECT ''".length)}'`;
    expect(code(literal(TEXT_BYTES_MAX))).toBe('accepted');
    expect(code(literal(TEXT_BYTES_MAX + 1))).toBe('54001');
  });

  it.each([
    ['brackets', `SELECT ${'('.repeat(600)}1${')'.repeat(600)}`],
    ['subscripts', `SELECT a${'[1'.repeat(600)}${']'.repeat(600)}`],
    ['operators', `SELECT 1${' + 1'.repeat(5_000)}`],
    ['signs', `SELECT ${'- '.repeat(5_000)}1`],
    ['words', `SELECT ${'NOT '.repeat(5_000)}true`],
    ['casts', `SELECT 1${'::int'.repeat(3_000)}`],
    ['set operations', `SELECT 1${' UNION SELECT 1'.repeat(3_000)}`],
    ['cases', `SELECT ${'CASE WHEN true THEN '.repeat(1_500)}1${' END'.repeat(1_500)}`],
    ['a body', `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1${' + 1'.repeat(5_000)}'`],
  ])('is nested too deep by %s', (_, text) => {
    expect(code(text)).toBe('54001');
  });

  it('has too many words', () => {
    expect(code(`SELECT 1 IN (1${',1'.repeat(TOKENS_MAX / 2)})`)).toBe('54001');
  });

  it('has too many statements', () => {
    expect(code('COMMIT;'.repeat(STATEMENTS_MAX + 1))).toBe('54001');
    expect(code('COMMIT;'.repeat(STATEMENTS_MAX))).toBe('accepted');
  });

  it('has more locking clauses than anybody writes', () => {
    expect(code(`SELECT FROM t${' FOR UPDATE'.repeat(65)}`)).toBe('54001');
    expect(code(`SELECT FROM t${' FOR UPDATE'.repeat(64)}`)).toBe('accepted');
  });

  it('has a zero byte, behind which the parser sees nothing', () => {
    expect(code('SELECT 1\0; TRUNCATE t')).toBe('22021');
    expect(code("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1\0'")).toBe('22021');
  });

  it('is not a script of many statements, nor a long list', () => {
    expect(code('UPDATE t SET a = b + 1 WHERE c = 2; '.repeat(2_000))).toBe('accepted');
    expect(code(`INSERT INTO t VALUES (1)${', (1, now(), DEFAULT)'.repeat(3_000)}`)).toBe(
      'accepted',
    );
  });

  it('does not end the judge: the next text is judged', () => {
    code(`SELECT ${'('.repeat(100_000)}`);
    expect(judge.judge('SELECT 1').refused).toBeNull();
  });

  it('is told of as such when the parser itself gives up', () => {
    const broken: SqlParser = {
      parse: () => {
        throw new RangeError('Maximum call stack size exceeded');
      },
      parsePlPgSql: parser.parsePlPgSql,
    };
    const { statements, refused } = new StatementJudge(broken).judge('SELECT 1');
    expect(statements).toEqual([]);
    expect(refused?.sqlstate).toBe('54001');
  });
});
