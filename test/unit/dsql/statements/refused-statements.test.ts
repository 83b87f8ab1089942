import { beforeAll, describe, expect, it } from 'vitest';
import { StatementJudge } from '../../../../src/dsql/statements/statement-judge.ts';
import { loadParser } from '../../../../src/origin/parser.ts';

let judge: StatementJudge;
beforeAll(async () => {
  judge = new StatementJudge(await loadParser());
});

/** What the client is told, with the SQLSTATE before it where that is not 0A000. */
function told(text: string): string {
  const { refused } = judge.judge(text);
  if (refused === null) return 'accepted';
  return refused.sqlstate === '0A000' ? refused.message : `${refused.sqlstate} ${refused.message}`;
}

type Row = readonly [statement: string, told: string | RegExp];

const notAllowed = (name: string) => `unsupported statement: ${name}`;
const alter = (form: string) => `unsupported ALTER TABLE ${form} statement`;
const transaction = (words: string) => `unsupported transaction statement: ${words}`;
const cacheAdvice =
  'is not supported without an explicit cache size. ' +
  'please define CACHE greater than or equal to 65536 or equal to 1';
const addColumn = 'ALTER TABLE ADD COLUMN with constraint not supported';
const addConstraint = alter('ADD CONSTRAINT');
const otherLocks = 'locking clauses other than FOR UPDATE/FOR KEY SHARE are not supported';
const setTransaction = 'setting configuration parameter "TRANSACTION" not supported';

const statements: readonly Row[] = [
  ['TRUNCATE t', notAllowed('Truncate')],
  ['TRUNCATE a, b CASCADE', notAllowed('Truncate')],
  ['CREATE EXTENSION hstore', notAllowed('CreateExtension')],
  [
    'CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()',
    'CREATE TRIGGER not supported',
  ],
  ['CREATE DATABASE d', notAllowed('Createdb')],
  ['CREATE TEMP TABLE t (a int)', 'TEMPORARY or TEMP table not supported for CREATE TABLE'],
  ['CREATE TABLE pg_temp.t (a int)', 'TEMPORARY or TEMP table not supported for CREATE TABLE'],
  ['CREATE UNLOGGED TABLE t (a int)', 'UNLOGGED table not supported for CREATE TABLE'],
  ['CREATE TABLE t AS SELECT 1', notAllowed('CreateTableAs')],
  ['CREATE TABLE t AS EXECUTE p', notAllowed('CreateTableAs')],
  ['SELECT 1 AS a INTO t', notAllowed('CreateTableAs')],
  ['CREATE MATERIALIZED VIEW m AS SELECT 1', notAllowed('CreateTableAs')],
  ["CREATE TYPE e AS ENUM ('a')", 'CREATE TYPE not supported'],
  ['CREATE TYPE c AS (a int)', notAllowed('CompositeType')],
  ['CREATE TYPE r AS RANGE (subtype = int4)', notAllowed('CreateRange')],
  ["ALTER TYPE e ADD VALUE 'b'", 'ALTER TYPE not supported'],
  ['ALTER TYPE c ADD ATTRIBUTE b int', 'ALTER TYPE not supported'],
  ['ALTER TYPE c RENAME TO d', 'unsupported object in RENAME statement'],
  ['DROP TYPE c', 'unsupported object in DROP statement'],
  ["CREATE TABLESPACE s LOCATION '/x'", notAllowed('CreateTableSpace')],
  ['CREATE FOREIGN TABLE f (a int) SERVER s', notAllowed('CreateForeignTable')],
  ['VACUUM', 'unsupported VACUUM statement'],
  ['VACUUM (ANALYZE) t', 'unsupported VACUUM statement'],
  ['LISTEN c', notAllowed('Listen')],
  ["NOTIFY c, 'x'", notAllowed('Notify')],
  ['UNLISTEN *', notAllowed('Unlisten')],
  ['ALTER SYSTEM SET work_mem = 1', notAllowed('AlterSystem')],
  ['LOCK TABLE t', notAllowed('Lock')],
  [
    'MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE',
    'unsupported statement type: MERGE',
  ],
  ['SELECT * FROM t TABLESAMPLE system (1)', 'TABLESAMPLE clause not supported'],
  [
    "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'",
    'CREATE FUNCTION with language plpgsql not supported',
  ],
  [
    "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x', 'y'",
    'CREATE FUNCTION with language c not supported',
  ],
  ["CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'", 'PROCEDURE is not supported'],
  [
    'CREATE TABLE t (a int) PARTITION BY RANGE (a)',
    'PARTITION BY clause not supported for CREATE TABLE',
  ],
  [
    'CREATE TABLE p PARTITION OF t FOR VALUES IN (1)',
    'PARTITION OF clause not supported for CREATE TABLE',
  ],
  ['ALTER TABLE t ENABLE ROW LEVEL SECURITY', alter('ENABLE ROW SECURITY')],
  ['CREATE POLICY p ON t', notAllowed('CreatePolicy')],
  ['CREATE TEXT SEARCH CONFIGURATION c (COPY = simple)', notAllowed('Define')],
  [
    'ALTER TEXT SEARCH CONFIGURATION c ADD MAPPING FOR word WITH simple',
    notAllowed('AlterTSConfiguration'),
  ],
  ['SAVEPOINT s', transaction('SAVEPOINT')],
  ['RELEASE SAVEPOINT s', transaction('RELEASE')],
  ['ROLLBACK TO SAVEPOINT s', transaction('ROLLBACK TO')],
  ['CREATE INDEX i ON t (a)', 'unsupported mode. please use CREATE INDEX ASYNC.'],
  ['CREATE INDEX CONCURRENTLY i ON t (a)', 'CONCURRENTLY not supported for CREATE INDEX'],
  ['CREATE INDEX ASYNC i ON t USING btree (a)', 'USING not supported for CREATE INDEX'],
  ['CREATE INDEX ASYNC i ON t USING hash (a)', 'USING not supported for CREATE INDEX'],
  ['CREATE INDEX ASYNC i ON t (a ASC)', 'specifying sort order not supported for index keys'],
  ['CREATE INDEX ASYNC i ON t (a DESC)', 'specifying sort order not supported for index keys'],
  ['CREATE INDEX ASYNC i ON t (a text_ops)', 'opclass not supported for index keys'],
  ['CREATE INDEX ASYNC s.i ON t (a)', '42601 syntax error at or near "."'],
  ['ALTER TABLE t ADD COLUMN b int DEFAULT 1', addColumn],
  ['ALTER TABLE t ADD COLUMN b int NOT NULL', addColumn],
  ['ALTER TABLE t ADD COLUMN b int CHECK (b > 0)', addColumn],
  ['ALTER TABLE t ADD COLUMN b int UNIQUE', addColumn],
  ['ALTER TABLE t ADD COLUMN b bigint GENERATED ALWAYS AS IDENTITY (CACHE 1)', addColumn],
  ['ALTER TABLE t ALTER COLUMN a TYPE bigint', alter('ALTER COLUMN ... SET DATA TYPE')],
  ['ALTER TABLE t ALTER COLUMN a SET NOT NULL', alter('ALTER COLUMN ... SET NOT NULL')],
  ['ALTER TABLE t ALTER COLUMN a SET STATISTICS 9', alter('ALTER COLUMN ... SET STATISTICS')],
  ['ALTER TABLE t ADD PRIMARY KEY (a)', addConstraint],
  ['ALTER TABLE t ADD UNIQUE (a)', addConstraint],
  ['ALTER TABLE t ADD PRIMARY KEY USING INDEX i', addConstraint],
  ['ALTER TABLE t ADD CHECK (a > 0)', addConstraint],
  ['ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES o', addConstraint],
  ['ALTER TABLE t VALIDATE CONSTRAINT c', alter('VALIDATE CONSTRAINT')],
  ['CREATE SEQUENCE s', `CREATE SEQUENCE ${cacheAdvice}`],
  ['CREATE SEQUENCE s CACHE 10', `CREATE SEQUENCE ${cacheAdvice}`],
  ['CREATE SEQUENCE s CACHE 65535', `CREATE SEQUENCE ${cacheAdvice}`],
  ['CREATE TABLE t (a bigint GENERATED ALWAYS AS IDENTITY)', `identity column ${cacheAdvice}`],
  [
    'CREATE TABLE t (a bigint GENERATED BY DEFAULT AS IDENTITY (CACHE 2))',
    `identity column ${cacheAdvice}`,
  ],
  [
    'CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY (CACHE 1))',
    'datatype integer not supported, identity column type must be bigint',
  ],
  ['SELECT * FROM t FOR SHARE', otherLocks],
  ['SELECT * FROM t FOR NO KEY UPDATE', otherLocks],
  ['BEGIN ISOLATION LEVEL SERIALIZABLE', 'Unsupported isolation level: SERIALIZABLE'],
  [
    'START TRANSACTION ISOLATION LEVEL READ COMMITTED',
    'Unsupported isolation level: READ COMMITTED',
  ],
  ['SET TRANSACTION ISOLATION LEVEL SERIALIZABLE', 'Unsupported isolation level: SERIALIZABLE'],
  ['SET TRANSACTION ISOLATION LEVEL REPEATABLE READ', setTransaction],
  ['SET TRANSACTION READ ONLY', setTransaction],
  ['DROP DOMAIN d CASCADE', 'DROP DOMAIN with CASCADE unsupported'],
  ["COPY t FROM '/etc/passwd'", 'COPY with a file not supported'],
  ["COPY t TO PROGRAM 'cat'", 'COPY with PROGRAM not supported'],
  ['SELECT a FROM t GROUP BY ALL', '42601 syntax error at end of input'],
  // dsql §5.49
  ['DO $$ BEGIN END $$', notAllowed('Do')],
  ['CALL p()', notAllowed('Call')],
  ["CALL wait_for_job('x')", notAllowed('Call')],
  ['CALL sys.wait_for_job($1)', 'sys.wait_for_job takes the id of a job as a literal'],
  [
    "CALL sys.wait_for_job('x' || (SELECT max(job_id) FROM sys.jobs))",
    'cannot use subquery in CALL argument',
  ],
  ['DECLARE c CURSOR FOR SELECT 1', notAllowed('DeclareCursor')],
  ['DECLARE c CURSOR WITH HOLD FOR SELECT 1', notAllowed('DeclareCursor')],
  ['FETCH 1 FROM c', notAllowed('Fetch')],
  ['CLOSE c', notAllowed('ClosePortal')],
  // dsql §1.30
  ['DISCARD ALL', notAllowed('Discard')],
  ['ALTER DATABASE postgres SET work_mem = 1', notAllowed('AlterDatabaseSet')],
  ['ALTER ROLE r SET work_mem = 1', notAllowed('AlterRoleSet')],
  ['REASSIGN OWNED BY a TO b', notAllowed('ReassignOwned')],
  ['DROP OWNED BY a', notAllowed('DropOwned')],
  ["SECURITY LABEL ON TABLE t IS 'x'", notAllowed('SecLabel')],
  ['CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING', notAllowed('Rule')],
  ['CREATE CAST (int AS text) WITH INOUT', notAllowed('CreateCast')],
  ["LOAD 'x'", notAllowed('Load')],
  ['CHECKPOINT', notAllowed('CheckPoint')],
  ["PREPARE TRANSACTION 'x'", transaction('PREPARE TRANSACTION')],
  ['COMMIT AND CHAIN', transaction('COMMIT AND CHAIN')],
  ['ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO r', notAllowed('AlterDefaultPrivileges')],
];

const column = (type: string) => `CREATE TABLE t (a ${type})`;
const datatype = (display: string) => `datatype ${display} not supported`;

const types: readonly Row[] = [
  [column('int[]'), datatype('integer[]')],
  [column('text[][]'), datatype('text[]')],
  [column('_int4'), datatype('integer[]')],
  [column('int ARRAY[3]'), datatype('integer[]')],
  [column('bit(3)'), datatype('bit')],
  [column('bit varying'), datatype('bit varying')],
  [column('money'), datatype('money')],
  [column('"char"'), datatype('"char"')],
  [column('xml'), datatype('xml')],
  [column('inet'), datatype('inet')],
  [column('pg_catalog.tsvector'), datatype('tsvector')],
  [column('int4range'), datatype('int4range')],
  [column('point'), datatype('point')],
  [column('pg_lsn'), datatype('pg_lsn')],
  [column('pg_class'), datatype('pg_class')],
  [column('d[]'), datatype('d[]')],
  [column('serial'), '42704 type "serial" does not exist'],
  [column('bigserial PRIMARY KEY'), '42704 type "bigserial" does not exist'],
  [column('char(4097)'), '54000 Datatype limit greater than 4096 bytes not supported for char'],
  [
    column('varchar(65536)'),
    '54000 Datatype limit greater than 65535 bytes not supported for varchar',
  ],
  ['ALTER TABLE t ADD COLUMN b inet', datatype('inet')],
  ['ALTER TABLE t ADD COLUMN b serial', '42704 type "serial" does not exist'],
  ['CREATE DOMAIN d AS int[]', datatype('integer[]')],
  ['CREATE DOMAIN d AS inet', datatype('inet')],
  [column('jsonb PRIMARY KEY'), 'datatype jsonb is not supported in a key'],
  ['CREATE TABLE t (a json, UNIQUE (a))', 'datatype json is not supported in a key'],
];

const list = (count: number, item: (at: number) => string) =>
  Array.from({ length: count }, (_, at) => item(at)).join(', ');
const inTable = (clause: string) => `${clause} clause not supported for CREATE TABLE`;
const tooManyKeys = '54011 more than 8 column keys in an index are not supported';
const inIndex = (clause: string) => `${clause} not supported for CREATE INDEX`;

/** What the documentation has no words for, and what only newer grammars know. */
const furtherForms: readonly Row[] = [
  ['CREATE TABLE t (a int) INHERITS (o)', inTable('INHERITS')],
  ['CREATE TABLE t (a int) WITH (fillfactor = 10)', inTable('WITH')],
  ['CREATE TABLE t (a int) TABLESPACE s', inTable('TABLESPACE')],
  ['CREATE TABLE t (a int) USING heap', inTable('USING')],
  ['CREATE TABLE t OF c', inTable('OF')],
  ['CREATE TABLE t (a int, EXCLUDE (a WITH =))', 'EXCLUDE constraint not supported'],
  ['CREATE TABLE t (a text COMPRESSION lz4)', 'COMPRESSION not supported'],
  [
    'CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a) VIRTUAL)',
    'generated columns other than STORED not supported',
  ],
  ['CREATE TABLE t (a int CHECK (a > 0) NOT ENFORCED)', '[NOT] ENFORCED not supported'],
  [
    'CREATE TABLE t (a int, b text, PRIMARY KEY (a, b WITHOUT OVERLAPS))',
    'PERIOD and WITHOUT OVERLAPS not supported',
  ],
  [
    'CREATE TABLE t (a text COLLATE "en_US")',
    '42704 collation "en_US" for encoding "UTF8" does not exist',
  ],
  [`CREATE TABLE t (${list(256, (at) => `c${at} int`)})`, /^54011 .* at most 255 columns$/],
  [`CREATE TABLE t (a int, PRIMARY KEY (${list(9, (at) => `c${at}`)}))`, tooManyKeys],
  [`CREATE INDEX ASYNC ON t (${list(9, (at) => `c${at}`)})`, tooManyKeys],
  ['CREATE INDEX ASYNC ON t (a) WITH (fillfactor = 10)', inIndex('WITH')],
  ['CREATE INDEX ASYNC ON t (a) TABLESPACE s', inIndex('TABLESPACE')],
  ['DROP INDEX CONCURRENTLY i', 'CONCURRENTLY not supported for DROP INDEX'],
  ['CREATE SCHEMA s CREATE TABLE t (a int)', 'elements not supported for CREATE SCHEMA'],
  ['CREATE TEMP VIEW v AS SELECT 1', 'TEMPORARY or TEMP view not supported for CREATE VIEW'],
  [
    'CREATE TEMP SEQUENCE s CACHE 1',
    'TEMPORARY or TEMP sequence not supported for CREATE SEQUENCE',
  ],
  ['CREATE VIEW v AS TABLE t FOR UPDATE', 'locking clauses not supported for CREATE VIEW'],
  ['ALTER SEQUENCE s CACHE 5', `ALTER SEQUENCE ${cacheAdvice}`],
  ['ALTER INDEX i SET (fillfactor = 9)', 'unsupported ALTER INDEX SET statement'],
  ['ALTER TABLE t ATTACH PARTITION p DEFAULT', alter('ATTACH PARTITION')],
  ['ALTER TABLE t REPLICA IDENTITY FULL', alter('REPLICA IDENTITY')],
  ['ALTER TABLE t DISABLE TRIGGER ALL', alter('DISABLE TRIGGER')],
  ['ANALYZE VERBOSE t', 'unsupported ANALYZE statement'],
  ['SELECT * FROM t FOR UPDATE NOWAIT', 'NOWAIT not supported'],
  ['SELECT * FROM t FOR UPDATE SKIP LOCKED', 'SKIP LOCKED not supported'],
  ["SELECT * FROM json_table('{}', '$' COLUMNS (a int)) x", 'JSON_TABLE not supported'],
  ['UPDATE t SET a = 1 RETURNING WITH (OLD AS o) o.a', 'RETURNING WITH not supported'],
  ['COMMENT ON DATABASE postgres IS $$x$$', 'unsupported object in COMMENT statement'],
  ['BEGIN DEFERRABLE', transaction('DEFERRABLE')],
  ['COPY (DELETE FROM t RETURNING a) TO STDOUT', /^COPY from a statement that writes/],
  ['EXPLAIN EXECUTE p', notAllowed('Execute')],
  ['EXPLAIN DECLARE c CURSOR FOR SELECT 1', notAllowed('DeclareCursor')],
];

describe('further forms that are refused', () => {
  it.each(furtherForms)('%s', (text, expected) => {
    if (typeof expected === 'string') expect(told(text)).toBe(expected);
    else expect(told(text)).toMatch(expected);
  });
});

describe('statements that are refused', () => {
  it.each(statements)('%s', (text, expected) => {
    expect(told(text)).toBe(expected);
  });
});

/** What is written like a call of one argument is a cast. */
describe('geometric types in expressions', () => {
  // dsql §5.3
  it.each([
    ["SELECT polygon('((0,0),(1,1))')", datatype('polygon')],
    ["SELECT lseg('[(0,0),(1,1)]'::text)", datatype('lseg')],
    ['SELECT a FROM t WHERE box(point(a, b), point(0, 0)) IS NULL', datatype('box')],
    ["SELECT '(1,2)'::pg_catalog.point", datatype('point')],
    ['SELECT CAST (a AS path[]) FROM t', datatype('path[]')],
    ['INSERT INTO t SELECT 1 ORDER BY pg_catalog.circle($1)', datatype('circle')],
    ['CREATE VIEW v AS SELECT line(a) AS l FROM t', datatype('line')],
    ["SELECT own.line('{1,2,3}')", 'accepted'],
    ['SELECT line, t.point AS path FROM box AS t', 'accepted'],
    ["SELECT '10.0.0.1'::inet, '[1,5)'::int4range, ARRAY[1], '1'::money", 'accepted'],
  ])('%s', (text, expected) => {
    expect(told(text)).toBe(expected);
  });
});

const noConfiguration = '42704 text search configuration "english" does not exist';

describe('text search', () => {
  it.each([
    ["SELECT to_tsvector('english', a) FROM t", noConfiguration],
    ["SELECT pg_catalog.to_tsquery('pg_catalog.english', 'a')", noConfiguration],
    ["SELECT to_tsquery('english'::regconfig, $1)", noConfiguration],
    ["CREATE INDEX ASYNC ON t (to_tsvector('english', a))", noConfiguration],
    ["SELECT to_tsvector('simple', a) @@ plainto_tsquery('simple', 'b') FROM t", 'accepted'],
    ["SELECT to_tsvector('english')", 'accepted'],
  ])('%s', (text, expected) => {
    expect(told(text)).toBe(expected);
  });
});

describe('types that no column has', () => {
  it.each(types)('%s', (text, expected) => {
    expect(told(text)).toBe(expected);
  });
});
