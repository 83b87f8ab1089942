/** What the judges of the kinds of statements are given beside the tree. */
import type { SqlParser } from '../../sql/facts/parser.ts';
import type { Edit } from './edits.ts';

export type StatementContext = {
  /** The whole text in UTF-8, as it was parsed: offsets of the tree count in it. */
  readonly bytes: Uint8Array;
  /** The statement in it. */
  readonly start: number;
  readonly end: number;
  /** Whether it was written with ASYNC, which is blanked in `bytes`. */
  readonly isAsync: boolean;
  readonly parser: SqlParser;
  /** What is to be changed before PostgreSQL gets it; judges add to it. */
  readonly edits: Edit[];
};
