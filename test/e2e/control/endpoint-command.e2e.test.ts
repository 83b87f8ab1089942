/** `millrace config create --rds` and `--aurora`, from AWS to a configuration that is served. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AwsStandIn } from '../../support/aws.ts';
import { type CommandResult, run } from '../support/command.ts';
import { type Dev, devReady } from '../support/millrace.ts';
import { millrace, ROOT } from '../support/program.ts';

const PROGRAM = join(ROOT, 'dist/main.js');

let dir: string;
let dev: Dev;
let aws: AwsStandIn;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'millrace-endpoint-'));
  dev = await devReady(millrace(['dev', '--json', '--port', '0'], { cwd: dir }));
  const { hostname, port } = new URL(dev.originUrl);
  // What AWS tells of is the PostgreSQL of `dev`, so that what was found can be used.
  const place = `<Address>${hostname}</Address><Port>${port}</Port>`;
  aws = await AwsStandIn.start();
  aws.keys.set('AKIAFIND', { secretKey: 'find', session: null });
  aws.instances.set(
    'single',
    `<Engine>postgres</Engine><DBInstanceStatus>available</DBInstanceStatus>
    <DBName>demo</DBName><PubliclyAccessible>true</PubliclyAccessible>
    <Endpoint>${place}</Endpoint>`,
  );
  aws.instances.set(
    'shop-1',
    `<Engine>aurora-postgresql</Engine><PubliclyAccessible>false</PubliclyAccessible>
    <DBClusterIdentifier>shop</DBClusterIdentifier>`,
  );
  aws.clusters.set(
    'shop',
    `<Engine>aurora-postgresql</Engine><Status>available</Status><DatabaseName>demo</DatabaseName>
    <Endpoint>${hostname}</Endpoint><Port>${port}</Port><DBClusterMembers><DBClusterMember>
    <DBInstanceIdentifier>shop-1</DBInstanceIdentifier><IsClusterWriter>true</IsClusterWriter>
    </DBClusterMember></DBClusterMembers>`,
  );
});

afterAll(async () => {
  aws?.close();
  await dev?.program.stop();
  await rm(dir, { recursive: true, force: true });
});

function create(args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
  const url = new URL(dev.originUrl);
  const env = {
    AWS_ACCESS_KEY_ID: 'AKIAFIND',
    AWS_SECRET_ACCESS_KEY: 'find',
    AWS_ENDPOINT_URL_RDS: aws.url,
    AWS_MAX_ATTEMPTS: '1',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/nowhere/config',
    AWS_SHARED_CREDENTIALS_FILE: '/nowhere/credentials',
    PW: decodeURIComponent(url.password),
    ...more,
  };
  const who = ['--origin-user', url.username, '--origin-password', 'env:PW'];
  const where = ['--region', 'eu-central-1', '--sslmode', 'disable'];
  const argv = [PROGRAM, 'config', 'create', ...args, ...who, ...where];
  return run(process.execPath, argv, { cwd: dir, env });
}

async function ask(text: string): Promise<unknown> {
  const snippet = JSON.parse(text.slice(text.indexOf('{\n  "hyperdrive"'))) as {
    hyperdrive: { localConnectionString: string }[];
  };
  const url = snippet.hyperdrive[0]?.localConnectionString ?? '';
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query('SELECT current_database() AS name')).rows;
  } finally {
    await client.end();
  }
}

describe('millrace config create', () => {
  it.each([
    ['single', ['--rds', 'single'], ['DescribeDBInstances'], 'no security group is active'],
    [
      'cluster',
      ['--aurora', 'shop'],
      ['DescribeDBClusters', 'DescribeDBInstances'],
      'it is not publicly accessible',
    ],
  ])('asks AWS for the endpoint of %s, and serves it', async (name, args, asked, note) => {
    aws.asked.length = 0;
    const { code, stdout, stderr } = await create([name, ...args]);
    const { hostname, port } = new URL(dev.originUrl);
    expect(code).toBe(0);
    expect(stderr).toContain(`found ${hostname}:${port}\n`);
    expect(stderr).toContain(`millrace: note: ${note}`);
    expect(aws.asked).toEqual(asked);
    expect(await ask(stdout)).toEqual([{ name: 'demo' }]);
  });

  it('makes nothing when AWS cannot be asked, and says what to do', async () => {
    const noCredentials = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };
    for (const [args, env, why] of [
      [['--rds', 'nobody'], {}, 'there is none of this name in that region'],
      [['--rds', 'shop-1'], {}, 'use --aurora shop'],
      [['--aurora', 'shop'], noCredentials, 'no credentials for AWS were found'],
      [['--aurora', 'shop', '--profile', 'nosuch'], {}, 'the profile nosuch has no credentials'],
    ] as const) {
      const { code, stdout, stderr } = await create(['never', ...args], env);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toContain(why);
      expect(stderr).toContain('--origin-host');
      expect(stderr).not.toMatch(/\([^)]*\(/);
    }
    const listed = await run(process.execPath, [PROGRAM, 'config', 'list'], { cwd: dir });
    expect(listed.stdout).not.toContain('never');
  });
});
