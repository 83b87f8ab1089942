/** The connector of AWS for node-postgres, as its documentation has it. */
import {
  AuroraDSQLClient,
  AuroraDSQLPool,
  isOCCError,
} from '@aws/aurora-dsql-node-postgres-connector';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DsqlDev } from './dsql-dev.ts';

const CLIENTS = 8;
const ROUNDS = 5;

export function describeConnector(dev: () => DsqlDev): void {
  /** Host and region are left to the connector; only where the name leads is said. */
  const options = () => {
    const { dsql, ca, stream, keys } = dev();
    const { endpoint: host, port } = dsql;
    return { host, port, user: 'admin', ssl: { ca }, stream, customCredentialsProvider: keys };
  };

  describe('the connector of AWS for node-postgres', () => {
    let pool: AuroraDSQLPool;

    beforeAll(async () => {
      pool = new AuroraDSQLPool({ ...options(), max: CLIENTS, retry: { maxRetries: 30 } });
      pool.on('error', () => {});
      await pool.query('CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)');
      await pool.query('INSERT INTO accounts VALUES (1, 1000), (2, 1000), (3, 1000)');
    });

    afterAll(async () => {
      await pool?.end();
    });

    // dsql §1.2, §8.10
    it('connects a client by the name of the cluster alone', async () => {
      const client = new AuroraDSQLClient(options());
      await client.connect();
      const { rows } = await client.query("SELECT current_setting('application_name') AS name");
      expect(rows).toEqual([{ name: expect.stringContaining('aurora-dsql-nodejs-pg/') }]);
      await client.end();
    });

    it('connects with TLS from the first byte', async () => {
      const direct = { ...options(), sslnegotiation: 'direct' as const };
      const client = new AuroraDSQLClient(direct);
      await client.connect();
      expect((await client.query('SELECT $1::int AS n', [7])).rows).toEqual([{ n: 7 }]);
      await client.end();
    });

    it('hands on the words of a refusal', async () => {
      const client = new AuroraDSQLClient({ ...options(), user: 'nobody' });
      await expect(client.connect()).rejects.toMatchObject({
        code: '28000',
        message: 'Role nobody does not exist',
      });
      const other = { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'guessed' };
      const stranger = new AuroraDSQLClient({ ...options(), customCredentialsProvider: other });
      await expect(stranger.connect()).rejects.toMatchObject({
        code: '08006',
        severity: 'FATAL',
        message: 'unable to accept connection, access denied',
      });
    });

    // dsql §6.21, §8.10
    it('runs a transaction again after a conflict, and no increment is lost', async () => {
      let runs = 0;
      const add = async (client: pg.PoolClient): Promise<void> => {
        runs++;
        const { rows } = await client.query('SELECT balance FROM accounts WHERE id = 1');
        await client.query('UPDATE accounts SET balance = $1 WHERE id = 1', [rows[0].balance + 1]);
      };
      const work = Array.from({ length: CLIENTS }, async () => {
        for (let round = 0; round < ROUNDS; round++) await pool.transaction(add);
      });
      await Promise.all(work);
      const { rows } = await pool.query('SELECT balance FROM accounts WHERE id = 1');
      expect(rows).toEqual([{ balance: 1_000 + CLIENTS * ROUNDS }]);
      // Else nothing has met a conflict, and the test would prove nothing.
      expect(runs).toBeGreaterThan(CLIENTS * ROUNDS);
    });

    it('knows a conflict for what it is, and does not repeat what cannot get better', async () => {
      const one = new AuroraDSQLClient(options());
      await one.connect();
      let runs = 0;
      const conflict = one.transaction(
        async () => {
          runs++;
          await one.query('UPDATE accounts SET balance = balance + 1 WHERE id = 2');
          await pool.query('UPDATE accounts SET balance = balance + 1 WHERE id = 2');
        },
        { maxRetries: 2 },
      );
      const error: unknown = await conflict.catch((thrown: unknown) => thrown);
      expect(runs).toBe(3);
      expect(isOCCError(error)).toBe(true);
      runs = 0;
      const twice = one.transaction(async () => {
        runs++;
        await one.query('INSERT INTO accounts VALUES (3, 0)');
      });
      await expect(twice).rejects.toMatchObject({ code: '23505' });
      expect(runs).toBe(1);
      await one.end();
    });
  });
}
