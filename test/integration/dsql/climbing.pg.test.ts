/**
 * What a client could try if no statement of it were judged: all of it runs as the client's own
 * role, so these are PostgreSQL's own refusals, given how the endpoint has set it up.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRole, failureOf, membership, TestBelow } from '../../support/dsql-below.ts';
import { type OwnServer, startOwnServer } from '../../support/own-server.ts';

let server: OwnServer;
let below: TestBelow;
let ownProcess = '';

beforeAll(async () => {
  server = await startOwnServer();
  below = await TestBelow.start(server.url());
  await below.makeRole('app');
  await below.makeRole('other');
  await below.as(
    'admin',
    `CREATE TABLE admins (secret text); CREATE SCHEMA apps;
     GRANT CREATE, USAGE ON SCHEMA apps TO app, other`,
  );
  await below.as('app', 'CREATE TABLE apps.mine (n int)');
  const { rows } = await below.privileged.query('SELECT pg_backend_pid()');
  ownProcess = rows[0]?.[0] ?? '';
});

afterAll(async () => {
  await below.close();
  await server.stop();
});

/** Nobody's: neither `admin` nor a role that it has made may do any of these. */
const ATTEMPTS: readonly (readonly [string, string])[] = [
  ['become the endpoint’s own role', 'SET ROLE postgres'],
  ['become it for the session', 'SET SESSION AUTHORIZATION postgres'],
  ['become a predefined role', 'SET ROLE pg_execute_server_program'],
  ['give itself a predefined role', 'GRANT pg_read_server_files TO CURRENT_USER'],
  ['give itself the endpoint’s own role', 'GRANT postgres TO CURRENT_USER'],
  ['make a role', 'CREATE ROLE made'],
  ['make a superuser', 'CREATE ROLE made SUPERUSER'],
  ['make itself a superuser', 'ALTER ROLE CURRENT_USER SUPERUSER'],
  ['let itself make roles', 'ALTER ROLE CURRENT_USER CREATEROLE'],
  ['let itself make databases', 'ALTER ROLE CURRENT_USER CREATEDB'],
  ['let itself pass row security', 'ALTER ROLE CURRENT_USER BYPASSRLS'],
  ['let itself replicate', 'ALTER ROLE CURRENT_USER REPLICATION'],
  ['change the endpoint’s password', "ALTER ROLE postgres PASSWORD 'known'"],
  ['change the endpoint’s settings', "ALTER ROLE postgres SET search_path = 'apps'"],
  ['rename the endpoint’s role', 'ALTER ROLE postgres RENAME TO mine'],
  ['drop the endpoint’s role', 'DROP ROLE postgres'],
  ['log another role out for good', "ALTER ROLE other PASSWORD 'known'"],
  ['mark a role as a cluster’s', "COMMENT ON ROLE postgres IS 'x'"],
  ['unmark a role', 'COMMENT ON ROLE admin IS NULL'],
  ['run a program', "COPY (SELECT 1) TO PROGRAM 'id'"],
  ['run a program for its output', "COPY apps.mine FROM PROGRAM 'echo 1'"],
  ['read a file', "COPY apps.mine FROM '/etc/hostname'"],
  ['write a file', "COPY (SELECT 1) TO '/tmp/mine'"],
  ['read a file by function', "SELECT pg_read_file('PG_VERSION')"],
  ['read a file in bytes', "SELECT pg_read_binary_file('PG_VERSION')"],
  ['list files', "SELECT pg_ls_dir('.')"],
  ['see what files are like', "SELECT pg_stat_file('PG_VERSION')"],
  ['take a file in as a large object', "SELECT lo_import('/etc/hostname')"],
  ['make a large object', 'SELECT lo_create(0)'],
  ['make one of bytes', "SELECT lo_from_bytea(0, 'a')"],
  ['read passwords', 'SELECT rolpassword FROM pg_authid'],
  ['read passwords by view', 'SELECT passwd FROM pg_shadow'],
  ['write the catalogue', 'UPDATE pg_authid SET rolsuper = true'],
  ['write memberships', 'INSERT INTO pg_auth_members (roleid, member) VALUES (1, 2)'],
  ['write functions', "UPDATE pg_proc SET prosecdef = true WHERE proname = 'lo_create'"],
  ['write marks', 'DELETE FROM pg_shdescription'],
  ['write function text of the machine', `CREATE FUNCTION apps.c() RETURNS int LANGUAGE c AS 'x'`],
  [
    'name an inner function anew',
    `CREATE FUNCTION apps.i() RETURNS int LANGUAGE internal AS 'pg_backend_pid'`,
  ],
  ['load a library', "LOAD 'pg_stat_statements'"],
  ['change the server', 'ALTER SYSTEM SET log_statement = none'],
  ['change the database', 'ALTER DATABASE postgres SET search_path = apps'],
  ['own the database', 'ALTER DATABASE postgres OWNER TO CURRENT_USER'],
  ['make a database', 'CREATE DATABASE mine'],
  ['set what only a superuser may', "SET session_replication_role = 'replica'"],
  ['set how soon deadlocks are looked for', "SET deadlock_timeout = '1min'"],
  ['set what is logged', 'SET log_statement = none'],
  ['load libraries for itself', "SET session_preload_libraries = 'x'"],
  ['give settings away', 'GRANT SET ON PARAMETER log_statement TO CURRENT_USER'],
  ['watch every statement', 'CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION f()'],
  ['reach other servers', 'CREATE FOREIGN DATA WRAPPER mine'],
  [
    'subscribe',
    "CREATE SUBSCRIPTION mine CONNECTION 'host=x' PUBLICATION p WITH (connect = false)",
  ],
  ['publish everything', 'CREATE PUBLICATION mine FOR ALL TABLES'],
  ['make a tablespace', "CREATE TABLESPACE mine LOCATION '/tmp'"],
  ['have a dangerous extension', 'CREATE EXTENSION file_fdw'],
  ['reload the server', 'SELECT pg_reload_conf()'],
  ['switch the log', 'SELECT pg_switch_wal()'],
  ['promote', 'SELECT pg_promote()'],
  ['checkpoint', 'CHECKPOINT'],
  ['own schema public', 'ALTER SCHEMA public OWNER TO CURRENT_USER'],
  ['own schema sys', 'ALTER SCHEMA sys OWNER TO CURRENT_USER'],
  ['rename schema sys', 'ALTER SCHEMA sys RENAME TO mine'],
  ['drop schema sys', 'DROP SCHEMA sys CASCADE'],
  ['own a view of sys', 'ALTER VIEW sys.jobs OWNER TO CURRENT_USER'],
  ['replace a view of sys', 'CREATE OR REPLACE VIEW sys.jobs AS SELECT 1'],
  [
    'replace the procedure of sys',
    'CREATE OR REPLACE PROCEDURE sys.wait_for_job(text) BEGIN ATOMIC END',
  ],
  ['see below the views of sys', 'SELECT * FROM sys.iam_trusts'],
  ['put a trigger on sys', 'CREATE TRIGGER t AFTER INSERT ON sys.iam_trusts EXECUTE FUNCTION f()'],
  ['put a rule on sys', 'CREATE RULE r AS ON INSERT TO sys.jobs DO INSTEAD NOTHING'],
  ['give rights on sys', 'GRANT ALL ON sys.iam_trusts TO CURRENT_USER'],
  [
    'have what will be made',
    'ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON TABLES TO app',
  ],
  ['have what the endpoint owns', 'REASSIGN OWNED BY postgres TO CURRENT_USER'],
  ['drop what the endpoint owns', 'DROP OWNED BY postgres'],
  ['make something in the catalogue', 'CREATE TABLE pg_catalog.mine ()'],
];

describe.each(['admin', 'app'])('role %s', (role) => {
  // dsql §3.13
  it.each(ATTEMPTS)('cannot %s', async (_, sql) => {
    expect(await failureOf(below.as(role, sql))).toMatch(/^42501 /);
    expect(await below.as(role, 'SELECT current_user, session_user')).toEqual([[role, role]]);
  });

  it('cannot end the endpoint’s own link, or look at what it does', async () => {
    for (const call of ['pg_terminate_backend', 'pg_cancel_backend']) {
      const refused = await failureOf(below.as(role, `SELECT ${call}(${ownProcess})`));
      expect(refused).toMatch(/^42501 /);
    }
    const seen = `SELECT query FROM pg_stat_activity WHERE pid = ${ownProcess}`;
    expect(await below.as(role, seen)).toEqual([['<insufficient privilege>']]);
  });

  it('cannot pass on what it owns to the endpoint', async () => {
    await below.as(role, 'CREATE TABLE apps.gift ()').catch(() => {});
    const table = role === 'app' ? 'apps.gift' : 'admins';
    const gift = `ALTER TABLE ${table} OWNER TO postgres`;
    expect(await failureOf(below.as(role, gift))).toMatch(/^42501 /);
  });

  // dsql §3.7
  it('is what it was afterwards', async () => {
    const attributes = `SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
      (SELECT count(*) FROM pg_auth_members WHERE member = r.oid) FROM pg_roles AS r
      WHERE rolname = '${role}'`;
    const { rows } = await below.privileged.query(attributes);
    expect(rows).toEqual([['f', 'f', 'f', 'f', 'f', '0']]);
  });
});

describe('a role that is not admin', () => {
  it.each([
    ['make tables in public', 'CREATE TABLE mine ()'],
    ['make schemas', 'CREATE SCHEMA mine'],
    ['read what admin has', 'SELECT * FROM admins'],
    ['become admin', 'SET ROLE admin'],
    ['give itself admin', 'GRANT admin TO app'],
    ['become another', 'SET ROLE other'],
    ['drop what another has made', 'DROP TABLE admins'],
  ])('cannot %s', async (_, sql) => {
    expect(await failureOf(below.as('app', sql))).toMatch(/^42501 /);
  });
});

describe('functions that others call', () => {
  // dsql §3.13
  it('have the rights of who made them, or of who calls them, and never the endpoint’s', async () => {
    await below.as(
      'app',
      `CREATE FUNCTION apps.who() RETURNS text LANGUAGE sql SECURITY DEFINER
         BEGIN ATOMIC SELECT current_user::text; END;
       CREATE FUNCTION apps.steal() RETURNS bigint LANGUAGE sql SECURITY DEFINER
         AS 'SELECT count(*) FROM public.admins'`,
    );
    await below.as('admin', 'GRANT USAGE ON SCHEMA apps TO admin');
    expect(await below.as('admin', 'SELECT apps.who()')).toEqual([['app']]);
    expect(await failureOf(below.as('admin', 'SELECT apps.steal()'))).toMatch(/^42501 /);
  });
});

describe('names of others in the way', () => {
  // dsql §3.13
  it('change neither what the endpoint does nor what sys says', async () => {
    await below.as(
      'admin',
      `CREATE FUNCTION public.shobj_description(oid, name) RETURNS text LANGUAGE sql
         AS $$ SELECT 'role of an Aurora DSQL cluster of Millrace' $$;
       CREATE FUNCTION public.shobj_description(oid, text) RETURNS text LANGUAGE sql
         AS $$ SELECT 'role of an Aurora DSQL cluster of Millrace' $$;
       CREATE FUNCTION public.pg_has_role(oid, oid, text) RETURNS bool LANGUAGE sql
         AS 'SELECT true';
       CREATE TABLE public.pg_roles (oid oid, rolname name, rolcanlogin bool);
       CREATE FUNCTION public.same(text, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
       CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.same);
       ALTER ROLE admin SET search_path = public, pg_catalog`,
    );
    expect(await failureOf(below.change(membership(true, 'postgres', 'app')))).toBe(
      '0A000 Role postgres not supported',
    );
    expect(await failureOf(below.change(membership(true, 'app', 'other'), 'other'))).toBe(
      '42501 permission denied to grant role "app"',
    );
    expect(await failureOf(below.change(createRole('app')))).toBe(
      '42710 role "app" already exists',
    );
    const arn = 'arn:aws:iam::123456789012:role/app';
    await below.change({ kind: 'iam', isGrant: true, role: 'app', arn });
    const shown = 'SELECT pg_role_name FROM sys.iam_pg_role_mappings';
    expect(await below.as('admin', shown)).toEqual([['app']]);
    expect(await below.as('admin', "CALL sys.wait_for_job('nothing', NULL)")).toEqual([['f']]);
    // A setup again finds the same, whatever stands in its way.
    await below.roles.setUp();
    expect(below.roles.mayLogIn('app', arn)).toBe('ok');
    expect(below.roles.mayLogIn('postgres', arn)).toBe('no-role');
  });
});

describe('a role that has changed its own password', () => {
  it('has locked itself out only until the set-up is done again', async () => {
    await below.as('admin', "ALTER ROLE CURRENT_USER PASSWORD 'known'");
    await expect(below.as('admin', 'SELECT 1')).rejects.toMatchObject({ code: 'MR_ORIGIN_AUTH' });
    await below.roles.setUp();
    expect(await below.as('admin', 'SELECT 1')).toEqual([['1']]);
  });
});
