/** What a session answers of itself, of the catalogue and of jobs: rows of the coverage table. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestEndpoint, told } from '../../support/dsql-endpoint.ts';

let test: TestEndpoint;
let one: pg.Client;

beforeAll(async () => {
  test = await TestEndpoint.start();
  one = await test.connect();
  await one.query(
    `CREATE TABLE t (id int PRIMARY KEY, a text DEFAULT 'x', b int, CONSTRAINT c CHECK (b > 0))`,
  );
});

afterAll(async () => {
  await test?.stop();
});

const firstValue = async (text: string): Promise<unknown> =>
  Object.values((await one.query(text)).rows[0] ?? {})[0];

describe('a session', () => {
  // dsql §1.17, §1.18
  it.each([
    ['SHOW server_version', '16.15'],
    ["SELECT current_setting('server_version')", '16.15'],
    ['SHOW server_version_num', '160015'],
    ['SELECT version()', 'PostgreSQL 16'],
    ['SHOW TimeZone', 'UTC'],
    ['SHOW client_encoding', 'UTF8'],
    ['SHOW server_encoding', 'UTF8'],
    ['SHOW transaction_isolation', 'repeatable read'],
    ["SELECT current_setting('transaction_isolation')", 'repeatable read'],
    ['SHOW max_connections', '20'],
    ['SELECT current_schema()', 'public'],
    ['SELECT current_database()', 'postgres'],
    ['SELECT current_user', 'admin'],
    ['SHOW is_superuser', 'off'],
  ])('answers %s', async (text, value) => {
    expect(await firstValue(text)).toBe(value);
  });

  // dsql §1.18
  it('knows no lc_collate', async () => {
    expect(await told(one.query('SHOW lc_collate'))).toMatchObject({
      code: '42704',
      message: 'unrecognized configuration parameter "lc_collate"',
    });
  });

  // dsql §1.4
  it('has the collation C', async () => {
    const sorted = await one.query(
      "SELECT v FROM (VALUES ('a'), ('B'), ('ä')) AS x (v) ORDER BY v",
    );
    expect(sorted.rows.map(({ v }) => v)).toEqual(['B', 'a', 'ä']);
  });

  // dsql §1.4
  it.each(['CREATE', 'ALTER', 'DROP'])('cannot %s a database', async (verb) => {
    const text = `${verb} DATABASE postgres${verb === 'ALTER' ? ' RENAME TO other' : ''}`;
    expect(await told(one.query(text))).toMatchObject({ code: '0A000' });
  });

  // dsql §1.23, §1.29
  it.each([
    'application_name client_encoding datestyle extra_float_digits intervalstyle timezone',
    'search_path enable_bitmapscan enable_hashjoin enable_indexonlyscan enable_indexscan',
    'enable_material enable_mergejoin enable_nestloop enable_seqscan',
    'dsql.enable_batched_nestloop disable_sync_create_index',
  ])('sets, sets for a transaction and resets %s', async (names) => {
    const values: Record<string, string> = {
      application_name: 'x',
      client_encoding: 'UTF8',
      datestyle: 'ISO',
      extra_float_digits: '1',
      intervalstyle: 'iso_8601',
      timezone: 'UTC',
      search_path: 'public',
    };
    for (const name of names.split(' ')) {
      const value = values[name] ?? 'on';
      await one.query(`SET ${name} = '${value}'`);
      await one.query('BEGIN');
      await one.query(`SET LOCAL ${name} = '${value}'`);
      await one.query('COMMIT');
      await one.query(`RESET ${name}`);
    }
    expect((await one.query('RESET ALL')).command).toBe('RESET');
  });

  // dsql §1.23
  it.each(['dsql.enable_batched_nestloop', 'disable_sync_create_index'])(
    'shows %s, which PostgreSQL does not have',
    async (name) => {
      const shown = async (how: pg.QueryConfig) => Object.values((await one.query(how)).rows[0])[0];
      const both = async () => [
        await shown({ text: `SHOW ${name}` }),
        await shown({ text: `SHOW ${name}`, name }),
      ];
      expect(await both()).toEqual(['on', 'on']);
      await one.query(`SET ${name} = off`);
      expect(await both()).toEqual(['off', 'off']);
      await one.query('BEGIN');
      await one.query(`RESET ${name}`);
      expect(await both()).toEqual(['on', 'on']);
      await one.query('ROLLBACK');
      expect(await both()).toEqual(['off', 'off']);
      await one.query('RESET ALL');
      expect(await both()).toEqual(['on', 'on']);
    },
  );

  // dsql §1.31
  it('forgets what was prepared by both forms of DEALLOCATE ALL', async () => {
    for (const text of ['DEALLOCATE ALL', 'DEALLOCATE PREPARE ALL']) {
      await one.query('PREPARE p AS SELECT 1');
      await one.query(text);
      expect(await told(one.query('EXECUTE p'))).toMatchObject({ code: '26000' });
    }
  });

  // dsql §5.9
  it('cuts names at 63 bytes', async () => {
    const name = 'n'.repeat(70);
    const { fields } = await one.query(`SELECT 1 AS ${name}`);
    expect(fields.map((field) => field.name)).toEqual(['n'.repeat(63)]);
  });

  // dsql §5.46
  it('copies from and to its client, and no files', async () => {
    for (const text of ["COPY t FROM '/etc/passwd'", "COPY t TO PROGRAM 'cat'"]) {
      expect(await told(one.query(text))).toMatchObject({ code: '0A000' });
    }
  });
});

describe('the catalogue', () => {
  // dsql §3.5, §5.73, §5.75, §5.76, §7.1
  it('has the views and the procedure of the schema sys', async () => {
    const columnsOf = async (view: string) =>
      (await one.query(`SELECT * FROM sys.${view} LIMIT 0`)).fields.map(({ name }) => name);
    expect(await columnsOf('jobs')).toEqual([
      'job_id',
      'status',
      'details',
      'job_type',
      'class_id',
      'object_id',
      'object_name',
      'start_time',
      'update_time',
    ]);
    expect(await columnsOf('iam_pg_role_mappings')).toEqual([
      'iam_oid',
      'arn',
      'pg_role_oid',
      'pg_role_name',
      'grantor_pg_role_oid',
      'grantor_pg_role_name',
    ]);
    expect(await told(one.query("SELECT sys.wait_for_job('x')"))).toMatchObject({
      code: '42809',
      message: expect.stringContaining('is a procedure'),
    });
    expect(await told(one.query("CALL sys.wait_for_job('x')"))).toMatchObject({
      code: '22P02',
      message: 'Unable to convert text to UUID',
    });
  });

  // dsql §7.2
  it.each(
    `pg_am pg_attrdef pg_attribute pg_auth_members pg_cast pg_class pg_collation pg_constraint
    pg_db_role_setting pg_default_acl pg_depend pg_description pg_index pg_inherits pg_namespace
    pg_operator pg_parameter_acl pg_proc pg_type pg_enum pg_policy pg_extension pg_sequence pg_views
    pg_indexes pg_tables pg_roles`.split(/\s+/),
  )('shows %s', async (name) => {
    expect((await one.query(`SELECT 1 FROM ${name} LIMIT 1`)).command).toBe('SELECT');
  });

  // dsql §7.3
  it('has the functions that describe it', async () => {
    const { rows } = await one.query(
      `SELECT pg_get_constraintdef(c.oid) AS c, pg_get_indexdef('t_pkey'::regclass) AS i,
         (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 't'::regclass) AS d,
         pg_get_serial_sequence('t', 'id') AS s, pg_get_partkeydef('t'::regclass) AS p,
         pg_get_viewdef('sys.jobs'::regclass) AS v, format_type(1700, 1179658) AS f
       FROM pg_constraint AS c WHERE conname = 'c'`,
    );
    expect(rows).toEqual([
      {
        c: 'CHECK ((b > 0))',
        i: expect.stringContaining('(id)'),
        d: "'x'::text",
        s: null,
        p: null,
        v: expect.stringContaining('SELECT'),
        f: 'numeric(18,6)',
      },
    ]);
  });
});
