/** The SQL surface: types, what is refused and by which words, what works, jobs. */
import type { CoverageRows } from './rows.ts';

const statement = (word: string): string => `\`unsupported statement: ${word}\``;

export const typeRows: CoverageRows = {
  '5.1': [
    'columns may be of integers, floats, numeric, strings, bytea, boolean, dates and times, uuid, json, jsonb',
    'same',
  ],
  '5.2': ['numeric without precision is stored as numeric(18,6)', 'same'],
  '5.3': [
    'arrays, ranges, network addresses, bits, money, xml and the like are for expressions only, geometric types not even for these: `datatype … not supported`',
    'same',
  ],
  '5.4': ['serial types: `42704 type "serial" does not exist`', 'same'],
  '5.5': ['a key of json or jsonb: `datatype … is not supported in a key`', 'same'],
  '5.6': [
    'char above 4,096 and varchar above 65,535: `54000 Datatype limit greater than …`',
    'same',
  ],
  '5.7': [
    'text, bytea, json and jsonb above 1 MiB are refused when they are written: `54000`',
    'differs: only 10 MiB for a transaction',
  ],
  '5.8': ['a precision above 1000 is `22023`', 'same'],
  '5.9': ['names are cut at 63 bytes', 'same, with the notice of PostgreSQL'],
};

export const refusedRows: CoverageRows = {
  '5.10': [`TRUNCATE: ${statement('Truncate')}`, 'same'],
  '5.11': [`CREATE EXTENSION: ${statement('CreateExtension')}`, 'same'],
  '5.12': ['CREATE TRIGGER: `CREATE TRIGGER not supported`', 'same'],
  '5.13': [`CREATE DATABASE: ${statement('Createdb')}`, 'same'],
  '5.14': ['temporary tables: `TEMPORARY or TEMP table not supported for CREATE TABLE`', 'same'],
  '5.15': ['UNLOGGED: `UNLOGGED table not supported for CREATE TABLE`', 'same'],
  '5.16': [`CREATE TABLE AS, materialized views: ${statement('CreateTableAs')}`, 'same'],
  '5.17': [
    'CREATE TYPE: `CREATE TYPE not supported`, `unsupported statement: CompositeType`, `… CreateRange`',
    'same',
  ],
  '5.18': [
    'ALTER TYPE, its RENAME, DROP TYPE: `ALTER TYPE not supported`, `unsupported object in RENAME statement`, `… in DROP statement`',
    'same',
  ],
  '5.19': [
    'tablespaces, foreign tables: `unsupported statement: CreateTableSpace`, `… CreateForeignTable`',
    'same',
  ],
  '5.20': ['VACUUM: `unsupported VACUUM statement`', 'same'],
  '5.21': [
    'LISTEN, NOTIFY, UNLISTEN: `unsupported statement: Listen`, `… Notify`, `… Unlisten`',
    'same',
  ],
  '5.22': [`ALTER SYSTEM: ${statement('AlterSystem')}`, 'same'],
  '5.23': [`LOCK TABLE: ${statement('Lock')}`, 'same'],
  '5.24': ['MERGE: `unsupported statement type: MERGE`', 'same'],
  '5.25': ['TABLESAMPLE: `TABLESAMPLE clause not supported`', 'same'],
  '5.26': [
    'functions not in SQL: `CREATE FUNCTION with language … not supported`; `PROCEDURE is not supported`',
    'same',
  ],
  '5.27': [
    'partitions: `PARTITION BY clause not supported for CREATE TABLE`, and `PARTITION OF …`',
    'same',
  ],
  '5.28': [
    'row security: `unsupported ALTER TABLE ENABLE ROW SECURITY statement`, `unsupported statement: CreatePolicy`',
    'same',
  ],
  '5.29': [
    'text search: `unsupported statement: Define`, `… AlterTSConfiguration`; only the configuration `simple`, others `42704`',
    'same where the name is written; one that comes from a value is PostgreSQL’s',
  ],
  '5.30': [
    'savepoints: `unsupported transaction statement: SAVEPOINT`, `… RELEASE`, `… ROLLBACK TO`',
    'same',
  ],
  '5.31': ['CREATE INDEX: `unsupported mode. please use CREATE INDEX ASYNC.`', 'same'],
  '5.32': [
    'CONCURRENTLY, USING of all but `btree_index`, ASC and DESC, operator classes: each with its words',
    'same',
  ],
  '5.33': ['an index with a schema: `42601 syntax error at or near "."`', 'same'],
  '5.34': [
    'ADD COLUMN with a default or constraint: `ALTER TABLE ADD COLUMN with constraint not supported`',
    'same',
  ],
  '5.35': [
    'ALTER COLUMN TYPE: `unsupported ALTER TABLE ALTER COLUMN ... SET DATA TYPE statement`',
    'same',
  ],
  '5.36': ['SET NOT NULL, SET STATISTICS of a column: the same form of words', 'same'],
  '5.37': [
    'ADD of a primary key, UNIQUE, or CHECK and foreign keys without NOT VALID: `unsupported ALTER TABLE ADD CONSTRAINT statement`',
    'same',
  ],
  '5.38': ['VALIDATE CONSTRAINT: `unsupported ALTER TABLE VALIDATE CONSTRAINT statement`', 'same'],
  '5.39': [
    'DROP of the primary key: `unsupported ALTER TABLE DROP CONSTRAINT statement`, `cannot drop primary key column …`',
    'same',
  ],
  '5.40': ['sequences and identities need CACHE 1, or 65536 and more', 'same words'],
  '5.41': [
    'an identity is bigint: `datatype integer not supported, identity column type must be bigint`',
    'same',
  ],
  '5.42': [
    'FOR SHARE, FOR NO KEY UPDATE: `locking clauses other than FOR UPDATE/FOR KEY SHARE are not supported`',
    'same',
  ],
  '5.43': ['another level: `Unsupported isolation level: SERIALIZABLE`', 'same'],
  '5.44': [
    'SET TRANSACTION: `setting configuration parameter "TRANSACTION" not supported`',
    'same',
  ],
  '5.45': ['DROP DOMAIN CASCADE: `DROP DOMAIN with CASCADE unsupported`', 'same'],
  '5.46': [
    'nobody has told of COPY FROM; COPY TO works for pg_dump',
    'our choice: both, from and to the client; never files or programs',
  ],
  '5.47': ['GROUP BY ALL: `42601 syntax error at end of input`', 'same'],
  '5.48': [
    'whatever is refused is so wherever it stands: in a function, prepared, among others, behind EXPLAIN',
    'same',
  ],
  '5.49': [
    'other statements that no document allows: DO, cursors, rules, casts, ALTER DATABASE, ALTER DEFAULT PRIVILEGES and more',
    'our choice: refused as `unsupported statement: …`',
  ],
};

export const acceptedRows: CoverageRows = {
  '5.50': ['views', 'same'],
  '5.51': ['functions in SQL, read when they are made', 'same'],
  '5.52': ['domains', 'same'],
  '5.53': ['schemas, ten of them', 'differs: as many as one likes'],
  '5.54': ['identities and sequences', 'same'],
  '5.55': ['generated columns that are STORED', 'same'],
  '5.56': ['CHECK, UNIQUE and the primary key in CREATE TABLE', 'same'],
  '5.57': ['COMMENT ON', 'same'],
  '5.58': ['CREATE STATISTICS, five for a table', 'differs: as many as one likes'],
  '5.59': [
    'WITH, windows, LATERAL, functions of json, ON CONFLICT, RETURNING, UNION and its kin',
    'same',
  ],
  '5.60': ['FOR UPDATE and FOR KEY SHARE, which do not wait', 'same'],
  '5.61': ['BEGIN and START TRANSACTION, READ ONLY and READ WRITE', 'same'],
  '5.62': [
    'EXPLAIN with estimates of cost in DPU, and scans of its own names',
    'differs: the plans of PostgreSQL',
  ],
  '5.63': [
    'foreign keys with all actions, MATCH FULL, DEFERRABLE, SET CONSTRAINTS; a violation is `23503`',
    'same',
  ],
  '5.64': ['foreign keys and CHECK later, NOT VALID, then VALIDATE by ASYNC', 'same'],
  '5.65': ['the other forms of ALTER TABLE', 'same'],
  '5.66': [
    'UNIQUE USING INDEX; `55000 index "…" is not valid` while it is built',
    'same; the index of a small table is built at once',
  ],
  '5.67': [
    'LEFT JOIN LATERAL has been seen to fail where the subquery tells what it takes from its left side: `42804 attribute 1 of type … has wrong type`',
    'differs: it works',
  ],
  '5.68': [
    'without ORDER BY rows come in the order of the primary key',
    'differs: in no order; who locks a row FOR UPDATE may move it behind others',
  ],
};

export const jobRows: CoverageRows = {
  '5.70': ['CREATE INDEX ASYNC: tag `CREATE INDEX`, one row with `job_id`', 'same'],
  '5.71': [
    'ALTER TABLE ASYNC … VALIDATE CONSTRAINT: tag `ALTER TABLE`, one row with `job_id`',
    'same',
  ],
  '5.72': ['an id is 16 bytes in base32 in 26 small characters', 'same'],
  '5.73': [
    '`sys.jobs` has nine columns, times in whole seconds; jobs are submitted, with no `update_time`, processing, completed or failed',
    'differs: of the kinds INDEX_BUILD and VALIDATE_CONSTRAINT only; else the same',
  ],
  '5.74': ['jobs are shown for 30 minutes', 'same'],
  '5.75': [
    '`sys.wait_for_job` is a procedure: SELECT is `42809`, CALL gives `succeeded`; `0A000 cannot use subquery in CALL argument`',
    'same',
  ],
  '5.76': ['what is no id: `22P02 Unable to convert text to UUID`', 'same'],
  '5.77': [
    'a unique index over rows that are not: the job has failed, the index is there and not valid',
    'same; PostgreSQL’s own words behind it',
  ],
};
