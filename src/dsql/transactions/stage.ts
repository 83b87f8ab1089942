/**
 * Where a transaction stands: on the tables themselves, nowhere (what it told is in its journal),
 * or in copies.
 */
import { RowSink } from '../server/link-messages.ts';
import { ServerError, type ServerLink } from '../server/server-link.ts';
import type { Write } from '../statements/judgement.ts';
import { changeConflict, type Meaning, ReplayDiffers } from './conflict.ts';
import { Journal } from './journal.ts';
import type { LinkRunner } from './link-runner.ts';
import { Overlay, OverlayRefusal } from './overlay.ts';
import { encodeExplain } from './statement-messages.ts';
import { Replay } from './statement-runs.ts';
import type { Execution } from './transaction.ts';

/** The savepoint at the beginning: what is rolled back to it keeps its snapshot. */
export const START = 'millrace_start';

export type StageState =
  /** The server has all that the client was told of, and the locks of it. */
  | 'live'
  /** The server has nothing of it, and no locks. */
  | 'parked'
  /** The server has all of it, in copies. */
  | 'overlay';

export class Stage {
  readonly link: ServerLink;
  readonly runner: LinkRunner;
  readonly journal = new Journal();
  readonly #replay: Replay;
  #state: StageState = 'live';
  #overlay: Overlay | null = null;
  /** It has lost, and hears of it at COMMIT. */
  isDoomed = false;
  #isPinned = false;
  /** It was once in somebody's way. */
  wasParked = false;
  /** What was told is being done again. */
  isReplaying = false;

  constructor(link: ServerLink, runner: LinkRunner) {
    this.link = link;
    this.runner = runner;
    this.#replay = new Replay(runner);
  }

  get state(): StageState {
    return this.#state;
  }

  /** It has stored what cannot be stored again: the rows of a COPY, or what a view has written. */
  get isPinned(): boolean {
    return this.#isPinned;
  }

  /** Has it stay where it is, to its end. In copies it can then only lose. */
  pin(): void {
    this.#isPinned = true;
    if (this.#state === 'overlay') this.isDoomed = true;
  }

  /** Lets go of everything but the snapshot. */
  async reset(): Promise<void> {
    await this.runner.query(`ROLLBACK TO SAVEPOINT ${START}`);
    this.#state = 'parked';
    this.#overlay = null;
  }

  /** @throws ReplayDiffers | ServerError | GatewayError it cannot do again what it told */
  async wake(): Promise<void> {
    if (this.#state !== 'parked') return;
    await this.#replayAll(null);
    this.#state = 'live';
  }

  /**
   * Goes on in copies.
   * @throws DsqlError `40001`
   */
  async setAside(meaning: Meaning): Promise<void> {
    if (this.isPinned)
      throw changeConflict('Told before COMMIT: what it stored cannot be set aside.');
    await this.reset();
    const overlay = new Overlay(this.runner.query);
    this.#overlay = overlay;
    this.#state = 'overlay';
    try {
      await this.#replayAll(overlay);
    } catch (error) {
      throw refusal(error);
    }
    // Who waited in vain may still commit, if what it waited for goes away.
    if (meaning !== 'stuck') this.isDoomed = true;
  }

  /**
   * Before a statement in copies: has it find them.
   * @throws DsqlError `40001` when it would not
   */
  async cover(execution: Execution, write: Write | null): Promise<void> {
    if (this.#overlay === null) return;
    try {
      await cover(this.#overlay, this.runner, execution, write);
    } catch (error) {
      throw refusal(error);
    }
  }

  async #replayAll(overlay: Overlay | null): Promise<void> {
    this.isReplaying = true;
    // One that throws leaves it set, for whoever asks what the error means.
    for (const entry of this.journal.entries) {
      if (overlay !== null && entry.kind === 'statement') {
        if (entry.captured?.into.schema != null) throw new OverlayRefusal(NAMED_WITH_SCHEMA);
        await cover(overlay, this.runner, entry.execution, entry.write);
      }
      await this.#replay.run(entry);
    }
    this.isReplaying = false;
  }
}

const NAMED_WITH_SCHEMA = 'a statement names a table with its schema, or by a view';

async function cover(
  overlay: Overlay,
  runner: LinkRunner,
  execution: Execution,
  write: Write | null,
): Promise<void> {
  if (write !== null) await overlay.cover(write);
  const plan = await planOf(runner, execution);
  if (plan !== null && overlay.isBypassedBy(plan)) throw new OverlayRefusal(NAMED_WITH_SCHEMA);
}

/** Null for what has no plan, such as SET CONSTRAINTS, or fails anyway. */
async function planOf(runner: LinkRunner, execution: Execution): Promise<unknown> {
  const plan = new RowSink();
  await runner.query('SAVEPOINT millrace_plan');
  try {
    await runner.exchange(encodeExplain(execution), plan);
    await runner.query('RELEASE SAVEPOINT millrace_plan');
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    await runner.query('ROLLBACK TO SAVEPOINT millrace_plan; RELEASE SAVEPOINT millrace_plan');
    return null;
  }
  return JSON.parse(plan.rows()[0]?.[0] ?? 'null');
}

/** What a client hears whose transaction has lost and cannot go on to its COMMIT. */
function refusal(error: unknown): unknown {
  if (error instanceof OverlayRefusal) {
    return changeConflict(`Told before COMMIT, as it cannot be set aside: ${error.message}.`);
  }
  if (error instanceof ServerError || error instanceof ReplayDiffers) {
    return changeConflict('Told before COMMIT, as what it did cannot be set aside.');
  }
  return error;
}
