import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../../src/cli/run.ts';
import { endpoints } from '../../../../src/control/endpoints/all.ts';
import { AWS_ACCOUNT, TestAws } from '../../../support/aws-plane.ts';
import { eventually } from '../../../support/control.ts';
import { createDatabase } from '../../../support/pg.ts';

let aws: TestAws;

beforeAll(async () => {
  aws = await TestAws.start();
});

afterAll(async () => {
  await aws.stop();
});

async function millrace(words: readonly string[], env: Record<string, string> = {}) {
  const said = { out: '', err: '' };
  const terminal = {
    out: (text: string) => {
      said.out += text;
    },
    err: (text: string) => {
      said.err += text;
    },
    env: { MILLRACE_API_URL: aws.apiUrl, MILLRACE_API_TOKEN: aws.token, ...env },
    usesColor: false,
  };
  return { code: await runCli(words, terminal), ...said };
}

async function well(words: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { code, out, err } = await millrace(words, env);
  expect([code, code === 0 ? '' : err]).toEqual([0, '']);
  return out;
}

const account = ['--account-id', AWS_ACCOUNT];

describe('the commands of clusters', () => {
  // dsql §4.1, §4.18
  it('makes one on given servers, shows it, and deletes it', async () => {
    const database = await createDatabase();
    const urls = `${database.url}\n${database.url}`;
    const words = ['cluster', 'create', '--origin-urls', 'env:URLS', '--tags', 'a=b,c=d=e'];
    const made = JSON.parse(await well([...words, ...account, '--json'], { URLS: urls }));
    expect(made).toMatchObject({
      arn: `arn:aws:dsql:us-east-1:${AWS_ACCOUNT}:cluster/${made.id}`,
      endpoint: `${made.id}.dsql.us-east-1.on.aws`,
      tags: { a: 'b', c: 'd=e' },
      origin: 'given',
      deletion_protection: false,
    });
    expect(JSON.stringify(made)).not.toContain(new URL(database.url).password);
    await eventually(async () => {
      expect(await well(['cluster', 'get', made.id, ...account])).toMatch(/status +ACTIVE/);
    });
    const found = aws.clusters.find(made.id);
    expect(found !== null && found !== 'waking' && found.origins.length).toBe(2);
    expect(await well(['cluster', 'list', ...account])).toMatch(
      new RegExp(`^ID +STATUS.*\n${made.id} +ACTIVE +${made.id}\\.dsql.* given$`, 'm'),
    );
    // Another account has none of it.
    expect(await well(['cluster', 'list'])).not.toContain(made.id);
    expect((await millrace(['cluster', 'get', made.id])).err).toContain('There is no such cluster');
    await well(['cluster', 'delete', made.id, ...account]);
    await eventually(async () => {
      expect((await millrace(['cluster', 'get', made.id, ...account])).code).toBe(1);
    });
    await database.drop();
  });

  it('refuses to delete a protected one, and URLs that are none without quoting them', async () => {
    const words = ['cluster', 'create', '--deletion-protection', '--json', ...account];
    const { id } = JSON.parse(await well(words));
    const kept = await millrace(['cluster', 'delete', id, ...account]);
    expect([kept.code, kept.err]).toEqual([1, expect.stringContaining('deletion protection')]);
    const url = `mysql://u:${randomBytes(8).toString('hex')}@h/d`;
    const wrong = await millrace(['cluster', 'create', '--origin-urls', url, ...account]);
    expect(wrong.code).toBe(1);
    expect(wrong.err).not.toContain(url);
    expect((await well(['cluster', 'list', ...account])).split('\n')).toHaveLength(3);
  });

  it.each([
    [['cluster'], 'cluster is followed by create, list, get, delete'],
    [['iam', 'user'], 'iam user is followed by create, list, delete'],
    [['iam', 'user', 'creat'], 'did you mean iam user create?'],
    [['cluster', 'list', '--account-id', '1'], '--account-id must be twelve digits'],
    [['cluster', 'create', '--tags', 'x'], '--tags must be key=value pairs'],
    [['iam', 'policy', 'list'], 'either --user or --role'],
    [
      ['iam', 'role', 'create', 'x', '--trust-policy', '[]'],
      '--trust-policy must be a JSON object',
    ],
  ])('tells what is wrong with %j', async (words, problem) => {
    const { code, err } = await millrace(words);
    expect([code, err]).toEqual([2, expect.stringContaining(problem)]);
  });
});

describe('the own API', () => {
  // dsql §4.18
  it('lets a token that may read change nothing', async () => {
    const path = `${aws.apiUrl}/accounts/${'0'.repeat(32)}/millrace/tokens`;
    const admin = { authorization: `Bearer ${aws.token}` };
    const body = JSON.stringify({ name: 'reader', scope: 'read' });
    const minted = await fetch(path, { method: 'POST', headers: admin, body });
    const { value } = ((await minted.json()) as { result: { value: string } }).result;
    const headers = { authorization: `Bearer ${value}` };
    const users = `${aws.apiUrl}/accounts/${AWS_ACCOUNT}/iam/users`;
    expect((await fetch(users, { headers })).status).toBe(200);
    const made = await fetch(users, { method: 'POST', headers, body: '{"name":"x"}' });
    expect(made.status).toBe(403);
  });

  it('answers as its document says', async () => {
    const reply = async (method: string, path: string, body?: object) => {
      const response = await fetch(`${aws.apiUrl}/accounts/${AWS_ACCOUNT}${path}`, {
        method,
        headers: { authorization: `Bearer ${aws.token}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const { result, success } = (await response.json()) as { result: unknown; success: boolean };
      expect([success, path]).toEqual([true, path]);
      const row = endpoints.find(
        (one) =>
          one.method.toUpperCase() === method &&
          new RegExp(
            `^/accounts/[^/]+${one.path.replace('/accounts/{account_id}', '').replaceAll(/\{\w+\}/g, '[^/]+')}$`,
          ).test(`/accounts/x${path}`),
      );
      expect(row?.result.parse(result)).toEqual(result);
      return result as Record<string, string>;
    };
    const document = { Statement: { Effect: 'Allow', Action: 'dsql:*', Resource: '*' } };
    const trust_policy = {
      Statement: { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: '*' },
    };
    await reply('POST', '/iam/users', { name: 'documented' });
    await reply('GET', '/iam/users');
    const { id } = await reply('POST', '/iam/users/documented/keys');
    await reply('GET', '/iam/users/documented/keys');
    await reply('PUT', `/iam/users/documented/keys/${id}`, { status: 'Inactive' });
    await reply('PUT', '/iam/users/documented/policies/p', { document });
    await reply('GET', '/iam/users/documented/policies');
    await reply('DELETE', '/iam/users/documented/policies/p');
    await reply('DELETE', `/iam/users/documented/keys/${id}`);
    await reply('DELETE', '/iam/users/documented');
    await reply('POST', '/iam/roles', { name: 'documented', trust_policy });
    await reply('GET', '/iam/roles');
    await reply('GET', '/iam/roles/documented');
    await reply('PUT', '/iam/roles/documented/policies/p', { document });
    await reply('DELETE', '/iam/roles/documented');
    await reply('GET', '/dsql/clusters');
  });

  // The last one: whoever fails often is not heard for a while.
  it('lets nobody without a token near identities and clusters', async () => {
    const rows = endpoints.filter(({ path }) => /\/(iam|dsql)\//.test(path));
    const methods = new Map(rows.map(({ path, method }) => [path, method.toUpperCase()]));
    expect(methods.size).toBeGreaterThan(10);
    for (const [path, method] of methods) {
      const filled = path.replace('{account_id}', AWS_ACCOUNT).replaceAll(/\{\w+\}/g, 'x');
      const response = await fetch(aws.apiUrl + filled, { method });
      expect([response.status, path]).toEqual([401, path]);
    }
  });
});
