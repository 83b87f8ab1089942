import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hazardRows } from '../../../scripts/reference/hazard-rows.ts';
import { hazardsNamed, hazardsReference } from '../../../scripts/reference/hazards.ts';
import { readTestTitles, titlesOf } from '../../../scripts/reference/test-titles.ts';

const titles = readTestTitles(join(import.meta.dirname, '../../..'));

/** Rows of the list that have no place here yet: health checks, rotating passwords, a console. */
const NOT_OURS = [28, 29, 32];

describe('the reference of hazards', () => {
  it('has a row for every number, and a test for every row', () => {
    const numbers = Array.from({ length: 32 }, (_, at) => at + 1);
    const wanted = numbers.filter((one) => !NOT_OURS.includes(one)).map((one) => `hazard ${one}`);
    const rows = Object.keys(hazardRows);
    expect(rows.filter((row) => row.startsWith('hazard'))).toEqual(wanted);
    expect(rows.filter((row) => row.startsWith('CVE-')).length).toBeGreaterThanOrEqual(22);
    const named = titles.flatMap(({ title }) => hazardsNamed(title)?.ids ?? []);
    expect(rows.filter((row) => !named.includes(row))).toEqual([]);
  });

  it('refuses a row without a test, and a test of a row that is not there', () => {
    expect(() => hazardsReference(titles.filter(({ title }) => !/hazard 5\b/.test(title)))).toThrow(
      'no test names hazard 5',
    );
    const stray = { file: 'test/a.test.ts', title: 'hazard 77: is new' };
    expect(() => hazardsReference([...titles, stray])).toThrow('there is no row for hazard 77');
  });

  it('tells with every test what breaks it', () => {
    const files = [...new Set(titles.filter(isHazard).map(({ file }) => file))];
    expect(files.length).toBeGreaterThan(12);
    for (const file of files) {
      const text = readFile(file);
      for (const [at, line] of text.entries()) {
        if (!/'(?:hazard \d+|CVE-\d{4}-\d+)[,:]/.test(line)) continue;
        const above = text.slice(0, at).join('\n');
        const told = above.slice(Math.max(above.lastIndexOf('\n\n'), 0));
        expect({ file, line, told: /[Ff]ails (when|as soon as)/.test(told) }).toEqual({
          file,
          line,
          told: true,
        });
      }
    }
  });
});

describe('names of tests', () => {
  it('are found behind it, describe, each and in scripts of transcripts', () => {
    const text = `describe('a', () => {
  it('b', run);
  it.each([1, 'x'])('c %s', run);
  it.each([
    ['not this', (x)],
  ])(
    'd: %d',
    run,
  );
  it.skip("it's e", run);
    name: 'f',
`;
    expect(titlesOf('t', text).map(({ title }) => title)).toEqual([
      'a',
      'b',
      'c %s',
      'd: %d',
      "it's e",
      'f',
    ]);
    expect(titles.length).toBeGreaterThan(500);
  });

  it('name hazards only before their colon', () => {
    expect(hazardsNamed('hazard 5: x')?.ids).toEqual(['hazard 5']);
    expect(hazardsNamed('hazard 18, CVE-2025-12819: x: y')).toEqual({
      ids: ['hazard 18', 'CVE-2025-12819'],
      says: 'x: y',
    });
    expect(hazardsNamed('a hazard 5: x')).toBeNull();
  });
});

function isHazard({ title }: { readonly title: string }): boolean {
  return hazardsNamed(title) !== null;
}

function readFile(file: string): string[] {
  return readFileSync(join(import.meta.dirname, '../../..', file), 'utf8').split('\n');
}
