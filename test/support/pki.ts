import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The place of a file of `pki/`, whose README tells what there is. */
export const pkiPath = (name: string): string => join(import.meta.dirname, 'pki', name);

/** The text of a certificate or key of `pki/`. */
export const pki = (name: string): string => readFileSync(pkiPath(name), 'utf8');
