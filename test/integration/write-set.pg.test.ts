import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCatalogue } from '../../src/origin/catalogue.ts';
import { loadParser } from '../../src/origin/parser.ts';
import { CatalogueSnapshot } from '../../src/sql/catalogue/catalogue.ts';
import { FactsCache } from '../../src/sql/facts/facts-cache.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';
import { runner } from './catalogue-runner.ts';

const SCHEMA = `
CREATE TABLE plain (id int PRIMARY KEY, n int);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY REFERENCES parent ON DELETE CASCADE);
CREATE TABLE grandchild (id int REFERENCES child ON DELETE SET NULL);
CREATE TABLE strict (id int REFERENCES parent);
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE base (id int); CREATE TABLE heir () INHERITS (base);
CREATE TABLE audit (what text);
CREATE TABLE audited (id int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO audit VALUES ('x'); RETURN NEW; END $$;
CREATE TRIGGER note AFTER INSERT ON audited FOR EACH ROW EXECUTE FUNCTION note();
CREATE TABLE computed (id int);
CREATE FUNCTION compute() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN EXECUTE 'DELETE FROM plain'; RETURN NEW; END $$;
CREATE TRIGGER compute BEFORE UPDATE ON computed FOR EACH ROW EXECUTE FUNCTION compute();
CREATE TABLE ruled (id int);
CREATE RULE also AS ON INSERT TO ruled DO ALSO INSERT INTO audit VALUES ('rule');
CREATE VIEW over_plain AS SELECT * FROM plain;
CREATE FUNCTION writer() RETURNS void LANGUAGE sql AS 'UPDATE public.plain SET n = 1';
CREATE FUNCTION reader() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM public.plain';
CREATE PROCEDURE proc() LANGUAGE sql AS 'DELETE FROM public.plain';
`;

let database: TestDatabase;
let snapshot: CatalogueSnapshot;
const names = new Map<number, string>();
const facts = new FactsCache(await loadParser());

const factsOf = (text: string) => facts.lookup(Buffer.from(text), 0, Buffer.byteLength(text));

function writes(text: string): string[] | 'all' {
  const set = snapshot.writesOf(factsOf(text));
  return set === 'all' ? 'all' : set.map((oid) => names.get(oid) ?? String(oid)).sort();
}

beforeAll(async () => {
  database = await createDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(SCHEMA);
  const run = runner(client);
  snapshot = await readCatalogue(run, await loadParser());
  for (const [oid, name] of await run('SELECT oid, relname FROM pg_class')) {
    names.set(Number(oid), name ?? '');
  }
  await client.end();
});

afterAll(() => database.drop());

describe('what a statement writes', () => {
  it.each<[string, string[] | 'all']>([
    ['SELECT * FROM plain', []],
    ['SELECT * FROM plain FOR UPDATE', []],
    ['SELECT pg_advisory_lock(1)', []],
    ["SELECT set_config('app.x', '1', false)", []],
    ['LISTEN a', []],
    ['BEGIN', []],
    ['CREATE TEMP TABLE plain (id int)', []],
    ['CREATE TEMP TABLE t AS SELECT * FROM plain', []],
    ['CREATE TEMP TABLE t AS SELECT writer()', 'all'],
    ['CREATE TEMP TABLE t AS EXECUTE p', 'all'],
    ['CREATE TABLE t ()', 'all'],
    ['SET work_mem = 100', []],
    ['INSERT INTO plain VALUES (1, 2)', ['plain']],
    ['INSERT INTO plain SELECT * FROM parent ON CONFLICT DO NOTHING RETURNING *', ['plain']],
    ['WITH x AS (DELETE FROM plain RETURNING *) SELECT * FROM x, base', ['plain']],
    ['MERGE INTO plain USING strict ON plain.id = strict.id WHEN MATCHED THEN DELETE', ['plain']],
    ['COPY plain FROM STDIN', ['plain']],
    ['DELETE FROM parent', ['child', 'grandchild', 'parent']],
    ['DELETE FROM child', ['child', 'grandchild']],
    ['INSERT INTO strict VALUES (1)', ['strict']],
    ['INSERT INTO parted VALUES (1)', ['part', 'parted']],
    ['INSERT INTO part VALUES (1)', ['part', 'parted']],
    ['UPDATE heir SET id = 1', ['base', 'heir']],
    ['INSERT INTO audited VALUES (1)', ['audit', 'audited']],
    ['INSERT INTO ruled VALUES (1)', ['audit', 'ruled']],
    ['UPDATE over_plain SET n = 2', ['over_plain', 'plain']],
    ['SELECT writer()', ['plain']],
    ['SELECT reader()', []],
    ['UPDATE computed SET id = 2', 'all'],
    ['CALL proc()', 'all'],
    ['DO $$ BEGIN DELETE FROM plain; END $$', 'all'],
    ['TRUNCATE parent CASCADE', 'all'],
    ['CREATE TABLE new (id int)', 'all'],
    ['SELECT * INTO copied FROM plain', 'all'],
    ['REFRESH MATERIALIZED VIEW x', 'all'],
    ['GRANT SELECT ON plain TO public', 'all'],
    ['EXECUTE prepared', 'all'],
    ["COMMIT PREPARED 'x'", 'all'],
    ['SELECT unknown_function()', 'all'],
    ["SELECT query_to_xml('SELECT 1', true, true, '')", 'all'],
    ['SELECT 1; DELETE FROM plain', 'all'],
    ['not sql', 'all'],
  ])('%s', (text, expected) => {
    expect(writes(text)).toEqual(expected);
  });

  it('is anything as long as the catalogue is not known, but for what names nothing', () => {
    const { UNKNOWN } = CatalogueSnapshot;
    expect(UNKNOWN.writesOf(factsOf('SELECT * FROM plain'))).toBe('all');
    expect(UNKNOWN.writesOf(factsOf('SELECT 1'))).toEqual([]);
  });
});
