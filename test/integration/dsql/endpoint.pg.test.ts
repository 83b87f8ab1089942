import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestEndpoint, told } from '../../support/dsql-endpoint.ts';

let test: TestEndpoint;

beforeAll(async () => {
  test = await TestEndpoint.start();
});

afterAll(async () => {
  await test?.stop();
});

describe('a client of the endpoint', () => {
  // dsql §1.4, §1.5
  it('works as admin on the database postgres', async () => {
    const client = await test.connect();
    const { rows } = await client.query(
      'SELECT current_user, current_database() AS db, 1 + $1 AS n',
      [2],
    );
    expect(rows).toEqual([{ current_user: 'admin', db: 'postgres', n: 3 }]);
    await client.query('CREATE TABLE t (id int PRIMARY KEY, v text)');
    await client.query("INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    expect((await client.query('SELECT v FROM t WHERE id = $1', [2])).rows).toEqual([{ v: 'b' }]);
    await client.query('BEGIN');
    await client.query("UPDATE t SET v = 'c' WHERE id = 1");
    await client.query('ROLLBACK');
    expect((await client.query('SELECT v FROM t ORDER BY id')).rows).toEqual([
      { v: 'a' },
      { v: 'b' },
    ]);
  });

  // dsql §6.2, §6.6
  it('hears of a conflict at COMMIT, and of no wait before', async () => {
    const one = await test.connect();
    const other = await test.connect();
    await one.query('BEGIN');
    await other.query('BEGIN');
    expect((await one.query("UPDATE t SET v = 'one' WHERE id = 1")).rowCount).toBe(1);
    expect((await other.query("UPDATE t SET v = 'other' WHERE id = 1")).rowCount).toBe(1);
    await other.query('COMMIT');
    expect(await told(one.query('COMMIT'))).toMatchObject({
      code: '40001',
      message: 'change conflicts with another transaction (OC000)',
    });
    expect((await one.query('SELECT v FROM t WHERE id = 1')).rows).toEqual([{ v: 'other' }]);
  });
});
