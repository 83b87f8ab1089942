import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterDraft } from '../../src/store/clusters.ts';
import { StoreIdentities } from '../../src/store/identities.ts';
import type { MasterKeys } from '../../src/store/master-keys.ts';
import type { PrincipalRecord } from '../../src/store/principals.ts';
import type { Store } from '../../src/store/store.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';
import { newId, openStore } from '../support/store.ts';

const KEYS: MasterKeys = [randomBytes(32)];
const ACCOUNT = '111122223333';
const CLUSTER = `arn:aws:dsql:us-east-1:${ACCOUNT}:cluster/${'c'.repeat(26)}`;
const HOUR_MS = 3_600_000;

let database: TestDatabase;
let store: Store;

beforeEach(async () => {
  database = await createDatabase();
  store = await openStore(database, KEYS);
});

afterEach(async () => {
  await store.close();
  await database.drop();
});

async function query(sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

function done<T>(result: T | string): T {
  if (typeof result === 'string') throw new Error(result);
  return result;
}

const TRUST = '{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"}}';
const ALLOW = '{"Statement":{"Effect":"Allow","Action":"dsql:*","Resource":"*"}}';

async function principal(kind: 'user' | 'role', name: string): Promise<PrincipalRecord> {
  const trustPolicy = kind === 'role' ? TRUST : null;
  const draft = { id: newId(), accountId: ACCOUNT, kind, name, trustPolicy, maxSessionS: 3_600 };
  return done(await store.principals.create(draft, 'test'));
}

const key = () => ({ id: `AKIA${newId()}`, secretKey: `plain secret ${newId()}` });

const session = (role: PrincipalRecord, lastsMs = HOUR_MS) => ({
  id: `ASIA${newId()}`,
  principalId: role.id,
  sessionName: 'session',
  secretKey: `plain secret ${newId()}`,
  token: `plain token ${newId()}`,
  expiresOn: new Date(Date.now() + lastsMs),
});

const cluster = (changes: Partial<ClusterDraft> = {}): ClusterDraft => ({
  id: newId().slice(0, 26),
  accountId: ACCOUNT,
  region: 'us-east-1',
  home: 'here',
  isDeletionProtected: false,
  tags: { a: 'b' },
  policy: null,
  originUrls: ['postgres://u:plain-password@h/d'],
  roleSecret: Buffer.from('plain role secret of 32 bytes...'),
  clientToken: null,
  requestHash: 'hash',
  ...changes,
});

describe('identities in the store', () => {
  it('sign and may do what they may, from memory', async () => {
    const user = await principal('user', 'ann');
    const { id, secretKey } = key();
    await store.accessKeys.create(user.id, { id, secretKey }, 'test');
    const identities = await StoreIdentities.start(store);
    const arn = `arn:aws:iam::${ACCOUNT}:user/ann`;
    const ann = { arn, mappedArn: arn, accountId: ACCOUNT };
    expect(identities.signer(id)).toEqual({ key: { secretKey, session: null }, principal: ann });
    expect(identities.signer('AKIAOTHER')).toBeNull();
    expect(identities.userId(ann)).toBe(user.id);
    const request = { action: 'dsql:DbConnect', resource: CLUSTER, resourcePolicy: null };
    expect(identities.isAllowed(ann, request)).toBe(false);
    await store.principals.putPolicy(user.id, { name: 'p', document: ALLOW }, 'test');
    await identities.refresh();
    expect(identities.isAllowed(ann, request)).toBe(true);
    expect(identities.isAllowed(ann, { ...request, resourcePolicy: '{' })).toBe(false);
    await identities.close();
  });

  it('of a session are those of its role', async () => {
    const role = await principal('role', 'app');
    await store.principals.putPolicy(role.id, { name: 'p', document: ALLOW }, 'test');
    const draft = session(role);
    expect(await store.accessKeys.addSession(draft, 'test')).toBe('done');
    const identities = await StoreIdentities.start(store);
    const signer = identities.signer(draft.id);
    const { secretKey, token, expiresOn } = draft;
    expect(signer).toEqual({
      key: { secretKey, session: { token, expiresAtMs: expiresOn.getTime() } },
      principal: {
        arn: `arn:aws:sts::${ACCOUNT}:assumed-role/app/session`,
        mappedArn: `arn:aws:iam::${ACCOUNT}:role/app`,
        accountId: ACCOUNT,
      },
    });
    if (signer === null) throw new Error('it is there');
    const request = { action: 'dsql:DbConnect', resource: CLUSTER, resourcePolicy: null };
    expect(identities.isAllowed(signer.principal, request)).toBe(true);
    await identities.close();
  });

  it('are heard of by another program within seconds, without being asked', async () => {
    const other = await openStore(database, KEYS);
    const identities = await StoreIdentities.start(other);
    const user = await principal('user', 'ann');
    const { id, secretKey } = key();
    await store.accessKeys.create(user.id, { id, secretKey }, 'test');
    await expect.poll(() => identities.signer(id)).not.toBeNull();
    await store.accessKeys.setActive(user.id, id, false, 'test');
    await expect.poll(() => identities.signer(id)).toBeNull();
    await identities.close();
    await other.close();
  });

  it('do not make gateways look at their configurations', async () => {
    await store.open();
    const [before] = await query('SELECT revision FROM millrace.revision');
    const role = await principal('role', 'app');
    await store.accessKeys.addSession(session(role), 'test');
    done(await store.clusters.create(cluster(), 'test'));
    expect(await query('SELECT revision FROM millrace.revision')).toEqual([before]);
  });

  // Fails when a policy that cannot be read is passed over: it may have been a deny.
  it('with a policy that nobody can read may do nothing', async () => {
    const user = await principal('user', 'ann');
    const arn = `arn:aws:iam::${ACCOUNT}:user/ann`;
    await store.principals.putPolicy(user.id, { name: 'a', document: ALLOW }, 'test');
    await store.principals.putPolicy(user.id, { name: 'b', document: '{' }, 'test');
    const identities = await StoreIdentities.start(store);
    const request = { action: 'dsql:DbConnect', resource: CLUSTER, resourcePolicy: null };
    const ann = { arn, mappedArn: arn, accountId: ACCOUNT };
    expect(identities.isAllowed(ann, request)).toBe(false);
    await identities.close();
  });

  it('have names of their own by kind and account, and limits', async () => {
    await principal('user', 'ann');
    await expect(principal('user', 'ann')).rejects.toThrow('name-taken');
    await principal('role', 'ann');
    const user = await principal('user', 'bob');
    const made = await Promise.all(
      Array.from({ length: 5 }, () => store.accessKeys.create(user.id, key(), 'test')),
    );
    expect(made.filter((one) => one === 'too-many')).toHaveLength(3);
    const puts = await Promise.all(
      Array.from({ length: 13 }, (_, at) =>
        store.principals.putPolicy(user.id, { name: `p${at}`, document: ALLOW }, 'test'),
      ),
    );
    expect(puts.filter((one) => one === 'too-many')).toHaveLength(3);
    const again = store.principals.putPolicy(user.id, { name: 'p0', document: ALLOW }, 'test');
    expect(await again).toBe('done');
  });

  it('that have ended are removed when another session begins', async () => {
    const role = await principal('role', 'app');
    const brief = session(role, 50);
    await store.accessKeys.addSession(brief, 'test');
    await expect.poll(() => Date.now()).toBeGreaterThan(brief.expiresOn.getTime());
    const next = session(role);
    await store.accessKeys.addSession(next, 'test');
    expect(await query('SELECT id FROM millrace.sts_sessions')).toEqual([{ id: next.id }]);
  });

  // Fails when two changes take their locks in different orders.
  it('may be changed in every way at once', async () => {
    for (let round = 0; round < 5; round++) {
      const [user, role] = [await principal('user', 'u'), await principal('role', 'r')];
      const works = Array.from({ length: 4 }, () => [
        store.accessKeys.create(user.id, key(), 'test'),
        store.principals.putPolicy(user.id, { name: newId(), document: ALLOW }, 'test'),
        store.accessKeys.addSession(session(role), 'test'),
        store.clusters.create(cluster(), 'test'),
      ]).flat();
      const names = [user, role].map(({ kind, name }) => ({ accountId: ACCOUNT, kind, name }));
      const ends = names.map((name) => store.principals.delete(name, 'test'));
      await Promise.all<unknown>([...works, ...ends]);
    }
    expect(await query('SELECT id FROM millrace.iam_access_keys')).toEqual([]);
    expect(await query('SELECT id FROM millrace.sts_sessions')).toEqual([]);
  });
});

describe('clusters in the store', () => {
  it('are read back as they were written, and by their account and region counted', async () => {
    const draft = cluster();
    const { cluster: made } = done(await store.clusters.create(draft, 'test'));
    const { clientToken: _, requestHash: __, ...rest } = draft;
    expect(made).toMatchObject({ ...rest, status: 'CREATING', policyVersion: 0 });
    expect(await store.clusters.get(draft.id)).toEqual(made);
    const more = await Promise.all(
      Array.from({ length: 21 }, () => store.clusters.create(cluster(), 'test')),
    );
    expect(more.filter((one) => one === 'too-many')).toHaveLength(2);
    done(await store.clusters.create(cluster({ region: 'us-east-2' }), 'test'));
    done(await store.clusters.create(cluster({ accountId: '999988887777' }), 'test'));
  });

  it('are made once for one client token, however many ask at once', async () => {
    const made = await Promise.all(
      Array.from({ length: 5 }, () =>
        store.clusters.create(cluster({ clientToken: 'same' }), 'test'),
      ),
    );
    const ids = new Set(made.map((one) => done(one).cluster.id));
    expect([ids.size, made.filter((one) => done(one).isNew).length]).toEqual([1, 1]);
  });

  it('that are being deleted are not made active any more', async () => {
    const { id } = done(await store.clusters.create(cluster(), 'test')).cluster;
    await store.clusters.beginDelete(id, 'test');
    await store.clusters.settle(id, 'ACTIVE', 'test');
    expect((await store.clusters.get(id))?.status).toBe('DELETING');
  });
});

describe('secrets of identities and clusters', () => {
  const everything = async () => {
    const user = await principal('user', 'ann');
    const role = await principal('role', 'app');
    done(await store.accessKeys.create(user.id, key(), 'test'));
    await store.accessKeys.addSession(session(role), 'test');
    return done(await store.clusters.create(cluster(), 'test')).cluster;
  };

  it('are in none of the tables in the clear, nor in the audit log', async () => {
    await everything();
    const tables = await query(
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'millrace'",
    );
    for (const { name } of tables) {
      const rows = await query(`SELECT t::text AS row FROM millrace."${String(name)}" t`);
      const text = rows.map(({ row }) => String(row)).join('\n');
      // As text, and as the bytes of it in hexadecimal.
      for (const plain of ['plain secret', 'plain token', 'plain-password', 'plain role secret']) {
        expect(text).not.toContain(plain);
        expect(text).not.toContain(Buffer.from(plain).toString('hex'));
      }
    }
    const { items } = await store.audit.list({ limit: 20, offset: 0 });
    expect(items.map(({ action, target }) => `${action} ${target}`)).toEqual([
      'create cluster',
      'assume role',
      'create access-key',
      'create role',
      'create user',
    ]);
  });

  it('are taken over by a new master key, after which the old one is not needed', async () => {
    const made = await everything();
    const before = await store.iamSnapshot();
    await store.close();
    const fresh = randomBytes(32);
    const both = await openStore(database, [fresh, ...KEYS]);
    await both.open();
    await both.close();
    store = await openStore(database, [fresh]);
    expect(await store.iamSnapshot()).toEqual(before);
    expect(await store.clusters.get(made.id)).toEqual(made);
  });

  it('that were tampered with are left out, and the others are good', async () => {
    const user = await principal('user', 'ann');
    const [good, bad] = [key(), key()];
    await store.accessKeys.create(user.id, good, 'test');
    await store.accessKeys.create(user.id, bad, 'test');
    // Moved from another row.
    await query(`UPDATE millrace.iam_access_keys SET secret =
      (SELECT secret FROM millrace.iam_access_keys WHERE id = '${good.id}') WHERE id = '${bad.id}'`);
    const { keys } = await store.iamSnapshot();
    expect(keys.map(({ id }) => id)).toEqual([good.id]);
  });
});

describe('a store of before there were identities', () => {
  it('is brought up to date with what it holds', async () => {
    await store.tokens.create(
      { id: newId(), name: 't', scope: 'read', expiresOn: null },
      Buffer.alloc(32),
      'test',
    );
    await store.close();
    await query(`DROP TABLE millrace.iam_principals, millrace.iam_access_keys, millrace.iam_policies,
      millrace.sts_sessions, millrace.dsql_clusters, millrace.iam_revision`);
    await query('DROP FUNCTION millrace.note_iam_change');
    await query(`DELETE FROM millrace.kysely_migration WHERE name = '0003-identities'`);
    store = await openStore(database, KEYS);
    await principal('user', 'ann');
    expect(await store.tokens.list()).toHaveLength(1);
  });
});
