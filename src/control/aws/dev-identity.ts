/** The identity that `millrace dev` gives to whoever started it. */
import { userArn } from '../../aws/arn.ts';
import type { Random } from '../../base/time.ts';
import type { Store } from '../../store/store.ts';
import { newAccessKeyId, newPrincipalId, newSecretKey } from './minting.ts';

const DEV_USER = 'millrace-dev';
const POLICY = 'everything';
const ACTOR = 'millrace dev';

export type DevIdentity = {
  readonly arn: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
};

const DOCUMENT = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['dsql:*', 'sts:AssumeRole'], Resource: '*' }],
});

/**
 * A user who may do everything with clusters and assume roles that trust them, with a key: the same
 * at every start on the same store. A policy that somebody has changed stays changed.
 *
 * @throws GatewayError as every work on the store
 */
export async function ensureDevIdentity(
  store: Store,
  accountId: string,
  random: Random,
): Promise<DevIdentity> {
  const name = { accountId, kind: 'user', name: DEV_USER } as const;
  const draft = { ...name, id: newPrincipalId('user', random), trustPolicy: null, maxSessionS: 0 };
  const known = await store.principals.get(name);
  const made = known ?? (await store.principals.create(draft, ACTOR));
  if (made === 'too-many') throw new Error('the store has no place for another user');
  // Two starts at once: the other one has made it meanwhile.
  if (made === 'name-taken') return await ensureDevIdentity(store, accountId, random);
  if (known === null) {
    await store.principals.putPolicy(made.id, { name: POLICY, document: DOCUMENT }, ACTOR);
  }
  const key = await keyOf(store, made.id, random);
  return { arn: userArn(accountId, DEV_USER), ...key };
}

async function keyOf(store: Store, principalId: string, random: Random) {
  const keys = await store.accessKeys.list(principalId);
  for (const { id, isActive } of keys) {
    const secret = isActive ? await store.accessKeys.secretOf(id) : null;
    if (secret !== null) return { accessKeyId: id, secretAccessKey: secret };
  }
  const key = { id: newAccessKeyId(random), secretKey: newSecretKey(random) };
  const made = await store.accessKeys.create(principalId, key, ACTOR);
  if (typeof made !== 'string') return { accessKeyId: key.id, secretAccessKey: key.secretKey };
  // Somebody has switched off all keys that the user may have: the oldest one goes.
  const [oldest] = keys;
  if (made === 'gone' || oldest === undefined) throw new Error('the user was deleted meanwhile');
  await store.accessKeys.delete(principalId, oldest.id, ACTOR);
  await store.accessKeys.create(principalId, key, ACTOR);
  return { accessKeyId: key.id, secretAccessKey: key.secretKey };
}
