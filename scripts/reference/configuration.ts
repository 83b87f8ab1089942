/** Generates `docs/reference/configuration.md` from the key table. */
import { docOf, type Section, sections } from '../../src/config/schema.ts';

const INTRO = `# Configuration file

Generated from the key table by \`npm run docs\`. The file is TOML. Unknown keys are errors. Paths
are relative to the file. \`millrace check-config FILE\` checks it; \`millrace serve\` reads it
again when it changes and on SIGHUP, and keeps the old one when the new one is not valid.

Where a key may hold a secret, \`env:NAME\` takes it from the environment and \`file:PATH\` from
a file, without the newline at its end; anything else is the secret itself.
\`millrace.example.toml\` shows a whole file.
`;

const cell = (text: string): string => text.replaceAll('|', '\\|');

function table(section: Section): string {
  const prefix = section.path === '' ? '' : `${section.path}.`;
  const rows = Object.keys(section.shape).map((key) => {
    const doc = docOf(prefix + key);
    if (doc === null) throw new Error(`the key ${prefix}${key} has no documentation`);
    const fallback = /^(required|none|this or)/.test(doc.fallback)
      ? doc.fallback
      : `\`${doc.fallback}\``;
    const unit = doc.unit === '' ? doc.type : `${doc.type}, ${doc.unit}`;
    const cells = [unit, fallback, doc.must, doc.meaning].map(cell).join(' | ');
    return `| \`${key}\` | ${cells} |`;
  });
  return [
    '| key | type | default | must be | meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ]
    .join('\n')
    .concat('\n');
}

export function configurationReference(): string {
  const parts = sections.map((section) => {
    const title = section.header === '' ? 'Top level' : `\`${section.header}\``;
    const meaning = section.header === '' ? '' : `${section.meaning}\n\n`;
    return `## ${title}\n\n${meaning}${table(section)}`;
  });
  return [INTRO, ...parts].join('\n');
}
