import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCatalogue } from '../../src/origin/catalogue.ts';
import { loadParser } from '../../src/origin/parser.ts';
import type { CatalogueSnapshot } from '../../src/sql/catalogue/catalogue.ts';
import { Effect } from '../../src/sql/facts/facts.ts';
import { FactsCache } from '../../src/sql/facts/facts-cache.ts';
import type { SqlParser } from '../../src/sql/facts/parser.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';
import { runner } from './catalogue-runner.ts';
import { CATALOGUE_SCHEMA } from './catalogue-schema.ts';

describe('the judgement of a real catalogue', () => {
  let database: TestDatabase;
  let client: pg.Client;
  let parser: SqlParser;
  let facts: FactsCache;
  let snapshot: CatalogueSnapshot;

  const judge = (sql: string) => {
    const bytes = Buffer.from(sql);
    return snapshot.judge(facts.lookup(bytes, 0, bytes.length));
  };
  const effectsOf = (sql: string) => judge(sql).effects;

  beforeAll(async () => {
    database = await createDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(CATALOGUE_SCHEMA);
    // An ordinary role with a hostile search_path reads the catalogue.
    await client.query(`CREATE ROLE ${database.name} NOLOGIN; SET ROLE ${database.name}`);
    await client.query('SET search_path = evil, pg_catalog');
    parser = await loadParser();
    facts = new FactsCache(parser);
    snapshot = await readCatalogue(runner(client), parser);
  });

  afterAll(async () => {
    await client?.query(`RESET ROLE; DROP ROLE ${database.name}`);
    await client?.end();
    await database?.drop();
  });

  it.each([
    'SELECT 1 + 1',
    'SELECT id FROM plain WHERE id BETWEEN 1 AND 2',
    'SELECT * FROM plain WHERE id = 1 ORDER BY note',
    "INSERT INTO plain (note) VALUES ('x') RETURNING id",
    'INSERT INTO touched (id) VALUES (1)',
    'UPDATE touched SET id = 2',
    "SELECT * FROM with_citext WHERE email = 'a' ORDER BY email",
    "INSERT INTO with_citext VALUES ('a@b')",
    'SELECT pure_sql(1), pure_plpgsql(2), pure_atomic(3)',
    'SELECT p.pure_sql_of_row FROM plain p',
    'SELECT count(*), max(id), pg_catalog.now() FROM pg_class c, pg_stat_activity a',
    'SELECT relname FROM pg_catalog.pg_class, information_schema.tables',
    'SELECT * FROM pure_view',
    'INSERT INTO pure_view (note) VALUES (1)',
    "SELECT 'x'::pure_domain, digest('a', 'sha1')",
    'SELECT nextval($1), random(), gen_random_uuid(), pg_advisory_xact_lock(1)',
    'WITH tenants AS (SELECT 1 AS x) SELECT x FROM tenants',
    'SELECT * FROM parent',
    'SELECT * FROM tenants',
    'DELETE FROM unrelated_child',
    'SELECT total_of(id) FROM plain',
  ])('finds %s clean', (sql) => {
    const clean = { effects: Effect.None, reason: '', readsSequences: false };
    expect(judge(sql)).toMatchObject(clean);
  });

  it.each([
    ['a trigger', "INSERT INTO tenants VALUES (1, 'a')"],
    ['the view over a function', 'SELECT * FROM dirty_view'],
    ['a view over that view', 'SELECT * FROM dirty_view_of_view'],
    ['a writable view over a table with a trigger', 'INSERT INTO tenants_view VALUES (1)'],
    ['a cascading foreign key', 'DELETE FROM parent'],
    ['a cascade over two tables', 'DELETE FROM grandparent'],
    ['a column default', 'INSERT INTO defaulted DEFAULT VALUES'],
    ['a check', 'INSERT INTO checked VALUES (1)'],
    ['a domain in a cast', "SELECT 'x'::dirty_domain"],
    ['an array of that domain', "SELECT '{x}'::dirty_domain[]"],
    ['a column of that domain', "INSERT INTO with_domain VALUES ('x')"],
    ['a policy', 'SELECT * FROM guarded'],
    ['an index expression', 'INSERT INTO indexed VALUES (1)'],
    ['a rule', 'INSERT INTO ruled VALUES (1)'],
    ['an operator', 'SELECT 1 === 2'],
    ['a qualified operator', 'SELECT 1 OPERATOR(public.===) 2'],
    ['a function by its name', 'SELECT dirty_literal()'],
    ['a function called by a function', 'SELECT calls_dirty()'],
    ['a function called as a field', 'SELECT (p.*).dirty_of_row FROM plain p'],
    ['an argument default', 'SELECT with_default()'],
    ['a procedure', 'CALL dirty_procedure()'],
    ['a cast', 'SELECT $1::from_cast'],
    ['an aggregate', 'SELECT dirty_sum(id) FROM plain'],
    ['a partition', 'INSERT INTO parted VALUES (1)'],
    ['a body in SQL syntax', 'SELECT dirty_atomic()'],
    ['a built-in in a view', 'SELECT * FROM lock_view'],
    ['an inheriting table', 'UPDATE heir_parent SET id = 1'],
    ['a foreign table', 'SELECT * FROM remote'],
    ['a view of the settings', "UPDATE settings_view SET setting = 'x'"],
    ['the same name in another schema', 'SELECT pure_sql_too()'],
  ])('suspects %s', (_, sql) => {
    expect(effectsOf(sql) & Effect.Session).toBe(Effect.Session);
    expect(effectsOf(sql) & Effect.Permanent).toBe(0);
    expect(judge(sql).reason).not.toMatch(/^$|^unknown|not understood/);
  });

  it.each([
    ['relation nowhere', 'SELECT * FROM nowhere'],
    ['function nothing', 'SELECT nothing()'],
    ['type missing', "SELECT 'x'::missing"],
    ['operator <=>', 'SELECT 1 <=> 2'],
  ])('suspects the unknown %s', (what, sql) => {
    expect(judge(sql)).toMatchObject({
      effects: Effect.Session,
      reason: `unknown ${what}`,
      readsSequences: true,
    });
  });

  it.each([
    ['EXECUTE in a function', 'SELECT dirty_execute($1)'],
    ['EXECUTE in a trigger', 'INSERT INTO audited VALUES (1)'],
    ['a setting named by an argument', "SELECT dirty_computed('app.x')"],
    ['a setting in a view', 'SELECT * FROM setting_view'],
    ['SQL handed over as text', "SELECT query_to_xml('SELECT 1', true, true, '')"],
    ['a language nobody reads', 'SELECT in_c(1)'],
  ])('pins for %s', (_, sql) => {
    expect(effectsOf(sql) & Effect.Permanent).toBe(Effect.Permanent);
  });

  it('knows the custom settings that functions set by name', () => {
    expect([...snapshot.customSettingNames].sort()).toEqual(['app.atomic', 'app.tenant']);
  });

  it('names the cause for people', () => {
    expect(judge("INSERT INTO tenants VALUES (1, 'a')").reason).toBe(
      'function set_tenant: SET app.tenant',
    );
  });

  it('reads everything again after a change', async () => {
    const run = runner(client);
    await client.query('RESET ROLE');
    await client.query('CREATE TABLE public.added (id int)');
    expect(effectsOf('SELECT * FROM added')).toBe(Effect.Session);
    snapshot = await readCatalogue(run, parser);
    expect(effectsOf('SELECT * FROM added')).toBe(Effect.None);
    expect(effectsOf('CREATE TABLE another (id int)')).toBe(Effect.Session);
    await client.query(
      'CREATE EVENT TRIGGER d ON ddl_command_end EXECUTE FUNCTION public.on_ddl()',
    );
    snapshot = await readCatalogue(run, parser);
    expect(effectsOf('CREATE TABLE another (id int)') & Effect.Permanent).toBe(Effect.Permanent);
  });

  it('sees no effect of an operator of PostgreSQL itself', async () => {
    await client.query('RESET search_path');
    const rows = await runner(client)(
      `SELECT p.proname FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
       WHERE o.oid < 16384 AND p.provolatile = 'v'`,
    );
    expect(rows).toEqual([]);
  });
});
