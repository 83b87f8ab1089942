/** Changes of identities and clusters: one at a time, so that none waits for another crosswise. */
import { holdKey } from './held-key.ts';
import type { StoreSession, Trx } from './session.ts';

/**
 * Runs `work` in a transaction of its own. Triggers count the revision of every change, and take
 * its row for that; here it is taken first, before anything that the next one may hold.
 *
 * @throws what the work throws
 */
export async function changeIdentities<T>(
  session: StoreSession,
  work: (trx: Trx) => Promise<T>,
): Promise<T> {
  return await session.run((db) =>
    db.transaction().execute(async (trx) => {
      await takeTurn(trx);
      return await work(trx);
    }),
  );
}

/**
 * The same for work that seals secrets.
 * @throws GatewayError `MR_STORE_KEY` as {@link holdKey}
 */
export async function sealIdentities<T>(
  session: StoreSession,
  work: (trx: Trx) => Promise<T>,
): Promise<T> {
  return await session.run((db) =>
    db.transaction().execute(async (trx) => {
      // Before the turn, as a change of the master key does.
      await holdKey(trx, session.box);
      await takeTurn(trx);
      return await work(trx);
    }),
  );
}

async function takeTurn(trx: Trx): Promise<void> {
  await trx.selectFrom('iam_revision').select('revision').forUpdate().executeTakeFirstOrThrow();
}
