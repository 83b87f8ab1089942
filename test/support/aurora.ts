/** A gateway in front of a stand-in for an Aurora cluster, for the tests of failovers. */
import pg from 'pg';
import { silentLog } from '../../src/base/log.ts';
import type { OriginConfig } from '../../src/config/model.ts';
import {
  AuroraCluster,
  type AuroraInstance,
  type AuroraOptions,
} from '../../src/embedded/aurora/aurora-cluster.ts';
import { type GatewayOptions, TestGateway } from './gateway.ts';

const DATABASE = 'demo';
const OWNER = { user: 'app', password: 'app-of-the-test' };

/** Names that move at once, and nobody waits before a reader is promoted. */
const QUICK = {
  superuser: { user: 'rdsadmin', password: 'adm1n-of-the-test' },
  demo: OWNER,
  delays: { dnsMs: 0, promotionMs: 0, repointMs: 0 },
  log: silentLog,
} as const satisfies AuroraOptions;

export function startCluster(options: Partial<AuroraOptions> = {}): Promise<AuroraCluster> {
  return AuroraCluster.start({ ...QUICK, ...options });
}

/** The cluster as an origin that is recognised by its name. */
export function originOf(cluster: AuroraCluster): Partial<OriginConfig> {
  const [, ...domain] = (cluster.instances[0]?.host ?? '').split('.');
  return {
    kind: 'aurora',
    host: cluster.writerEndpoint,
    port: cluster.port,
    instanceHostPattern: ['?', ...domain].join('.'),
    dnsServers: [cluster.dnsServer],
    sslmode: 'verify-full',
    ca: cluster.ca,
  };
}

export function startGateway(
  cluster: AuroraCluster,
  options: GatewayOptions = {},
): Promise<TestGateway> {
  const { user, password } = OWNER;
  const url = `postgres://${user}:${password}@${cluster.writerEndpoint}:${cluster.port}/${DATABASE}`;
  const database = { name: DATABASE, url, drop: () => Promise.resolve() };
  const origin = { ...originOf(cluster), ...options.origin };
  return TestGateway.start({ links: 4, ...options, origin }, database);
}

/** What one server answers to its superuser. */
export async function askInstance(
  { port, superuser }: AuroraCluster,
  { address }: AuroraInstance,
  sql: string,
  database = DATABASE,
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ ...superuser, host: address, port, database });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
