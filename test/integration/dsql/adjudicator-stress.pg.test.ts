/** Many clients on few rows: nothing that was acknowledged is lost, and all come to an end. */
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SERVER_SETTINGS } from '../../../src/dsql/transactions/adjudicator.ts';
import { Dice } from '../../support/dice.ts';
import { bound, type CourtClient, TestCourt, told } from '../../support/dsql-court.ts';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';

const CLIENTS = 8;
const TRANSACTIONS = 30;
const ROWS = 4;
const START = 1_000;

let database: TestDatabase;
let superuser: pg.Client;

beforeAll(async () => {
  database = await createDatabase();
  superuser = new pg.Client({ connectionString: database.url });
  await superuser.connect();
});

beforeEach(async () => {
  await superuser.query(`SET client_min_messages = error; DROP TABLE IF EXISTS a, led, doc;
    CREATE TABLE a(id int PRIMARY KEY, v int, note text);
    INSERT INTO a SELECT n, ${START} FROM generate_series(1, ${ROWS}) n;
    CREATE TABLE led(id uuid PRIMARY KEY DEFAULT gen_random_uuid(), who int,
      account int REFERENCES a (id), amount int);
    CREATE TABLE doc(id int PRIMARY KEY, is_on bool);
    INSERT INTO doc VALUES (0, true), (1, true), (2, true)`);
});

afterAll(async () => {
  await superuser.end();
  await database.drop();
});

/** What an acknowledged transaction has added to each account. */
type Effect = ReadonlyMap<number, number>;
type Work = (client: CourtClient, dice: Dice, who: number) => Promise<Effect>;

const DONE = 'COMMIT';

/** Fails on anything that is neither as told nor a conflict. */
class Conflict extends Error {}

async function must(answer: Promise<string>): Promise<string> {
  const got = await told(answer);
  if (got === '40001') throw new Conflict();
  return got;
}

const valueIn = (answer: string): number => Number(/\["(-?\d+)"\]/.exec(answer)?.[1]);

/** Adds in the database, and looks whether it sees that. */
const increment: Work = async (client, dice) => {
  const effect = new Map<number, number>();
  for (let n = 0; n <= dice.below(3); n++) {
    const id = 1 + dice.below(ROWS);
    const before = valueIn(await must(client.run(`SELECT v FROM a WHERE id = ${id}`)));
    expect(await must(client.run(`UPDATE a SET v = v + 1 WHERE id = ${id}`))).toBe('UPDATE 1');
    const after = valueIn(await must(client.run(`SELECT v FROM a WHERE id = ${id}`)));
    expect(after).toBe(before + 1);
    effect.set(id, (effect.get(id) ?? 0) + 1);
  }
  return effect;
};

/** Reads, counts here, and writes what it counted. */
const readAndWrite: Work = async (client, dice) => {
  const id = 1 + dice.below(ROWS);
  const before = valueIn(await must(client.run(`SELECT v FROM a WHERE id = ${id}`)));
  const update = bound('UPDATE a SET v = $2::int WHERE id = $1::int', [
    String(id),
    `${before + 5}`,
  ]);
  expect(await must(client.run(update))).toBe('UPDATE 1');
  return new Map([[id, 5]]);
};

/** From one to the other, in any order of rows, with a line for each in a ledger. */
const transfer: Work = async (client, dice, who) => {
  const [from, to] = [1 + dice.below(ROWS), 1 + dice.below(ROWS)];
  const amount = 1 + dice.below(9);
  const effect = new Map<number, number>();
  for (const [id, change] of [
    [from, -amount],
    [to, amount],
  ] as const) {
    const update = `UPDATE a SET v = v + ${change} WHERE id = ${id}`;
    expect(await must(client.run(update))).toBe('UPDATE 1');
    const insert = `INSERT INTO led (who, account, amount) VALUES (${who}, ${id}, ${change})`;
    expect(await must(client.run(insert))).toBe('INSERT 0 1');
    effect.set(id, (effect.get(id) ?? 0) + change);
  }
  return effect;
};

/** Locks a row, writes another one by what it saw. */
const lockAndWrite: Work = async (client, dice) => {
  const id = 1 + dice.below(ROWS);
  const lock = `SELECT v FROM a WHERE id = ${id} FOR UPDATE`;
  const seen = valueIn(await must(client.run(lock)));
  const update = `UPDATE a SET v = ${seen + 2} WHERE id = ${id}`;
  expect(await must(client.run(update))).toBe('UPDATE 1');
  return new Map([[id, 2]]);
};

async function run(court: TestCourt, works: readonly Work[], seed: number) {
  const sums = new Map<number, number>();
  const counts = { committed: 0, lost: 0 };
  const one = async (who: number): Promise<void> => {
    const dice = new Dice(seed * 100 + who);
    for (let n = 0; n < TRANSACTIONS; n++) {
      const work = dice.pick(works);
      const client = await court.begin();
      try {
        const effect = await work(client, dice, who);
        if (dice.oneIn(10)) {
          await client.rollback();
        } else {
          expect(await must(client.commit())).toBe(DONE);
          counts.committed++;
          for (const [id, change] of effect) sums.set(id, (sums.get(id) ?? 0) + change);
        }
      } catch (error) {
        if (!(error instanceof Conflict)) throw error;
        counts.lost++;
        await client.rollback();
      }
      court.reuse(client);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, who) => one(who)));
  return { sums, counts };
}

const settings: readonly (readonly [string, readonly string[]])[] = [
  [
    'with the settings of a server of its own',
    Object.entries(SERVER_SETTINGS).map(([name, value]) => `${name} = '${value}'`),
  ],
  ['with the settings of any server', []],
];

describe.each(settings)('%s', (_, changes) => {
  beforeAll(async () => {
    for (const change of changes) {
      await superuser.query(`ALTER DATABASE ${database.name} SET ${change}`);
    }
  });

  afterAll(async () => {
    await superuser.query(`ALTER DATABASE ${database.name} RESET ALL`);
  });

  // dsql §8.5
  it.each([
    ['increments', [increment]],
    ['reads before writes', [readAndWrite]],
    ['transfers', [transfer]],
    ['locks', [lockAndWrite]],
    ['all of these', [increment, readAndWrite, transfer, lockAndWrite]],
  ] as const)('%s add up to what was acknowledged', async (_name, works) => {
    const court = new TestCourt(database.url);
    try {
      const { sums, counts } = await run(court, works, 7);
      expect(counts.committed).toBeGreaterThan(CLIENTS);
      const { rows } = await superuser.query('SELECT id, v FROM a ORDER BY id');
      expect(rows).toEqual(
        Array.from({ length: ROWS }, (_v, at) => ({
          id: at + 1,
          v: START + (sums.get(at + 1) ?? 0),
        })),
      );
      const lines = await superuser.query('SELECT COALESCE(sum(amount), 0)::int AS sum FROM led');
      expect(lines.rows).toEqual([{ sum: 0 }]);
      expect(court.adjudicator.openCount).toBe(0);
    } finally {
      court.close();
    }
  });
});

describe('a rule over several rows', () => {
  // dsql §6.3, §6.4
  it('holds when all who could break it lock one of them FOR UPDATE', async () => {
    const court = new TestCourt(database.url);
    try {
      for (let round = 0; round < 10; round++) {
        await superuser.query('UPDATE doc SET is_on = true');
        const leave = async (id: number): Promise<string> => {
          const client = await court.begin();
          const got = await told(
            (async () => {
              await client.run('SELECT id FROM doc WHERE id = 0 FOR UPDATE');
              const on = await client.run('SELECT count(*) FROM doc WHERE is_on AND id > 0');
              if (valueIn(on) < 2) return await client.rollback();
              await client.run(`UPDATE doc SET is_on = false WHERE id = ${id}`);
              return await client.commit();
            })(),
          );
          if (!client.isOver) await client.rollback();
          court.reuse(client);
          return got;
        };
        const answers = await Promise.all([leave(1), leave(2)]);
        expect(answers).toContain('COMMIT');
        const { rows } = await superuser.query(
          'SELECT count(*)::int AS n FROM doc WHERE is_on AND id > 0',
        );
        expect(rows).toEqual([{ n: 1 }]);
      }
    } finally {
      court.close();
    }
  });
});
