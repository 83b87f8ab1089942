/** One transaction before the adjudicator, as its session sees it. */

import { GatewayError } from '../../base/errors.ts';
import { SerialQueue } from '../serial-queue.ts';
import { encodeSimpleQuery, RowSink } from '../server/link-messages.ts';
import type { ReplySink, ServerLink } from '../server/server-link.ts';
import type { Write } from '../statements/judgement.ts';
import { Attempts, type TransactionStart } from './attempts.ts';
import { runCommit } from './commit-run.ts';
import { transactionFailed } from './conflict.ts';
import type { Court } from './court.ts';
import { encodeExecution } from './execution-messages.ts';
import type { Guarded } from './guards.ts';
import { LinkRunner } from './link-runner.ts';
import { allWrittenRowCount } from './own-rows.ts';
import { checkAge, checkRows } from './quotas.ts';
import { StreamingSink } from './reply-sinks.ts';
import { Stage } from './stage.ts';
import { rowsOfTag, runWrite } from './statement-runs.ts';
import type { Execution, Outcome, Transaction } from './transaction.ts';

/**
 * A transaction that was once in the way gives up its locks after each statement, rather than have
 * others find it there again, as long as there is no more than this to run again.
 */
const YIELDING_ENTRIES_MAX = 32;

/** First words of tags: what leaves nothing behind that a rollback to the start would undo. */
const TRANSIENT: ReadonlySet<string> = new Set(['', 'DEALLOCATE', 'PREPARE', 'SELECT', 'SHOW']);
const COPY = 'COPY';

type Streamed = {
  readonly tag: string;
  readonly hasCopiedIn: boolean;
  /** What it wrote though its text does not say so: by a view, a domain, a parameter. */
  readonly hiddenRows: number;
};

/** What a statement without writes may be that has to be run again. */
const SET_CONSTRAINTS = 'SET CONSTRAINTS';

export class AdjudicatedTransaction implements Transaction, Guarded {
  readonly processId: number;
  readonly serial: number;
  readonly startCommit: number;
  readonly #link: ServerLink;
  readonly #court: Court;
  readonly #attempts: Attempts;
  readonly #runner: LinkRunner;
  readonly #stage: Stage;
  /** Its link is used by one at a time: the client, or who parks it. */
  readonly #turns = new SerialQueue();
  #rowCount = 0;
  #isFailed = false;
  #isOver = false;
  #isBusy = false;
  #isParking = false;
  #isCommitting = false;

  constructor(court: Court, link: ServerLink, start: TransactionStart) {
    this.processId = link.processId;
    this.serial = start.serial;
    this.startCommit = start.startCommit;
    this.#link = link;
    this.#court = court;
    this.#runner = new LinkRunner(link, court.watch, this);
    this.#stage = new Stage(link, this.#runner);
    this.#attempts = new Attempts(this.#stage, court, start);
    void link.ended.then(() => this.#leave());
  }

  get isFailed(): boolean {
    return this.#isFailed;
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  get strength(): number {
    return this.#attempts.strength;
  }

  get isParkable(): boolean {
    return !this.#isBusy && !this.#isParking && !this.#isOver && this.#isMovable;
  }

  get #isMovable(): boolean {
    return this.#stage.state === 'live' && !this.#stage.isPinned;
  }

  park(): void {
    this.#isParking = true;
    void this.#turns.run(async () => {
      this.#isParking = false;
      if (this.#isBusy || this.#isOver || !this.#isMovable) return;
      this.#stage.wasParked = true;
      // A link that is lost tells its client so.
      await this.#stage.reset().catch(() => {});
    });
  }

  strike(): void {
    this.#runner.strike();
  }

  lose(): void {
    this.#attempts.hasLost = true;
    this.#runner.strike();
  }

  async execute(execution: Execution, sink: ReplySink): Promise<Outcome> {
    const { write } = execution;
    return await this.#enter(() =>
      write === null ? this.#read(execution, sink) : this.#write(execution, write, sink),
    );
  }

  async passThrough(messages: Uint8Array, sink: ReplySink): Promise<Outcome> {
    return await this.#enter(async () => {
      const stage = this.#stage;
      const { tag, hasCopiedIn } = await this.#stream(messages, sink, null);
      const [command = ''] = tag.split(' ', 1);
      if (hasCopiedIn) {
        // Rows of a COPY pass by but once.
        stage.pin();
        this.#addRows(rowsOfTag(tag));
      } else if (command !== COPY && !TRANSIENT.has(command)) {
        stage.journal.addMessages(messages, tag);
      }
      return { tag };
    });
  }

  async set(text: string): Promise<{ tag: string; row: readonly (string | null)[] }> {
    return await this.#enter(async () => {
      const messages = encodeSimpleQuery(text);
      const run = async () => {
        const sink = new RowSink();
        const exchange = await this.#runner.exchange(messages, sink);
        return { tags: exchange.tags, row: sink.rows().at(-1) ?? [] };
      };
      const { tags, row } = await this.#attempts.have({ ...PLAIN, execution: null, run });
      this.#stage.journal.addMessages(messages, null);
      return { tag: tags[0] ?? '', row };
    });
  }

  fail(): void {
    this.#isFailed = true;
  }

  async commit(): Promise<'COMMIT' | 'ROLLBACK'> {
    if (this.#isOver) throw new GatewayError('MR_ORIGIN_LOST');
    this.#isBusy = true;
    this.#isCommitting = true;
    return await this.#turns.run(async () => {
      try {
        if (!this.#isFailed) return await runCommit(this.#attempts);
        await this.#abort();
        return 'ROLLBACK';
      } catch (error) {
        await this.#abort();
        throw error;
      } finally {
        this.#leave();
      }
    });
  }

  abandon(): void {
    if (this.#isOver || !this.#isBusy || this.#isCommitting) return;
    this.#attempts.leaving.abort();
    this.#runner.cancel();
  }

  async rollback(): Promise<void> {
    if (this.#isOver) return;
    this.abandon();
    await this.#turns.run(async () => {
      this.#isBusy = true;
      await this.#abort();
      this.#leave();
    });
  }

  async #enter<T>(task: () => Promise<T>): Promise<T> {
    if (this.#isOver) throw new GatewayError('MR_ORIGIN_LOST');
    if (this.#isFailed) throw transactionFailed();
    this.#isBusy = true;
    const ageMs = this.#court.clock.nowMs() - this.#attempts.start.startMs;
    return await this.#turns.run(async () => {
      try {
        checkAge(ageMs);
        return await task();
      } catch (error) {
        this.#isFailed = true;
        throw error;
      } finally {
        this.#isBusy = false;
      }
    });
  }

  async #read(execution: Execution, sink: ReplySink): Promise<Outcome> {
    const messages = encodeExecution(execution);
    const { tag, hiddenRows } = await this.#stream(messages, sink, execution);
    if (tag === SET_CONSTRAINTS) this.#stage.journal.addMessages(messages, tag);
    if (hiddenRows > 0) {
      // What was told of it was not kept, so it cannot be run again.
      this.#stage.pin();
      this.#addRows(hiddenRows);
    }
    await this.#yield();
    return { tag };
  }

  /** Runs what is given to the client as it comes. */
  async #stream(
    messages: Uint8Array,
    sink: ReplySink,
    execution: Execution | null,
  ): Promise<Streamed> {
    const given = new StreamingSink(sink);
    const mayRetry = (): boolean => !given.hasGiven;
    const { query } = this.#runner;
    const mayHide = execution !== null && (await this.#mayHideWrites());
    const run = async (): Promise<Streamed> => {
      const before = mayHide ? await allWrittenRowCount(query) : 0;
      const { tags } = await this.#runner.exchange(messages, given);
      const hiddenRows = mayHide ? (await allWrittenRowCount(query)) - before : 0;
      return { tag: tags.at(-1) ?? '', hasCopiedIn: given.hasCopiedIn, hiddenRows };
    };
    return await this.#attempts.have({ ...PLAIN, execution, mayRetry, run });
  }

  async #write(execution: Execution, write: Write, sink: ReplySink): Promise<Outcome> {
    // What stays where it is needs no replay.
    let mayCapture = !this.#stage.isPinned;
    const mayHide = write.insert !== null && mayCapture && (await this.#mayHideWrites());
    const run = () => runWrite(this.#runner, execution, write, { mayCapture, mayHide });
    const onCaptureRefused = (): void => {
      mayCapture = false;
    };
    const attempt = { ...PLAIN, execution, run, onCaptureRefused };
    const { tag, answer, captured, rowCount } = await this.#attempts.have(attempt);
    this.#addRows(rowCount);
    const { digest } = answer;
    const entry = { kind: 'statement', execution, write, tag, digest, captured } as const;
    this.#stage.journal.addStatement(entry, rowCount);
    await this.#yield();
    answer.giveTo(sink);
    return { tag };
  }

  /** Whether a statement may write what its text does not say. */
  async #mayHideWrites(): Promise<boolean> {
    return this.#stage.journal.changesCatalogue || (await this.#court.hasVolatileFunctions());
  }

  #addRows(count: number): void {
    this.#rowCount += count;
    checkRows(this.#rowCount);
  }

  async #yield(): Promise<void> {
    const { wasParked, journal } = this.#stage;
    const { length } = journal.entries;
    if (!wasParked || length === 0 || length > YIELDING_ENTRIES_MAX || !this.#isMovable) return;
    await this.#stage.reset();
  }

  /** Never rejects: a link that is lost takes its transaction with it. */
  async #abort(): Promise<void> {
    if (!this.#link.isOpen || this.#link.status === 'I') return;
    await this.#runner.query('ROLLBACK').catch(() => {});
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#court.leave(this);
  }
}

/** Nothing of it is given to the client before it is done. */
const PLAIN = { mayRetry: () => true, onCaptureRefused: () => {} };
