import { afterEach, expect, it, vi } from 'vitest';
import { type PresignedToken, readToken, refuseToken } from '../../../src/aws/presigned-token.ts';
import { runCli } from '../../../src/cli/run.ts';

const RDS = 'db.xyz.eu-central-1.rds.amazonaws.com';
const CLUSTER = 'abcdefghijklmnopqrstuvwxyz.dsql.us-east-1.on.aws';

afterEach(() => {
  vi.unstubAllEnvs();
});

async function run(...argv: string[]) {
  const said = { out: '', err: '' };
  const exitCode = await runCli(['token', ...argv], {
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
    env: {},
    usesColor: false,
  });
  return { ...said, exitCode };
}

it.each([
  ['rds', RDS, ['--port', '6000'], 'rds-db', `${RDS}:6000`, 'eu-central-1', 'connect'],
  ['rds', RDS, [], 'rds-db', `${RDS}:5432`, 'eu-central-1', 'connect'],
  ['dsql', CLUSTER, [], 'dsql', CLUSTER, 'us-east-1', 'DbConnect'],
  ['dsql', 'db.test', ['--region', 'us-east-2'], 'dsql', 'db.test', 'us-east-2', 'DbConnect'],
] as const)(
  'token %s prints a token for %s %j',
  async (kind, host, more, service, signed, region, action) => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIATOKEN');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    const { out, err, exitCode } = await run(kind, '--host', host, '--user', 'joe', ...more);
    expect([err, exitCode]).toEqual(['', 0]);
    const token = readToken(out.trimEnd()) as PresignedToken;
    expect(token.action).toBe(action);
    const key = { secretKey: 'secret', session: null };
    const demand = { hosts: [signed], service, region, key, nowMs: Date.now() };
    expect(refuseToken(token, demand)).toBeNull();
  },
);

it.each([
  [['mysql', '--host', RDS, '--user', 'joe'], 'a token is for rds or for dsql'],
  [['rds', '--host', CLUSTER, '--user', 'joe'], 'the host is not one of rds'],
  [['dsql', '--host', RDS, '--user', 'joe'], 'the host is not one of dsql'],
  [['rds', '--host', 'db.test', '--user', 'joe'], '--region is missing'],
  [['dsql', '--host', CLUSTER, '--user', 'joe', '--port', '1'], '--port is not part'],
  [['rds', '--host', RDS], 'option --user is missing'],
])('token %j tells what is wrong', async (argv, what) => {
  const { out, err, exitCode } = await run(...argv);
  expect([out, exitCode]).toEqual(['', 2]);
  expect(err).toContain(what);
});

it.each([
  ['rds', RDS, ['--region', 'us-west-1'], 'no credentials for AWS were found: set them'],
  ['dsql', CLUSTER, ['--region', 'us-west-2'], 'no credentials for AWS were found: set them'],
  ['rds', RDS, ['--profile', 'nosuch'], 'the profile nosuch has no credentials for AWS: set them'],
] as const)(
  'token %s for %s %j without credentials says what to do',
  async (kind, host, more, why) => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) {
      vi.stubEnv(name, '');
    }
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    vi.stubEnv('AWS_CONFIG_FILE', '/nowhere/config');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere/credentials');
    const { out, err, exitCode } = await run(kind, '--host', host, '--user', 'joe', ...more);
    expect([out, exitCode]).toEqual(['', 1]);
    expect(err).toContain(`millrace: no token can be signed: ${why}`);
    expect(err).toContain('AWS_ACCESS_KEY_ID');
    expect(err).not.toContain('aws_profile');
  },
);
