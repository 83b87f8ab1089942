/** Writes the generated reference documents from the built program: `npm run docs`. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { referenceDocuments } from '../dist/cli/reference/documents.js';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
for (const [path, text] of referenceDocuments()) {
  const file = resolve(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  process.stdout.write(`${path}\n`);
}
