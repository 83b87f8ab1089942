import { describe, expect, it } from 'vitest';
import { shapeAndKinds } from '../../../../src/sql/shape/literal-kinds.ts';
import { COMMENT_MARK } from '../../../../src/sql/shape/text-parts.ts';

const areAlike = (one: string, other: string): boolean =>
  shapeAndKinds(one) === shapeAndKinds(other) && shapeAndKinds(one) !== null;
/** As long as nobody would write it. */
const gap = ' '.repeat(1_000);

describe('texts of one shape', () => {
  it.each([
    ['SELECT a FROM t WHERE id = 1', 'SELECT a FROM t WHERE id = 2147483647'],
    ['SELECT 2147483649', 'SELECT 9223372036854775807'],
    ['SELECT varchar(10) FROM t', 'SELECT varchar(20) FROM t'],
    ['SELECT 9223372036854775809', 'SELECT 1e0'],
    ['SELECT 1.5', 'SELECT .25'],
    ['SELECT 007', 'SELECT 7'],
    ["SELECT a FROM t WHERE n = 'x'", "SELECT a FROM t WHERE n = 'it''s'"],
    ['SELECT a FROM t WHERE id = 1 ORDER BY a', 'SELECT a FROM t WHERE id = 2 ORDER BY a'],
    ['SELECT a FROM t ORDER BY a LIMIT 1', 'SELECT a FROM t ORDER BY a LIMIT 2'],
  ])('%s is like %s', (one, other) => {
    expect(areAlike(one, other)).toBe(true);
  });

  it.each([
    ['SELECT 2147483647', 'SELECT 2147483648'],
    ['SELECT 0x7fffffff', 'SELECT 0x80000000'],
    ['SELECT 9223372036854775807', 'SELECT 9223372036854775808'],
    ['SELECT f(-2147483648)', 'SELECT f(-2147483649)'],
    ['SELECT f(- 9223372036854775808)', 'SELECT f(- 9223372036854775809)'],
    ["SELECT '1'::float(24)", "SELECT '1'::FLOAT ( 25)"],
    ['SELECT 1', 'SELECT 1.0'],
    ['SELECT 1', 'SELECT 1e0'],
    ["SELECT 'x'", "SELECT E'x'::text"],
    ['SELECT a, b FROM t ORDER BY 1', 'SELECT a, b FROM t ORDER BY 2'],
    ['SELECT a, b FROM t ORDER BY a, 1', 'SELECT a, b FROM t ORDER BY a, 2'],
    ['SELECT a, b FROM t GROUP BY (1)', 'SELECT a, b FROM t GROUP BY (2)'],
    ['SELECT a, b FROM t GROUP BY ALL 1', 'SELECT a, b FROM t GROUP BY ALL 2'],
    ['SELECT a, b FROM t GROUP BY DISTINCT 1', 'SELECT a, b FROM t GROUP BY DISTINCT 2'],
    [`SELECT a, b FROM t ORDER BY${gap}1`, `SELECT a, b FROM t ORDER BY${gap}2`],
    ['SELECT DISTINCT ON (1) a, b FROM t', 'SELECT DISTINCT ON (2) a, b FROM t'],
    [`SELECT a FROM t ORDER BY${COMMENT_MARK}1`, `SELECT a FROM t ORDER BY${COMMENT_MARK}2`],
  ])('%s is not like %s', (one, other) => {
    expect(areAlike(one, other)).toBe(false);
  });

  it('that are no SQL are like nothing', () => {
    expect(shapeAndKinds("SELECT 'open")).toBeNull();
  });
});
