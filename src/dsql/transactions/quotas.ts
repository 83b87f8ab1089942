/** What a transaction may be, in the words of DSQL. Source: dsql.md, section 6. */
import { DsqlError } from '../dsql-error.ts';

const ROWS_MAX = 3_000;
export const AGE_MS_MAX = 300_000;
const SIZE_BYTES_MAX = 10 * 1_048_576;

/**
 * What a transaction keeps in memory to be able to run again: texts, parameters, and the rows that
 * it has inserted. It is well above what may be committed.
 */
export const JOURNAL_BYTES_MAX = 4 * SIZE_BYTES_MAX;

/** @throws DsqlError */
export function checkRows(rowCount: number): void {
  if (rowCount > ROWS_MAX) throw new DsqlError('54000', 'transaction row limit exceeded');
}

/** @throws DsqlError */
export function checkAge(ageMs: number): void {
  if (ageMs > AGE_MS_MAX) throw tooOld(ageMs);
}

export function tooOld(ageMs: number): DsqlError {
  const limit = AGE_MS_MAX / 1_000;
  return new DsqlError('54000', `transaction age limit of ${limit}s exceeded`, {
    detail: `Current transaction age ${Math.floor(ageMs / 1_000)}s exceeds ${limit}s`,
  });
}

/** @throws DsqlError */
export function checkSize(bytes: number): void {
  if (bytes > SIZE_BYTES_MAX) throw tooLarge(bytes);
}

export const tooLarge = (bytes: number): DsqlError =>
  new DsqlError('54000', 'transaction size limit 10mb exceeded', {
    detail: `Current transaction size ${Math.ceil(bytes / 1_048_576)}mb > 10mb`,
  });

/** What DSQL lets a query have; the answer to a write is kept whole until it is certain. */
export const ANSWER_BYTES_MAX = 131_072 * 1_024;

/** @throws DsqlError */
export function checkAnswer(bytes: number): void {
  if (bytes <= ANSWER_BYTES_MAX) return;
  const text = 'query requires more than allowed temp space of 131072 KB to execute';
  throw new DsqlError('54000', text);
}
