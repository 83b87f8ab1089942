/** How a transaction is told that it lost, and which of PostgreSQL's errors may mean that. */
import { DsqlError } from '../dsql-error.ts';
import { ServerError } from '../server/server-link.ts';

/** @param detail why it is said now, where DSQL would say it at COMMIT; empty otherwise */
export const changeConflict = (detail = ''): DsqlError =>
  new DsqlError('40001', 'change conflicts with another transaction (OC000)', { detail });

export const transactionFailed = (): DsqlError =>
  new DsqlError(
    '25P02',
    'current transaction is aborted, commands ignored until end of transaction block',
  );

/** A replay did not do again what the client was told. */
export class ReplayDiffers extends Error {}

/** What an error of PostgreSQL means to a transaction that does not want to wait. */
export type Meaning =
  /** It lost a row to a transaction that has committed. */
  | 'lost'
  /** A constraint failed: over a row of its snapshot, or over one committed since. */
  | 'constraint'
  /** It was struck down so that others can go on, and may try again. */
  | 'struck'
  /** It waited for somebody who cannot be moved out of the way. */
  | 'stuck'
  /** An error of the statement itself. */
  | 'genuine';

/** serialization_failure, unique, foreign key and exclusion violations, and so on: Appendix A. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '40001': 'lost',
  '23505': 'constraint',
  '23503': 'constraint',
  '23P01': 'constraint',
  '40P01': 'struck',
  '55P03': 'stuck',
};

const QUERY_CANCELED = '57014';

/** @param isStruck whether the adjudicator itself has asked for a cancel */
export function meaningOf(error: unknown, isStruck: boolean): Meaning {
  if (error instanceof ReplayDiffers) return 'lost';
  if (!(error instanceof ServerError)) return 'genuine';
  const { sqlstate } = error.fields;
  if (sqlstate === QUERY_CANCELED) return isStruck ? 'struck' : 'genuine';
  return MEANINGS[sqlstate] ?? 'genuine';
}
