import { fileURLToPath } from 'node:url';

/** The repository, seen from where this lies compiled: `bench/results/.build/bench/system`. */
export const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url));
