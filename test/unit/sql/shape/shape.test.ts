import { describe, expect, it } from 'vitest';
import { hasTimeLiteral, SHAPE_TEXT_BYTES_MAX, shapeOf } from '../../../../src/sql/shape/shape.ts';

function shape(text: string): string | null {
  const bytes = Buffer.from(`##${text}##`);
  return shapeOf(bytes, 2, bytes.length - 2);
}

/** Markers written so that people can read them. */
function readable(text: string): string | null {
  const found = shape(text);
  if (found === null) return null;
  const letters = ['', 'S', 'N', 'nS', 'uS', 'bS', 'xS', '+', '@'];
  return [...found].map((byte) => letters[byte.charCodeAt(0)] ?? byte).join('');
}

describe('shapeOf', () => {
  it.each([
    ["SELECT 'a', 1", 'SELECT S,N'],
    ["SELECT 'it''s' || E'\\'' || e'\\\\'", 'SELECT S || S || S'],
    ["SELECT 'a\\', 1", 'SELECT S,N'],
    ["SELECT 'a'\n 'b' -- c\n\t'd', 2", 'SELECT S,N@'],
    ["SELECT 'a' -- c\n 'b'", 'SELECT S@'],
    ["SELECT 'a' 'b'", 'SELECT S S'],
    ["SELECT 'a' /* c\n */ 'b'", 'SELECT S S'],
    ["SELECT N'a', U&'\\0061', B'1', x'fF'", 'SELECT nS,uS,bS,xS@'],
    ["SELECT B'1''0', X'1'\n'2'", 'SELECT bSS,xS@'],
    ["SELECT name'a'", 'SELECT nameS'],
    ["SELECT $$a$b$$, $tag$ $$ ' $tag$, $1", 'SELECT S,S,$1'],
    ['SELECT a$1, a$b$, $12', 'SELECT a$1,a$b$,$12'],
    ['SELECT 1, 1.5, .5, 1., 1e10, 1.5E-3', 'SELECT N,N,N,N,N,N'],
    ['FOR i IN 1..2', 'FOR i IN N..N'],
    ['SELECT 0x1F, 1_000, 123abc, 1e', 'SELECT 0x1F,1_000,123abc,1e'],
    ["SELECT 0x1F.E'\\'', 1_0.5, 1_0..2", 'SELECT 0x1F.S,1_0.5,1_0..N'],
    ["SELECT a.b.c, t.5, a.e'x'", 'SELECT a.b.c,tN,a.S'],
    ['SELECT -1 - -2', 'SELECT -N - -N'],
    ['SELECT 1--2\n+3', 'SELECT N +N'],
    ['SELECT 1/*2*/+3 @/* x */4', 'SELECT N +N @ N'],
    ['SELECT 1 /* a /* b */ c */ ;  ', 'SELECT N;'],
    ['SELECT "a""b -- c", "d"', 'SELECT "a""b -- c","d"'],
    ['SELECT  x\t\n FROM\r\n t', 'SELECT x FROM t'],
    ['x IN (1, 2 ,3)', 'x IN(N+)'],
    ["VALUES (1,'a'), (2, 'b'),(3,'c')", 'VALUES(N,S)+'],
    ["VALUES (1,'a'),(2,2)", 'VALUES(N,S),(N+)'],
    ['f(1,$1,2), g((1,2),(3,4))', 'f(N,$1,N),g((N+)+)'],
    ['SELECT 1, 2, 3', 'SELECT N,N,N'],
    ['ARRAY[1,2,3]', 'ARRAY[N+]'],
    ["a < 'Today 10:00', 'b'", 'a < S,S@'],
    ["IN ('a','now','b')", 'IN(S+)@'],
    ["x::int = '1'::text", 'x::int = S::text'],
    ['', ''],
  ])('takes %j for %j', (text, expected) => {
    expect(readable(text)).toBe(expected);
  });

  it('keeps names beyond ASCII byte by byte', () => {
    expect(shape('SELECT größe')).toBe(Buffer.from('SELECT größe').toString('latin1'));
    expect(shape('SELECT ä')).not.toBe(shape('SELECT ö'));
  });

  it.each([
    "'a",
    "E'a\\'",
    '"a',
    '/* a /* b */',
    '$$a',
    '$t$ a $x$',
    "'a'\n'b",
    '$',
    'a\u0001b',
    '"\u0001"',
  ])('has no shape for %j', (text) => {
    expect(shape(text)).toBeNull();
  });

  it.each([
    ['1', "'1'"],
    ['f(1)', 'f(1,2)'],
    ['a - -1', 'a --1\n'],
    ["N'a'", "'a'"],
    ['$1', '$2'],
    ['a', 'A'],
    ['"a"', 'a'],
    ['VALUES (1)', 'VALUES (1),(2)'],
  ])('tells %j from %j', (one, other) => {
    expect(shape(one)).not.toBe(shape(other));
  });

  it('has one shape for lists of any length above one', () => {
    const list = (count: number): string =>
      `SELECT * FROM t WHERE a IN (${Array.from({ length: count }, (_, i) => i).join(', ')})`;
    expect(shape(list(2))).toBe(shape(list(2000)));
  });

  it('has no shape above its limit', () => {
    expect(shape(`'${'x'.repeat(SHAPE_TEXT_BYTES_MAX - 2)}'`)).not.toBeNull();
    expect(shape(`'${'x'.repeat(SHAPE_TEXT_BYTES_MAX - 1)}'`)).toBeNull();
  });
});

describe('a literal that may be a time of the clock', () => {
  const hasTime = (text: string): boolean => hasTimeLiteral(shape(text) ?? '');

  it.each([
    "SELECT timestamptz 'now'",
    "SELECT 'today'::date",
    "SELECT * FROM t WHERE d = ' TOMORROW '",
    "SELECT date'Yesterday'",
    "SELECT 'now()'",
    "SELECT '12:00today'",
    "SELECT '{2020-01-01,now}'::date[]",
    'SELECT $$today$$, $t$ x now$t$',
    "SELECT E'\\\\ now', 1",
    "SELECT E'n\\x6fw'",
    "SELECT E'n\\ow'",
    "SELECT U&'\\006eow'",
    "SELECT N'now'",
    "SELECT 'no'\n'w'",
    "SELECT '{n\\ow}'::timestamp[]",
    'SELECT \'[n"o"w,infinity)\'::tsrange',
    "SELECT '{tod\\ay}'::date[]",
    "SELECT E'{n\\\\ow}'::timestamp[]",
    'SELECT $${n"ow"}$$::date[]',
  ])('is in %s', (text) => {
    expect(hasTime(text)).toBe(true);
  });

  it.each([
    'SELECT now()',
    'SELECT today, "now" FROM tomorrow -- now',
    "SELECT 'know', 'nowhere', 'snow', 'monday', 'toda', 'low', 'n''ow'",
    "SELECT 'epoch', 'infinity', 'allballs', '2024-05-01 10:00'",
    "SELECT E'it\\'s \\n\\t \\\\x6e', 'kn\\ow', 'C:\\dir\\how'",
    "SELECT '', $$$$, 1",
    '',
  ])('is not in %s', (text) => {
    expect(hasTime(text)).toBe(false);
  });
});
