/** A transaction's COMMIT: what it told is done on the tables themselves, once, or it has lost. */
import { GatewayError } from '../../base/errors.ts';
import { encodeSimpleQuery, RowSink } from '../server/link-messages.ts';
import { ATTEMPTS_MAX, type Attempts, asTold } from './attempts.ts';
import { GenuineAtCommit, prepareCommit } from './commit-preparation.ts';
import { changeConflict } from './conflict.ts';
import type { Guard } from './guards.ts';
import { checkAge } from './quotas.ts';
import type { Release } from './turn.ts';

const COMMIT = encodeSimpleQuery('COMMIT');

/** Both to be let go of when the COMMIT is over. */
type Prepared = { readonly guard: Guard | null; readonly release: Release | null };

/**
 * @throws DsqlError it has lost, or is too large or too old: to be rolled back
 * @throws ServerError a constraint was looked at only now: rolled back
 * @throws GatewayError the link was lost, and maybe it is committed
 */
export async function runCommit(attempts: Attempts): Promise<'COMMIT' | 'ROLLBACK'> {
  const { stage, court, start } = attempts;
  checkAge(court.clock.nowMs() - start.startMs);
  if (stage.isDoomed || attempts.hasLost) throw changeConflict();
  const hasKept = stage.journal.entries.length > 0 || stage.isPinned;
  let prepared: Prepared = { guard: null, release: null };
  let isSent = false;
  let isCommitted = false;
  attempts.strength = 1;
  try {
    if (hasKept) prepared = await prepare(attempts);
    isSent = true;
    const { tags } = await stage.runner.exchange(COMMIT, new RowSink());
    if (tags[0] !== 'COMMIT') return 'ROLLBACK';
    isCommitted = true;
    if (hasKept) noteCommit(attempts, prepared.guard);
    return 'COMMIT';
  } catch (error) {
    // Nobody knows whether it is committed, so it counts for those with older snapshots.
    if (isSent && error instanceof GatewayError) noteCommit(attempts, null);
    throw atCommit(attempts, error);
  } finally {
    const { guard, release } = prepared;
    if (guard !== null && !isCommitted) court.guards.dismiss(guard);
    release?.();
  }
}

/** Gets all that was told onto the tables themselves, and ready for COMMIT. */
async function prepare(attempts: Attempts): Promise<Prepared> {
  const { stage, court, start } = attempts;
  let release: Release | null = null;
  try {
    for (let n = 0; n < ATTEMPTS_MAX; n++) {
      try {
        if (stage.state === 'overlay') await stage.reset();
        if (stage.state === 'parked') release ??= await attempts.takeTurn();
        await stage.wake();
        const guard = await prepareCommit(stage, court, start.startCommit);
        return { guard, release };
      } catch (error) {
        const meaning = attempts.meaningOf(error);
        if (meaning === 'constraint' && stage.isReplaying) throw changeConflict();
        if (meaning !== 'struck' || stage.isPinned) throw asTold(error, meaning);
        await stage.reset();
      }
    }
    throw changeConflict();
  } catch (error) {
    release?.();
    throw error;
  }
}

function noteCommit({ stage, court }: Attempts, guard: Guard | null): void {
  const number = court.noteCommit();
  if (guard !== null) court.guards.post(guard, number);
  if (stage.journal.changesCatalogue) court.noteCatalogue();
}

function atCommit(attempts: Attempts, error: unknown): unknown {
  if (error instanceof GenuineAtCommit) return error.error;
  const meaning = attempts.meaningOf(error);
  return meaning === 'constraint' ? error : asTold(error, meaning);
}
