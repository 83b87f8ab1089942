/** What a session asks of a transaction; the adjudicator stands behind it. */
import type { ReplySink } from '../server/server-link.ts';
import type { Write } from '../statements/judgement.ts';

/** A statement with everything that is needed to run it, and to run it again. */
export type Execution = {
  readonly text: string;
  /** OIDs of Parse; empty for none. */
  readonly parameterTypes: readonly number[];
  /**
   * The content of Bind behind the two names: formats, values and formats of results. Null for the
   * simple protocol, in which RowDescription comes with the rows.
   */
  readonly bind: Buffer | null;
  /** Null for a statement that neither writes nor locks. */
  readonly write: Write | null;
};

export type Outcome = {
  /** The command tag, such as `UPDATE 3`; empty for an empty query. */
  readonly tag: string;
};

export interface Transaction {
  /** Whether an error has ended it: only ROLLBACK and COMMIT (which rolls back) make sense. */
  readonly isFailed: boolean;
  /** Rows inserted, updated and deleted so far. */
  readonly rowCount: number;
  /**
   * Runs a statement. The sink gets what its client is to see: RowDescription (simple protocol
   * only), DataRow, notices; not the CommandComplete. Answers to writes and locks are complete when
   * the sink gets the first of them.
   * @throws ServerError | DsqlError the statement failed, and with it the transaction
   * @throws GatewayError the link was lost
   */
  execute(execution: Execution, sink: ReplySink): Promise<Outcome>;
  /**
   * Runs what is neither a query nor a setting, as it comes: changes of the catalogue, PREPARE,
   * questions of the session's own, COPY. By its command tag it is run again, or need not be; what
   * COPY FROM has stored stays, and is in the way of others until the end. Errors as above.
   */
  passThrough(messages: Uint8Array, sink: ReplySink): Promise<Outcome>;
  /**
   * Runs SET, RESET or set_config, alone or followed by a SELECT in the same text, as one simple
   * Query. A ROLLBACK TO undoes settings: so the text is part of what is run again, in its place
   * among the writes, whenever the transaction goes on after it was parked. It locks nothing.
   * @returns the tag of the first statement, and the first row of the last
   * @throws as `execute`
   */
  set(text: string): Promise<{ readonly tag: string; readonly row: readonly (string | null)[] }>;
  /** Marks it failed: the endpoint itself has refused a statement. */
  fail(): void;
  /**
   * @returns `ROLLBACK` when it had failed
   * @throws DsqlError `40001` OC000, or 54000: it is rolled back
   */
  commit(): Promise<'COMMIT' | 'ROLLBACK'>;
  rollback(): Promise<void>;
  /** Its client has gone: what runs is cancelled, but for COMMIT. To be followed by `rollback`. */
  abandon(): void;
}
