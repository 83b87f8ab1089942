/** Transactions, limits and the catalogue. */
import type { CoverageRows } from './rows.ts';

export const transactionRows: CoverageRows = {
  '6.1': ['a transaction sees one snapshot, and reads never wait', 'same'],
  '6.2': [
    'writes wait for nobody; the first to commit wins',
    'differs: a statement waits for another one that is executing, or for a holder outside the endpoint; else the same',
  ],
  '6.3': ['what each has read and the other has written is no conflict (write skew)', 'same'],
  '6.4': ['FOR UPDATE by both, or by one against a write: a conflict at COMMIT', 'same'],
  '6.5': [
    'FOR KEY SHARE and new references conflict with DELETE, not with updates beside the key',
    'same',
  ],
  '6.6': ['a conflict: `40001 change conflicts with another transaction (OC000)`', 'same'],
  '6.7': [
    'a changed schema: `40001 schema has been updated by another transaction (OC001)`, at the statement or COMMIT, by GRANT and REVOKE as well',
    'same; of changes in this endpoint',
  ],
  '6.8': ['of conflicts over several rows one or both may lose', 'same: always one wins'],
  '6.9': [
    'a second change of the schema: `multiple ddl statements not supported in a transaction`',
    'same',
  ],
  '6.10': [
    'with writes beside it: `ddl and dml are not supported in the same transaction`',
    'same',
  ],
  '6.11': ['3,000 rows: `54000 transaction row limit exceeded`, at the statement', 'same'],
  '6.12': [
    '10 MiB: `54000 transaction size limit 10mb exceeded` at COMMIT, with a DETAIL',
    'same words; sizes are those of texts and rows, without indexes',
  ],
  '6.13': [
    '300 s: `54000 transaction age limit of 300s exceeded`; a running statement is not stopped',
    'same',
  ],
  '6.14': ['128 MiB for a query: `54000`', 'differs: the limits of the PostgreSQL below'],
  '6.15': [
    'after an error `25P02` until ROLLBACK, also for what is refused; COMMIT says ROLLBACK',
    'same',
  ],
  '6.16': [
    'keys above 1,981 bytes: `54000 key size too large`; declared above 2,000: refused by CREATE TABLE',
    'differs: `54000` with PostgreSQL’s words from 2,704 bytes; no limit for what is declared',
  ],
  '6.17': ['rows of 2 MiB: `maximum row size exceeded`', 'differs: only 10 MiB for a transaction'],
  '6.18': [
    '8 columns of a key: `54011 more than 8 column keys in an index are not supported`',
    'same',
  ],
  '6.19': ['255 columns of a table: `54011`', 'same'],
  '6.20': [
    '24 indexes of a table: `54000 more than 24 indexes per table are not allowed`; 1,000 tables, 5,000 views, 5,000 sequences',
    'differs: 24 for CREATE INDEX ASYNC alone, else as many as one likes',
  ],
  '6.21': [
    'connectors run a transaction again after `40001`',
    'same: no error of another kind asks for it',
  ],
  '6.22': [
    'constraints that others have broken meanwhile are conflicts; one’s own are errors',
    'same',
  ],
};

export const catalogueRows: CoverageRows = {
  '7.1': ['`sys` with `jobs`, `iam_pg_role_mappings` and `wait_for_job`', 'same'],
  '7.2': ['most catalogues of PostgreSQL can be read', 'same'],
  '7.3': ['so can their functions: `pg_get_constraintdef`, `pg_get_indexdef` and others', 'same'],
  '7.4': ['indexes have the method `btree_index`', 'differs: `btree`'],
  '7.5': ['the index of a primary key includes all columns', 'differs: only those of the key'],
  '7.6': ['`pg_indexes` shows an index before it is valid', 'same'],
  '7.7': ['there is no `ctid`', 'differs: PostgreSQL’s is there'],
  '7.8': [
    'no extension can be had: `pg_available_extensions` is empty',
    'differs: it lists those of the PostgreSQL below, which are refused',
  ],
  '7.9': [
    'cursors: drivers take them for unsupported',
    'same: refused in SQL; portals of the protocol work',
  ],
  '7.10': ['no PREPARE TRANSACTION', 'same'],
  '7.11': [
    '`pg_settings` and SHOW ALL tell of version 16',
    'differs: of the PostgreSQL below; SHOW of a name and `current_setting` are as at AWS',
  ],
};

export const endpointRows: CoverageRows = {
  '8.1': ['one endpoint has several clusters', 'same'],
  '8.2': [
    'the endpoint answers when a server behind it fails',
    'same, over several servers of one cluster',
  ],
  '8.3': ['another server is found after a failover, and never one that is older', 'same'],
  '8.4': [
    'sessions of one role share links to PostgreSQL, one transaction at a time',
    'same to clients',
  ],
  '8.5': ['no update is lost, however many clients write the same rows', 'same'],
  '8.6': ['no text makes the judge of statements fail, nor lets a refused one through', 'same'],
  '8.7': ['the SDKs of AWS work with the API', 'same: for JavaScript, and boto3'],
  '8.8': [
    'a cluster keeps its data',
    'same: over a restart of the program, below its directory or in given servers',
  ],
  '8.9': ['no bytes of a client let it in, nor end more than its own connection', 'same'],
  '8.10': [
    'psql, drivers, ORMs and the connector of AWS for Node work',
    'same: psql, pgbench, node-postgres, Postgres.js, Drizzle, Kysely, psycopg, asyncpg',
  ],
};
