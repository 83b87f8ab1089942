import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/run.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';

let database: TestDatabase;
let admin: pg.Client;
let names: { readonly role: string; readonly user: string };

beforeEach(async () => {
  database = await createDatabase();
  const suffix = randomBytes(4).toString('hex');
  names = { role: `Gate "${suffix}"`, user: `gate'user_${suffix}` };
  admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  await admin.query('CREATE TABLE old (id int); INSERT INTO old VALUES (1); CREATE SCHEMA other');
});

afterEach(async () => {
  await admin.end();
  await database.drop();
  const outside = new pg.Client({ connectionString: database.url.replace(/\w+$/, 'postgres') });
  await outside.connect();
  for (const name of [names.user, names.role]) {
    await outside.query(`DROP ROLE IF EXISTS ${outside.escapeIdentifier(name)}`);
  }
  await outside.end();
});

function setup(...options: string[]) {
  return setupAt(database.url, ...options);
}

async function setupAt(url: string, ...options: string[]) {
  let out = '';
  let err = '';
  const named = ['--role', names.role, '--user', names.user];
  const code = await runCli(['setup-role', url, ...named, ...options], {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: { PW: "it's hush" },
    usesColor: false,
  });
  return { code, out, err };
}

/** What happens to each statement: null, or its SQLSTATE. */
async function tries(url: string, statements: readonly string[]): Promise<(string | null)[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const results: (string | null)[] = [];
  for (const statement of statements) {
    const result = await client.query(statement).then(
      () => null,
      (error: { code: string }) => error.code,
    );
    results.push(result);
  }
  await client.end();
  return results;
}

const DENIED = '42501';

describe('setup-role --apply', () => {
  it('lets the new user work with tables of now and later, and make none', async () => {
    const { code, out, err } = await setup('--apply');
    expect([code, err]).toEqual([0, '']);
    await admin.query('CREATE TABLE later (id int GENERATED ALWAYS AS IDENTITY, n int)');
    const statements = [
      'SELECT * FROM old',
      'INSERT INTO later (n) VALUES (1)',
      'CREATE TEMP TABLE mine (id int)',
      'CREATE TABLE mine2 (id int)',
      'CREATE TABLE other.mine (id int)',
      'DROP TABLE old',
    ];
    expect(await tries(out.trim(), statements)).toEqual([null, null, null, DENIED, DENIED, DENIED]);
  });

  it('prints a connection string that leads there as the given one does', async () => {
    const { out } = await setupAt(`${database.url}?sslmode=disable`, '--apply');
    expect(new URL(out.trim()).search).toBe('?sslmode=disable');
    expect(await tries(out.trim(), ['SELECT * FROM old'])).toEqual([null]);
  });

  it('lets it make tables when asked to, in the schemas that were named', async () => {
    const { out } = await setup('--apply', '--create', '--schemas', 'public, other');
    const statements = ['CREATE TABLE mine (id int)', 'CREATE TABLE other.mine (id int)'];
    expect(await tries(out.trim(), statements)).toEqual([null, null]);
  });

  it('lets it read only when asked to', async () => {
    const { out } = await setup('--apply', '--read-only');
    const statements = [
      'SELECT * FROM old',
      'INSERT INTO old VALUES (2)',
      'SET default_transaction_read_only = off',
      'INSERT INTO old VALUES (2)',
    ];
    expect(await tries(out.trim(), statements)).toEqual([null, '25006', null, DENIED]);
  });

  it('changes nothing when a part of it fails, and says why', async () => {
    const { code, err } = await setup('--apply', '--schemas', 'public,nowhere');
    expect(code).toBe(1);
    expect(err).toBe(
      'millrace: the database refused: schema "nowhere" does not exist (Nothing was changed.)\n',
    );
    const found = await admin.query('SELECT FROM pg_roles WHERE rolname = $1', [names.user]);
    expect(found.rowCount).toBe(0);
  });
});

describe('setup-role', () => {
  it('prints SQL that does the same, with a verifier in place of the password', async () => {
    const { code, out, err } = await setup('--password', 'env:PW');
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^BEGIN;\n[\s\S]*COMMIT;\n$/);
    expect(out).toContain('SCRAM-SHA-256$');
    expect(out).not.toContain('hush');
    await admin.query(out);
    const url = new URL(database.url);
    url.username = encodeURIComponent(names.user);
    url.password = encodeURIComponent("it's hush");
    expect(await tries(url.href, ['SELECT * FROM old'])).toEqual([null]);
  });

  it('refuses options that contradict each other', async () => {
    expect(await setup('--read-only', '--create')).toMatchObject({ code: 2, out: '' });
  });
});
