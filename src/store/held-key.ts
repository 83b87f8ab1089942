/** Under which master key the store is, as long as somebody works with it. */
import { GatewayError } from '../base/errors.ts';
import type { SecretBox } from './secrets.ts';
import type { Trx } from './session.ts';

/** What the row is bound to that tells the key of the store. */
export const CHECK_CONTEXT = 'key_check';

/**
 * Proves that the store is under the key that seals here, and holds it there until the transaction
 * ends. Another gateway may have changed it: what is sealed with the old one would be lost.
 *
 * @throws GatewayError `MR_STORE_KEY` when it is under another key
 */
export async function holdKey(trx: Trx, box: SecretBox): Promise<void> {
  const row = await trx.selectFrom('key_check').selectAll().forShare().executeTakeFirstOrThrow();
  if (box.isCurrent(row.sealed)) return;
  const subject = 'another gateway has put the store under a new one, which is not the first here';
  throw new GatewayError('MR_STORE_KEY', { subject });
}
