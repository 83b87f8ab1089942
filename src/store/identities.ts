/**
 * Who may sign, and what they may do, from memory: logins and requests wait for no database. What
 * the store holds is taken over by whoever watches it, and what cannot be read any more stays as it
 * was known.
 */
import { assumedRoleArn, roleArn, userArn } from '../aws/arn.ts';
import { isAllowedBy, mayAssume } from '../aws/iam-evaluation.ts';
import { type Policy, type PolicyKind, readPolicy } from '../aws/iam-policy.ts';
import type { AccessRequest, Identities, Principal, SignerKey } from '../aws/identities.ts';
import type { IamSnapshot } from './iam-snapshot.ts';
import type { PrincipalRecord } from './principals.ts';
import type { Store } from './store.ts';
import type { StoreWatch } from './watch.ts';

type WatchedStore = Pick<Store, 'iamSnapshot' | 'watchIdentities'>;

/** What a role is asked for. */
export type RoleRequest = {
  readonly roleName: string;
  readonly sessionName: string;
  readonly externalId: string | null;
};

type Known = {
  readonly keys: ReadonlyMap<string, SignerKey>;
  /** By ARN of user or role. */
  readonly principals: ReadonlyMap<string, KnownPrincipal>;
  /** By ARN. */
  readonly tags: ReadonlyMap<string, Readonly<Record<string, string>>>;
};

type KnownPrincipal = { readonly record: PrincipalRecord; readonly policies: readonly Policy[] };

const NOBODY: Known = { keys: new Map(), principals: new Map(), tags: new Map() };
/** Resource policies that are kept as read; the one that was not used for longest goes. */
const READ_POLICIES_MAX = 64;

export class StoreIdentities implements Identities {
  #known: Known = NOBODY;
  readonly #readPolicies = new Map<string, Policy>();
  #watch: StoreWatch | null = null;

  /** Knows what the store has now, and from then on what changes, within seconds at the latest. */
  static async start(store: WatchedStore): Promise<StoreIdentities> {
    const identities = new StoreIdentities();
    identities.#watch = store.watchIdentities(async () => {
      identities.take(await store.iamSnapshot());
      return null;
    });
    await identities.refresh();
    return identities;
  }

  /** Settles when changes made before are known. */
  async refresh(): Promise<void> {
    await this.#watch?.look();
  }

  async close(): Promise<void> {
    await this.#watch?.close();
  }

  /** From now on this is what is known. */
  take(snapshot: IamSnapshot): void {
    this.#known = knownOf(snapshot);
  }

  signer(accessKeyId: string): SignerKey | null {
    return this.#known.keys.get(accessKeyId) ?? null;
  }

  /** Nobody may do anything to what has a policy that cannot be read. */
  isAllowed(principal: Principal, request: AccessRequest): boolean {
    const { action, resource, resourcePolicy } = request;
    const known = this.#known.principals.get(principal.mappedArn);
    if (known === undefined) return false;
    const its = resourcePolicy === null ? null : this.#read(resourcePolicy, 'resource');
    if (its === undefined) return false;
    const resourceTags = this.#known.tags.get(resource) ?? {};
    return isAllowedBy(known.policies, its, { principal, action, resource, resourceTags });
  }

  /** The unique id behind a name, as STS tells it; of a session with its name. */
  userId({ arn, mappedArn }: Principal): string {
    const id = this.#known.principals.get(mappedArn)?.record.id ?? '';
    return arn === mappedArn ? id : `${id}:${arn.split('/').at(-1)}`;
  }

  /** The role as it may be assumed by somebody; null when it may not, or there is none. */
  assumable(principal: Principal, accountId: string, asked: RoleRequest): PrincipalRecord | null {
    const resource = roleArn(accountId, asked.roleName);
    const known = this.#known.principals.get(principal.mappedArn);
    const role = this.#known.principals.get(resource)?.record;
    if (known === undefined || role === undefined || role.trustPolicy === null) return null;
    const trust = this.#read(role.trustPolicy, 'trust');
    if (trust === undefined) return null;
    const { sessionName, externalId } = asked;
    const said = {
      'sts:rolesessionname': sessionName,
      ...(externalId === null ? {} : { 'sts:externalid': externalId }),
    };
    const action = 'sts:AssumeRole';
    const all = { principal, action, resource, resourceTags: {}, said };
    return mayAssume(known.policies, trust, all) ? role : null;
  }

  #read(text: string, kind: PolicyKind): Policy | undefined {
    const key = `${kind} ${text}`;
    const kept = this.#readPolicies.get(key);
    this.#readPolicies.delete(key);
    const policy = kept ?? readPolicy(text, kind);
    if ('problem' in policy) return undefined;
    this.#readPolicies.set(key, policy);
    const [oldest] = this.#readPolicies.keys();
    if (this.#readPolicies.size > READ_POLICIES_MAX && oldest !== undefined) {
      this.#readPolicies.delete(oldest);
    }
    return policy;
  }
}

const arnOf = ({ kind, accountId, name }: PrincipalRecord): string =>
  kind === 'user' ? userArn(accountId, name) : roleArn(accountId, name);

function knownOf({ principals, policies, keys, sessions, clusterTags }: IamSnapshot): Known {
  const records = new Map(principals.map((record) => [record.id, record]));
  const signers = new Map<string, SignerKey>();
  for (const { id, principalId, secretKey } of keys) {
    const record = records.get(principalId);
    if (record === undefined) continue;
    const arn = arnOf(record);
    const principal = { arn, mappedArn: arn, accountId: record.accountId };
    signers.set(id, { key: { secretKey, session: null }, principal });
  }
  for (const { id, principalId, sessionName, secretKey, token, expiresAtMs } of sessions) {
    const record = records.get(principalId);
    if (record === undefined) continue;
    const { accountId, name } = record;
    const arn = assumedRoleArn(accountId, name, sessionName);
    const principal = { arn, mappedArn: arnOf(record), accountId };
    signers.set(id, { key: { secretKey, session: { token, expiresAtMs } }, principal });
  }
  const known = principals.map((record): [string, KnownPrincipal] => [
    arnOf(record),
    { record, policies: policies.get(record.id) ?? [] },
  ]);
  return { keys: signers, principals: new Map(known), tags: clusterTags };
}
