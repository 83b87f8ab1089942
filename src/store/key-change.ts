/** Checks the master key when a store is opened, and seals all anew after a change of keys. */
import type { Log } from '../base/log.ts';
import { credentialContext, secretContext } from './access-keys.ts';
import { privateKeyContext } from './certificates.ts';
import { originUrlsContext, roleSecretContext } from './clusters.ts';
import { passwordContext } from './configurations.ts';
import { verifierContext } from './credentials.ts';
import { CHECK_CONTEXT } from './held-key.ts';
import type { SecretBox } from './secrets.ts';
import { type Db, lockTable, type Trx } from './session.ts';

const CHECK_TEXT = 'millrace';

/**
 * The first opening notes the key; each later one proves that it still has it, so that nothing is
 * ever sealed with two unrelated keys.
 *
 * @throws GatewayError `MR_STORE_KEY` when the store was made with a key that is not at hand
 */
export async function takeKeyIntoUse(db: Db, box: SecretBox, log: Log): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await lockTable(trx, 'key_check');
    // Whoever seals something now is waited for, and whoever comes later sees the outcome.
    const row = await trx.selectFrom('key_check').selectAll().forUpdate().executeTakeFirst();
    if (row === undefined) {
      const sealed = box.seal(CHECK_TEXT, CHECK_CONTEXT);
      await trx.insertInto('key_check').values({ id: 1, sealed }).execute();
      return;
    }
    box.open(row.sealed, CHECK_CONTEXT);
    if (box.isCurrent(row.sealed)) return;
    const count = (await resealAll(trx, box)) + (await resealIdentities(trx, box));
    const sealed = box.reseal(row.sealed, CHECK_CONTEXT);
    await trx.updateTable('key_check').set({ sealed }).execute();
    log.info(
      { secrets: count, keyId: box.keyId },
      'the secrets of the store have a new master key',
    );
  });
}

/** In one transaction: a store is never half under a new key. */
async function resealAll(trx: Trx, box: SecretBox): Promise<number> {
  let count = 0;
  for (const row of await trx.selectFrom('configurations').selectAll().forUpdate().execute()) {
    const origin_password = box.reseal(row.origin_password, passwordContext(row.id));
    await trx
      .updateTable('configurations')
      .set({ origin_password })
      .where('id', '=', row.id)
      .execute();
    count++;
  }
  for (const row of await trx.selectFrom('credentials').selectAll().forUpdate().execute()) {
    const verifier = box.reseal(row.verifier, verifierContext(row.id));
    await trx.updateTable('credentials').set({ verifier }).where('id', '=', row.id).execute();
    count++;
  }
  for (const row of await trx.selectFrom('certificates').selectAll().forUpdate().execute()) {
    if (row.private_key === null) continue;
    const private_key = box.reseal(row.private_key, privateKeyContext(row.id));
    await trx.updateTable('certificates').set({ private_key }).where('id', '=', row.id).execute();
    count++;
  }
  return count;
}

async function resealIdentities(trx: Trx, box: SecretBox): Promise<number> {
  let count = 0;
  for (const { id, secret } of await trx.selectFrom('iam_access_keys').selectAll().execute()) {
    const resealed = { secret: box.reseal(secret, secretContext(id)) };
    await trx.updateTable('iam_access_keys').set(resealed).where('id', '=', id).execute();
    count++;
  }
  for (const { id, credential } of await trx.selectFrom('sts_sessions').selectAll().execute()) {
    const resealed = { credential: box.reseal(credential, credentialContext(id)) };
    await trx.updateTable('sts_sessions').set(resealed).where('id', '=', id).execute();
    count++;
  }
  for (const row of await trx.selectFrom('dsql_clusters').selectAll().execute()) {
    const { id } = row;
    const origin_urls = box.reseal(row.origin_urls, originUrlsContext(id));
    const role_secret = box.reseal(row.role_secret, roleSecretContext(id));
    const resealed = { origin_urls, role_secret };
    await trx.updateTable('dsql_clusters').set(resealed).where('id', '=', id).execute();
    count += 2;
  }
  return count;
}
