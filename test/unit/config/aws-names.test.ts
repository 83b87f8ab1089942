import { X509Certificate } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import type { OriginConfig } from '../../../src/config/model.ts';
import { ConfigError } from '../../../src/config/problems.ts';
import { workspace } from './workspace.ts';

const directories: string[] = [];

afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
});

/** The origin with these keys, or what is wrong with them. */
async function originOf(lines: string): Promise<OriginConfig | string[]> {
  const directory = await workspace(`
[[configurations]]
name = "app"
[configurations.origin]
database = "app"
user = "app"
${lines}
[[configurations.credentials]]
user = "web"
password = "pw"
`);
  directories.push(directory);
  try {
    const { config } = await loadConfig(join(directory, 'millrace.toml'), {});
    return config.configurations[0]?.origin as OriginConfig;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ what, fix }) => `${what}; ${fix}`);
  }
}

const namesIn = (pem: string | null): string[] =>
  (pem?.match(/-----BEGIN[\s\S]*?END CERTIFICATE-----/g) ?? []).map(
    (block) => /^CN=(.*)$/m.exec(new X509Certificate(block).subject)?.[1] ?? '',
  );

const RDS = 'db.xyz123.eu-central-1.rds.amazonaws.com';
const ROOTS = ['RSA2048', 'RSA4096', 'ECC384'].map(
  (key) => `Amazon RDS eu-central-1 Root CA ${key} G1`,
);

describe('the host of an origin', () => {
  it.each([
    [RDS, 'rds'],
    ['db.cluster-ro-xyz123.eu-central-1.rds.amazonaws.com', 'aurora'],
  ])('%s is verified in full, by the roots of its region', async (host, kind) => {
    const origin = (await originOf(`host = "${host}"`)) as OriginConfig;
    expect(origin).toMatchObject({ kind, sslmode: 'verify-full', tlsServerName: null });
    expect(namesIn(origin.ca).toSorted()).toEqual(ROOTS.toSorted());
  });

  it.each([
    ['front.proxy-xyz123.eu-central-1.rds.amazonaws.com', 'rds-proxy'],
    ['abcdefghijklmnopqrstuvwxyz.dsql.us-east-1.on.aws', 'dsql'],
  ])('%s is verified in full, by the public roots', async (host, kind) => {
    expect(await originOf(`host = "${host}"`)).toMatchObject({
      kind,
      sslmode: 'verify-full',
      ca: null,
    });
  });

  it('of a URL tells the same', async () => {
    const directory = await workspace('');
    directories.push(directory);
    const { parseOriginUrl } = await import('../../../src/config/resolve-origin.ts');
    const { origin } = await parseOriginUrl(`postgres://app:pw@${RDS}/app`, directory);
    expect(origin).toMatchObject({ kind: 'rds', sslmode: 'verify-full' });
    expect(namesIn(origin.ca)).toHaveLength(3);
  });

  it('does not overrule what the configuration says', async () => {
    expect(await originOf(`host = "${RDS}"\nsslmode = "require"`)).toMatchObject({
      sslmode: 'require',
      ca: null,
    });
    const own = (await originOf(`host = "${RDS}"\nca = "cert.pem"`)) as OriginConfig;
    expect(namesIn(own.ca)).toHaveLength(1);
    expect(await originOf(`host = "${RDS}"\nkind = "postgres"`)).toMatchObject({
      kind: 'postgres',
      sslmode: 'prefer',
      ca: null,
    });
    expect(await originOf('host = "db.example.com"')).toMatchObject({
      kind: 'postgres',
      sslmode: 'prefer',
      ca: null,
    });
  });

  it('may be a CNAME or a tunnel, when the name of the endpoint is given', async () => {
    const origin = (await originOf(
      `host = "127.0.0.1"\nport = 15432\ntls_server_name = "${RDS}"`,
    )) as OriginConfig;
    expect(origin).toMatchObject({ kind: 'rds', sslmode: 'verify-full', tlsServerName: RDS });
    expect(namesIn(origin.ca)).toHaveLength(3);
    expect(
      await originOf('host = "db.example.com"\nkind = "rds"\naws_region = "eu-central-1"'),
    ).toEqual([
      'db.example.com is not a name that AWS has certificates for; ' +
        'give the name of the endpoint as tls_server_name',
    ]);
  });

  it('in a part of AWS whose authorities are not shipped needs them to be given', async () => {
    const host = 'db.xyz123.us-gov-west-1.rds.amazonaws.com';
    expect(await originOf(`host = "${host}"`)).toEqual([
      'no certificate authorities are shipped for RDS in us-gov-west-1; ' +
        'give ca, a PEM file, or aws_region if it is wrong',
    ]);
    expect(await originOf(`host = "${host}"\nca = "cert.pem"`)).toMatchObject({ kind: 'rds' });
    expect(await originOf(`host = "${host}"\nsslmode = "require"`)).toMatchObject({ ca: null });
    expect(await originOf('host = "h"\nkind = "rds"\ntls_server_name = "h"')).toEqual([
      'the region of the origin is not known, and so not its certificate authorities; ' +
        'give ca, a PEM file, or aws_region if it is wrong',
    ]);
  });
});

describe('the instances of a cluster', () => {
  it('lead from the endpoint of a writer, and from no other without being given', async () => {
    const at = '.xyz123.eu-central-1.rds.amazonaws.com';
    const writer = RDS.replace('db.', 'db.cluster-');
    const patternOf = async (lines: string): Promise<string | null> =>
      ((await originOf(lines)) as OriginConfig).instanceHostPattern;
    expect(await patternOf(`host = "${writer}"`)).toBe(`?${at}`);
    expect(await patternOf(`host = "${writer.replace('cluster-', 'cluster-ro-')}"`)).toBeNull();
    expect(await patternOf(`host = "${RDS}"`)).toBeNull();
    expect(await patternOf(`host = "127.0.0.1"\ntls_server_name = "${writer}"`)).toBeNull();
    const own = `host = "db.example.com"\ntls_server_name = "${writer}"`;
    expect(await patternOf(`${own}\ninstance_host_pattern = "?${at}"`)).toBe(`?${at}`);
  });
});

describe('a name that does not stay', () => {
  const warningsOf = async (name: string): Promise<readonly string[]> => {
    const directory = await workspace(`
[[configurations]]
name = "app"
[configurations.origin]
url = "postgres://app:pw@${name}.xyz123.eu-central-1.rds.amazonaws.com/app"
[[configurations.credentials]]
user = "web"
password = "pw"
`);
    directories.push(directory);
    return (await loadConfig(join(directory, 'millrace.toml'), {})).warnings;
  };

  it('of either side of a blue/green deployment is warned of', async () => {
    expect(await warningsOf('db-green-a1b2c3')).toEqual([
      expect.stringContaining(
        'is of the green side of a blue/green deployment; it loses this name',
      ),
    ]);
    expect(await warningsOf('db-old1')).toEqual([
      expect.stringContaining('has replaced; give the name without -old'),
    ]);
    expect(await warningsOf('db')).toEqual([]);
  });

  it('of a global database is verified in full, and needs its region or authorities', async () => {
    const host = 'host = "world.global-xyz123.global.rds.amazonaws.com"';
    expect(await originOf(host)).toEqual([
      expect.stringContaining('the region of the origin is not known'),
    ]);
    const origin = (await originOf(`${host}\naws_region = "eu-central-1"`)) as OriginConfig;
    expect(origin).toMatchObject({
      kind: 'aurora',
      sslmode: 'verify-full',
      instanceHostPattern: null,
    });
    expect(namesIn(origin.ca)).toHaveLength(3);
  });
});

describe('the roots of RDS that are shipped', () => {
  it('are roots, of no preview, three for each region, and good for years', async () => {
    const pem = await readFile(new URL('../../../data/rds-roots.pem', import.meta.url), 'utf8');
    const blocks = pem.match(/-----BEGIN[\s\S]*?END CERTIFICATE-----/g) ?? [];
    const regions = new Map<string, number>();
    const soonMs = Date.now() + 3 * 365 * 86_400_000;
    for (const block of blocks) {
      const root = new X509Certificate(block);
      expect(root.ca && root.verify(root.publicKey)).toBe(true);
      expect(Date.parse(root.validTo)).toBeGreaterThan(soonMs);
      const [, region = ''] = /CN=Amazon RDS (\S+) Root CA/.exec(root.subject) ?? [];
      expect(pem).toContain(`# Amazon RDS ${region} Root CA`);
      regions.set(region, (regions.get(region) ?? 0) + 1);
    }
    expect(regions.size).toBeGreaterThanOrEqual(34);
    expect(new Set(regions.values())).toEqual(new Set([3]));
  });
});

describe('dns_servers', () => {
  const at = (servers: string): string => `host = "${RDS}"\ndns_servers = ${servers}`;

  it('are addresses, with or without ports', async () => {
    const servers = ['10.0.0.2', '10.0.0.2:5353', 'fd00::2', '[fd00::2]', '[fd00::2]:53'];
    expect(await originOf(at(JSON.stringify(servers)))).toMatchObject({ dnsServers: servers });
    expect(await originOf(`host = "${RDS}"`)).toMatchObject({ dnsServers: null });
  });

  // Node takes some of these for other ones, and aborts at the port 0.
  it.each([
    '[]',
    '"10.0.0.2"',
    '["resolver.example.com"]',
    '["10.0.0"]',
    '["10.0.0.256"]',
    '["10.0.0.2:0"]',
    '["10.0.0.2:65536"]',
    '["10.0.0.2:"]',
    '["fd00::2::3"]',
    '["[fd00::2"]',
    '["[10.0.0.2]:53"]',
    '["10.0.0.2, 10.0.0.3"]',
  ])('are refused as %s', async (servers) => {
    const [problem] = (await originOf(at(servers))) as string[];
    expect(problem).toMatch(/must be .*IP addresses/);
  });
});
