/** What goes wrong around transactions: links that end, clients that leave, holders outside. */
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CourtClient, TestCourt, told } from '../../support/dsql-court.ts';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';

let database: TestDatabase;
let superuser: pg.Client;
let court: TestCourt;

beforeAll(async () => {
  database = await createDatabase();
  superuser = new pg.Client({ connectionString: database.url });
  await superuser.connect();
});

beforeEach(async () => {
  await superuser.query(`SET client_min_messages = error; DROP TABLE IF EXISTS t;
    CREATE TABLE t(id int PRIMARY KEY, v int);
    INSERT INTO t SELECT n, 0 FROM generate_series(1, 5) n`);
  court = new TestCourt(database.url);
});

afterEach(() => court.close());

afterAll(async () => {
  await superuser.end();
  await database.drop();
});

const write = (id: number, v: number): string => `UPDATE t SET v = ${v} WHERE id = ${id}`;

async function valueAt(id: number): Promise<number> {
  const { rows } = await superuser.query('SELECT v FROM t WHERE id = $1', [id]);
  return rows[0].v;
}

const isLost = { code: 'MR_ORIGIN_LOST' };

/** Has PostgreSQL end the link's connection, and waits until it has. */
async function kill({ link }: CourtClient): Promise<void> {
  await superuser.query('SELECT pg_terminate_backend($1)', [link.processId]);
  await link.ended;
}

/** Where a transaction stands when something happens to it. */
const states = ['live', 'parked', 'in copies'] as const;

async function bringTo(state: (typeof states)[number]): Promise<CourtClient> {
  const client = await court.begin();
  await client.run(write(1, 10));
  if (state === 'live') return client;
  const other = await court.begin();
  await other.run(write(1, 20));
  if (state === 'parked') {
    await other.rollback();
    return client;
  }
  await other.commit();
  expect(await client.run('SELECT v FROM t WHERE id = 1')).toBe('SELECT 1 [["10"]]');
  return client;
}

describe.each(states)('a transaction that is %s', (state) => {
  const kept = state === 'in copies' ? 20 : 0;

  it('is over when its link ends; others go on', async () => {
    const client = await bringTo(state);
    await kill(client);
    await expect.poll(() => court.adjudicator.openCount).toBe(0);
    await expect(client.run('SELECT 1')).rejects.toMatchObject(isLost);
    await expect(client.commit()).rejects.toMatchObject(isLost);
    await client.transaction.rollback();
    const next = await court.begin();
    expect(await next.run(write(1, 30))).toBe('UPDATE 1');
    expect(await next.commit()).toBe('COMMIT');
    expect(await valueAt(1)).toBe(30);
  });

  it('is over when its client rolls back, and leaves nothing', async () => {
    const client = await bringTo(state);
    await client.rollback();
    expect(court.adjudicator.openCount).toBe(0);
    expect(client.link.status).toBe('I');
    const { rows } = await client.link.query(
      "SELECT count(*) FROM pg_class WHERE relname = 't' AND relpersistence = 't'",
    );
    expect(rows).toEqual([['0']]);
    expect(await valueAt(1)).toBe(kept);
  });

  it('is failed by the endpoint, and rolls back at COMMIT', async () => {
    const client = await bringTo(state);
    client.transaction.fail();
    expect(client.transaction.isFailed).toBe(true);
    expect(await told(client.run('SELECT 1'))).toBe('25P02');
    expect(await client.commit()).toBe('ROLLBACK');
    expect(await valueAt(1)).toBe(kept);
    expect(client.link.status).toBe('I');
  });

  it('ends with its link while a statement runs', async () => {
    const client = await bringTo(state);
    const running = client.run('SELECT pg_sleep(30)');
    const rejected = expect(running).rejects.toMatchObject(isLost);
    await expect
      .poll(async () => {
        const { rows } = await superuser.query(
          "SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND state = 'active'",
        );
        return rows.length;
      })
      .toBe(1);
    await kill(client);
    await rejected;
    expect(await valueAt(1)).toBe(kept);
  });

  it('is left in the middle of a statement, which does not go on', async () => {
    const client = await bringTo(state);
    const running = client.run('SELECT pg_sleep(30)');
    const cancelled = told(running);
    await expect
      .poll(async () => {
        const { rows } = await superuser.query(
          "SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND state = 'active'",
        );
        return rows.length;
      })
      .toBe(1);
    await client.rollback();
    expect(await cancelled).toBe('57014');
    expect(client.link.status).toBe('I');
    expect(await valueAt(1)).toBe(kept);
  });
});

describe('a link that ends at COMMIT', () => {
  // dsql §8.2
  it('leaves the outcome open; nothing is run again', async () => {
    await superuser.query(`CREATE TABLE d (id int PRIMARY KEY,
      t int REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)`);
    const client = await court.begin();
    await client.run('INSERT INTO d VALUES (1, 1)');
    // What its COMMIT looks at is locked by somebody who is not the endpoint's.
    await superuser.query('BEGIN; UPDATE t SET id = 100 WHERE id = 1');
    const committing = client.commit();
    const rejected = expect(committing).rejects.toMatchObject(isLost);
    const observer = new pg.Client({ connectionString: database.url });
    await observer.connect();
    await expect
      .poll(async () => {
        const { rows } = await observer.query(
          "SELECT FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event_type = 'Lock'",
        );
        return rows.length;
      })
      .toBe(1);
    await observer.query('SELECT pg_terminate_backend($1)', [client.link.processId]);
    await rejected;
    await superuser.query('ROLLBACK');
    const { rows } = await observer.query('SELECT count(*)::int AS n FROM d');
    expect(rows).toEqual([{ n: 0 }]);
    await observer.end();
    await superuser.query('DROP TABLE d');
  });
});

describe('a client that waits', () => {
  // dsql §6.2
  it('for a holder outside the endpoint goes on in copies, and commits when that is gone', async () => {
    await superuser.query('BEGIN');
    await superuser.query(write(1, 5));
    const client = await court.begin();
    expect(await client.run('UPDATE t SET v = v + 1 WHERE id = 1 RETURNING v')).toBe(
      'UPDATE 1 [["1"]]',
    );
    await superuser.query('ROLLBACK');
    expect(await client.run('SELECT v FROM t WHERE id = 1')).toBe('SELECT 1 [["1"]]');
    expect(await client.commit()).toBe('COMMIT');
    expect(await valueAt(1)).toBe(1);
  });

  it('for a holder outside that commits has lost', async () => {
    await superuser.query('BEGIN');
    await superuser.query(write(1, 5));
    const client = await court.begin();
    const waiting = client.run('UPDATE t SET v = v + 1 WHERE id = 1 RETURNING v');
    await superuser.query('COMMIT');
    expect(await waiting).toBe('UPDATE 1 [["1"]]');
    expect(await told(client.commit())).toBe('40001');
    expect(await valueAt(1)).toBe(5);
  });

  it('for one that is executing gets its turn when that is done', async () => {
    const busy = await court.begin();
    await busy.run(write(1, 1));
    const sleeping = busy.run('SELECT pg_sleep(0.3)');
    const client = await court.begin();
    expect(await client.run(write(1, 2))).toBe('UPDATE 1');
    await sleeping;
    expect(await client.commit()).toBe('COMMIT');
    expect(await told(busy.commit())).toBe('40001');
    expect(await valueAt(1)).toBe(2);
  });
});

describe('what is done beside transactions', () => {
  it('has idle ones give way when it is watched over', async () => {
    const client = await court.begin();
    await client.run(write(1, 8));
    const link = await court.open();
    const done = court.adjudicator.watchOver(link);
    expect((await link.query('CREATE INDEX t_v ON t (v)')).tag).toBe('CREATE INDEX');
    done();
    expect(await client.commit()).toBe('COMMIT');
    expect(await valueAt(1)).toBe(8);
  });
});

describe('the control link', () => {
  it('is opened anew when it has ended', async () => {
    const conflict = async (): Promise<void> => {
      const [first, second] = [await court.begin(), await court.begin()];
      expect(await first.run(write(2, 1))).toBe('UPDATE 1');
      expect(await second.run(write(2, 2))).toBe('UPDATE 1');
      expect(await second.commit()).toBe('COMMIT');
      expect(await told(first.commit())).toBe('40001');
    };
    await conflict();
    const before = court.control;
    await superuser.query('SELECT pg_terminate_backend($1)', [before?.processId]);
    await before?.ended;
    await conflict();
    expect(court.control).not.toBe(before);
  });
});

describe('circles', () => {
  // dsql §6.2
  it('of statements that wait for each other are broken, and both are told of their work', async () => {
    for (let round = 0; round < 5; round++) {
      const [first, second] = [await court.begin(), await court.begin()];
      const both = (text: (id: number) => string): Promise<string[]> =>
        Promise.all([told(first.run(text(1))), told(second.run(text(2)))]);
      const slow = (id: number): string =>
        `UPDATE t SET v = v + 1 FROM pg_sleep(0.05) WHERE id IN (${id}, ${3 - id})`;
      expect(await both((id) => write(id, 7))).toEqual(['UPDATE 1', 'UPDATE 1']);
      expect(await both(slow)).toEqual(['UPDATE 2', 'UPDATE 2']);
      const ends = [await told(first.commit()), await told(second.commit())];
      expect(ends).toEqual(['COMMIT', '40001']);
    }
  });

  // dsql §6.8
  it('of commits leave one winner', async () => {
    const clients = [await court.begin(), await court.begin(), await court.begin()];
    for (const [at, client] of clients.entries()) await client.run(write(1, at));
    for (const [at, client] of clients.entries()) await client.run(write(2, at));
    const ends = await Promise.all(clients.map((client) => told(client.commit())));
    expect(ends.toSorted()).toEqual(['40001', '40001', 'COMMIT']);
  });
});

describe('COPY FROM', () => {
  // dsql §5.46
  it('stays where it is: who waits for it goes on in copies', async () => {
    const copying = await court.begin();
    const rows = Buffer.from('9\t9\n');
    const sink = {
      take: () => {},
      copyIn: () => {
        const data = Buffer.alloc(5 + rows.length);
        data.write('d');
        data.writeInt32BE(4 + rows.length, 1);
        rows.copy(data, 5);
        void copying.link.send(Buffer.concat([data, Buffer.from([0x63, 0, 0, 0, 4])]));
      },
    };
    const text = Buffer.from('COPY t FROM STDIN\0');
    const query = Buffer.concat([Buffer.from([0x51, 0, 0, 0, 4 + text.length]), text]);
    expect(await copying.transaction.passThrough(query, sink)).toEqual({ tag: 'COPY 1' });
    expect(copying.transaction.rowCount).toBe(1);
    const other = await court.begin();
    expect(await other.run('INSERT INTO t VALUES (9, 1)')).toBe('INSERT 0 1');
    expect(await copying.commit()).toBe('COMMIT');
    expect(await told(other.commit())).toBe('40001');
    expect(await valueAt(9)).toBe(9);
  });
});
