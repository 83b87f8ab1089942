/** A link that ends at any step of a transaction in which everything happens. */
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/base/errors.ts';
import { type Break, BreakingLink } from '../../support/breaking-link.ts';
import { CourtClient, TestCourt, told } from '../../support/dsql-court.ts';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';

/** More exchanges than the transaction has. */
const STEPS_MAX = 60;

let database: TestDatabase;
let superuser: pg.Client;

beforeAll(async () => {
  database = await createDatabase();
  superuser = new pg.Client({ connectionString: database.url });
  await superuser.connect();
});

beforeEach(async () => {
  await superuser.query(`SET client_min_messages = error; DROP TABLE IF EXISTS t, u;
    CREATE TABLE u(id uuid PRIMARY KEY DEFAULT gen_random_uuid(), v int);
    CREATE TABLE t(id int PRIMARY KEY, v int);
    INSERT INTO t SELECT n, 0 FROM generate_series(1, 5) n`);
});

afterAll(async () => {
  await superuser.end();
  await database.drop();
});

type Rival = 'commits' | 'rolls back';

/** What the client was told at the end; `lost` when the link was. */
async function transact(court: TestCourt, client: CourtClient, rival: Rival): Promise<string> {
  try {
    await client.run('INSERT INTO u (v) VALUES (1), (2)');
    await client.run('UPDATE t SET v = 1 WHERE id = 1');
    const other = await court.begin();
    await other.run('UPDATE t SET v = 2 WHERE id = 1');
    if (rival === 'commits') await other.commit();
    else await other.rollback();
    await client.run('SELECT v FROM t WHERE id = 1');
    await client.run('SELECT v FROM t WHERE id = 2 FOR UPDATE');
    await client.run('SELECT v FROM t WHERE id = 3 FOR KEY SHARE');
    await client.run('UPDATE t SET v = 1 WHERE id = 4');
    return await told(client.commit());
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'MR_ORIGIN_LOST') return 'lost';
    throw error;
  }
}

/** How much of the transaction there is. */
async function stored(): Promise<readonly number[]> {
  const { rows } = await superuser.query({
    text: 'SELECT (SELECT count(*)::int FROM u), (SELECT v FROM t WHERE id = 4)',
    rowMode: 'array',
  });
  return rows[0] ?? [];
}

const NOTHING = [0, 0];
const ALL = [2, 1];

/** @returns whether the link ended: it does not when it has fewer steps */
async function breakAt(at: Break, rival: Rival): Promise<boolean> {
  const court = new TestCourt(database.url);
  try {
    const link = await court.open();
    const breaking = new BreakingLink(link, at);
    const begun = court.adjudicator.begin(breaking, { isReadOnly: false });
    const transaction = await begun.catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'MR_ORIGIN_LOST' });
      return null;
    });
    if (transaction !== null) {
      const answer = await transact(court, new CourtClient(link, transaction), rival);
      await transaction.rollback();
      const what = [...(await stored())];
      if (answer === 'COMMIT') expect(what).toEqual(ALL);
      else if (answer === '40001') expect(what).toEqual(NOTHING);
      else expect([NOTHING, ALL]).toContainEqual(what);
      if (!breaking.isBroken) expect(answer).toBe(rival === 'commits' ? '40001' : 'COMMIT');
    }
    expect(court.adjudicator.openCount).toBe(0);
    expect(court.adjudicator.guards.count).toBe(0);
    const next = await court.begin();
    expect(await next.run('UPDATE t SET v = 9')).toBe('UPDATE 5');
    expect(await next.commit()).toBe('COMMIT');
    return breaking.isBroken;
  } finally {
    court.close();
  }
}

// dsql §8.2
describe.each(['commits', 'rolls back'] as const)('while its rival %s', (rival) => {
  it.each([
    ['before the server got the message', false],
    ['behind it', true],
  ] as const)('a link ends at each step, %s', async (_, isSent) => {
    let step = 1;
    for (; step < STEPS_MAX; step++) {
      const isBroken = await breakAt({ step, isSent }, rival);
      await superuser.query('DELETE FROM u; UPDATE t SET v = 0');
      if (!isBroken) break;
    }
    expect(step).toBeGreaterThan(10);
    expect(step).toBeLessThan(STEPS_MAX);
  });
});
