import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problems.ts';
import { workspace } from './workspace.ts';

const directories: string[] = [];

afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
});

/** The origin with these keys and what is warned of, or what is wrong with them. */
async function load(lines: string, user = 'user = "app"') {
  const directory = await workspace(`
[[configurations]]
name = "app"
[configurations.origin]
${lines}
${user}
[[configurations.credentials]]
user = "web"
verifier = "env:V"
`);
  directories.push(directory);
  const V = `SCRAM-SHA-256$4096:c2FsdA==$${'a'.repeat(43)}=:${'b'.repeat(43)}=`;
  try {
    const { config, warnings } = await loadConfig(join(directory, 'millrace.toml'), { V });
    return { origin: config.configurations[0]?.origin, warnings, problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { problems: error.problems.map(({ what, fix }) => `${what}; ${fix}`) };
  }
}

const RDS = 'db.xyz123.eu-central-1.rds.amazonaws.com';
const CLUSTER = 'abcdefghijklmnopqrstuvwxyz.dsql.us-east-1.on.aws';
const ARN = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-AbCdEf';
const NOBODY = { profile: null, roleArn: null, externalId: null };
const at = (host: string, ...lines: string[]) =>
  [`host = "${host}"`, 'database = "postgres"', ...lines].join('\n');

describe('auth = "rds-iam"', () => {
  it('signs for the host, its region and port', async () => {
    const { origin } = await load(at(RDS, 'auth = "rds-iam"', 'port = 5433'));
    const auth = { method: 'rds-iam', host: RDS, port: 5433, region: 'eu-central-1', ...NOBODY };
    expect(origin).toMatchObject({ auth, sslmode: 'verify-full', password: null });
  });

  it('signs for the endpoint behind a tunnel, and is verified by its name', async () => {
    const tunnel = ['auth = "rds-iam"', 'port = 15432', `iam_host = "${RDS}"`];
    const { origin, warnings } = await load(at('127.0.0.1', ...tunnel, 'iam_port = 5432'));
    expect(origin).toMatchObject({
      kind: 'rds',
      host: '127.0.0.1',
      port: 15_432,
      tlsServerName: RDS,
      auth: { host: RDS, port: 5432, region: 'eu-central-1' },
    });
    expect(warnings).toEqual([]);
    expect((await load(at('127.0.0.1', ...tunnel))).warnings).toEqual([
      expect.stringContaining(
        'tokens are signed for port 15432, which looks like that of a tunnel',
      ),
    ]);
  });

  it('takes a role and a profile', async () => {
    const lines = [
      'aws_profile = "shop"',
      'aws_role_arn = "arn:aws:iam::123456789012:role/db"',
      'aws_external_id = "x"',
    ];
    const { origin } = await load(at(RDS, 'auth = "rds-iam"', ...lines));
    expect(origin?.auth).toMatchObject({
      profile: 'shop',
      roleArn: 'arn:aws:iam::123456789012:role/db',
      externalId: 'x',
    });
  });

  it.each([
    [
      'without the name of the endpoint',
      at('db.example.com', 'sslmode = "verify-full"'),
      'give iam_host',
    ],
    ['without its region', at('h', 'sslmode = "verify-full"', 'iam_host = "h"'), 'give aws_region'],
    ...['disable', 'allow', 'prefer'].map((mode) => [
      `with sslmode ${mode}`,
      at(RDS, `sslmode = "${mode}"`),
      'would send a token without TLS',
    ]),
    [
      'with channel binding',
      at(RDS, 'channel_binding = "require"'),
      'channel_binding "require" cannot be',
    ],
    ['with a password', at(RDS, 'password = "p"'), 'auth is "rds-iam"'],
    ['with a secret', at(RDS, `secret_id = "${ARN}"`), 'is not for auth "rds-iam"'],
    ['for a cluster of DSQL', at(CLUSTER), 'set auth = "dsql-iam"'],
    ['with an external ID alone', at(RDS, 'aws_external_id = "x"'), 'give aws_role_arn'],
  ])('is refused %s', async (_what, lines, problem) => {
    const { problems } = await load(`${lines}\nauth = "rds-iam"`);
    expect(problems).toEqual([expect.stringContaining(problem)]);
  });

  it('is refused with a password in the URL', async () => {
    const url = `url = "postgres://app:pw@${RDS}/app"\nauth = "rds-iam"`;
    expect((await load(url, '')).problems).toEqual([expect.stringContaining('take it out')]);
    const { origin } = await load(url.replace(':pw', ''), '');
    expect(origin?.auth).toMatchObject({ method: 'rds-iam', host: RDS });
  });

  it('is warned of where the server is not verified', async () => {
    const { warnings } = await load(at(RDS, 'auth = "rds-iam"', 'sslmode = "require"'));
    expect(warnings).toEqual([expect.stringContaining('sends tokens to whoever answers')]);
  });
});

describe('auth = "dsql-iam"', () => {
  it('signs for the cluster, without a port', async () => {
    const { origin } = await load(at(CLUSTER, 'auth = "dsql-iam"'));
    expect(origin?.auth).toEqual({
      method: 'dsql-iam',
      host: CLUSTER,
      region: 'us-east-1',
      ...NOBODY,
    });
    const { problems } = await load(at(CLUSTER, 'auth = "dsql-iam"', 'iam_port = 5432'));
    expect(problems).toEqual(['is not for auth "dsql-iam"; leave it out, or set auth']);
  });
});

describe('auth = "secrets-manager"', () => {
  const lines = ['auth = "secrets-manager"', `secret_id = "${ARN}"`];

  it('takes the user from the secret, and the region from its ARN', async () => {
    const { origin } = await load(at(RDS, ...lines), '');
    expect(origin).toMatchObject({ user: '', password: null });
    expect(origin?.auth).toEqual({
      method: 'secrets-manager',
      secretId: ARN,
      region: 'eu-west-1',
      usernameKey: 'username',
      passwordKey: 'password',
      ...NOBODY,
    });
    const named = at(RDS, 'auth = "secrets-manager"', 'secret_id = "shop"');
    expect((await load(named, '')).origin?.auth).toMatchObject({ region: 'eu-central-1' });
  });

  it('is refused with a user, without a secret, and without a region', async () => {
    expect((await load(at(RDS, ...lines))).problems).toEqual([
      'the secret says who logs in; leave it out',
    ]);
    expect((await load(at(RDS, 'auth = "secrets-manager"'), '')).problems).toEqual([
      'secret_id is missing; give the ARN or the name',
    ]);
    const plain = at('db.example.com', 'auth = "secrets-manager"', 'secret_id = "shop"');
    expect((await load(plain, '')).problems).toEqual([
      'the region of the secret is not known; give its ARN, or aws_region',
    ]);
    const url = `url = "postgres://app@${RDS}/app"\n${lines.join('\n')}`;
    expect((await load(url, '')).problems).toEqual(['the secret says who logs in; leave it out']);
  });
});

it('keys that the method of auth does not read are refused', async () => {
  const { problems } = await load(at(RDS, 'aws_profile = "x"', 'password = "p"'));
  expect(problems).toEqual(['is not for auth "password"; leave it out, or set auth']);
});
