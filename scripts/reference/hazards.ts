/** Generates `docs/reference/hazards.md` from the rows and the names of the tests. */
import { type HazardId, hazardRows } from './hazard-rows.ts';
import type { TestTitle } from './test-titles.ts';

const INTRO = `# Hazards

Generated from the names of the tests by \`npm run docs\`. What has gone wrong in poolers and proxies
for PostgreSQL, and the tests that hold it here. A test says in its comment what breaks it, and was seen to
fail that way; a few hold what nothing threatens yet, such as a cache that is not there, and say so.
`;

const NAMED = /^((?:hazard \d+|CVE-\d{4}-\d+)(?:, (?:hazard \d+|CVE-\d{4}-\d+))*): (.*)$/;

/** The rows that a title names before its colon, and what it says behind it; null for none. */
export function hazardsNamed(title: string): { ids: string[]; says: string } | null {
  const match = NAMED.exec(title);
  if (match === null) return null;
  return { ids: (match[1] as string).split(', '), says: match[2] as string };
}

const isKnown = (id: string): id is HazardId => Object.hasOwn(hazardRows, id);

/** @throws Error when a test names a row that is not there, or a row has no test */
export function hazardsReference(titles: readonly TestTitle[]): string {
  const tests = new Map<HazardId, string[]>();
  for (const { file, title } of titles) {
    const named = hazardsNamed(title);
    for (const id of named?.ids ?? []) {
      if (!isKnown(id)) throw new Error(`${file}: there is no row for ${id}`);
      const line = `[${file.replace(/^test\//, '')}](../../${file}): ${named?.says}`;
      tests.set(id, [...(tests.get(id) ?? []), line]);
    }
  }
  const parts = Object.entries(hazardRows).map(([id, sentence]) => {
    const lines = tests.get(id as HazardId);
    if (lines === undefined) throw new Error(`no test names ${id}`);
    const items = [...new Set(lines)].map((line) => `- ${line}`);
    return `## ${id.replace(/^h/, 'H')}\n\n${sentence}\n\n${items.join('\n')}\n`;
  });
  return [INTRO, ...parts].join('\n');
}
