/** Which answers of a configuration's cache are to be forgotten: all, or those that are meant. */
export type PurgeTarget =
  | { readonly kind: 'all' }
  /** Those that are read from it: `table` or `schema.table` as in SQL. */
  | { readonly kind: 'table'; readonly table: string }
  /** Those to the text, whatever its parameters; comments make no difference. */
  | { readonly kind: 'statement'; readonly statement: string };

export type PurgeProblem =
  /** No process serves the configuration. */
  | 'unserved'
  | 'noSuchTable'
  /** The origin could not be asked what the table is. */
  | 'originAway'
  /** A worker has not answered: it may still have some. */
  | 'unanswered';

export type PurgeOutcome = {
  /** How many were forgotten. */
  readonly answers: number;
  /** Null when all that was meant is forgotten. */
  readonly problem: PurgeProblem | null;
};

/** What several processes have done, as if they were one. */
export function sumOfPurges(outcomes: readonly PurgeOutcome[]): PurgeOutcome {
  const answers = outcomes.reduce((sum, outcome) => sum + outcome.answers, 0);
  const problem = outcomes.find((outcome) => outcome.problem !== null)?.problem ?? null;
  return { answers, problem };
}
