/** Writes the generated reference documents: `npm run docs`, from the root of the repository. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { referenceDocuments } from './reference/documents.ts';

const root = process.cwd();
for (const [path, text] of referenceDocuments(root)) {
  const file = resolve(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  process.stdout.write(`${path}\n`);
}
