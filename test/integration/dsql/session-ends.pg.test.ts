/** How sessions end: by their identity, by a drain. */
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestEndpoint, told } from '../../support/dsql-endpoint.ts';

let test: TestEndpoint;
let one: pg.Client;
let other: pg.Client;

beforeAll(async () => {
  test = await TestEndpoint.start();
  one = await test.connect();
  await one.query('CREATE TABLE t (id int PRIMARY KEY, v int)');
  await one.query('INSERT INTO t VALUES (1, 0)');
});

afterAll(async () => {
  await test?.stop();
});

beforeEach(async () => {
  one = await test.connect();
  other = await test.connect();
  await one.query('UPDATE t SET v = 0');
});

describe('identities', () => {
  // dsql §2.18
  it('are asked again at the begin of each transaction', async () => {
    await test.addRole('fleeting');
    const client = await test.connect({ user: 'fleeting', signer: 'fleeting' });
    await client.query('SELECT 1');
    await one.query("AWS IAM REVOKE fleeting FROM 'arn:aws:iam::000000000000:user/fleeting'");
    expect(await told(client.query('SELECT 1'))).toMatchObject({
      code: '08006',
      severity: 'FATAL',
      message: 'unable to accept connection, access denied',
    });
  });

  // dsql §3.9
  it('have the rights of their role in PostgreSQL', async () => {
    await test.addRole('guest');
    const guest = await test.connect({ user: 'guest', signer: 'guest' });
    expect(await told(guest.query('SELECT v FROM t'))).toMatchObject({ code: '42501' });
    await one.query('GRANT SELECT ON t TO guest');
    expect((await guest.query('SELECT v FROM t WHERE id = 1')).rows).toEqual([{ v: 0 }]);
    expect(await told(guest.query('UPDATE t SET v = 1'))).toMatchObject({ code: '42501' });
  });
});

describe('a drain', () => {
  it('ends who does nothing, and lets who has begun come to COMMIT', async () => {
    const ended: (string | undefined)[] = [];
    other.on('error', (error) => ended.push((error as pg.DatabaseError).code));
    await one.query('BEGIN');
    await one.query('UPDATE t SET v = 3 WHERE id = 1');
    const drained = test.cluster.drain(30_000);
    await expect.poll(() => ended[0]).toBe('57P01');
    await one.query('UPDATE t SET v = v + 1 WHERE id = 1');
    await one.query('COMMIT');
    await drained;
    expect(test.cluster.sessionCount).toBe(0);
    one = await test.connect();
    expect((await one.query('SELECT v FROM t')).rows).toEqual([{ v: 4 }]);
  });

  it('waits for so long and no longer', async () => {
    await one.query('BEGIN');
    await one.query('SELECT 1');
    await test.cluster.drain(100);
    expect(test.cluster.sessionCount).toBeGreaterThan(0);
    await one.query('ROLLBACK');
  });
});
