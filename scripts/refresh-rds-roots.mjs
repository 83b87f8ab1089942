/**
 * Renews `data/rds-roots.pem` from Amazon's bundle: `node scripts/refresh-rds-roots.mjs [FILE [TARGET]]`,
 * from the official address without FILE. Roots of previews and expired ones are left out; the rest must
 * be roots that sign themselves. Read the differences before committing them.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const ADDRESS = 'https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem';
const TARGET = process.argv[3] ?? fileURLToPath(new URL('../data/rds-roots.pem', import.meta.url));
const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

async function bundle(file) {
  if (file !== undefined) return readFile(file, 'utf8');
  const answer = await fetch(ADDRESS);
  if (!answer.ok) throw new Error(`${ADDRESS} answers ${answer.status}`);
  return answer.text();
}

function nameOf(certificate) {
  return /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? '';
}

const text = await bundle(process.argv[2]);
const all = [...text.matchAll(BLOCK)].map(([pem]) => ({ pem, root: new X509Certificate(pem) }));
const kept = all.filter(({ root }) => {
  if (/\b(Beta|Preview)\b/.test(nameOf(root))) return false;
  if (Date.parse(root.validTo) < Date.now()) return false;
  if (!root.ca || !root.verify(root.publicKey)) throw new Error(`no root: ${nameOf(root)}`);
  return true;
});
if (kept.length === 0) throw new Error('the bundle holds no root');
await writeFile(TARGET, kept.map(({ pem, root }) => `# ${nameOf(root)}\n${pem}\n`).join(''));
const hash = createHash('sha256').update(text).digest('hex');
process.stdout.write(`${kept.length} of ${all.length} roots kept; SHA-256 of the bundle ${hash}\n`);
