import { beforeAll, describe, expect, it } from 'vitest';
import { StatementJudge } from '../../../../src/dsql/statements/statement-judge.ts';
import { loadParser } from '../../../../src/origin/parser.ts';

let judge: StatementJudge;
beforeAll(async () => {
  judge = new StatementJudge(await loadParser());
});

/** The role statement, or what the client is told. */
function outcome(text: string) {
  const { statements, refused } = judge.judge(text);
  if (refused !== null) return refused.message;
  const action = statements[0]?.action;
  return action?.kind === 'role' ? action.role : action?.kind;
}

const create = { kind: 'create', inRoles: [], members: [], admins: [], isInherit: true };
const membership = { kind: 'membership', granted: ['a'], grantees: ['b'], hasAdminOption: false };
const system = 'feature not supported on system entity';

describe('roles', () => {
  it.each([
    ['CREATE ROLE r', { ...create, role: 'r', isLogin: false }],
    ['CREATE ROLE "R x" WITH LOGIN', { ...create, role: 'R x', isLogin: true }],
    ['CREATE USER u', { ...create, role: 'u', isLogin: true }],
    ['CREATE USER u NOLOGIN', { ...create, role: 'u', isLogin: false }],
    ['CREATE ROLE r NOINHERIT', { ...create, role: 'r', isLogin: false, isInherit: false }],
    [
      'CREATE ROLE r IN ROLE a, b ROLE c ADMIN d',
      { ...create, role: 'r', isLogin: false, inRoles: ['a', 'b'], members: ['c'], admins: ['d'] },
    ],
    ['ALTER ROLE r LOGIN', { kind: 'alter', role: 'r', isLogin: true, isInherit: null }],
    ['ALTER ROLE r NOINHERIT', { kind: 'alter', role: 'r', isLogin: null, isInherit: false }],
    ['DROP ROLE IF EXISTS a, b', { kind: 'drop', roles: ['a', 'b'], isIfExists: true }],
    ['GRANT a TO b', { ...membership, isGrant: true }],
    ['GRANT a TO admin', { ...membership, isGrant: true, grantees: ['admin'] }],
    ['GRANT a TO b WITH ADMIN OPTION', { ...membership, isGrant: true, hasAdminOption: true }],
    ['REVOKE a FROM b', { ...membership, isGrant: false }],
    ['REVOKE ADMIN OPTION FOR a FROM b', { ...membership, isGrant: false, hasAdminOption: true }],
  ])('%s', (text, role) => {
    expect(outcome(text)).toEqual(role);
  });

  it.each([
    'SUPERUSER',
    'NOSUPERUSER',
    'CREATEROLE',
    'CREATEDB',
    'REPLICATION',
    'BYPASSRLS',
    "PASSWORD 'x'",
    'CONNECTION LIMIT 5',
    "VALID UNTIL 'infinity'",
    'SYSID 5',
  ])('are never made or changed with %s', (option) => {
    const word = option.replace(/^NO/, '').replace(/ ('.*'|5)$/, '');
    expect(outcome(`CREATE ROLE r LOGIN ${option}`)).toBe(`${word} not supported for CREATE ROLE`);
    const onAlter = outcome(`ALTER ROLE r ${option}`);
    // PostgreSQL's grammar has no SYSID there.
    if (option === 'SYSID 5') expect(onAlter).toContain('syntax error');
    else expect(onAlter).toBe(`${word} not supported for ALTER ROLE`);
  });

  it.each([
    ['CREATE ROLE pg_r', 'Role pg_r not supported'],
    ['CREATE ROLE r IN ROLE pg_monitor', 'Role pg_monitor not supported'],
    ['CREATE ROLE r IN ROLE admin', 'Role admin not supported'],
    ['ALTER ROLE admin NOLOGIN', 'Role admin not supported'],
    ['ALTER ROLE CURRENT_USER LOGIN', 'CURRENT_USER not supported for roles'],
    ['ALTER ROLE r RENAME TO s', 'unsupported object in RENAME statement'],
    ['ALTER GROUP g ADD USER u', 'ROLEMEMBERS not supported for ALTER ROLE'],
    ['DROP ROLE a, admin', 'Role admin not supported'],
    ['DROP ROLE pg_monitor', 'Role pg_monitor not supported'],
    ['GRANT pg_read_server_files TO b', 'Role pg_read_server_files not supported'],
    ['GRANT a TO pg_monitor', 'Role pg_monitor not supported'],
    ['GRANT admin TO b', 'Role admin not supported'],
    ['GRANT a TO PUBLIC', 'role name "public" is reserved'],
    ['GRANT a TO SESSION_USER', 'SESSION_USER not supported for roles'],
    ['GRANT a TO b GRANTED BY c', 'GRANTED BY not supported'],
    ['GRANT a TO b WITH INHERIT FALSE', 'INHERIT not supported for GRANT ROLE'],
    ['REVOKE a FROM b CASCADE', 'CASCADE not supported for roles'],
  ])('%s is refused', (text, message) => {
    expect(outcome(text)).toBe(message);
  });
});

describe('rights', () => {
  it.each([
    'GRANT SELECT ON t, s.u TO a, b',
    'GRANT ALL ON SCHEMA s TO PUBLIC',
    'GRANT EXECUTE ON FUNCTION f(int) TO a',
    'GRANT USAGE ON SEQUENCE s TO a',
    'GRANT USAGE ON SCHEMA public TO admin',
    'REVOKE GRANT OPTION FOR SELECT ON t FROM a RESTRICT',
    'REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM a',
  ])('%s', (text) => {
    expect(outcome(text)).toBe('ddl');
  });

  it.each([
    ['GRANT USAGE ON SCHEMA public TO a', system],
    ['GRANT CREATE ON SCHEMA s, public TO a', system],
    ['REVOKE CREATE ON SCHEMA public FROM PUBLIC', system],
    ['GRANT USAGE ON SCHEMA public TO admin, a', system],
    ['GRANT USAGE ON SCHEMA sys TO a', system],
    ['GRANT SELECT ON sys.jobs TO a', system],
    ['GRANT SELECT ON pg_authid TO a', system],
    ['GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO a', system],
    ['GRANT SELECT ON ALL TABLES IN SCHEMA pg_catalog TO a', system],
    ['GRANT SELECT ON t TO pg_monitor', 'Role pg_monitor not supported'],
    ['GRANT CONNECT ON DATABASE postgres TO a', 'unsupported object in GRANT statement'],
    ['REVOKE SET ON PARAMETER work_mem FROM a', 'unsupported object in REVOKE statement'],
    ['GRANT USAGE ON LANGUAGE sql TO a', 'unsupported object in GRANT statement'],
    ['ALTER TABLE t OWNER TO pg_monitor', 'Role pg_monitor not supported'],
    ['ALTER SCHEMA s OWNER TO pg_monitor', 'Role pg_monitor not supported'],
    ['CREATE SCHEMA s AUTHORIZATION pg_monitor', 'Role pg_monitor not supported'],
  ])('%s is refused', (text, message) => {
    expect(outcome(text)).toBe(message);
  });
});

describe('what belongs to the system', () => {
  // dsql §3.8, §3.13
  it.each([
    "UPDATE pg_settings SET setting = 'on'",
    "UPDATE pg_catalog.pg_settings SET setting = 'on'",
    'WITH a AS (UPDATE pg_settings SET setting = 1) SELECT 1',
    "INSERT INTO sys.jobs VALUES ('x')",
    'DELETE FROM information_schema.sql_features',
    'COPY pg_catalog.pg_class FROM STDIN',
    'CREATE VIEW v AS SELECT * FROM pg_settings',
    'CREATE TABLE sys.t (a int)',
    'CREATE TABLE t (LIKE pg_catalog.pg_class)',
    'CREATE TABLE t (a int REFERENCES sys.jobs)',
    'CREATE FUNCTION pg_temp.f() RETURNS int RETURN 1',
    'CREATE DOMAIN pg_temp.d AS int',
    'CREATE STATISTICS pg_temp.s ON a, b FROM t',
    'CREATE INDEX ASYNC ON sys.jobs (status)',
    'CREATE SCHEMA sys',
    'ALTER TABLE sys.jobs ADD COLUMN a int',
    'ALTER TABLE t SET SCHEMA pg_temp',
    'ALTER SCHEMA public RENAME TO p',
    'ALTER SCHEMA public OWNER TO a',
    'ALTER FUNCTION sys.wait_for_job(text) RENAME TO f',
    'DROP SCHEMA public CASCADE',
    'DROP TABLE t, sys.jobs',
    'DROP FUNCTION pg_catalog.now()',
  ])('is not changed: %s', (text) => {
    expect(outcome(text)).toBe(system);
  });

  it('is not hidden behind a table made by LIKE of a view', () => {
    const { statements } = judge.judge('CREATE TABLE t (LIKE s.v, a own)');
    expect(statements[0]?.action).toMatchObject({
      guards: [{ parameters: ['"own"'] }, { parameters: ['"s"."v"'] }],
    });
  });
});
