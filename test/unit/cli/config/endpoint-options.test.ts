import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { withEndpoint } from '../../../../src/cli/config/endpoint-options.ts';
import { configurationBody } from '../../../../src/cli/config/origin-options.ts';
import { failureTexts } from '../../../../src/cli/failure.ts';
import type { Terminal } from '../../../../src/cli/terminal.ts';
import { AwsStandIn } from '../../../support/aws.ts';

let aws: AwsStandIn;
let said = '';
const terminal: Terminal = {
  out: () => {},
  err: (text) => {
    said += text;
  },
  env: {},
  usesColor: false,
};

const endpoint = (host: string): string =>
  `<Endpoint><Address>${host}</Address><Port>5433</Port></Endpoint>`;
const GROUPS = `<VpcSecurityGroups><VpcSecurityGroupMembership>
  <VpcSecurityGroupId>sg-1</VpcSecurityGroupId><Status>active</Status>
  </VpcSecurityGroupMembership></VpcSecurityGroups>`;
const member = (name: string, isWriter: boolean): string => `<DBClusterMember>
  <DBInstanceIdentifier>${name}</DBInstanceIdentifier><IsClusterWriter>${isWriter}</IsClusterWriter>
  </DBClusterMember>`;

const INSTANCE = 'db.abc123.eu-central-1.rds.amazonaws.com';
const WRITER = 'shop.cluster-abc123.eu-central-1.rds.amazonaws.com';

beforeAll(async () => {
  aws = await AwsStandIn.start();
  aws.instances.set(
    'db',
    `<Engine>postgres</Engine><DBInstanceStatus>available</DBInstanceStatus><DBName>shop</DBName>
    <PubliclyAccessible>true</PubliclyAccessible>${endpoint(INSTANCE)}${GROUPS}`,
  );
  aws.instances.set('mine', `<Engine>mysql</Engine>${endpoint(INSTANCE)}`);
  aws.instances.set(
    'new',
    '<Engine>postgres</Engine><DBInstanceStatus>creating</DBInstanceStatus>',
  );
  aws.instances.set(
    'shop-1',
    `<Engine>aurora-postgresql</Engine><DBClusterIdentifier>shop</DBClusterIdentifier>
    <PubliclyAccessible>false</PubliclyAccessible>${endpoint(INSTANCE)}`,
  );
  aws.clusters.set(
    'shop',
    `<Engine>aurora-postgresql</Engine><Status>failing-over</Status><Port>5433</Port>
    <Endpoint>${WRITER}</Endpoint><ReaderEndpoint>no.cluster-ro-x</ReaderEndpoint>
    <DBClusterMembers>${member('shop-2', false)}${member('shop-1', true)}</DBClusterMembers>`,
  );
});

beforeEach(() => {
  aws.keys.set('AKIAFIND', { secretKey: 'find', session: null });
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAFIND');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'find');
  vi.stubEnv('AWS_ENDPOINT_URL_RDS', aws.url);
  vi.stubEnv('AWS_MAX_ATTEMPTS', '1');
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_CONFIG_FILE', '/nowhere/config');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere/credentials');
  said = '';
  aws.mayDescribe = true;
});

afterEach(() => {
  vi.unstubAllEnvs();
});

afterAll(() => {
  aws.close();
});

const body = async (args: Parameters<typeof withEndpoint>[0]): Promise<unknown> =>
  configurationBody(await withEndpoint(args, terminal), terminal);

const failure = async (args: Parameters<typeof withEndpoint>[0]): Promise<string> =>
  withEndpoint(args, terminal).then(
    () => 'found',
    (error: unknown) => failureTexts(error).join(),
  );

describe('the endpoint of a database at AWS', () => {
  it('of an instance is asked for, with its port and the database that was made with it', async () => {
    const args = { rds: 'db', region: 'eu-central-1', 'origin-user': 'web' };
    expect(await body(args)).toEqual({
      origin: { host: INSTANCE, port: 5433, database: 'shop', user: 'web' },
    });
    expect(said).toBe(
      `found ${INSTANCE}:5433\n` +
        'millrace: note: an inbound rule of sg-1 must allow the gateway to reach port 5433\n',
    );
    expect(aws.asked).toEqual(['DescribeDBInstances']);
  });

  it('of a cluster is that of type Writer, and what may be in the way is told', async () => {
    const args = { aurora: 'shop', region: 'eu-central-1', database: 'other' };
    expect(await body(args)).toEqual({ origin: { host: WRITER, port: 5433, database: 'other' } });
    expect(said).toContain('its status is failing-over');
    expect(said).toContain('it is not publicly accessible');
    expect(said).toContain('no security group is active');
  });

  it('is looked for in the region of the environment', async () => {
    vi.stubEnv('AWS_REGION', 'eu-central-1');
    expect(await failure({ rds: 'db' })).toBe('found');
  });

  it.each([
    [{ rds: 'shop-1' }, 'use --aurora shop'],
    [{ rds: 'mine' }, 'its engine is mysql'],
    [{ rds: 'new' }, 'its status is creating'],
    [{ rds: 'nobody' }, 'there is none of this name'],
    [{ aurora: 'nobody' }, 'there is none of this name'],
  ])('is not there for %o, and it is said why', async (args, reason) => {
    const text = await failure({ ...args, region: 'eu-central-1' });
    expect(text).toContain(reason);
    expect(text).toContain('Connectivity & security');
  });

  it('is found by hand where AWS cannot be asked, and it is said where to look', async () => {
    const args = { aurora: 'shop', region: 'eu-central-1' };
    aws.mayDescribe = false;
    expect(await failure(args)).toContain('rds:DescribeDBClusters');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'wrong');
    expect(await failure(args)).toContain('SignatureDoesNotMatch');
    vi.stubEnv('AWS_ACCESS_KEY_ID', '');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', '');
    const text = await failure(args);
    expect(text).toContain('no credentials for AWS were found');
    expect(text).toContain('of type Writer');
    expect(text).not.toMatch(/\([^)]*\(/);
    expect(await failure({ ...args, profile: 'nobody' })).toContain(
      'the profile nobody has no credentials for AWS: set them, or log in anew',
    );
  });

  it('needs a region', async () => {
    vi.stubEnv('AWS_REGION', undefined);
    expect(await failure({ rds: 'db' })).toContain('give --region');
  });

  it.each([
    [{ rds: 'a', aurora: 'b' }, '--rds and --aurora exclude each other'],
    [{ rds: 'a', 'origin-host': 'h' }, '--rds and --origin-host exclude each other'],
    [{ aurora: 'a', 'connection-string': 'x' }, 'exclude each other'],
    [{ region: 'r' }, '--region needs --rds or --aurora'],
    [{ profile: 'p' }, '--profile needs --rds or --aurora'],
  ])('is not asked for when options contradict each other: %o', async (args, text) => {
    expect(await failure(args)).toContain(text);
  });

  it('is asked for by nobody who does not want it', async () => {
    const args = { 'origin-host': 'h', 'origin-port': '1' };
    expect(await withEndpoint(args, terminal)).toBe(args);
  });
});
