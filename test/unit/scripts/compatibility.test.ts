import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTestTitles } from '../../../scripts/reference/test-titles.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { sections } from '../../../src/config/schema.ts';

const root = join(import.meta.dirname, '../../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const tests = readTestTitles(root);
const titles = new Set(tests.map(({ title }) => title));
const places = new Set(tests.map(({ file, title }) => `${file}: ${title}`));

/** Cells of the tables whose last column is headed like this. */
function rowsOf(text: string, lastHead: string): string[][] {
  const rows: string[][] = [];
  let isInside = false;
  for (const line of text.split('\n')) {
    const cells = line.startsWith('|') ? line.slice(1, -1).split('|') : [];
    const isHead = cells.at(-1)?.trim() === lastHead;
    if (isInside && cells.length > 0 && !line.startsWith('| ---')) rows.push(cells);
    isInside = isHead || (isInside && cells.length > 0);
  }
  return rows;
}

const codesIn = (cell = ''): string[] =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);

/** A line may say that it has no test, and why. */
const EXCUSE = /^ (not done|not testable without AWS): \S/;

/** What is wrong with a page of lines that name their tests, each behind its file or alone. */
function wrongWith(text: string): string[] {
  return rowsOf(text, 'Test').flatMap((cells) => {
    const said = cells.at(-1) ?? '';
    if (EXCUSE.test(said)) return [];
    let file: string | null = null;
    const wrong: string[] = [];
    let count = 0;
    for (const code of codesIn(said)) {
      if (code.endsWith('.test.ts')) {
        file = `test/${code}`;
        continue;
      }
      count++;
      const isThere = file === null ? titles.has(code) : places.has(`${file}: ${code}`);
      if (!isThere) wrong.push(`no such test: ${code}`);
    }
    return count === 0 ? [`no test: ${cells[0]?.trim()}`] : wrong;
  });
}

describe('the page of compatibility', () => {
  it('names a test in every line, and each of them exists', () => {
    const page = read('docs/compatibility.md');
    expect(rowsOf(page, 'Test').length).toBeGreaterThan(50);
    expect(wrongWith(page)).toEqual([]);
  });

  it.each(['docs/aws.md'])('is not the only one that does: %s', (path) => {
    expect(rowsOf(read(path), 'Test').length).toBeGreaterThan(10);
    expect(wrongWith(read(path))).toEqual([]);
  });

  it('would be found out', () => {
    const head = '| What | Test |\n| --- | --- |\n';
    expect(wrongWith(`${head}| a | \`nobody has written this one\` |\n`)).toEqual([
      'no such test: nobody has written this one',
    ]);
    expect(wrongWith(`${head}| a | none |\n`)).toEqual(['no test: a']);
    expect(wrongWith('| a | b |\n| --- | --- |\n| `c` | `d` |\n')).toEqual([]);
    const elsewhere = '`unit/config/load.test.ts`: `would be found out`';
    expect(wrongWith(`${head}| a | ${elsewhere} |\n`)).toEqual([
      'no such test: would be found out',
    ]);
    const here = elsewhere.replace('config/load', 'scripts/compatibility');
    expect(wrongWith(`${head}| a | ${here} |\n`)).toEqual([]);
    expect(wrongWith(`${head}| a | \`unit/config/load.test.ts\` |\n`)).toEqual(['no test: a']);
    expect(wrongWith(`${head}| a | not done: nobody wants it |\n`)).toEqual([]);
    expect(wrongWith(`${head}| a | not done |\n`)).toEqual(['no test: a']);
  });
});

describe('the page of origins at AWS', () => {
  const page = read('docs/reference/aws-origins-coverage.md');

  it('names tests in its lines, or says why there is none', () => {
    expect(wrongWith(page)).toEqual([]);
    const excused = rowsOf(page, 'Test').filter((cells) => EXCUSE.test(cells.at(-1) ?? ''));
    expect(excused.length).toBeLessThanOrEqual(9);
  });

  it('has each fact once, among its lines or those that are not the gateway’s to do', () => {
    const numbers = (prefix: string, count: number): string[] =>
      Array.from({ length: count }, (_, n) => `${prefix}.${n + 1}`);
    const [, list = ''] = page.split("## Not the gateway's to do");
    const listed = [...list.matchAll(/^- ([\d., ]+):/gm)].flatMap(([, said = '']) =>
      said.split(', '),
    );
    const rows = rowsOf(page, 'Test').map(([number = '']) => number.trim());
    const all = [
      ...numbers('1', 26),
      ...numbers('2', 24),
      ...numbers('2b', 6),
      ...numbers('3', 31),
      ...numbers('3a', 11),
      ...numbers('3d', 11),
      ...numbers('3e', 6),
      ...numbers('4', 9),
      ...'abcdefghijkl',
    ];
    expect([...rows, ...listed].toSorted()).toEqual(all.toSorted());
  });
});

describe('the page for those who come from PgBouncer', () => {
  const keys = new Set(
    sections.flatMap(({ header, shape }) => [header, ...Object.keys(shape)]).filter(Boolean),
  );

  it('names only keys that exist', () => {
    const rows = rowsOf(read('docs/from-pgbouncer.md'), 'Millrace');
    expect(rows.length).toBeGreaterThan(30);
    // Keys stand in backquotes; so do values behind them, commands and what clients write.
    const isKey = (code: string) => /^(\[\[?)?[a-z_.]+(\]\]?)?$/.test(code);
    const named = rows
      .flatMap((cells) => codesIn(cells.at(-1)))
      .map((code) => code.split(' = ')[0]);
    const unknown = named.filter((code) => isKey(code as string) && !keys.has(code as string));
    expect(unknown).toEqual([]);
    expect(named.filter((code) => keys.has(code as string)).length).toBeGreaterThan(15);
  });

  it('shows a file that is valid', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-pgbouncer-'));
    const path = join(directory, 'millrace.toml');
    const [, toml = ''] = /```toml\n([\s\S]*?)```/.exec(read('docs/from-pgbouncer.md')) ?? [];
    await writeFile(path, toml, { mode: 0o600 });
    const verifier = `SCRAM-SHA-256$4096:${'A'.repeat(22)}==$${'A'.repeat(43)}=:${'A'.repeat(43)}=`;
    await writeFile(join(directory, 'web.verifier'), `${verifier}\n`, { mode: 0o600 });
    const { config } = await loadConfig(path, { SHOP_PASSWORD: 'x' });
    expect(config.configurations[0]).toMatchObject({ name: 'app', originConnectionLimit: 20 });
    expect(config.configurations[0]?.credentials[0]).toMatchObject({ user: 'web', verifier });
    await rm(directory, { recursive: true });
  });
});
