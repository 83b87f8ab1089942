import type { Answer } from '../session/reads/read-cache.ts';

/** What one answer costs beside its bytes: key, entry and their places in a map. */
const ENTRY_BYTES = 512;

/** Bytes that an answer takes of the budget. */
export function answerBytes(key: string, answer: Answer): number {
  return key.length + (answer.description?.length ?? 0) + answer.rows.length + ENTRY_BYTES;
}
