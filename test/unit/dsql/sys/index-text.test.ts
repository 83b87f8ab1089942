import { describe, expect, it } from 'vitest';
import { readIndexText } from '../../../../src/dsql/sys/index-text.ts';

describe('readIndexText', () => {
  it.each([
    ['CREATE INDEX i ON t (a)', false, false, '(a)'],
    [
      'create unique index on only s.t(a, (b + 1)) include (c)',
      true,
      true,
      '(a, (b + 1)) include (c)',
    ],
    ['CREATE INDEX IF NOT EXISTS "on" ON "a(b" (c) WHERE c > 0', false, false, '(c) WHERE c > 0'],
    ['CREATE INDEX /* on x (y) */ i -- on z (q)\n ON t (é)', false, false, '(é)'],
    ['CREATE INDEX        i ON "only" ("on")', false, false, '("on")'],
    ['CREATE INDEX i ON s.t USING btree_index (a)', false, false, '(a)'],
  ])('takes %j apart', (text, isUnique, isOnly, rest) => {
    expect(readIndexText(text)).toEqual({ isUnique, isOnly, rest });
  });

  it.each(['', 'SELECT 1', 'CREATE INDEX', 'CREATE INDEX i ON t', 'DROP INDEX i ON (a)'])(
    'refuses %j',
    (text) => {
      expect(() => readIndexText(text)).toThrow('no CREATE INDEX');
    },
  );
});
