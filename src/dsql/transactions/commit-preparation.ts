/** What a transaction has to do before its COMMIT, on the tables themselves. */
import { ServerError } from '../server/server-link.ts';
import { changeConflict, meaningOf } from './conflict.ts';
import type { Court } from './court.ts';
import { encodeExecution } from './execution-messages.ts';
import type { Guard } from './guards.ts';
import { touchLocked, writtenBytes } from './own-rows.ts';
import { checkSize } from './quotas.ts';
import { KeepingSink } from './reply-sinks.ts';
import type { Stage } from './stage.ts';

/**
 * Writes that are sent in fewer bytes than this, and change fewer rows, are not measured: that
 * takes a look at every row of their tables.
 */
const MEASURED_FROM_BYTES = 1_048_576;
const MEASURED_FROM_ROWS = 64;

/**
 * Leaves marks of row locks for older snapshots, and looks at what COMMIT itself would look at too
 * late to tell a conflict from an error.
 * @param startCommit commits that there had been at its start
 * @returns a guard to be posted after the COMMIT, or null
 * @throws ServerError | DsqlError | GatewayError
 */
export async function prepareCommit(
  stage: Stage,
  court: Court,
  startCommit: number,
): Promise<Guard | null> {
  const { journal, runner } = stage;
  const updates = journal.locks('FOR UPDATE');
  if (updates.length > 0) {
    const relations = updates.flatMap(({ lock }) => lock.relations);
    await touchLocked(runner.query, relations);
  }
  await checkWritten(stage);
  // With nobody's commit since its start, whatever fails at COMMIT is no conflict.
  const mayConflict = court.commitCount !== startCommit;
  if (mayConflict && (await court.hasDeferrable())) await checkDeferred(stage);
  return await guardOf(stage, court);
}

async function checkWritten({ journal, runner }: Stage): Promise<void> {
  let bytes = journal.capturedBytes;
  const isMeasured =
    journal.uncapturedBytes >= MEASURED_FROM_BYTES ||
    journal.uncapturedRowCount >= MEASURED_FROM_ROWS;
  if (isMeasured) bytes += await writtenBytes(runner.query, journal.uncapturedTargets());
  checkSize(bytes);
}

const ALL_IMMEDIATE = 'SET CONSTRAINTS ALL IMMEDIATE';

/** @throws ServerError a constraint fails in its own snapshot too; DsqlError 40001 */
async function checkDeferred(stage: Stage): Promise<void> {
  try {
    await stage.runner.query(ALL_IMMEDIATE);
  } catch (error) {
    const meaning = meaningOf(error, false);
    if (meaning !== 'constraint') throw error;
    await stage.setAside(meaning);
    try {
      await stage.runner.query(ALL_IMMEDIATE);
    } catch (inCopies) {
      if (inCopies instanceof ServerError) throw new GenuineAtCommit(error as ServerError);
      throw inCopies;
    }
    throw changeConflict();
  }
}

/** An error of a constraint that is the transaction's own. */
export class GenuineAtCommit extends Error {
  readonly error: ServerError;

  constructor(error: ServerError) {
    super(error.message);
    this.error = error;
  }
}

async function guardOf({ journal, runner, link }: Stage, court: Court): Promise<Guard | null> {
  const locks = journal
    .locks('FOR KEY SHARE')
    .filter(({ execution }) => execution.write?.targets.length === 0);
  if (locks.length === 0) return null;
  const shown = await runner.query("SELECT pg_catalog.current_setting('search_path')");
  const guard = await court.guards.prepare(link.role, shown.rows[0]?.[0] ?? '');
  if (guard === null) return null;
  try {
    for (const { execution } of locks) {
      await guard.link.query('SAVEPOINT one');
      const messages = encodeExecution(execution);
      await guard.link.exchange(messages, new KeepingSink()).catch(async (error: unknown) => {
        if (!(error instanceof ServerError)) throw error;
        await guard.link.query('ROLLBACK TO SAVEPOINT one');
      });
    }
    return guard;
  } catch {
    court.guards.dismiss(guard);
    return null;
  }
}
