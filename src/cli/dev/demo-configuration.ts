/** The demo database as a configuration of the store, where the API can change it. */
import { formatVerifier } from '../../auth/scram-keys.ts';
import type { Random } from '../../base/time.ts';
import type { OriginConfig } from '../../config/model.ts';
import { ACCOUNT_ID_DEFAULT, newId } from '../../control/endpoints/identity.ts';
import { mintVerifier } from '../../gateway/login/login-verifier.ts';
import type { ConfigurationDraft } from '../../store/configurations.ts';
import type { Store } from '../../store/store.ts';
import { DEV_ROLE } from './dev-options.ts';

/** As whom the audit log names this. */
const ACTOR = 'millrace dev';

function draftOf(origin: OriginConfig): ConfigurationDraft {
  const { host, port, database, user, password, sslmode } = origin;
  return {
    name: database,
    origin: { scheme: 'postgresql', host, port, database, user },
    originPassword: password ?? '',
    caching: { disabled: false },
    mtls: { sslmode },
    originConnectionLimit: null,
  };
}

/**
 * Makes the configuration when there is none of that name, and tells the one that there is which
 * port the demo database has now. Everything else in it is the user's, and so is all of it once it
 * leads to another database or user.
 *
 * @throws GatewayError `MR_STORE_…`
 */
export async function keepDemo(store: Store, demo: OriginConfig, random: Random): Promise<void> {
  const wanted = draftOf(demo);
  const id = await store.configurations.idOfName(wanted.name);
  if (id !== null) {
    const found = await store.configurations.get(ACCOUNT_ID_DEFAULT, id);
    if (found === null || !isDemo(found, wanted)) return;
    if (found.origin.port !== wanted.origin.port) {
      await store.configurations.replace(found, { ...found, origin: wanted.origin }, ACTOR);
    }
    // A start that was interrupted may have left it without any.
    if ((await store.credentials.list(id)).length === 0) await letIn(store, id, random);
    return;
  }
  const made = newId(random);
  await store.configurations.create(ACCOUNT_ID_DEFAULT, made, wanted, ACTOR);
  await letIn(store, made, random);
}

async function letIn(store: Store, configurationId: string, random: Random): Promise<void> {
  const verifier = formatVerifier(await mintVerifier(DEV_ROLE.password, random));
  const credential = { id: newId(random), user: DEV_ROLE.user, verifier, expiresOn: null };
  await store.credentials.create(configurationId, credential, ACTOR);
}

function isDemo({ origin }: ConfigurationDraft, wanted: ConfigurationDraft): boolean {
  const { host, database, user } = wanted.origin;
  return origin.host === host && origin.database === database && origin.user === user;
}
