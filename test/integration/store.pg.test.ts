import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ConfigurationDraft, ConfigurationRecord } from '../../src/store/configurations.ts';
import type { MasterKeys } from '../../src/store/master-keys.ts';
import { prepareStoreDatabase } from '../../src/store/own-database.ts';
import type { Store } from '../../src/store/store.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { createDatabase, superuserUrl, type TestDatabase } from '../support/pg.ts';
import { ACCOUNT, draftOf, newId, openStore } from '../support/store.ts';

const KEYS: MasterKeys = [randomBytes(32)];
const PAGE = { limit: 20, offset: 0 };

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

async function created(name: string): Promise<ConfigurationRecord> {
  const result = await store.configurations.create(ACCOUNT, newId(), draftOf(name), 'test');
  if (typeof result === 'string') throw new Error(result);
  return result;
}

describe('configurations in the store', () => {
  it('are read back as they were written, by their account only', async () => {
    const record = await created('app');
    expect(record).toMatchObject({ ...draftOf('app'), accountId: ACCOUNT, version: 1 });
    expect(await store.configurations.get(ACCOUNT, record.id)).toEqual(record);
    expect(await store.configurations.get('another', record.id)).toBeNull();
    expect(await store.configurations.list('another', PAGE)).toEqual({ items: [], total: 0 });
    expect(await store.configurations.list(ACCOUNT, PAGE)).toEqual({ items: [record], total: 1 });
  });

  it('have names of their own', async () => {
    await created('app');
    const again = store.configurations.create(ACCOUNT, newId(), draftOf('app'), 'test');
    expect(await again).toBe('name-taken');
  });

  // Fails when a write does not look for its certificates once more.
  it('are not written with a certificate that was deleted meanwhile', async () => {
    const record = await created('app');
    const draft = { ...draftOf('tls'), mtls: { ca_certificate_id: newId(), sslmode: 'require' } };
    const made = store.configurations.create(ACCOUNT, newId(), draft as ConfigurationDraft, 'test');
    expect(await made).toBe('certificate-gone');
    const change = { ...draftOf('app'), mtls: draft.mtls } as ConfigurationDraft;
    expect(await store.configurations.replace(record, change, 'test')).toBe('certificate-gone');
    expect(await store.configurations.list(ACCOUNT, PAGE)).toMatchObject({ items: [record] });
  });

  // Fails when a credential is made before the row of its configuration is locked.
  it('may be deleted while credentials of them are made', async () => {
    for (let round = 0; round < 10; round++) {
      const { id } = await created(`busy${round}`);
      const credential = () => ({ id: newId(), user: newId(), verifier: 'v', expiresOn: null });
      const mints = Array.from({ length: 6 }, () =>
        store.credentials.create(id, credential(), 'test'),
      );
      expect(await store.configurations.delete(ACCOUNT, id, 'test')).toBe(true);
      for (const made of await Promise.all(mints)) {
        if (typeof made === 'string') expect(made).toBe('configuration-gone');
      }
    }
  });

  it('are not overwritten by somebody who has not seen the last change', async () => {
    const before = await created('app');
    const mine = draftOf('app', { originConnectionLimit: 7 });
    expect(await store.configurations.replace(before, mine, 'me')).toMatchObject({ version: 2 });
    expect(await store.configurations.replace(before, draftOf('b'), 'you')).toBe(
      'changed-meanwhile',
    );
  });

  it('take their credentials with them, and leave entries in the audit log', async () => {
    const { id } = await created('app');
    const credential = { id: newId(), user: 'web', verifier: 'v', expiresOn: null };
    await store.credentials.create(id, credential, 'ann');
    expect(await store.configurations.delete(ACCOUNT, id, 'ann')).toBe(true);
    expect(await store.configurations.delete(ACCOUNT, id, 'ann')).toBe(false);
    expect((await store.snapshot()).credentials).toEqual([]);
    const { items, total } = await store.audit.list(PAGE);
    expect(total).toBe(3);
    expect(items.map(({ action, target }) => `${action} ${target}`)).toEqual([
      'delete configuration',
      'create credential',
      'create configuration',
    ]);
  });

  it('tell the audit log the names of what changed, and no values', async () => {
    const before = await created('app');
    await store.configurations.replace(before, draftOf('app', { originPassword: 'hush' }), 'me');
    const [entry] = (await store.audit.list(PAGE)).items;
    expect(entry).toMatchObject({ actor: 'me', action: 'update', fields: ['origin.password'] });
    expect(JSON.stringify(await query('SELECT * FROM millrace.audit'))).not.toContain('hush');
  });
});

describe('a rotated credential', () => {
  it('lives on until the given time', async () => {
    const { id } = await created('app');
    const first = { id: newId(), user: 'web', verifier: 'v1', expiresOn: null };
    const second = { id: newId(), user: 'web2', verifier: 'v2', expiresOn: null };
    await store.credentials.create(id, first, 'me');
    const until = new Date(Date.now() + 60_000);
    await store.credentials.create(id, second, 'me', { id: first.id, until });
    const [old, fresh] = await store.credentials.list(id);
    expect(old?.expiresOn).toEqual(until);
    expect(fresh?.expiresOn).toBeNull();
  });
});

describe('the secrets of a store', () => {
  it('are in none of its tables in the clear', async () => {
    const { id } = await created('app');
    const verifier = 'SCRAM-SHA-256$4096:saltsalt$stored:server';
    await store.credentials.create(id, { id: newId(), user: 'w', verifier, expiresOn: null }, 'me');
    const privateKey = '-----BEGIN PRIVATE KEY-----very private-----END PRIVATE KEY-----';
    const certificate = {
      id: newId(),
      accountId: ACCOUNT,
      name: 'c',
      isAuthority: false,
      certificates: 'public',
      issuer: 'i',
      serialNumber: '1',
      signature: 's',
      expiresOn: new Date(),
      privateKey,
    };
    await store.certificates.create(certificate, 'me');
    const found = await query(
      `SELECT string_agg(query_to_xml('SELECT * FROM millrace.' || relname, true, false, '')::text, '')
       AS everything FROM pg_class WHERE relnamespace = 'millrace'::regnamespace AND relkind = 'r'`,
    );
    const everything = String(found[0]?.['everything']);
    expect(everything).toContain('db.example.com');
    for (const secret of ['plain origin password', verifier, 'very private']) {
      for (const form of ['utf8', 'hex', 'base64'] as const) {
        expect(everything).not.toContain(Buffer.from(secret).toString(form));
      }
    }
    const snapshot = await store.snapshot();
    expect(snapshot.configurations[0]?.originPassword).toBe('plain origin password');
    expect(snapshot.credentials[0]?.verifier).toBe(verifier);
    expect(snapshot.certificates[0]?.privateKey).toBe(privateKey);
  });

  it('are refused to whoever has a wrong key, before anything is written', async () => {
    await created('app');
    const wrong = await openStore(database, [randomBytes(32)]);
    await expect(wrong.open()).rejects.toMatchObject({ code: 'MR_STORE_KEY' });
    await expect(wrong.snapshot()).rejects.toMatchObject({ code: 'MR_STORE_KEY' });
    await wrong.close();
  });

  it('are taken over by a new key, after which the old one is not needed', async () => {
    const { id } = await created('app');
    const fresh = randomBytes(32);
    const both = await openStore(database, [fresh, KEYS[0]]);
    await both.open();
    await both.close();
    const after = await openStore(database, [fresh]);
    expect(await after.configurations.get(ACCOUNT, id)).toMatchObject({
      originPassword: 'plain origin password',
    });
    await after.close();
    const old = await openStore(database, KEYS);
    await expect(old.open()).rejects.toMatchObject({ code: 'MR_STORE_KEY' });
    await old.close();
  });

  // Fails when a write does not hold the key, or a snapshot leaves out what it cannot open.
  it('are neither read nor written by whoever has not heard of the new key', async () => {
    await created('app');
    const fresh = randomBytes(32);
    const both = await openStore(database, [fresh, KEYS[0]]);
    await both.open();
    const error = { code: 'MR_STORE_KEY' };
    await expect(store.snapshot()).rejects.toMatchObject(error);
    await expect(created('late')).rejects.toMatchObject(error);
    const { items } = await both.configurations.list(ACCOUNT, PAGE);
    expect(items.map(({ name }) => name)).toEqual(['app']);
    await both.close();
  });

  it('that were tampered with do not keep the others from being served', async () => {
    const one = await created('one');
    const two = await created('two');
    await query(
      `UPDATE millrace.configurations SET origin_password =
         (SELECT origin_password FROM millrace.configurations WHERE id = '${two.id}')
       WHERE id = '${one.id}'`,
    );
    expect((await store.snapshot()).configurations.map(({ name }) => name)).toEqual(['two']);
  });
});

describe('a store', () => {
  it('of a newer version is refused', async () => {
    await store.open();
    await query(`INSERT INTO millrace.kysely_migration VALUES ('9999-later', now()::text)`);
    const other = await openStore(database, KEYS);
    await expect(other.open()).rejects.toMatchObject({ code: 'MR_STORE_VERSION' });
    await other.close();
  });

  it('may be opened by several at once', async () => {
    const others = await Promise.all([0, 1, 2].map(() => openStore(database, KEYS)));
    await Promise.all([store, ...others].map((one) => one.open()));
    await Promise.all(others.map((one) => one.close()));
  });

  it('tells of changes at once, also of those made by hand', async () => {
    const onChange = vi.fn(async () => null);
    const watch = store.watch(onChange);
    await vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(1), 4_000);
    await watch.look();
    await created('app');
    await vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(2), 2_000);
    await query(`UPDATE millrace.configurations SET restarted_on = now()`);
    await vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(3), 2_000);
  });

  it('is asked again when what it is watched for failed, or is due', async () => {
    const onChange = vi.fn(async (): Promise<number | null> => null);
    onChange.mockRejectedValueOnce(new Error('not now')).mockResolvedValueOnce(Date.now());
    const watch = store.watch(onChange);
    await vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(1), 4_000);
    await watch.look();
    await watch.look();
    const count = onChange.mock.calls.length;
    expect(count).toBeGreaterThanOrEqual(3);
    await watch.look();
    expect(onChange).toHaveBeenCalledTimes(count);
  });

  it('that loses every connection serves again, and its watch listens again', async () => {
    const onChange = vi.fn(async () => null);
    store.watch(onChange);
    await vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(1), 4_000);
    await query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    await vi.waitFor(() => created('app'), 4_000);
    await vi.waitFor(() => expect(onChange.mock.calls.length).toBeGreaterThan(1), 4_000);
    await vi.waitFor(async () => {
      const listening = await query(
        `SELECT FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()`,
      );
      expect(listening).toHaveLength(1);
    }, 4_000);
  });

  // Fails when makePool leaves a connection at work without a listener: the process would end.
  it.each(['fin', 'rst'] as const)(
    'whose connection is cut at work by a %s says so',
    async (how) => {
      await created('app');
      const { hostname, port } = new URL(database.url);
      const proxy = await FaultProxy.start({ host: hostname, port: Number(port) });
      const url = database.url.replace(`${hostname}:${port}`, `127.0.0.1:${proxy.at.port}`);
      const far = await openStore({ ...database, url }, KEYS);
      await far.configurations.list(ACCOUNT, PAGE);
      const holder = new pg.Client({ connectionString: database.url });
      await holder.connect();
      await holder.query('BEGIN; LOCK TABLE millrace.configurations');
      const asked = far.configurations.list(ACCOUNT, PAGE);
      const refused = expect(asked).rejects.toMatchObject({ code: 'MR_STORE_UNAVAILABLE' });
      await vi.waitFor(async () => {
        const waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        expect(await query(`${waiting} AND datname = current_database()`)).toHaveLength(1);
      }, 10_000);
      for (const pair of proxy.open) pair.end(how);
      await refused;
      await holder.query('COMMIT');
      await holder.end();
      expect((await far.configurations.list(ACCOUNT, PAGE)).total).toBe(1);
      await far.close();
      await proxy.stop();
    },
  );

  it('that is not there says so', async () => {
    const gone = { ...database, url: database.url.replace(/\/test_\w+$/, '/nowhere') };
    const away = await openStore(gone, KEYS);
    await expect(away.snapshot()).rejects.toMatchObject({ code: 'MR_STORE_UNAVAILABLE' });
    await away.close();
  });
});

describe('a database of its own', () => {
  it('is made once, and only its role may connect', async () => {
    const url = new URL(superuserUrl());
    const superuser = {
      host: url.hostname,
      port: Number(url.port),
      user: url.username,
      password: decodeURIComponent(url.password),
    };
    await prepareStoreDatabase(superuser, 'first');
    const address = await prepareStoreDatabase(superuser, "se'cond");
    const stranger = `stranger_${randomBytes(4).toString('hex')}`;
    const admin = new pg.Client({ connectionString: superuserUrl() });
    await admin.connect();
    try {
      await admin.query(`CREATE ROLE ${stranger} LOGIN PASSWORD 'x'`);
      const owner = new pg.Client({ ...address, password: "se'cond" });
      await owner.connect();
      await owner.end();
      const other = new pg.Client({ ...address, user: stranger, password: 'x' });
      await expect(other.connect()).rejects.toMatchObject({ code: '42501' });
    } finally {
      await admin.query('DROP DATABASE millrace_store WITH (FORCE)');
      await admin.query(`DROP ROLE millrace_store; DROP ROLE ${stranger}`);
      await admin.end();
    }
  });
});
