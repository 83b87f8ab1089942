/** Identities, clusters and tokens by `millrace`, as its documentation shows them. */
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { runWell } from '../support/command.ts';
import type { DsqlDev } from './dsql-dev.ts';

type Cluster = { readonly id: string; readonly status: string; readonly endpoint: string };

/** Each look is a program of its own. */
const SLOWLY = { timeout: 60_000, interval: 500 };

export function describeCli(dev: () => DsqlDev): void {
  const json = async <T>(...args: string[]): Promise<T> =>
    JSON.parse(await dev().cli(...args, '--json')) as T;

  describe('millrace', () => {
    it('mints a token that psql takes', async () => {
      const { endpoint } = dev().dsql;
      const minted = await dev().cli('token', 'dsql', '--host', endpoint, '--user', 'admin');
      const token = minted.trim();
      const args = ['-XAtc', 'SELECT current_user', '-d', dev().conninfo()];
      expect(await runWell('psql', args, { env: { PGPASSWORD: token } })).toBe('admin\n');
    });

    it('creates, lists and deletes clusters', async () => {
      const { id } = await json<Cluster>('cluster', 'create', '--tags', 'team=orders');
      const found = () => json<Cluster>('cluster', 'get', id);
      await expect.poll(async () => (await found()).status, SLOWLY).toBe('ACTIVE');
      const { endpoint } = await found();
      const client = new pg.Client(await dev().config({ endpoint }));
      await client.connect();
      expect((await client.query('SHOW server_version')).rows).toEqual([
        { server_version: '16.15' },
      ]);
      await client.end();
      const all = await json<Cluster[]>('cluster', 'list');
      expect(all.map((cluster) => cluster.id)).toContain(id);
      await dev().cli('cluster', 'delete', id);
      const ids = async () => (await json<Cluster[]>('cluster', 'list')).map((one) => one.id);
      await expect.poll(ids, SLOWLY).not.toContain(id);
    });

    // dsql §4.18
    it('makes a user with a key and a policy, who may do what that says', async () => {
      const { arn } = await json<{ arn: string }>('iam', 'user', 'create', 'reader');
      type Minted = { readonly id: string; readonly secret_access_key: string };
      const minted = await json<Minted>('iam', 'key', 'create', 'reader');
      const { id: accessKeyId, secret_access_key: secretAccessKey } = minted;
      const as = { user: 'reader', keys: { accessKeyId, secretAccessKey } };
      const [cluster] = dev().dsql.endpoint.split('.');
      const resource = `arn:aws:dsql:us-east-1:000000000000:cluster/${cluster}`;
      const allow = { Effect: 'Allow', Action: 'dsql:DbConnect', Resource: resource };
      const document = JSON.stringify({ Version: '2012-10-17', Statement: allow });
      const put = ['iam', 'policy', 'put', 'connect', '--user', 'reader', '--document', document];
      await dev().cli(...put);
      await dev().psql('CREATE ROLE reader WITH LOGIN');
      await dev().psql(`AWS IAM GRANT reader TO '${arn}'`);
      const client = new pg.Client(await dev().config(as));
      await client.connect();
      expect((await client.query('SELECT current_user AS me')).rows).toEqual([{ me: 'reader' }]);

      // A key that is off lets nobody in; who is in stays.
      await dev().cli('iam', 'key', 'deactivate', 'reader', accessKeyId);
      const again = new pg.Client(await dev().config(as));
      await expect(again.connect()).rejects.toMatchObject({ code: '08006' });
      expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
      await client.end();
      await dev().psql(`AWS IAM REVOKE reader FROM '${arn}'`);
      await dev().psql('DROP ROLE reader');
      await dev().cli('iam', 'user', 'delete', 'reader');
    });
  });
}
