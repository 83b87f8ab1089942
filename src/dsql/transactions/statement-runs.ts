/** Runs writes and locks for the first time, and again as they were told. */

import { ServerError } from '../server/server-link.ts';
import { quoteRelation } from '../sql-text.ts';
import type { RelationName, Write } from '../statements/judgement.ts';
import { ReplayDiffers } from './conflict.ts';
import { encodeExecution } from './execution-messages.ts';
import {
  arrayLiteral,
  COLUMNS_QUERY,
  firstWord,
  reinsertion,
  withRowReturned,
} from './insert-capture.ts';
import type { CapturedRows, Entry } from './journal.ts';
import type { LinkRunner } from './link-runner.ts';
import { allWrittenRowCount, writtenRowCount } from './own-rows.ts';
import { KeepingSink } from './reply-sinks.ts';
import { encodeWithColumn } from './statement-messages.ts';
import type { Execution } from './transaction.ts';

/** The statement may have been refused for the column that was added to it. */
export class CaptureRefused extends Error {}

export type WriteRun = {
  readonly tag: string;
  readonly answer: KeepingSink;
  readonly captured: CapturedRows | null;
  /** Rows inserted, updated and deleted. */
  readonly rowCount: number;
};

/** Syntax errors, access rule violations, names that mean nothing. */
const isAboutTheText = (error: unknown): boolean =>
  error instanceof ServerError && error.fields.sqlstate.startsWith('42');

const WRITING_TAG = /^(?:INSERT \d+|UPDATE|DELETE|MERGE|COPY) (\d+)$/;

/** The rows that a command tag tells of; 0 for a query. */
export const rowsOfTag = (tag: string): number => Number(WRITING_TAG.exec(tag)?.[1] ?? 0);

export type WriteOptions = {
  /** Whether the rows of an INSERT are to be kept. */
  readonly mayCapture: boolean;
  /** Whether an INSERT may write more than its rows, by its defaults. */
  readonly mayHide: boolean;
};

/** @throws CaptureRefused it is to be run once more, without that */
export async function runWrite(
  runner: LinkRunner,
  execution: Execution,
  write: Write,
  { mayCapture, mayHide }: WriteOptions,
): Promise<WriteRun> {
  const { insert, targets } = write;
  const first = firstWord(execution.text);
  if (mayCapture && insert !== null && first !== 'execute') {
    const text = withRowReturned(execution.text, insert);
    if (text !== null) {
      if (!mayHide) return await runCapturing(runner, execution, text, insert);
      const before = await allWrittenRowCount(runner.query);
      const done = await runCapturing(runner, execution, text, insert);
      const hasHidden = (await allWrittenRowCount(runner.query)) - before !== done.rowCount;
      // Its rows alone would not be all that it did.
      return hasHidden ? { ...done, captured: null } : done;
    }
  }
  const isCounted = first === 'with' && insert === null && targets.length > 0;
  const before = isCounted ? await writtenRowCount(runner.query, targets) : 0;
  const answer = new KeepingSink();
  const { tags } = await runner.exchange(encodeExecution(execution), answer);
  answer.assertKept();
  const tag = tags.at(-1) ?? '';
  const rowCount = isCounted
    ? (await writtenRowCount(runner.query, targets)) - before
    : rowsOfTag(tag);
  return { tag, answer, captured: null, rowCount };
}

async function runCapturing(
  runner: LinkRunner,
  execution: Execution,
  text: string,
  insert: NonNullable<Write['insert']>,
): Promise<WriteRun> {
  const answer = new KeepingSink({ hasReturning: insert.hasReturning });
  try {
    const { tags } = await runner.exchange(encodeWithColumn(execution, text), answer);
    answer.assertKept();
    const tag = tags.at(-1) ?? '';
    const captured = answer.hasMissed ? null : { into: insert.into, rows: answer.captured };
    return { tag, answer, captured, rowCount: rowsOfTag(tag) };
  } catch (error) {
    if (isAboutTheText(error)) throw new CaptureRefused('', { cause: error });
    throw error;
  }
}

/** EXPLAIN ANALYZE tells times, which are others each time. */
const MEASUREMENT = 'EXPLAIN';

/** Runs again what was told. */
export class Replay {
  readonly #runner: LinkRunner;
  /** By the name that a statement has for the table. */
  readonly #columns = new Map<string, readonly string[]>();

  constructor(runner: LinkRunner) {
    this.#runner = runner;
  }

  /** @throws ReplayDiffers | ServerError | GatewayError */
  async run(entry: Entry): Promise<void> {
    const answer = new KeepingSink();
    if (entry.kind === 'messages') {
      const { tags } = await this.#runner.exchange(entry.messages, answer);
      if (entry.tag !== null && tags[0] !== entry.tag) throw new ReplayDiffers();
      return;
    }
    const { captured } = entry;
    if (captured !== null) {
      await this.#insert(captured);
      return;
    }
    const { tags } = await this.#runner.exchange(encodeExecution(entry.execution), answer);
    const hasSameRows = answer.digest === entry.digest || entry.tag === MEASUREMENT;
    if ((tags.at(-1) ?? '') !== entry.tag || !hasSameRows) throw new ReplayDiffers();
  }

  async #insert({ into, rows }: CapturedRows): Promise<void> {
    const text = reinsertion(into, await this.#columnsOf(into));
    const { tag } = await this.#runner.query(text, [arrayLiteral(rows)]);
    if (rowsOfTag(tag) !== rows.length) throw new ReplayDiffers();
  }

  async #columnsOf(into: RelationName): Promise<readonly string[]> {
    const name = quoteRelation(into);
    const known = this.#columns.get(name);
    if (known !== undefined) return known;
    const { rows } = await this.#runner.query(COLUMNS_QUERY, [name]);
    const columns = rows.map(([column]) => column ?? '');
    this.#columns.set(name, columns);
    return columns;
  }
}
