import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCatalogue } from '../../src/origin/catalogue.ts';
import { loadParser } from '../../src/origin/parser.ts';
import { CatalogueSnapshot } from '../../src/sql/catalogue/catalogue.ts';
import { Effect } from '../../src/sql/facts/facts.ts';
import { FactsCache } from '../../src/sql/facts/facts-cache.ts';
import type { SqlParser } from '../../src/sql/facts/parser.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';
import { runner } from './catalogue-runner.ts';

/** Functions that are bound to other objects, and what only those objects' names lead to. */
const PARTS_SCHEMA = `
CREATE FUNCTION locking(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE STRICT AS
  $$ BEGIN PERFORM pg_advisory_lock(1); RETURN 1; END $$;
CREATE FUNCTION locking(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT public.locking(1, 2)';
CREATE FUNCTION computing() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SELECT 1'; END $$;

CREATE AGGREGATE by_transition(text, boolean) (SFUNC = set_config, STYPE = text);
CREATE AGGREGATE by_final(float8) (SFUNC = float8pl, STYPE = float8, FINALFUNC = setseed);
CREATE AGGREGATE by_moving_final(int) (SFUNC = int4pl, STYPE = int, MSFUNC = int4pl,
  MINVFUNC = int4mi, MSTYPE = int, FINALFUNC = locking, MFINALFUNC = locking);
CREATE AGGREGATE by_combination(int) (SFUNC = int4pl, STYPE = int, COMBINEFUNC = locking);
CREATE AGGREGATE by_inverse(int) (SFUNC = int4pl, STYPE = int, MSFUNC = int4pl,
  MINVFUNC = locking, MSTYPE = int);
CREATE AGGREGATE locks(bigint) (SFUNC = int8pl, STYPE = bigint, FINALFUNC = pg_try_advisory_lock);
CREATE AGGREGATE pure(bigint) (SFUNC = int8pl, STYPE = bigint, FINALFUNC = int8up);
CREATE VIEW view_of_aggregate AS
  SELECT by_transition(x, false) OVER () FROM (VALUES ('a')) AS v(x);

CREATE OPERATOR ### (FUNCTION = pg_advisory_lock, RIGHTARG = bigint);
CREATE OPERATOR ##? (FUNCTION = currval, RIGHTARG = regclass);
CREATE FUNCTION equal(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT $1 IS NOT DISTINCT FROM $2';
CREATE FUNCTION unequal(int, int) RETURNS boolean LANGUAGE sql AS
  'SELECT pg_catalog.pg_try_advisory_lock(1)';
CREATE OPERATOR <=#> (FUNCTION = unequal, LEFTARG = int, RIGHTARG = int);
CREATE OPERATOR =#= (FUNCTION = equal, LEFTARG = int, RIGHTARG = int, NEGATOR = <=#>);
CREATE TABLE numbers (id int);
CREATE FUNCTION ddl_inside() RETURNS void LANGUAGE sql AS 'CREATE TABLE inside ()';
CREATE FUNCTION pg_catalog.hidden_lock() RETURNS void LANGUAGE sql AS
  'SELECT pg_catalog.pg_advisory_lock(1)';
CREATE DOMAIN locked_base AS int CHECK (locking(value) = 1);
CREATE TYPE locked_range AS RANGE (SUBTYPE = locked_base);

CREATE FUNCTION compute(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN EXECUTE 'SELECT 1'; RETURN true; END $$;
CREATE DOMAIN computed AS int CHECK (compute(value));
CREATE TABLE measured (id int); CREATE STATISTICS st ON (compute(id)), id FROM measured;
CREATE TABLE noted (id text);
CREATE STATISTICS sn ON (set_config('a.b', id, false)), id FROM noted;

CREATE SEQUENCE seq;
CREATE FUNCTION reads() RETURNS bigint LANGUAGE sql AS 'SELECT lastval()';
CREATE FUNCTION reads_deep() RETURNS bigint LANGUAGE plpgsql AS
  $$ BEGIN RETURN public.reads(); END $$;
CREATE FUNCTION draws() RETURNS bigint LANGUAGE sql AS 'SELECT setval(''seq'', nextval(''seq''))';
CREATE FUNCTION in_c(int) RETURNS int LANGUAGE internal AS 'int4abs';
CREATE FUNCTION calls_gone() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM gone(); END $$;
CREATE VIEW reading AS SELECT currval('seq') AS x;
CREATE VIEW over_reading AS SELECT * FROM reading;
CREATE TABLE defaulted (id bigint DEFAULT lastval());
CREATE TABLE checked (id bigint CHECK (id <> reads()));
CREATE TABLE checked_directly (id bigint CHECK (id <> lastval()));
CREATE TABLE ruled (id int); CREATE RULE r AS ON INSERT TO ruled DO ALSO SELECT lastval();
CREATE FUNCTION on_row() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN new.id := lastval(); RETURN new; END $$;
CREATE TABLE triggered (id int);
CREATE TRIGGER t BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION on_row();
CREATE TABLE conditional (id int);
CREATE TRIGGER t BEFORE INSERT ON conditional FOR EACH ROW WHEN (lastval() > 1)
  EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE TABLE guarded (id int); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON guarded USING (id = currval('seq'));
CREATE FUNCTION lying(int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT lastval()';
CREATE TABLE generated (id int, l bigint GENERATED ALWAYS AS (lying(id)) STORED);
CREATE DOMAIN reading_domain AS bigint CHECK (value <> lastval());
CREATE FUNCTION keep(regclass, regclass) RETURNS regclass LANGUAGE sql AS 'SELECT $2';
CREATE AGGREGATE last_of(regclass) (SFUNC = keep, STYPE = regclass, FINALFUNC = currval);
`;

describe('what functions are bound to', () => {
  let database: TestDatabase;
  let client: pg.Client;
  let parser: SqlParser;
  let facts: FactsCache;
  let snapshot: CatalogueSnapshot;

  const factsOf = (sql: string) => {
    const bytes = Buffer.from(sql);
    return facts.lookup(bytes, 0, bytes.length);
  };
  const judge = (sql: string) => snapshot.judge(factsOf(sql));
  const read = async () => {
    snapshot = await readCatalogue(runner(client), parser);
  };

  beforeAll(async () => {
    database = await createDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(PARTS_SCHEMA);
    parser = await loadParser();
    facts = new FactsCache(parser);
    await read();
  });

  afterAll(async () => {
    await client?.end();
    await database?.drop();
  });

  it.each([
    ['an aggregate whose transition is a built-in', "SELECT by_transition('a.b', false)", 4],
    ['an aggregate whose end is a built-in', 'SELECT by_final(0.5)', 4],
    ['that aggregate over a window in a view', 'SELECT * FROM view_of_aggregate', 4],
    ['an aggregate that ends with a lock', 'SELECT locks(1) OVER ()', 2],
    ['an aggregate with a moving end', 'SELECT by_moving_final(1)', 2],
    ['an aggregate combined by a function', 'SELECT by_combination(1)', 2],
    ['an aggregate with an inverse', 'SELECT by_inverse(1)', 2],
    ['a change of a domain', 'ALTER DOMAIN computed VALIDATE CONSTRAINT computed_check', 4],
    ['an operator that is a built-in', 'SELECT ### 1', 2],
    ['the negator of an operator', 'SELECT NOT (1 =#= 2)', 2],
    ['statistics of an expression', 'ANALYZE measured', 4],
    ['a read that such statistics help to plan', 'SELECT id FROM measured', 4],
    ['statistics that are a built-in', 'SELECT id FROM noted', 4],
    ['a function of a user in pg_catalog', 'SELECT pg_catalog.hidden_lock()', 2],
    ['a range over a domain', "SELECT '[1,2]'::locked_range", 2],
  ])('suspects %s', (_, sql, effect) => {
    expect(judge(sql).effects & effect).toBe(effect);
    expect(judge(sql).reason).not.toMatch(/^$|^unknown|not understood/);
  });

  it.each(['SELECT pure(1)', 'SELECT id FROM numbers', 'SELECT equal(1, 2)'])(
    'finds %s clean',
    (sql) => {
      const clean = { effects: Effect.None, reason: '', readsSequences: false };
      expect(judge(sql)).toMatchObject(clean);
    },
  );

  it.each([
    'SELECT lastval()',
    'SELECT reads()',
    'SELECT reads_deep()',
    'SELECT * FROM reading',
    'SELECT * FROM over_reading',
    'INSERT INTO defaulted DEFAULT VALUES',
    'INSERT INTO checked VALUES (1)',
    'INSERT INTO checked_directly VALUES (1)',
    'INSERT INTO ruled VALUES (1)',
    'INSERT INTO triggered VALUES (1)',
    'INSERT INTO conditional VALUES (1)',
    'SELECT * FROM guarded',
    'INSERT INTO generated (id) VALUES (1)',
    'SELECT 1::reading_domain',
    "SELECT ##? 'seq'::regclass",
    "SELECT last_of('seq')",
    'SELECT computing()',
    'SELECT in_c(1)',
    'SELECT unheard_of()',
    'SELECT calls_gone()',
    'SELECT FROM',
  ])('says that %s may tell of sequences', (sql) => {
    expect(judge(sql).readsSequences).toBe(true);
  });

  it.each([
    'SELECT 1',
    "SELECT nextval('seq'), setval('seq', 1), draws()",
    'SELECT * FROM defaulted',
    'SELECT * FROM triggered',
    'SELECT locking(1, 2)',
    "INSERT INTO numbers VALUES (nextval('seq'))",
    'SELECT last_value FROM seq',
    'COMMIT',
  ])('says that %s does not', (sql) => {
    expect(judge(sql).readsSequences).toBe(false);
  });

  it('says so of whatever names anything, while nobody has read the catalogue', () => {
    const { UNKNOWN } = CatalogueSnapshot;
    expect(UNKNOWN.judge(factsOf('SELECT * FROM numbers')).readsSequences).toBe(true);
    expect(UNKNOWN.judge(factsOf('SELECT 1')).readsSequences).toBe(false);
  });

  it('suspects a cast between types of PostgreSQL itself, which names nothing', async () => {
    expect(judge('SELECT 5::bigint::boolean').effects).toBe(Effect.None);
    await client.query(
      'CREATE CAST (bigint AS boolean) WITH FUNCTION pg_try_advisory_lock(bigint)',
    );
    await read();
    expect(judge('SELECT 5::bigint::boolean').effects).toBe(Effect.Session);
    expect(judge('COMMIT').effects).toBe(Effect.None);
    await client.query('DROP CAST (bigint AS boolean)');
    await read();
  });

  it('suspects an operator class whose support function is a built-in', async () => {
    await client.query(`CREATE TYPE pair AS (a int, b int);
      CREATE OPERATOR CLASS pair_ops FOR TYPE pair USING gist AS
      FUNCTION 1 pg_try_advisory_lock(bigint)`);
    await read();
    expect(judge('SELECT NULL::pair').effects).toBe(Effect.Session);
    await client.query('DROP OPERATOR FAMILY pair_ops USING gist; DROP TYPE pair');
  });

  it('knows what DDL runs, also from inside of a function', async () => {
    expect(judge('SELECT ddl_inside()').effects & Effect.Permanent).toBe(0);
    await client.query(`CREATE FUNCTION check_options(text[], oid) RETURNS void
      LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SELECT 1'; END $$;
      CREATE FOREIGN DATA WRAPPER wrapper VALIDATOR check_options`);
    await read();
    for (const sql of ['CREATE SERVER s FOREIGN DATA WRAPPER wrapper', 'SELECT ddl_inside()']) {
      expect([sql, judge(sql).effects & Effect.Permanent]).toEqual([sql, Effect.Permanent]);
    }
    expect(judge('SELECT * FROM numbers').effects).toBe(Effect.None);
  });
});
