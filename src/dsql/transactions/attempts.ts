/** How a statement gets through: tried, tried again, or done in copies. */
import { DsqlError } from '../dsql-error.ts';
import { ServerError } from '../server/server-link.ts';
import { changeConflict, type Meaning, meaningOf, transactionFailed } from './conflict.ts';
import type { Court } from './court.ts';
import type { Stage } from './stage.ts';
import { CaptureRefused } from './statement-runs.ts';
import type { Execution } from './transaction.ts';
import type { Release } from './turn.ts';

/** How often a statement, or the way to COMMIT, is tried that is struck down again and again. */
export const ATTEMPTS_MAX = 20;
/** How long one waits for the turn of those that try again. */
const TURN_WAIT_MS_MAX = 30_000;

export type TransactionStart = {
  readonly startMs: number;
  /** Commits that there had been. */
  readonly startCommit: number;
  /** As `pg_current_snapshot` says it. */
  readonly snapshot: string;
  /** Later ones have higher numbers. */
  readonly serial: number;
};

export type Attempt<T> = {
  /** Null for what cannot be looked at before it is run. */
  readonly execution: Execution | null;
  /** Whether the client has seen nothing of it. */
  mayRetry(): boolean;
  run(): Promise<T>;
  /** It is to be run as it is from now on. */
  onCaptureRefused(): void;
};

export class Attempts {
  readonly stage: Stage;
  readonly court: Court;
  readonly start: TransactionStart;
  /** What it waited for was locked by a transaction that has committed. */
  hasLost = false;
  /** Aborted when its client goes away. */
  readonly leaving = new AbortController();
  /** Who has the turn, or is at COMMIT, is not struck for one who has not. */
  strength = 0;

  constructor(stage: Stage, court: Court, start: TransactionStart) {
    this.stage = stage;
    this.court = court;
    this.start = start;
  }

  /**
   * Has it done, whatever other transactions hold.
   * @throws ServerError | DsqlError | GatewayError
   */
  async have<T>(attempt: Attempt<T>): Promise<T> {
    const { stage } = this;
    let first: ServerError | null = null;
    let release: Release | null = null;
    try {
      for (let n = 0; n < ATTEMPTS_MAX; n++) {
        if (this.leaving.signal.aborted) throw transactionFailed();
        try {
          return await this.#once(attempt);
        } catch (error) {
          if (error instanceof CaptureRefused) {
            attempt.onCaptureRefused();
            await stage.reset();
            continue;
          }
          const meaning = this.#judge(error, attempt.mayRetry(), first);
          if (meaning === 'struck') {
            await stage.reset();
            release ??= await this.takeTurn();
            continue;
          }
          if (await this.#isGenuine(meaning)) throw error;
          if (error instanceof ServerError && !stage.isReplaying) first = error;
          await stage.setAside(meaning);
        }
      }
      throw changeConflict('Told before COMMIT: others were in the way too often.');
    } finally {
      release?.();
      this.strength = 0;
    }
  }

  async #once<T>({ execution, run }: Attempt<T>): Promise<T> {
    await this.stage.wake();
    if (execution !== null) await this.stage.cover(execution, execution.write);
    return await run();
  }

  /** @throws what the client is to be told, when there is nothing else to be done */
  #judge(error: unknown, mayRetry: boolean, first: ServerError | null): Meaning {
    const meaning = this.meaningOf(error);
    const isStuck = meaning === 'struck' && this.stage.isPinned;
    if (!mayRetry || isStuck) throw asTold(error, meaning);
    if (meaning === 'genuine') {
      // It could not be set aside, to see whose error it is; but nobody here has committed since.
      const isOwn = error instanceof DsqlError && first !== null && this.#isAlone;
      throw isOwn && meaningOf(first, false) === 'constraint' ? first : error;
    }
    if (this.stage.state === 'overlay') throw inOverlay(error, meaning, first);
    return meaning;
  }

  meaningOf(error: unknown): Meaning {
    const meaning = meaningOf(error, this.stage.runner.takeStruck());
    if (meaning === 'struck' && this.hasLost) return 'lost';
    // What went well when it was told, and does not any more, was taken from it.
    const isBroken = this.stage.isReplaying && error instanceof ServerError;
    return meaning === 'genuine' && isBroken ? 'lost' : meaning;
  }

  /** Whether a constraint failed for reasons that it could see. */
  async #isGenuine(meaning: Meaning): Promise<boolean> {
    if (meaning !== 'constraint' || this.stage.isReplaying || !this.#isAlone) return false;
    return await this.court.isUnchanged(this.start.snapshot);
  }

  /** No transaction of the endpoint's has committed since it began. */
  get #isAlone(): boolean {
    return this.court.commitCount === this.start.startCommit;
  }

  /** @throws DsqlError `40001` */
  async takeTurn(): Promise<Release> {
    const release = await this.court.turn.take(TURN_WAIT_MS_MAX, this.leaving.signal);
    if (release === null) {
      throw changeConflict('Told before its turn: too many transactions try again.');
    }
    this.strength = 1;
    return release;
  }
}

/** What a client is told whose statement can be neither tried again nor set aside. */
export const asTold = (error: unknown, meaning: Meaning): unknown =>
  meaning === 'genuine' || meaning === 'constraint' ? error : changeConflict();

/** An error in copies is the statement's own; best told as the tables themselves said it. */
function inOverlay(error: unknown, meaning: Meaning, first: ServerError | null): unknown {
  if (meaning !== 'constraint') return changeConflict();
  if (first === null || !(error instanceof ServerError)) return error;
  return first.fields.sqlstate === error.fields.sqlstate ? first : error;
}
