/** What a row of the table of the DSQL endpoint is made of. */

/**
 * A fact of Aurora DSQL, what Millrace does (one of {@link KINDS}, with what there is to say behind a
 * colon), and why no test holds it, where none does.
 */
export type CoverageRow = readonly [fact: string, here: string, untested?: string];

/** By number, such as `1.11`. */
export type CoverageRows = Readonly<Record<string, CoverageRow>>;

/** `our choice` is where nobody has told what AWS does. */
export const KINDS = ['same', 'differs', 'our choice', 'not done'] as const;

export type CoverageSection = {
  /** With the number of its rows before it. */
  readonly title: string;
  readonly rows: CoverageRows;
};
