import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RoleStatement } from '../../../src/dsql/statements/judgement.ts';
import { createRole, failureOf, linkTo, membership, TestBelow } from '../../support/dsql-below.ts';
import { type OwnServer, startOwnServer } from '../../support/own-server.ts';

const ARN = 'arn:aws:iam::123456789012:role/app';
const OTHER_ARN = 'arn:aws:iam::123456789012:user/ada';

let server: OwnServer;
let below: TestBelow;

beforeAll(async () => {
  server = await startOwnServer();
  below = await TestBelow.start(server.url());
});

afterAll(async () => {
  await below.close();
  await server.stop();
});

const iam = (isGrant: boolean, role: string, arn = ARN): RoleStatement => ({
  kind: 'iam',
  isGrant,
  role,
  arn,
});
const drop = (role: string, isIfExists = false): RoleStatement => ({
  kind: 'drop',
  roles: [role],
  isIfExists,
});
const alter = (role: string, isLogin: boolean | null): RoleStatement => ({
  kind: 'alter',
  role,
  isLogin,
  isInherit: null,
});
const rolesAre = (text: string) =>
  below.privileged.query(text).then(({ rows }) => rows.map(([value]) => value));

describe('a server that was set up', () => {
  // dsql §3.7
  it('has a role admin that may create tables and schemas, and log in', async () => {
    await below.as('admin', 'CREATE TABLE first (n int); CREATE SCHEMA of_admin');
    const attributes = await below.as(
      'admin',
      `SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
       FROM pg_roles WHERE rolname = current_user`,
    );
    expect(attributes).toEqual([['f', 'f', 'f', 'f', 'f']]);
  });

  it('can be set up again, and by several at once', async () => {
    const others = await Promise.all([1, 2, 3].map(() => TestBelow.open(server.url())));
    for (const other of others) other.roleSecret.set(below.roleSecret);
    await Promise.all(others.map((other) => other.roles.setUp()));
    await Promise.all(others.map((other) => other.close()));
    expect(await below.as('admin', 'SELECT 1')).toEqual([['1']]);
  });

  // dsql §3.5, §3.13
  it('shows its mappings and jobs to every role, and lets nobody write them', async () => {
    await below.makeRole('looker');
    expect(await below.as('looker', 'SELECT * FROM sys.iam_pg_role_mappings')).toEqual([]);
    expect(await below.as('looker', 'SELECT * FROM sys.jobs')).toEqual([]);
    for (const role of ['looker', 'admin']) {
      for (const sql of [
        "INSERT INTO sys.iam_trusts (arn, pg_role_oid, grantor_pg_role_oid) VALUES ('a', 1, 1)",
        'DELETE FROM sys.iam_pg_role_mappings',
        'UPDATE sys.jobs SET status = $$completed$$',
        'TRUNCATE sys.job_records',
        'DROP VIEW sys.jobs',
        'CREATE TABLE sys.mine ()',
        "SELECT nextval('sys.iam_oids')",
      ]) {
        expect(await failureOf(below.as(role, sql)), `${role}: ${sql}`).toMatch(/^(42501|55000) /);
      }
    }
  });

  // dsql §5.75
  it('has wait_for_job as a procedure', async () => {
    expect(await failureOf(below.as('admin', "SELECT sys.wait_for_job('a')"))).toMatch(
      /^42809 .* is a procedure$/,
    );
    expect(await below.as('admin', "CALL sys.wait_for_job('a', NULL)")).toEqual([['f']]);
  });

  it('has PostgreSQL look for deadlocks at once', async () => {
    await below.makeRole('hasty');
    for (const role of ['admin', 'hasty']) {
      expect(await below.as(role, 'SHOW deadlock_timeout')).toEqual([['10ms']]);
    }
  });
});

describe('a server that cannot be set up', () => {
  it('has a role admin that is somebody else’s, or that may do too much', async () => {
    const own = await startOwnServer();
    const root = await linkTo(own.url());
    try {
      const set = () => TestBelow.start(own.url()).then((it) => it.close());
      await root.query('CREATE ROLE admin LOGIN');
      await expect(set()).rejects.toThrow('role admin is there already');
      const comment = "COMMENT ON ROLE admin IS 'role of an Aurora DSQL cluster of Millrace'";
      await root.query(comment);
      for (const [give, take, text] of [
        ['ALTER ROLE admin CREATEROLE', 'ALTER ROLE admin NOCREATEROLE', 'may do more'],
        ['GRANT pg_monitor TO admin', 'REVOKE pg_monitor FROM admin', 'a member of "pg_monitor"'],
        ['CREATE DATABASE its OWNER admin', 'DROP DATABASE its', 'owns a database'],
        ['CREATE SCHEMA sys', 'DROP SCHEMA sys', 'a schema sys already'],
      ] as const) {
        await root.query(give);
        await expect(set()).rejects.toThrow(text);
        await root.query(take);
      }
      await set();
    } finally {
      root.close();
      await own.stop();
    }
  });

  it('has the roles of another cluster, until they are left to the next one', async () => {
    const own = await startOwnServer();
    try {
      const first = await TestBelow.start(own.url());
      await first.makeRole('app');
      await first.change(iam(true, 'app'));
      await first.as('app', 'SELECT 1');
      await expect(TestBelow.start(own.url())).rejects.toThrow('another cluster’s');
      expect(await first.as('admin', 'SELECT 1')).toEqual([['1']]);
      await first.roles.release();
      await first.close();
      const second = await TestBelow.start(own.url());
      expect(await second.as('app', 'SELECT current_user')).toEqual([['app']]);
      expect(second.roles.mayLogIn('app', ARN)).toBe('ok');
      expect(second.roles.mayLogIn('admin', ARN)).toBe('ok');
      await second.change(membership(true, 'app', 'admin'));
      await second.close();
    } finally {
      await own.stop();
    }
  });

  it('is set up again while somebody has read from schema sys', async () => {
    const reader = await below.links.checkOut('admin');
    await reader.query('BEGIN; SELECT * FROM sys.jobs, sys.iam_pg_role_mappings');
    await below.roles.setUp();
    await reader.query('COMMIT');
    below.links.discard(reader);
  });

  it('is one whose endpoint lacks rights; with CREATEROLE and its own database it works', async () => {
    const own = await startOwnServer();
    const root = await linkTo(own.url());
    try {
      await root.query("CREATE ROLE plain LOGIN PASSWORD 'secret'");
      await root.query('CREATE DATABASE given');
      const url = new URL(own.url('given'));
      Object.assign(url, { username: 'plain', password: 'secret' });
      const set = () => TestBelow.start(url.href);
      await expect(set()).rejects.toThrow('neither SUPERUSER nor CREATEROLE');
      await root.query('ALTER ROLE plain CREATEROLE');
      await expect(set()).rejects.toThrow('ALTER DATABASE "given" OWNER TO "plain"');
      await root.query('ALTER DATABASE given OWNER TO plain');
      const modest = await set();
      expect(modest.warnings.join()).toContain('no superuser');
      await modest.makeRole('app');
      await modest.change(iam(true, 'app'));
      expect(modest.roles.mayLogIn('app', ARN)).toBe('ok');
      await modest.change(membership(true, 'app', 'admin'));
      await modest.as('admin', 'CREATE TABLE t (); GRANT SELECT ON t TO app');
      expect(await modest.as('app', 'SELECT count(*) FROM t')).toEqual([['0']]);
      await modest.change(iam(false, 'app'));
      await modest.change(alter('app', false));
      await modest.change(membership(false, 'app', 'admin'));
      await modest.as('admin', 'DROP TABLE t');
      await modest.change(drop('app'));
      await modest.close();
    } finally {
      root.close();
      await own.stop();
    }
  });
});

describe('role statements', () => {
  // dsql §3.1
  it('make roles that log in by a password nobody has to know', async () => {
    expect(await below.change(createRole('app'))).toBe('CREATE ROLE');
    expect(await below.as('app', 'SELECT current_user')).toEqual([['app']]);
    const [kept] = await rolesAre("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'");
    expect(kept).toMatch(/^SCRAM-SHA-256\$4096:/);
  });

  it('are done in full: membership in both directions, inheritance, and its options', async () => {
    await below.makeRole('reader', { isLogin: false });
    await below.makeRole('boss');
    await below.makeRole('clerk', {
      isInherit: false,
      inRoles: ['reader'],
      members: ['app'],
      admins: ['boss'],
    });
    const pairs = await rolesAre(
      `SELECT format('%s of %s%s', m.member::regrole, m.roleid::regrole,
        CASE WHEN m.admin_option THEN ' with admin' END) FROM pg_auth_members AS m
       WHERE 'clerk'::regrole IN (m.member, m.roleid) ORDER BY 1`,
    );
    expect(pairs).toEqual(['app of clerk', 'boss of clerk with admin', 'clerk of reader']);
    const flags = "SELECT concat(rolinherit, rolcanlogin) FROM pg_roles WHERE rolname = 'clerk'";
    expect(await rolesAre(flags)).toEqual(['ft']);
  });

  // dsql §3.1
  it('have no effect until they are committed, and tell what is wrong with them at once', async () => {
    const admin = { role: 'admin', isAdmin: true };
    const deferred = await below.roles.prepare(createRole('later'), '', admin);
    expect(await rolesAre("SELECT 1 FROM pg_roles WHERE rolname = 'later'")).toEqual([]);
    const same = await below.roles.prepare(createRole('later'), '', admin);
    await deferred.commit();
    expect(await failureOf(same.commit())).toBe('42710 role "later" already exists');
    expect(await failureOf(below.change(createRole('later')))).toBe(
      '42710 role "later" already exists',
    );
  });

  // dsql §3.11
  it.each([
    [createRole('x'), '42501 permission denied to create role'],
    [alter('app', true), '42501 permission denied to alter role'],
    [drop('app'), '42501 permission denied to drop role'],
    [membership(true, 'app', 'boss'), '42501 permission denied to grant role "app"'],
    [membership(false, 'app', 'boss'), '42501 permission denied to revoke role "app"'],
    [iam(true, 'app'), '42501 permission denied to grant IAM trust with role app'],
    [iam(false, 'app'), '42501 permission denied to grant IAM trust with role app'],
  ])('are refused to others than admin: %o', async (statement, failure) => {
    await below.change({ ...createRole('somebody') }).catch(() => {});
    expect(await failureOf(below.change(statement, 'somebody'))).toBe(failure);
  });

  it('are allowed to whoever has the admin option', async () => {
    expect(await below.change(membership(true, 'clerk', 'looker'), 'boss')).toBe('GRANT ROLE');
    expect(await below.change(membership(false, 'clerk', 'looker'), 'boss')).toBe('REVOKE ROLE');
  });

  // dsql §3.7, §3.11
  it.each([
    [createRole('pg_mine'), '0A000 Role pg_mine not supported'],
    [createRole('admin'), '0A000 Role admin not supported'],
    [alter('admin', false), '0A000 Role admin not supported'],
    [drop('admin'), '0A000 Role admin not supported'],
    [drop('postgres'), '0A000 Role postgres not supported'],
    [drop('postgres', true), '0A000 Role postgres not supported'],
    [alter('postgres', true), '0A000 Role postgres not supported'],
    [membership(true, 'postgres', 'admin'), '0A000 Role postgres not supported'],
    [membership(true, 'app', 'postgres'), '0A000 Role postgres not supported'],
    [membership(true, 'admin', 'app'), '0A000 Role admin not supported'],
    [membership(true, 'pg_read_all_data', 'app'), '0A000 Role pg_read_all_data not supported'],
    [
      { ...createRole('x'), inRoles: ['pg_execute_server_program'] },
      '0A000 Role pg_execute_server_program not supported',
    ],
    [{ ...createRole('x'), inRoles: ['postgres'] }, '0A000 Role postgres not supported'],
    [iam(true, 'pg_monitor'), '0A000 Role pg_monitor not supported'],
    [iam(true, 'postgres'), '0A000 Role postgres not supported'],
    [iam(true, 'admin'), '0A000 Cannot establish trust with role admin'],
    [iam(true, 'nobody'), '42704 role "nobody" does not exist'],
    [alter('nobody', true), '42704 role "nobody" does not exist'],
    [drop('nobody'), '42704 role "nobody" does not exist'],
    [membership(true, 'app', 'nobody'), '42704 role "nobody" does not exist'],
    [iam(true, 'reader'), '42501 role reader must have the LOGIN attribute'],
    [iam(true, 'app', 'app'), '22023 IAM role must look like an IAM ARN'],
    [iam(true, 'app', `${ARN}'`), '22023 IAM role must look like an IAM ARN'],
    [iam(false, 'app', OTHER_ARN), `42704 IAM role ${OTHER_ARN} does not exist`],
  ] as const)('are refused even to admin: %o', async (statement, failure) => {
    expect(await failureOf(below.change(statement))).toBe(failure);
  });

  // dsql §3.12
  it('drop what is there and pass over what is not', async () => {
    await below.makeRole('brief');
    const both = { kind: 'drop', roles: ['brief', 'never'], isIfExists: true } as const;
    expect(await below.change(both)).toBe('DROP ROLE');
    expect(await rolesAre("SELECT 1 FROM pg_roles WHERE rolname = 'brief'")).toEqual([]);
  });

  // dsql §3.7
  it('let admin have any role, and so what is owned by it', async () => {
    await below.makeRole('owner');
    await below.as('admin', 'CREATE SCHEMA shared; GRANT CREATE, USAGE ON SCHEMA shared TO owner');
    await below.as('owner', 'CREATE TABLE shared.t (n int)');
    expect(await failureOf(below.as('admin', 'SELECT * FROM shared.t'))).toMatch(/^42501 /);
    await below.change(membership(true, 'owner', 'admin'));
    expect(await below.as('admin', 'SELECT * FROM shared.t')).toEqual([]);
  });

  it('leave what a name holds in quotes', async () => {
    const odd = `a"b'; DROP ROLE app; --`;
    await below.makeRole(odd);
    expect(await below.as(odd, 'SELECT current_user')).toEqual([[odd]]);
    await below.change(drop(odd));
    expect(await below.as('app', 'SELECT 1')).toEqual([['1']]);
  });
});

describe('IAM mappings', () => {
  // dsql §3.2, §3.3
  it('say who may log in, from when they are committed', async () => {
    const may = (role: string, arn = ARN) => below.roles.mayLogIn(role, arn);
    await below.makeRole('mapped');
    expect([may('mapped'), may('nobody'), may('reader'), may('postgres')]).toEqual([
      'unmapped',
      'no-role',
      'no-login',
      'no-role',
    ]);
    expect(may('admin', 'arn:aws:iam::123456789012:user/anybody')).toBe('ok');
    expect(await below.change(iam(true, 'mapped'))).toBe('GRANT');
    await below.change(iam(true, 'mapped', OTHER_ARN));
    await below.change(iam(true, 'mapped', OTHER_ARN));
    expect([may('mapped'), may('mapped', OTHER_ARN), may('app')]).toEqual(['ok', 'ok', 'unmapped']);
    const rows = await below.as(
      'mapped',
      `SELECT iam_oid > 0, arn, pg_role_oid = 'mapped'::regrole, pg_role_name,
        grantor_pg_role_oid = 'admin'::regrole, grantor_pg_role_name
       FROM sys.iam_pg_role_mappings ORDER BY arn`,
    );
    expect(rows).toEqual([ARN, OTHER_ARN].map((arn) => ['t', arn, 't', 'mapped', 't', 'admin']));
    expect(await below.change(iam(false, 'mapped'))).toBe('REVOKE');
    expect(may('mapped')).toBe('unmapped');
    expect(await failureOf(below.change(drop('mapped')))).toBe(
      '2BP01 role mapped cannot be dropped because some objects depend on it',
    );
    await below.change(alter('mapped', false));
    expect(may('mapped', OTHER_ARN)).toBe('no-login');
    await below.change(iam(false, 'mapped', OTHER_ARN));
    await below.change(drop('mapped'));
    expect(may('mapped')).toBe('no-role');
  });

  it('that another process has changed count soon', async () => {
    const other = await TestBelow.open(server.url());
    other.roleSecret.set(below.roleSecret);
    await other.roles.setUp();
    await other.makeRole('distant');
    await other.change(iam(true, 'distant'));
    await expect.poll(() => below.roles.mayLogIn('distant', ARN)).toBe('ok');
    await other.change(iam(false, 'distant'));
    await expect.poll(() => below.roles.mayLogIn('distant', ARN)).toBe('unmapped');
    await other.close();
  });
});
