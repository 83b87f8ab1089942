/** A gateway before the endpoint: a plain connection string for programs that know no tokens. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Serve, startServe } from '../support/millrace.ts';
import type { DsqlDev } from './dsql-dev.ts';

const CLIENTS = 12;
const LINKS = 3;

export function describeGateway(dev: () => DsqlDev): void {
  describe('a gateway before the endpoint', () => {
    let serve: Serve;

    beforeAll(async () => {
      const { dsql, env } = dev();
      const settings = {
        originUrl: `postgres://admin@${dsql.host}:${dsql.port}/postgres`,
        links: LINKS,
        origin: `auth = "dsql-iam"
          iam_host = "${dsql.endpoint}"
          ca = "${dsql.ca_file}"`,
      };
      const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = env;
      serve = await startServe(settings, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY });
      await dev().psql('CREATE TABLE shop (id int PRIMARY KEY, stock int NOT NULL)');
      await dev().psql('INSERT INTO shop SELECT n, 0 FROM generate_series(1, 50) AS n');
    });

    afterAll(async () => {
      await serve?.stop();
    });

    it('serves a plain connection string, with more clients than connections', async () => {
      const pool = new pg.Pool({ connectionString: serve.url, max: CLIENTS });
      const add = async (id: number): Promise<number> => {
        for (let conflicts = 0; ; conflicts++) {
          try {
            await pool.query('UPDATE shop SET stock = stock + 1 WHERE id = $1', [id]);
            return conflicts;
          } catch (error) {
            if ((error as pg.DatabaseError).code !== '40001' || conflicts > 50) throw error;
          }
        }
      };
      await Promise.all(Array.from({ length: 60 }, (_, n) => add((n % 5) + 1)));
      const { rows } = await pool.query('SELECT sum(stock)::int AS sum FROM shop');
      expect(rows).toEqual([{ sum: 60 }]);
      await pool.end();
    });

    it('keeps answers, until somebody writes', async () => {
      const client = new pg.Client({ connectionString: serve.url });
      await client.connect();
      const read = async () => {
        const { rows } = await client.query('SELECT stock FROM shop WHERE id = $1', [40]);
        return rows[0].stock as number;
      };
      const texts = () => serve.log().length;
      expect(await read()).toBe(0);
      for (let turn = 0; turn < 5; turn++) expect(await read()).toBe(0);
      await client.query('UPDATE shop SET stock = 7 WHERE id = 40');
      expect(await read()).toBe(7);
      expect(texts()).toBeGreaterThan(0);
      await client.end();
    });

    it('passes conflicts and refusals on as they are', async () => {
      const one = new pg.Client({ connectionString: serve.url });
      const other = new pg.Client({ connectionString: serve.url });
      await one.connect();
      await other.connect();
      await one.query('BEGIN');
      await one.query('UPDATE shop SET stock = 1 WHERE id = 50');
      await other.query('UPDATE shop SET stock = 2 WHERE id = 50');
      await expect(one.query('COMMIT')).rejects.toMatchObject({
        code: '40001',
        message: 'change conflicts with another transaction (OC000)',
      });
      await expect(one.query('TRUNCATE shop')).rejects.toMatchObject({
        code: '0A000',
        message: 'unsupported statement: Truncate',
      });
      await one.end();
      await other.end();
    });
  });
}
