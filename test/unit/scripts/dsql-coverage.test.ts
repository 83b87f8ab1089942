import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dsqlCoverage } from '../../../scripts/reference/dsql/coverage.ts';
import type { CoverageRows } from '../../../scripts/reference/dsql/rows.ts';
import { coverageSections } from '../../../scripts/reference/dsql/sections.ts';
import { taggedTests } from '../../../scripts/reference/dsql/tags.ts';
import { readTestFiles } from '../../../scripts/reference/test-titles.ts';

const root = join(import.meta.dirname, '../../..');

/** A tag as it stands in a test; in one piece it would be one of this file. */
const tag = (rows: string): string => ['//', 'dsql', rows].join(' ');

const file = 'test/unit/a.test.ts';

const text = `describe('a group', () => {
  ${tag('§1.1')}
  it('is one', run);
  it('is none', run);
  it.each([
    ${tag('§1.2-1.4, §2.1')}
    ['x', 1],
    ${tag('§2.2')}
    ['y', 2],
  ])('is %s', run);
});
${tag('§2.3')}
it('stands alone', run);
`;

const table = (rows: CoverageRows): string =>
  dsqlCoverage([{ file, text: `${tag('§1.1')}\nit('is <a|b>', run);\n` }], [{ title: 'T', rows }]);

describe('the tags of tests', () => {
  it('name rows for the test that comes next, with its group', () => {
    expect(taggedTests({ file, text })).toEqual([
      { file, title: 'a group: is one', rows: ['1.1'] },
      { file, title: 'a group: is %s', rows: ['1.2', '1.3', '1.4', '2.1', '2.2'] },
      { file, title: 'stands alone', rows: ['2.3'] },
    ]);
  });

  it.each(['§1', '§1.1 §1.2', '§1.1,§1.2', '§1.1-2.2', '§x', '§1.1, '])(
    'cannot be read: %j',
    (rows) => {
      expect(() => taggedTests({ file, text: `${tag(rows)}\nit('a', run)` })).toThrow(
        `${file}: cannot read`,
      );
    },
  );

  it('do not stand behind the last test', () => {
    expect(() => taggedTests({ file, text: `it('a', run)\n${tag('§1.1')}\n` })).toThrow(
      'no test follows',
    );
  });
});

describe('the table of the DSQL endpoint', () => {
  it('has a line for each row, with its tests', () => {
    const lines = table({ '1.1': ['a|b', 'same'], '1.2': ['c', 'differs: not so'] }).split('\n');
    expect(lines).toContain(
      '| 1.1 | a\\|b | same | [unit/a](../../test/unit/a.test.ts): "is \\<a\\|b>" |',
    );
    expect(lines).toContain('| 1.2 | c | differs: not so | – |');
  });

  it.each([
    [{ '1.2': ['a', 'same'] }, 'there is no row 1.1'],
    [{ '1.1': ['a', 'same'], '1.2': ['b', 'same'] }, 'no test names row 1.2'],
    [{ '1.1': ['a', 'same'], '1.2': ['b', 'our choice: c'] }, 'no test names row 1.2'],
    [{ '1.1': ['a', 'same'], '1.2': ['b', 'differs: '] }, 'no test names row 1.2'],
    [{ '1.1': ['a', 'same'], '1.2': ['b', 'same', 'later'] }, 'a reason that is none'],
    [{ '1.1': ['a', 'same', 'needs AWS: why'] }, 'row 1.1 has a test'],
    [{ '1.1': ['a', 'good'] }, 'row 1.1 is of no kind'],
  ] as [CoverageRows, string][])('refuses %j', (rows, problem) => {
    expect(() => table(rows)).toThrow(problem);
  });

  it('gives each number to one row, in order and without gaps but those between parts', () => {
    const ids = coverageSections.flatMap(({ rows }) => Object.keys(rows));
    expect(new Set(ids).size).toBe(ids.length);
    const keys = ids.map((id) => id.split('.').map(Number) as [number, number]);
    const sorted = keys.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
    expect(keys).toEqual(sorted);
    expect(ids.length).toBeGreaterThan(180);
  });

  it('is held by tests of all kinds', () => {
    const tests = readTestFiles(root).flatMap(taggedTests);
    expect(tests.length).toBeGreaterThan(200);
    expect(tests.filter(({ file: one }) => one.endsWith('.pg.test.ts')).length).toBeGreaterThan(90);
  });
});
