/** The SDK of AWS with its endpoints overridden: control plane, STS, and the tokens of both. */
import {
  CreateClusterCommand,
  DeleteClusterCommand,
  DSQLClient,
  GetClusterCommand,
  ListClustersCommand,
  waitUntilClusterActive,
  waitUntilClusterNotExists,
} from '@aws-sdk/client-dsql';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import type { As, DsqlDev, Keys } from './dsql-dev.ts';

const WAIT_S_MAX = 60;
const ROLE = 'lambda';
const ROLE_ARN = `arn:aws:iam::000000000000:role/${ROLE}`;

export function describeSdk(dev: () => DsqlDev): void {
  const configuration = (credentials: Keys) => {
    const { region, api_url: endpoint } = dev().dsql;
    return { region, endpoint, credentials };
  };

  async function ask(as: As, query: string): Promise<unknown[]> {
    const client = new pg.Client(await dev().config(as));
    await client.connect();
    try {
      return (await client.query(query)).rows;
    } finally {
      await client.end();
    }
  }

  describe('@aws-sdk/client-dsql', () => {
    // dsql §4.1, §8.7
    it('creates a cluster, waits for it, connects to it, and deletes it', async () => {
      const sdk = new DSQLClient(configuration(dev().keys));
      const made = await sdk.send(new CreateClusterCommand({ tags: { Name: 'second' } }));
      const { identifier = '', endpoint = '' } = made;
      expect(identifier).toMatch(/^[a-z0-9]{26}$/);
      const waiting = { client: sdk, maxWaitTime: WAIT_S_MAX, minDelay: 1, maxDelay: 1 };
      await waitUntilClusterActive(waiting, { identifier });
      const found = await sdk.send(new GetClusterCommand({ identifier }));
      expect(found).toMatchObject({ status: 'ACTIVE', tags: { Name: 'second' } });
      const listed = await sdk.send(new ListClustersCommand({}));
      expect(listed.clusters?.map((cluster) => cluster.identifier)).toContain(identifier);

      // Another cluster behind the same listener, with data and tokens of its own.
      await ask({ endpoint }, 'CREATE TABLE only_here (id int PRIMARY KEY)');
      expect(await ask({ endpoint }, 'SELECT * FROM only_here')).toEqual([]);
      await expect(ask({}, 'SELECT * FROM only_here')).rejects.toMatchObject({ code: '42P01' });
      const config = await dev().config({ endpoint });
      const crossed = new pg.Client({ ...config, password: await dev().token() });
      await expect(crossed.connect()).rejects.toMatchObject({ code: '08006' });

      const open = new pg.Client(config);
      open.on('error', () => {});
      await open.connect();
      const ended = new Promise((resolve) => open.once('end', resolve));
      await sdk.send(new DeleteClusterCommand({ identifier }));
      await waitUntilClusterNotExists(waiting, { identifier });
      await ended;
      await expect(ask({ endpoint }, 'SELECT 1')).rejects.toMatchObject({ code: '08006' });
      expect(await ask({}, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
      sdk.destroy();
    });

    it('does not delete what is protected, nor anything with a key that is wrong', async () => {
      const sdk = new DSQLClient(configuration(dev().keys));
      const [identifier = ''] = dev().dsql.endpoint.split('.');
      const wrong = { ...dev().keys, secretAccessKey: 'wrong' };
      const stranger = new DSQLClient({ ...configuration(wrong), maxAttempts: 1 });
      const deletion = new DeleteClusterCommand({ identifier });
      await expect(stranger.send(deletion)).rejects.toMatchObject({
        $metadata: { httpStatusCode: 403 },
      });
      expect(await ask({}, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
      sdk.destroy();
      stranger.destroy();
    });
  });

  describe('@aws-sdk/client-sts', () => {
    it('says who calls', async () => {
      const sts = new STSClient(configuration(dev().keys));
      expect(await sts.send(new GetCallerIdentityCommand({}))).toMatchObject({
        Account: '000000000000',
        Arn: 'arn:aws:iam::000000000000:user/millrace-dev',
      });
      sts.destroy();
    });

    // dsql §2.13, §4.17, §8.7
    it('assumes a role, whose session connects as what is granted to the role', async () => {
      const statement = (more: object) => JSON.stringify({ Statement: [more], ...VERSION });
      const trust = statement({
        Effect: 'Allow',
        Principal: { AWS: 'arn:aws:iam::000000000000:root' },
        Action: 'sts:AssumeRole',
      });
      await dev().cli('iam', 'role', 'create', ROLE, '--trust-policy', trust);
      const sts = new STSClient(configuration(dev().keys));
      const wanted = { RoleArn: ROLE_ARN, RoleSessionName: 'one' };
      const { Credentials: given } = await sts.send(new AssumeRoleCommand(wanted));
      const keys: Keys = {
        accessKeyId: given?.AccessKeyId ?? '',
        secretAccessKey: given?.SecretAccessKey ?? '',
        sessionToken: given?.SessionToken ?? '',
      };
      const asRole = { user: 'app', keys };
      await dev().psql(`CREATE ROLE app WITH LOGIN`);
      await dev().psql(`AWS IAM GRANT app TO '${ROLE_ARN}'`);

      // The mapping alone does not let it in: IAM has not allowed it yet.
      await expect(ask(asRole, 'SELECT 1')).rejects.toMatchObject({
        code: '08006',
        hint: expect.stringContaining('is not authorized to perform: dsql:DbConnect '),
      });
      const policy = statement({ Effect: 'Allow', Action: 'dsql:DbConnect', Resource: '*' });
      await dev().cli('iam', 'policy', 'put', 'in', '--role', ROLE, '--document', policy);
      expect(await ask(asRole, 'SELECT current_user')).toEqual([{ current_user: 'app' }]);
      await expect(ask({ user: 'admin', keys }, 'SELECT 1')).rejects.toMatchObject({
        hint: expect.stringContaining('is not authorized to perform: dsql:DbConnectAdmin '),
      });

      // Nothing of it works without the session token, or after the mapping has gone.
      const { sessionToken: _, ...bare } = keys;
      await expect(ask({ user: 'app', keys: bare }, 'SELECT 1')).rejects.toMatchObject({
        code: '08006',
      });
      const mappings = 'SELECT pg_role_name, arn FROM sys.iam_pg_role_mappings';
      expect(await dev().psql(mappings)).toBe(`app|${ROLE_ARN}`);
      await dev().psql(`AWS IAM REVOKE app FROM '${ROLE_ARN}'`);
      await expect(ask(asRole, 'SELECT 1')).rejects.toMatchObject({
        code: '08006',
        message: 'unable to accept connection, access denied',
      });
      await dev().psql('DROP ROLE app');
      await dev().cli('iam', 'role', 'delete', ROLE);
      sts.destroy();
    });
  });
}

const VERSION = { Version: '2012-10-17' };
