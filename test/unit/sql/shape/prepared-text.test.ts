import { describe, expect, it } from 'vitest';
import { behindPrepare } from '../../../../src/sql/shape/prepared-text.ts';

function textOf(sql: string): string | null {
  const bytes = Buffer.from(`?${sql}?`);
  const at = behindPrepare(bytes, 1, bytes.length - 1);
  return at < 0 ? null : bytes.toString('utf8', at, bytes.length - 1);
}

describe('behindPrepare', () => {
  it.each([
    ['PREPARE a AS SELECT 1', ' SELECT 1'],
    ['prepare a as(SELECT 1)', '(SELECT 1)'],
    [' \n/* as /* b */ */ PrePare--x\n "as"aS--\nSELECT 1', '--\nSELECT 1'],
    ['PREPARE a(int,numeric(4,1),"as)"[])AS SELECT $1', ' SELECT $1'],
    ['PREPARE "é""x" (text /* ) */, int -- )\n) AS VALUES (1)', ' VALUES (1)'],
    ['PREPARE é AS SELECT 1;', ' SELECT 1;'],
  ])('%s', (sql, text) => {
    expect(textOf(sql)).toBe(text);
  });

  it.each([
    'PREPARE U&"a" AS SELECT 1',
    'PREPARE a (int AS SELECT 1',
    'PREPARE a SELECT 1',
    'PREPARE a ASSELECT 1',
    'PREPARED a AS SELECT 1',
    'PREPARE /* a AS SELECT 1',
    'PREPARE "a AS SELECT 1',
    'PREPARE a',
    'PREPARE',
    '',
  ])('gives up on %j', (sql) => {
    expect(textOf(sql)).toBeNull();
  });
});
