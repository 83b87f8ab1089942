/** What a transaction has told its client, to be done again as it was told. */

import type { RelationName, RowLock, Write } from '../statements/judgement.ts';
import { JOURNAL_BYTES_MAX, tooLarge } from './quotas.ts';
import type { Execution } from './transaction.ts';

/** Rows of an INSERT, each as the text of a composite value. */
export type CapturedRows = { readonly into: RelationName; readonly rows: readonly string[] };

export type Entry =
  /** A write or a lock, with what was told of it. */
  | {
      readonly kind: 'statement';
      readonly execution: Execution;
      readonly write: Write;
      readonly tag: string;
      /** Of the rows told. */
      readonly digest: string;
      readonly captured: CapturedRows | null;
    }
  /** Settings, constraints, changes of the catalogue: run again as they came. */
  | { readonly kind: 'messages'; readonly messages: Uint8Array; readonly tag: string | null };

export class Journal {
  readonly entries: Entry[] = [];
  /** Captured rows, as text. */
  capturedBytes = 0;
  /** Texts and parameters of writes that were not captured, and the rows that they wrote. */
  uncapturedBytes = 0;
  uncapturedRowCount = 0;
  /** Something was passed through that may have changed the catalogue. */
  changesCatalogue = false;
  #bytes = 0;

  /** @throws DsqlError when it is more than may be kept */
  addStatement(entry: Extract<Entry, { kind: 'statement' }>, rowCount: number): void {
    const { text, bind } = entry.execution;
    const sent = Buffer.byteLength(text) + (bind?.length ?? 0);
    let captured = 0;
    for (const row of entry.captured?.rows ?? []) captured += Buffer.byteLength(row);
    if (entry.captured !== null) this.capturedBytes += captured;
    else if (entry.write.targets.length > 0) {
      this.uncapturedBytes += sent;
      this.uncapturedRowCount += rowCount;
    }
    this.#add(entry, sent + captured);
  }

  /** @throws DsqlError as above */
  addMessages(messages: Uint8Array, tag: string | null): void {
    if (tag !== null && tag !== 'SET CONSTRAINTS') this.changesCatalogue = true;
    this.#add({ kind: 'messages', messages: Buffer.from(messages), tag }, messages.length);
  }

  #add(entry: Entry, bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > JOURNAL_BYTES_MAX) throw tooLarge(this.#bytes);
    this.entries.push(entry);
  }

  /** The locks of one strength, with the statements that asked for them. */
  locks(strength: RowLock['strength']): { lock: RowLock; execution: Execution }[] {
    return this.entries.flatMap((entry) =>
      entry.kind !== 'statement'
        ? []
        : entry.write.locks
            .filter((lock) => lock.strength === strength)
            .map((lock) => ({ lock, execution: entry.execution })),
    );
  }

  /** What writes that were not captured went to. */
  uncapturedTargets(): RelationName[] {
    return this.entries.flatMap((entry) =>
      entry.kind === 'statement' && entry.captured === null ? entry.write.targets : [],
    );
  }
}
