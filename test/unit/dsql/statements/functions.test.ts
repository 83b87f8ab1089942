import { beforeAll, describe, expect, it } from 'vitest';
import { StatementJudge } from '../../../../src/dsql/statements/statement-judge.ts';
import { loadParser } from '../../../../src/origin/parser.ts';

let judge: StatementJudge;
beforeAll(async () => {
  judge = new StatementJudge(await loadParser());
});

const told = (text: string) => judge.judge(text).refused?.message ?? 'accepted';

const refused = `pg_backend_pid inet_server_addr inet_server_port inet_client_addr set_config
  pg_advisory_lock pg_advisory_xact_lock_shared pg_try_advisory_lock pg_advisory_unlock_all
  pg_terminate_backend pg_cancel_backend pg_read_file pg_read_binary_file pg_ls_dir pg_stat_file
  lo_import lo_export lo_create lo_get loread dblink dblink_exec pg_reload_conf
  pg_rotate_logfile pg_export_snapshot pg_notify pg_logical_emit_message
  pg_create_physical_replication_slot pg_create_logical_replication_slot pg_switch_wal
  pg_replication_origin_create query_to_xml query_to_xml_and_xmlschema cursor_to_xml
  table_to_xml schema_to_xml database_to_xml ts_stat ts_rewrite setseed pg_promote
  pg_backup_start pg_start_backup pg_stat_reset binary_upgrade_set_next_pg_type_oid
  pg_file_write`.split(/\s+/);

/** Every place that an expression of a client can stand in. */
const places = (call: string): string[] => [
  `SELECT ${call}`,
  `SELECT 1 FROM t WHERE ${call} IS NULL ORDER BY 1`,
  `SELECT * FROM ${call} AS f`,
  `SELECT * FROM ROWS FROM (now(), ${call}) AS f`,
  `SELECT * FROM t, LATERAL (SELECT ${call}) x`,
  `SELECT count(*) FILTER (WHERE ${call} = 'a') OVER (ORDER BY ${call}) FROM t`,
  `VALUES (1), (ARRAY[CASE WHEN true THEN coalesce(${call}) END])`,
  `WITH a AS (SELECT ${call}) TABLE a`,
  `INSERT INTO t VALUES (${call}) ON CONFLICT (a) DO UPDATE SET b = ${call}`,
  `INSERT INTO t DEFAULT VALUES RETURNING ${call}`,
  `UPDATE t SET a = ${call} WHERE b > 0`,
  `DELETE FROM t USING u WHERE ${call} = u.a`,
  `SELECT a FROM t LIMIT ${call}`,
  `SELECT OPERATOR(pg_catalog.-) ${call}`,
  `EXPLAIN SELECT ${call}`,
  `PREPARE p AS SELECT ${call}`,
  `EXECUTE p(${call})`,
  `COPY (SELECT ${call}) TO STDOUT`,
  `COPY t FROM STDIN WHERE ${call} = 1`,
  `CREATE VIEW v AS SELECT ${call}`,
  `CREATE TABLE t (a int DEFAULT ${call})`,
  `CREATE TABLE t (a int CHECK (${call} > a))`,
  `CREATE TABLE t (a int, b int GENERATED ALWAYS AS (${call}) STORED)`,
  `CREATE TABLE t (a int, CHECK (${call} > a))`,
  `ALTER TABLE t ALTER a SET DEFAULT ${call}`,
  `ALTER TABLE t ADD CHECK (${call} > a) NOT VALID`,
  `CREATE DOMAIN d AS int DEFAULT ${call}`,
  `CREATE DOMAIN d AS int CHECK (VALUE > ${call})`,
  `ALTER DOMAIN d SET DEFAULT ${call}`,
  `ALTER DOMAIN d ADD CHECK (VALUE > ${call})`,
  `CREATE INDEX ASYNC ON t ((${call}))`,
  `CREATE INDEX ASYNC ON t (a) WHERE ${call} > a`,
  `CREATE STATISTICS s ON (${call}), a FROM t`,
  `CREATE FUNCTION f(a int DEFAULT ${call}) RETURNS int RETURN 1`,
  `CREATE FUNCTION f() RETURNS int RETURN ${call}`,
  `CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT ${call}; END`,
  `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; SELECT ${call} $$`,
  `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT ${call.replaceAll("'", "''")}'`,
];

describe('functions that are refused', () => {
  it.each(refused)('%s', (name) => {
    const message = `function ${name} not supported`;
    expect(told(`SELECT ${name}()`)).toBe(message);
    expect(told(`SELECT pg_catalog.${name.toUpperCase()}(1, 'a')`)).toBe(message);
  });

  // dsql §5.48
  it.each([
    'PG_BACKEND_PID()',
    '"pg_backend_pid"()',
    'pg_catalog.pg_backend_pid()',
    '"pg_catalog" . /**/ "pg_backend_pid" --\n ()',
    'postgres.pg_catalog.pg_backend_pid()',
    'U&"pg\\005fbackend_pid"()',
    'U&"pg!005fbackend_pid" UESCAPE \'!\' ()',
  ])('in every spelling: %s', (call) => {
    expect(told(`SELECT ${call}`)).toBe('function pg_backend_pid not supported');
  });

  // dsql §5.48
  it.each(places('pg_backend_pid()'))('in every place: %s', (text) => {
    expect(told(text)).toBe('function pg_backend_pid not supported');
  });

  it.each(places('now()'))('but not others: %s', (text) => {
    expect(told(text)).not.toContain('function');
  });

  it("are a client's own by the name of its schema, but for those of extensions", () => {
    expect(told('SELECT s.pg_notify(1)')).toBe('accepted');
    expect(told("SELECT public.dblink('x')")).toBe('function dblink not supported');
  });
});

describe('functions of clients', () => {
  // dsql §5.26, §5.48
  it.each([
    ["LANGUAGE sql AS 'TRUNCATE t'", 'unsupported statement: Truncate'],
    ["LANGUAGE sql AS 'SELECT 1; SET search_path = a'", 'unsupported statement: VariableSet'],
    ["LANGUAGE sql AS 'COMMIT'", 'unsupported statement: Transaction'],
    ["LANGUAGE sql AS 'CREATE TABLE t (a int)'", 'unsupported statement: Create'],
    ["LANGUAGE sql AS 'SELECT 1 INTO t'", 'unsupported statement: CreateTableAs'],
    ["LANGUAGE sql AS 'SELECT * FROM t FOR SHARE'", /^locking clauses other than/],
    ["LANGUAGE sql AS 'AWS IAM GRANT a TO b'", 'syntax error at or near "AWS"'],
    ["LANGUAGE sql AS 'SELEC'", 'syntax error at or near "SELEC"'],
    ["LANGUAGE sql AS 'UPDATE pg_settings SET setting = 1'", /^feature not supported/],
    ["LANGUAGE internal AS 'int4pl'", 'CREATE FUNCTION with language internal not supported'],
    ["LANGUAGE 'SQL' AS 'SELECT 1'", 'CREATE FUNCTION with language SQL not supported'],
    ['LANGUAGE sql WINDOW RETURN 1', 'WINDOW not supported for CREATE FUNCTION'],
    ['LANGUAGE sql SUPPORT f RETURN 1', 'SUPPORT not supported for CREATE FUNCTION'],
    ['LANGUAGE sql SET role = a RETURN 1', 'setting configuration parameter "role" not supported'],
    ['SET work_mem = 1 RETURN 1', 'setting configuration parameter "work_mem" not supported'],
    ['SET search_path = a SECURITY DEFINER STRICT COST 5 RETURN 1', 'accepted'],
    ["LANGUAGE sql AS ''", 'accepted'],
  ])('%s', (definition, expected) => {
    const message = told(`CREATE FUNCTION f() RETURNS int ${definition}`);
    if (typeof expected === 'string') expect(message).toBe(expected);
    else expect(message).toMatch(expected);
  });

  it('do not write under the name of one that is built in', () => {
    const create = (name: string) =>
      `CREATE FUNCTION ${name}(int) RETURNS int BEGIN ATOMIC DELETE FROM t; SELECT 1; END`;
    expect(told(create('lower'))).toBe(
      'CREATE FUNCTION named lower with a body that writes not supported',
    );
    expect(told(create('my_lower'))).toBe('accepted');
  });

  it('do not come to such a name later', () => {
    expect(told('ALTER FUNCTION f(int) RENAME TO lower')).toBe(
      'RENAME of a function to lower not supported',
    );
  });

  it('are not altered to what could not be made', () => {
    expect(told('ALTER FUNCTION f() SET work_mem = 1')).toBe(
      'setting configuration parameter "work_mem" not supported',
    );
    expect(told('ALTER PROCEDURE p() RESET ALL')).toBe('PROCEDURE is not supported');
    expect(told('ALTER FUNCTION f() DEPENDS ON EXTENSION e')).toBe(
      'unsupported statement: AlterObjectDepends',
    );
  });
});

describe('what tells of the server below', () => {
  const runOf = (text: string) => judge.judge(text).statements[0]?.text;
  const version = "(SELECT 'PostgreSQL 16'::text AS version)";

  it.each([
    ['SELECT version()', `SELECT ${version}`],
    ["SELECT 'ü', pg_catalog.VERSION ( ) ;", `SELECT 'ü', ${version} ;`],
    ['SELECT * FROM version()', "SELECT * FROM pg_catalog.concat('PostgreSQL 16') AS version"],
    ['SELECT v FROM version() v', "SELECT v FROM pg_catalog.concat('PostgreSQL 16') v"],
    [
      "SELECT current_setting('server_version_num')::int",
      "SELECT (SELECT '160015'::text AS current_setting)::int",
    ],
    [
      "SELECT current_setting('Server_Version', true)",
      "SELECT (SELECT '16.15'::text AS current_setting)",
    ],
    [
      'CREATE TABLE t (a text DEFAULT version())',
      "CREATE TABLE t (a text DEFAULT pg_catalog.concat('PostgreSQL 16'))",
    ],
    ["SELECT current_setting('timezone')", "SELECT current_setting('timezone')"],
    ['SELECT s.version(), version(1)', 'SELECT s.version(), version(1)'],
  ])('%s', (text, run) => {
    expect(runOf(text)).toBe(run);
  });

  it('is rewritten in what is prepared as well', () => {
    const { statements } = judge.judge('PREPARE p (int) AS SELECT version(), $1');
    expect(statements[0]).toMatchObject({
      text: `PREPARE p (int) AS SELECT ${version}, $1`,
      action: { body: { text: ` SELECT ${version}, $1`, action: { kind: 'read' } } },
    });
  });
});
