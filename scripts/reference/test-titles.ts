/** The names of all tests as they stand in the files, so that documents can point to them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A test or a group of tests. */
export type TestTitle = {
  /** Path from the root of the repository. */
  readonly file: string;
  readonly title: string;
};

export type TestFile = { readonly file: string; readonly text: string };

/**
 * A title follows `it(`, `describe(` or the `)(` of an `each`; a script of the conformance tests is
 * an object with a name. Formatted code is relied on, as by the house rules.
 */
const TITLE =
  /(?:\b(?:it|describe)(?:\.\w+)?\(|\)\(|^ {4}name: )\s*(?:'([^'\n]*)'|"([^"\n]*)"|`([^`\n]*)`)/gm;

/** Titles with where they begin in the text. */
export function titlesWithin(text: string): { readonly title: string; readonly at: number }[] {
  return [...text.matchAll(TITLE)].map((match) => ({
    title: (match[1] ?? match[2] ?? match[3]) as string,
    at: match.index,
  }));
}

export function titlesOf(file: string, text: string): TestTitle[] {
  return titlesWithin(text).map(({ title }) => ({ file, title }));
}

/** In the order of their names. */
export function readTestFiles(root: string): TestFile[] {
  return readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .map((name) => `test/${name.replaceAll('\\', '/')}`)
    .filter(
      (name) =>
        name.endsWith('.test.ts') ||
        /^test\/(?:conformance\/scripts|e2e\/dsql)\/.*\.ts$/.test(name),
    )
    .sort()
    .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));
}

/** In the order of files and lines. */
export function readTestTitles(root: string): TestTitle[] {
  return readTestFiles(root).flatMap(({ file, text }) => titlesOf(file, text));
}
