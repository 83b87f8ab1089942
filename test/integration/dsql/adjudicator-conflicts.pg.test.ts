/** Who wins: two or three transactions, step by step, the one or the other first to commit. */

import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CourtClient, TestCourt, told } from '../../support/dsql-court.ts';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';

const TABLES = `DROP TABLE IF EXISTS c, p, t, u;
  CREATE TABLE t(id int PRIMARY KEY, v int, w text UNIQUE);
  INSERT INTO t SELECT g, 0, 'w' || g FROM generate_series(1, 5) g;
  CREATE TABLE p(id int PRIMARY KEY, n int);
  INSERT INTO p VALUES (1, 0), (2, 0), (3, 0);
  CREATE TABLE c(id int PRIMARY KEY, pid int REFERENCES p(id));
  CREATE TABLE u(id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    k bigint GENERATED ALWAYS AS IDENTITY (CACHE 1), v int)`;

let database: TestDatabase;
let superuser: pg.Client;

beforeAll(async () => {
  database = await createDatabase();
  superuser = new pg.Client({ connectionString: database.url });
  await superuser.connect();
  await superuser.query('SET client_min_messages = error');
});

beforeEach(async () => {
  await superuser.query(TABLES);
});

afterAll(async () => {
  await superuser.end();
  await database.drop();
});

const WON = 'COMMIT';
const LOST = '40001';

/** Who does what, and what is answered; without an answer any will do. */
type Step = readonly [client: string, statement: string, answer?: string | RegExp];
/** A query, and its rows as JSON. */
type Final = readonly [query: string, rows: string];

/** Plays the steps; all clients but `late` begin before the first step. */
async function play(steps: readonly Step[], final: Final | null = null): Promise<void> {
  const court = new TestCourt(database.url);
  const clients = new Map<string, CourtClient>();
  const clientOf = async (name: string): Promise<CourtClient> => {
    const client = clients.get(name) ?? (await court.begin());
    clients.set(name, client);
    return client;
  };
  try {
    for (const [name] of steps) if (name !== 'late') await clientOf(name);
    for (const [name, statement, answer] of steps) {
      const client = await clientOf(name);
      const got = await told(act(client, statement));
      const step = `${name}: ${statement} -> `;
      if (typeof answer === 'string') expect(step + got).toBe(step + answer);
      if (answer instanceof RegExp) expect(step + got).toMatch(answer);
    }
    for (const client of clients.values()) if (!client.isOver) await client.rollback();
    expect(court.adjudicator.openCount).toBe(0);
    if (final !== null) {
      const { rows } = await superuser.query({ text: final[0], rowMode: 'array' });
      expect(JSON.stringify(rows)).toBe(final[1]);
    }
  } finally {
    court.close();
  }
}

function act(client: CourtClient, statement: string): Promise<string> {
  if (statement === 'commit') return client.commit();
  return statement === 'rollback' ? client.rollback() : client.run(statement);
}

const LOCKED = 'SELECT 1 [["0"]]';
const ROW_1_FOR_UPDATE = 'SELECT v FROM t WHERE id=1 FOR UPDATE';
const ROW_1_FOR_KEY_SHARE = 'SELECT v FROM t WHERE id=1 FOR KEY SHARE';

// dsql §6.2-6.6, §6.8
describe.each([
  ['A', 'B'],
  ['B', 'A'],
] as const)('of two transactions, %s commits first:', (first, second) => {
  const end = (answer: string): Step[] => [
    [first, 'commit', WON],
    [second, 'commit', answer],
  ];

  it('both update one row', () =>
    play(
      [
        ['A', 'UPDATE t SET v=v+1 WHERE id=1', 'UPDATE 1'],
        ['B', 'UPDATE t SET v=v+10 WHERE id=1', 'UPDATE 1'],
        ...end(LOST),
      ],
      ['SELECT v FROM t WHERE id=1', first === 'A' ? '[[1]]' : '[[10]]'],
    ));

  it('they update different rows', () =>
    play(
      [
        ['A', 'UPDATE t SET v=1 WHERE id=1', 'UPDATE 1'],
        ['B', 'UPDATE t SET v=1 WHERE id=2', 'UPDATE 1'],
        ...end(WON),
      ],
      ['SELECT count(*)::int FROM t WHERE v=1', '[[2]]'],
    ));

  it('FOR UPDATE by A, then a write by B', () =>
    play([
      ['A', ROW_1_FOR_UPDATE, LOCKED],
      ['B', 'UPDATE t SET v=9 WHERE id=1', 'UPDATE 1'],
      ...end(LOST),
    ]));

  it('a write by A, then FOR UPDATE by B', () =>
    play([
      ['A', 'UPDATE t SET v=9 WHERE id=1', 'UPDATE 1'],
      ['B', ROW_1_FOR_UPDATE, LOCKED],
      ...end(LOST),
    ]));

  it('both FOR UPDATE', () =>
    play([['A', ROW_1_FOR_UPDATE, LOCKED], ['B', ROW_1_FOR_UPDATE, LOCKED], ...end(LOST)]));

  it('FOR KEY SHARE by A, DELETE by B', () =>
    play([
      ['A', ROW_1_FOR_KEY_SHARE, LOCKED],
      ['B', 'DELETE FROM t WHERE id=1', 'DELETE 1'],
      ...end(LOST),
    ]));

  it('both FOR KEY SHARE', () =>
    play([['A', ROW_1_FOR_KEY_SHARE, LOCKED], ['B', ROW_1_FOR_KEY_SHARE, LOCKED], ...end(WON)]));

  it('FOR KEY SHARE by A, an update beside the key by B', () =>
    play([
      ['A', ROW_1_FOR_KEY_SHARE, LOCKED],
      ['B', 'UPDATE t SET v=3 WHERE id=1', 'UPDATE 1'],
      ...end(WON),
    ]));

  it('DELETE by A, FOR KEY SHARE by B', () =>
    play([
      ['A', 'DELETE FROM t WHERE id=1', 'DELETE 1'],
      ['B', ROW_1_FOR_KEY_SHARE, LOCKED],
      ...end(LOST),
    ]));

  it('A deletes what B lets a foreign key refer to', () =>
    play([
      ['A', 'DELETE FROM p WHERE id=1', 'DELETE 1'],
      ['B', 'INSERT INTO c VALUES(1,1)', 'INSERT 0 1'],
      ...end(LOST),
    ]));

  it('B deletes what A lets a foreign key refer to', () =>
    play([
      ['A', 'INSERT INTO c VALUES(1,1)', 'INSERT 0 1'],
      ['B', 'DELETE FROM p WHERE id=1', 'DELETE 1'],
      ...end(LOST),
    ]));

  it('A updates beside the key what B lets a foreign key refer to', () =>
    play([
      ['A', 'UPDATE p SET n=5 WHERE id=1', 'UPDATE 1'],
      ['B', 'INSERT INTO c VALUES(1,1)', 'INSERT 0 1'],
      ...end(WON),
    ]));

  it('both insert one primary key', () =>
    play([
      ['A', "INSERT INTO t VALUES(9,1,'a')", 'INSERT 0 1'],
      ['B', "INSERT INTO t VALUES(9,2,'b')", 'INSERT 0 1'],
      ...end(LOST),
    ]));

  it('both insert one unique value', () =>
    play([
      ['A', "INSERT INTO t VALUES(8,1,'a')", 'INSERT 0 1'],
      ['B', "INSERT INTO t VALUES(9,2,'a')", 'INSERT 0 1'],
      ...end(LOST),
    ]));

  it('both update with RETURNING', () =>
    play([
      ['A', 'UPDATE t SET v=v+1 WHERE id=1 RETURNING v', 'UPDATE 1 [["1"]]'],
      ['B', 'UPDATE t SET v=v+5 WHERE id=1 RETURNING id,v', 'UPDATE 1 [["1","5"]]'],
      ...end(LOST),
    ]));

  it('both insert ON CONFLICT DO NOTHING', () =>
    play([
      ['A', "INSERT INTO t VALUES(9,1,'a') ON CONFLICT DO NOTHING", 'INSERT 0 1'],
      ['B', "INSERT INTO t VALUES(9,2,'b') ON CONFLICT DO NOTHING", 'INSERT 0 1'],
      ...end(LOST),
    ]));

  it('both insert a new row ON CONFLICT DO UPDATE', () =>
    play([
      [
        'A',
        "INSERT INTO t VALUES(9,1,'a') ON CONFLICT(id) DO UPDATE SET v=t.v+1 RETURNING v",
        'INSERT 0 1 [["1"]]',
      ],
      [
        'B',
        "INSERT INTO t VALUES(9,2,'b') ON CONFLICT(id) DO UPDATE SET v=t.v+1 RETURNING v",
        'INSERT 0 1 [["2"]]',
      ],
      ...end(LOST),
    ]));

  it('both insert ON CONFLICT DO UPDATE what is there', () =>
    play([
      [
        'A',
        "INSERT INTO t VALUES(1,1,'a') ON CONFLICT(id) DO UPDATE SET v=t.v+1 RETURNING v",
        'INSERT 0 1 [["1"]]',
      ],
      [
        'B',
        "INSERT INTO t VALUES(1,2,'b') ON CONFLICT(id) DO UPDATE SET v=t.v+7 RETURNING v",
        'INSERT 0 1 [["7"]]',
      ],
      ...end(LOST),
    ]));

  it('each reads what it wrote, behind a conflict too', () =>
    play(
      [
        ['A', 'UPDATE t SET v=1 WHERE id=1', 'UPDATE 1'],
        ['B', 'UPDATE t SET v=7 WHERE id=1', 'UPDATE 1'],
        ['A', 'SELECT v FROM t WHERE id=1', 'SELECT 1 [["1"]]'],
        ['B', 'SELECT v FROM t WHERE id=1', 'SELECT 1 [["7"]]'],
        ['B', 'UPDATE t SET v=v+1 WHERE v=7', 'UPDATE 1'],
        ['A', 'UPDATE t SET v=v+1 WHERE id IN (1,2) RETURNING v', /UPDATE 2 .*\["2"\]/],
        ['B', 'SELECT v FROM t WHERE id=1', 'SELECT 1 [["8"]]'],
        ...end(LOST),
      ],
      ['SELECT v FROM t WHERE id=1', first === 'A' ? '[[2]]' : '[[8]]'],
    ));

  it('they update two rows in opposite order', () =>
    play([
      ['A', 'UPDATE t SET v=1 WHERE id=1', 'UPDATE 1'],
      ['B', 'UPDATE t SET v=2 WHERE id=2', 'UPDATE 1'],
      ['A', 'UPDATE t SET v=1 WHERE id=2', 'UPDATE 1'],
      ['B', 'UPDATE t SET v=2 WHERE id=1', 'UPDATE 1'],
      ...end(LOST),
    ]));

  it('each writes what the other has only read', () =>
    play([
      ['A', 'SELECT sum(v) FROM t', 'SELECT 1 [["0"]]'],
      ['B', 'SELECT sum(v) FROM t', 'SELECT 1 [["0"]]'],
      ['A', 'UPDATE t SET v=1 WHERE id=1', 'UPDATE 1'],
      ['B', 'UPDATE t SET v=1 WHERE id=2', 'UPDATE 1'],
      ...end(WON),
    ]));

  it('defaults that A was told stay what they were', () =>
    play(
      [
        ['A', 'INSERT INTO u(v) VALUES(1) RETURNING k', 'INSERT 0 1 [["1"]]'],
        ['A', 'UPDATE t SET v=1 WHERE id=1', 'UPDATE 1'],
        ['B', 'UPDATE t SET v=2 WHERE id=1', 'UPDATE 1'],
        ['B', 'rollback'],
        ['A', 'SELECT k,v FROM u', 'SELECT 1 [["1","1"]]'],
        ['A', 'commit', WON],
      ],
      ['SELECT k, v FROM u', '[["1",1]]'],
    ));
});

// dsql §6.5, §6.22
describe('a transaction with an older snapshot', () => {
  it('is told of its own work until COMMIT, and of its own errors at once', () =>
    play([
      ['A', 'SELECT 1'],
      ['B', 'UPDATE t SET v=1 WHERE id=1', 'UPDATE 1'],
      ['B', 'commit', WON],
      ['A', 'UPDATE t SET v=v+5 WHERE id=1 RETURNING v', 'UPDATE 1 [["5"]]'],
      ['A', 'SELECT v FROM t WHERE id=1', 'SELECT 1 [["5"]]'],
      ['A', 'DELETE FROM t WHERE v=5', 'DELETE 1'],
      ['A', "INSERT INTO t VALUES(1,1,'w2')", '23505'],
      ['A', 'SELECT 1', '25P02'],
      ['A', 'commit', 'ROLLBACK'],
    ]));

  it('inserts the key that was committed since', () =>
    play([
      ['A', 'SELECT 1'],
      ['B', "INSERT INTO t VALUES(9,1,'a')", 'INSERT 0 1'],
      ['B', 'commit', WON],
      ['A', "INSERT INTO t VALUES(9,2,'b')", 'INSERT 0 1'],
      ['A', 'SELECT v FROM t WHERE id=9', 'SELECT 1 [["2"]]'],
      ['A', 'commit', LOST],
    ]));

  it('deletes what a row committed since refers to', () =>
    play([
      ['A', 'SELECT 1'],
      ['B', 'INSERT INTO c VALUES(1,1)', 'INSERT 0 1'],
      ['B', 'commit', WON],
      ['A', 'DELETE FROM p WHERE id=1', 'DELETE 1'],
      ['A', 'commit', LOST],
    ]));

  it('refers to what was deleted since', () =>
    play([
      ['A', 'SELECT 1'],
      ['B', 'DELETE FROM p WHERE id=1', 'DELETE 1'],
      ['B', 'commit', WON],
      ['A', 'INSERT INTO c VALUES(1,1)', 'INSERT 0 1'],
      ['A', 'commit', LOST],
    ]));

  it('reads its own write when another one has committed the row', () =>
    play([
      ['A', 'UPDATE t SET v=4 WHERE id=1', 'UPDATE 1'],
      ['B', 'UPDATE t SET v=1 WHERE id=1', 'UPDATE 1'],
      ['B', 'commit', WON],
      ['A', 'SELECT v FROM t WHERE id=1', 'SELECT 1 [["4"]]'],
      ['A', 'UPDATE t SET v=v+1 WHERE id<=2 RETURNING v', /UPDATE 2 .*\["5"\]/],
      ['A', 'commit', LOST],
    ]));

  it('commits when the other one rolls back', () =>
    play(
      [
        ['A', 'UPDATE t SET v=1 WHERE id=1', 'UPDATE 1'],
        ['B', 'UPDATE t SET v=2 WHERE id=1', 'UPDATE 1'],
        ['A', 'rollback'],
        ['B', 'commit', WON],
      ],
      ['SELECT v FROM t WHERE id=1', '[[2]]'],
    ));

  it('may not delete what was kept by a FOR KEY SHARE that has committed; a later one may', () =>
    play([
      ['A', ROW_1_FOR_KEY_SHARE, LOCKED],
      ['B', 'SELECT 1'],
      ['A', 'commit', WON],
      ['late', 'DELETE FROM t WHERE id=1', 'DELETE 1'],
      ['late', 'commit', WON],
      ['B', 'commit', WON],
    ]));
});

// dsql §5.63, §6.22
describe('a transaction alone', () => {
  it('is told at once that a key is there', () =>
    play([
      ['A', "INSERT INTO t VALUES(1,2,'b')", '23505'],
      ['A', 'SELECT 1', '25P02'],
      ['A', 'commit', 'ROLLBACK'],
    ]));

  it('is told at once that a foreign key refers to nothing', () =>
    play([
      ['A', 'INSERT INTO c VALUES(1,77)', '23503'],
      ['A', 'commit', 'ROLLBACK'],
    ]));
});

// dsql §6.2
describe('of three transactions', () => {
  it.each(['ABC', 'CBA', 'BAC', 'BCA'])('on one row the first to commit wins: %s', (order) =>
    play([
      ['A', 'UPDATE t SET v=1 WHERE id=1', 'UPDATE 1'],
      ['B', 'UPDATE t SET v=2 WHERE id=1', 'UPDATE 1'],
      ['C', 'UPDATE t SET v=3 WHERE id=1', 'UPDATE 1'],
      ...[...order].map((name, at): Step => [name, 'commit', at === 0 ? WON : LOST]),
    ]),
  );

  it('the middle one of a chain commits first, and wins over both', () =>
    play([
      ['A', 'UPDATE t SET v=1 WHERE id=1'],
      ['B', 'UPDATE t SET v=2 WHERE id IN (1,2)', 'UPDATE 2'],
      ['C', 'UPDATE t SET v=3 WHERE id=2', 'UPDATE 1'],
      ['B', 'commit', WON],
      ['A', 'commit', LOST],
      ['C', 'commit', LOST],
    ]));

  it('the ends of a chain commit first, and win over the middle one', () =>
    play([
      ['A', 'UPDATE t SET v=1 WHERE id=1'],
      ['B', 'UPDATE t SET v=2 WHERE id IN (1,2)', 'UPDATE 2'],
      ['C', 'UPDATE t SET v=3 WHERE id=2', 'UPDATE 1'],
      ['A', 'commit', WON],
      ['C', 'commit', WON],
      ['B', 'commit', LOST],
    ]));
});
