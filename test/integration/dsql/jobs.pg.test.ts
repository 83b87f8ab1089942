import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Job } from '../../../src/dsql/statements/judgement.ts';
import { failureOf, TestBelow } from '../../support/dsql-below.ts';
import { type OwnServer, startOwnServer } from '../../support/own-server.ts';

const ADMIN = { role: 'admin', isAdmin: true };
const NONE: ReadonlyMap<string, string> = new Map();

let server: OwnServer;
let below: TestBelow;

beforeAll(async () => {
  server = await startOwnServer();
  below = await TestBelow.start(server.url());
  await below.makeRole('other');
  await below.as(
    'admin',
    `CREATE TABLE people (id int PRIMARY KEY, name text, age int, born int GENERATED ALWAYS AS (age * 2) STORED);
     INSERT INTO people SELECT n, 'n' || n % 50, n FROM generate_series(1, 100) AS n`,
  );
});

afterAll(async () => {
  await below.close();
  await server.stop();
});

const indexJob = (index: string | null, changes: Partial<Job> = {}): Job =>
  ({
    type: 'INDEX_BUILD',
    table: { schema: null, name: 'people' },
    index,
    isIfNotExists: false,
    ...changes,
  }) as Job;

async function run(job: Job, text: string, invoker = ADMIN, settings = NONE): Promise<string> {
  const deferred = await below.jobs.prepare(job, text, invoker, settings);
  await deferred.commit();
  return deferred.jobId;
}

async function recordOf(jobId: string): Promise<Record<string, string | null>> {
  const [row] = await below.as(
    'other',
    `SELECT status, details, job_type, class_id, object_id::regclass, object_name,
       update_time >= start_time, extract(microseconds FROM start_time)::int % 1000000
     FROM sys.jobs WHERE job_id = '${jobId}'`,
  );
  const [status, details, type, classId, object, name, isLater, fraction] = row ?? [];
  return { status, details, type, classId, object, name, isLater, fraction } as Record<
    string,
    string | null
  >;
}

const isValid = (index: string) =>
  below.as('admin', `SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('${index}')`);

describe('CREATE INDEX ASYNC', () => {
  // dsql §5.70, §5.72, §5.73
  it('builds in the background, and says so in sys.jobs', async () => {
    const jobId = await run(indexJob('by_name'), 'CREATE INDEX by_name ON people (name)');
    expect(jobId).toMatch(/^[a-z2-7]{26}$/);
    expect(await isValid('by_name')).toHaveLength(1);
    expect(await below.jobs.waitFor(jobId)).toBe(true);
    expect(await isValid('by_name')).toEqual([['t']]);
    expect(await recordOf(jobId)).toEqual({
      status: 'completed',
      details: null,
      type: 'INDEX_BUILD',
      classId: '1259',
      object: 'by_name',
      name: 'public.by_name',
      isLater: 't',
      fraction: '0',
    });
    expect(await below.jobs.waitFor(jobId)).toBe(true);
    const [owner] = await below.as(
      'admin',
      "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'by_name'",
    );
    expect(owner).toEqual(['admin']);
  });

  it('names an index as PostgreSQL would', async () => {
    const text = 'CREATE INDEX ON people (lower(name), age) INCLUDE (born) WHERE age > 3';
    for (const name of ['people_lower_age_born_idx', 'people_lower_age_born_idx1']) {
      const jobId = await run(indexJob(null), text);
      expect(await below.jobs.waitFor(jobId)).toBe(true);
      expect((await recordOf(jobId))['name']).toBe(`public.${name}`);
      expect(await isValid(name)).toEqual([['t']]);
    }
  });

  it('is not waiting for who has written to the table, and builds when they are done', async () => {
    const writer = await below.links.checkOut('admin');
    await writer.query("BEGIN; INSERT INTO people VALUES (1001, 'late', 1)");
    const jobId = await run(indexJob('while_busy'), 'CREATE INDEX while_busy ON people (age)');
    expect((await recordOf(jobId))['status']).toBe('processing');
    expect(await isValid('while_busy')).toEqual([['f']]);
    await writer.query('ROLLBACK');
    below.links.checkIn(writer, NONE);
    expect(await below.jobs.waitFor(jobId)).toBe(true);
  });

  it('does not wait for transactions that only read, such as one that waits for the job', async () => {
    const reader = await below.links.checkOut('admin');
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM people');
    const jobId = await run(indexJob('while_read'), 'CREATE INDEX while_read ON people (age)');
    expect(await below.jobs.waitFor(jobId)).toBe(true);
    await reader.query('COMMIT');
    below.links.checkIn(reader, NONE);
  });

  // dsql §5.77
  it('fails as a job where rows are not unique, and leaves an index that is not valid', async () => {
    const text = 'CREATE UNIQUE INDEX unique_name ON people (name)';
    const jobId = await run(indexJob('unique_name'), text);
    expect(await below.jobs.waitFor(jobId)).toBe(false);
    expect(await recordOf(jobId)).toMatchObject({
      status: 'failed',
      details: 'found duplicate key(s) while validating index uniqueness',
      object: 'unique_name',
    });
    expect(await isValid('unique_name')).toEqual([['f']]);
    await below.as('admin', 'DROP INDEX unique_name');
  });

  it.each([
    ['CREATE INDEX x ON people (nothing)', {}, '42703 column "nothing" does not exist'],
    ['CREATE INDEX x ON people (nosuch(age))', {}, '42883 function nosuch(integer) does not exist'],
    [
      'CREATE INDEX x ON people ((random()))',
      {},
      '42P17 functions in index expression must be marked IMMUTABLE',
    ],
    [
      'CREATE INDEX by_name ON people (age)',
      { index: 'by_name' },
      '42P07 relation "by_name" already exists',
    ],
    [
      'CREATE INDEX x ON nowhere (age)',
      { table: { schema: null, name: 'nowhere' } },
      '42P01 relation "nowhere" does not exist',
    ],
    [
      'CREATE INDEX x ON pub.people (age)',
      { table: { schema: 'pub', name: 'people' } },
      '42P01 relation "pub.people" does not exist',
    ],
  ])('tells at once what is wrong with it: %s', async (text, changes, failure) => {
    const job = indexJob('x', changes as Partial<Job>);
    expect(await failureOf(run(job, text))).toBe(failure);
    expect(await below.as('admin', "SELECT to_regclass('x')")).toEqual([[null]]);
  });

  it('is refused to who does not own the table', async () => {
    const other = { role: 'other', isAdmin: false };
    const refused = run(indexJob('x'), 'CREATE INDEX x ON people (age)', other);
    expect(await failureOf(refused)).toBe('42501 must be owner of table people');
  });

  it('passes over an index that is there, with IF NOT EXISTS', async () => {
    const job = indexJob('by_name', { isIfNotExists: true } as Partial<Job>);
    const jobId = await run(job, 'CREATE INDEX IF NOT EXISTS by_name ON people (age)');
    expect(await below.jobs.waitFor(jobId)).toBe(true);
  });

  it('has no effect before its transaction commits', async () => {
    const text = 'CREATE INDEX never ON people (age)';
    const deferred = await below.jobs.prepare(indexJob('never'), text, ADMIN, NONE);
    expect(await below.as('admin', "SELECT to_regclass('never')")).toEqual([[null]]);
    expect(await recordOf(deferred.jobId)).toMatchObject({ status: undefined });
  });

  it('finds tables as the settings of its session say', async () => {
    await below.as('admin', 'CREATE SCHEMA "odd one"; CREATE TABLE "odd one"."T(x" (a int)');
    const job = indexJob('in odd', { table: { schema: null, name: 'T(x' } } as Partial<Job>);
    const text = 'CREATE INDEX "in odd" ON "T(x" (a)';
    const settings = new Map([['search_path', '"odd one"']]);
    const jobId = await run(job, text, ADMIN, settings);
    expect(await below.jobs.waitFor(jobId)).toBe(true);
    expect(await isValid('"odd one"."in odd"')).toEqual([['t']]);
  });
});

describe('ALTER TABLE ASYNC … VALIDATE CONSTRAINT', () => {
  const job = (constraint: string): Job => ({
    type: 'VALIDATE_CONSTRAINT',
    table: { schema: 'public', name: 'people' },
    constraint,
  });

  // dsql §5.64, §5.71
  it('validates in the background', async () => {
    await below.as('admin', 'ALTER TABLE people ADD CONSTRAINT old CHECK (age > 0) NOT VALID');
    const jobId = await run(job('old'), '');
    expect(await below.jobs.waitFor(jobId)).toBe(true);
    expect(await recordOf(jobId)).toMatchObject({ type: 'VALIDATE_CONSTRAINT', classId: '2606' });
    const valid = "SELECT convalidated FROM pg_constraint WHERE conname = 'old'";
    expect(await below.as('admin', valid)).toEqual([['t']]);
  });

  it('fails as a job where a row violates it', async () => {
    await below.as('admin', 'ALTER TABLE people ADD CONSTRAINT few CHECK (age < 9) NOT VALID');
    const jobId = await run(job('few'), '');
    expect(await below.jobs.waitFor(jobId)).toBe(false);
    const { details } = await recordOf(jobId);
    expect(details).toBe('check constraint "few" of relation "people" is violated by some row');
  });

  it('tells at once what is wrong with it', async () => {
    const constraint = (name: string) => `constraint "${name}" of relation "people"`;
    expect(await failureOf(run(job('none'), ''))).toBe(
      `42704 ${constraint('none')} does not exist`,
    );
    expect(await failureOf(run(job('people_pkey'), ''))).toBe(
      `42809 ${constraint('people_pkey')} is not a foreign key or check constraint`,
    );
  });
});

describe('jobs', () => {
  // dsql §5.75, §5.76
  it('that nobody has heard of are not waited for', async () => {
    expect(await failureOf(below.jobs.waitFor('a'))).toBe('22P02 Unable to convert text to UUID');
    const id = 'a'.repeat(26);
    expect(await failureOf(below.jobs.waitFor(id))).toBe(`42704 job ${id} does not exist`);
  });

  it('can be waited for in another process', async () => {
    const other = await TestBelow.open(server.url());
    other.roleSecret.set(below.roleSecret);
    const writer = await below.links.checkOut('admin');
    await writer.query("BEGIN; INSERT INTO people VALUES (1002, 'late', 1)");
    const jobId = await run(indexJob('far'), 'CREATE INDEX far ON people (age)');
    const waited = other.jobs.waitFor(jobId);
    await writer.query('ROLLBACK');
    below.links.checkIn(writer, NONE);
    expect(await waited).toBe(true);
    await other.close();
  });

  it('are run two at a time, and refused when too many wait', async () => {
    const writer = await below.links.checkOut('admin');
    await writer.query("BEGIN; INSERT INTO people VALUES (1003, 'late', 1)");
    const other = await TestBelow.open(server.url());
    other.roleSecret.set(below.roleSecret);
    await other.roles.setUp();
    const settings = NONE;
    const ids: string[] = [];
    const started: Promise<void>[] = [];
    for (let n = 0; n < 50; n++) {
      const text = `CREATE INDEX many_${n} ON people (age)`;
      const job = await other.jobs.prepare(indexJob(`many_${n}`), text, ADMIN, settings);
      started.push(job.commit());
      ids.push(job.jobId);
    }
    await Promise.all(started);
    const text = 'CREATE INDEX one_more ON people (age)';
    const refused = other.jobs.prepare(indexJob('one_more'), text, ADMIN, settings);
    expect(await failureOf(refused)).toBe('53400 more than 50 jobs are waiting or running');
    const building = "SELECT count(*) FROM pg_class WHERE relname LIKE 'many_%'";
    // The second one waits for the lock of the first one's table.
    expect(Number((await below.as('admin', building))[0]?.[0])).toBeLessThanOrEqual(2);
    const among = `job_id IN (${ids.map((id) => `'${id}'`).join(', ')})`;
    const states = `SELECT status, count(*), count(update_time) FROM sys.jobs
      WHERE ${among} GROUP BY status ORDER BY status`;
    expect(await below.as('admin', states)).toEqual([
      ['processing', '2', '2'],
      ['submitted', '48', '0'],
    ]);
    await other.close();
    const failed = `SELECT count(*), min(details) FROM sys.jobs
      WHERE ${among} AND status = 'failed'`;
    expect(await below.as('admin', failed)).toEqual([['50', 'the endpoint was stopped']]);
    await writer.query('ROLLBACK');
    below.links.checkIn(writer, NONE);
  });

  it('of a process that is gone are given up by the next one that starts', async () => {
    await below.privileged.query(
      `INSERT INTO sys.job_records (job_id, status, job_type, update_time) VALUES
       ('gone', 'processing', 'INDEX_BUILD', now() - interval '61 seconds'),
       ('lost', 'submitted', 'INDEX_BUILD', now() - interval '61 seconds'),
       ('alive', 'processing', 'INDEX_BUILD', now() - interval '30 seconds'),
       ('old', 'completed', 'INDEX_BUILD', now() - interval '31 minutes')`,
    );
    const next = await TestBelow.open(server.url());
    await next.jobs.start();
    await next.close();
    const { rows } = await below.privileged.query(
      "SELECT job_id, status FROM sys.job_records WHERE job_id IN ('gone', 'lost', 'alive', 'old') ORDER BY 1",
    );
    expect(rows).toEqual([
      ['alive', 'processing'],
      ['gone', 'failed'],
      ['lost', 'failed'],
    ]);
    await below.privileged.query("DELETE FROM sys.job_records WHERE job_id = 'alive'");
  });
});
