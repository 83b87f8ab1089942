/**
 * Which rows of the table a test holds: it says so in a comment before its title, such as
 * `dsql §1.11, §5.10-5.13` behind two slashes, above the test or in the table of its cases.
 */
import { type TestFile, titlesWithin } from '../test-titles.ts';

export type TaggedTest = {
  /** Path from the root of the repository. */
  readonly file: string;
  /** With that of its group before it. */
  readonly title: string;
  /** Numbers of rows. */
  readonly rows: readonly string[];
};

const TAG = /^ *\/\/ dsql (§.*)$/gm;
const ROWS = /^§(\d+)\.(\d+)(?:-(\d+)\.(\d+))?$/;

/** @throws Error for a tag that cannot be read, or stands behind the last test */
export function taggedTests({ file, text }: TestFile): TaggedTest[] {
  const titles = titlesWithin(text);
  const found = new Map<number, string[]>();
  for (const tag of text.matchAll(TAG)) {
    const next = titles.findIndex(({ at }) => at > tag.index);
    if (next === -1) throw new Error(`${file}: no test follows ${tag[0].trim()}`);
    const rows = (tag[1] as string).split(', ').flatMap((part) => rowsOf(part, file));
    found.set(next, [...(found.get(next) ?? []), ...rows]);
  }
  return [...found].map(([at, rows]) => ({ file, title: titleWithGroup(text, titles, at), rows }));
}

function rowsOf(part: string, file: string): string[] {
  const [, section, first, lastSection, last] = ROWS.exec(part) ?? [];
  const isRead = section !== undefined && (lastSection === undefined || lastSection === section);
  if (!isRead) throw new Error(`${file}: cannot read ${part}`);
  const from = Number(first);
  const count = Number(last ?? first) - from + 1;
  return Array.from({ length: count }, (_, at) => `${section}.${from + at}`);
}

type Title = { readonly title: string; readonly at: number };

/** A group is less indented than what is in it. */
function titleWithGroup(text: string, titles: readonly Title[], index: number): string {
  const indentOf = ({ at }: Title) => text.slice(text.lastIndexOf('\n', at) + 1).search(/[^ ]/);
  const own = titles[index] as Title;
  const group = titles.slice(0, index).findLast((one) => indentOf(one) < indentOf(own));
  return group === undefined ? own.title : `${group.title}: ${own.title}`;
}
