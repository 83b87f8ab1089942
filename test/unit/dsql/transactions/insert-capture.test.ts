import { describe, expect, it } from 'vitest';
import {
  arrayLiteral,
  firstWord,
  reinsertion,
  withRowReturned,
} from '../../../../src/dsql/transactions/insert-capture.ts';

const into = { schema: null, name: 't' };
const captured = (text: string, hasReturning = false): string | null =>
  withRowReturned(text, { into, hasReturning });

const EXACTLY =
  "CASE WHEN pg_catalog.current_setting('extra_float_digits') IN ('1', '2', '3') " +
  "AND pg_catalog.starts_with(pg_catalog.current_setting('DateStyle'), 'ISO') THEN ";
const ROW = `${EXACTLY}("t".*)::pg_catalog.text END`;

describe('an INSERT that returns its rows', () => {
  it.each([
    ['INSERT INTO t VALUES (1)', `INSERT INTO t VALUES (1) RETURNING ${ROW}`],
    ['INSERT INTO t VALUES (1);', `INSERT INTO t VALUES (1) RETURNING ${ROW}`],
    ['INSERT INTO t VALUES (1) ; -- end; ', `INSERT INTO t VALUES (1) RETURNING ${ROW}`],
    ['INSERT INTO t VALUES (1) /* ; */ ; \n', `INSERT INTO t VALUES (1) RETURNING ${ROW}`],
    ["INSERT INTO t VALUES (';')", `INSERT INTO t VALUES (';') RETURNING ${ROW}`],
    ["INSERT INTO t VALUES ('-- é')", `INSERT INTO t VALUES ('-- é') RETURNING ${ROW}`],
    ['INSERT INTO t SELECT $1', `INSERT INTO t SELECT $1 RETURNING ${ROW}`],
  ])('has that behind its last word: %s', (text, expected) => {
    expect(captured(text)).toBe(expected);
  });

  it('has it behind what it returns already', () => {
    const text = 'INSERT INTO t VALUES (1) RETURNING id -- mine';
    expect(captured(text, true)).toBe(`INSERT INTO t VALUES (1) RETURNING id, ${ROW}`);
  });

  it('names the table as it is called, without its schema', () => {
    const insert = { into: { schema: 's', name: 'Odd "t"' }, hasReturning: false };
    expect(withRowReturned('INSERT INTO s."Odd ""t""" VALUES (1)', insert)).toMatch(
      / THEN \("Odd ""t"""\.\*\)::pg_catalog\.text END$/,
    );
  });

  it('is left alone when something in it does not end', () => {
    expect(captured('INSERT INTO t VALUES (1) /* ')).toBeNull();
    expect(captured('')).toBeNull();
  });
});

describe('captured rows', () => {
  it('go into the columns that can be given, read once each', () => {
    expect(reinsertion({ schema: 's', name: 't' }, ['a', 'B"'])).toBe(
      'INSERT INTO "s"."t" ("a", "B""") OVERRIDING SYSTEM VALUE ' +
        'SELECT (q.r)."a", (q.r)."B""" FROM (SELECT t::"s"."t" AS r ' +
        'FROM pg_catalog.unnest($1::pg_catalog.text[]) WITH ORDINALITY AS u(t, n) ' +
        'ORDER BY n OFFSET 0) q',
    );
  });

  it('are an array whose quotes and backslashes stay what they are', () => {
    expect(arrayLiteral(['(1,"a ""b""")', '(\\)', ''])).toBe(
      '{"(1,\\"a \\"\\"b\\"\\"\\")","(\\\\)",""}',
    );
  });
});

describe('the first word', () => {
  it.each([
    ['WITH a AS (SELECT 1) SELECT 1', 'with'],
    ['/* with */ -- with\n  Insert INTO t', 'insert'],
    ['(SELECT 1)', ''],
    ['', ''],
  ])('of %s', (text, word) => {
    expect(firstWord(text)).toBe(word);
  });
});
