/** Asks AWS for the endpoint of a database, where its guide has a person look in the console. */
import type { DBInstance, RDSClient, VpcSecurityGroupMembership } from '@aws-sdk/client-rds';
import { GatewayError } from '../base/errors.ts';
import { withoutCredentials } from './aws-credentials.ts';

/** Over each question. */
const TIMEOUT_MS = 15_000;

/** Where AWS is asked, and as whom; null for what the SDK finds by itself. */
export type AwsPlace = { readonly region: string | null; readonly profile: string | null };

export type FoundEndpoint = {
  readonly host: string;
  readonly port: number;
  /** The database that was made with it, if any. */
  readonly database: string | null;
  /** For people: what may keep a connection from it. */
  readonly warnings: readonly string[];
};

/**
 * The endpoint of an instance of RDS.
 *
 * @throws GatewayError `MR_ENDPOINT_UNKNOWN`, which says what to do
 */
export async function findInstance(name: string, place: AwsPlace): Promise<FoundEndpoint> {
  return await asking(name, place, async (client, sdk) => {
    const instance = await instanceOf(client, sdk, name);
    const { DBClusterIdentifier: cluster, Endpoint: endpoint, Engine: engine } = instance;
    if (cluster !== undefined) {
      // The cluster's endpoint goes on to lead to the writer when another one becomes it.
      throw unknown(name, `it is a member of the cluster ${cluster}: use --aurora ${cluster}`);
    }
    checkEngine(name, engine);
    const { Address: host, Port: port } = endpoint ?? {};
    if (host === undefined || port === undefined) throw noEndpoint(name, instance.DBInstanceStatus);
    const warnings = [
      ...ofStatus(instance.DBInstanceStatus),
      ...ofAccess(instance.PubliclyAccessible),
      ...ofGroups(instance.VpcSecurityGroups, port),
    ];
    return { host, port, database: instance.DBName ?? null, warnings };
  });
}

/**
 * The endpoint of type Writer of a cluster of Aurora, or of a Multi-AZ cluster of RDS.
 *
 * @throws GatewayError `MR_ENDPOINT_UNKNOWN`
 */
export async function findCluster(name: string, place: AwsPlace): Promise<FoundEndpoint> {
  return await asking(name, place, async (client, sdk) => {
    const command = new sdk.DescribeDBClustersCommand({ DBClusterIdentifier: name });
    const { DBClusters: found = [] } = await client.send(command, deadline());
    const [cluster] = found;
    if (cluster === undefined) throw unknown(name, 'there is no such cluster');
    checkEngine(name, cluster.Engine);
    const { Endpoint: host, Port: port } = cluster;
    if (host === undefined || port === undefined) throw noEndpoint(name, cluster.Status);
    const writer = cluster.DBClusterMembers?.find(({ IsClusterWriter: is }) => is === true);
    const writerName = writer?.DBInstanceIdentifier;
    // Of an Aurora cluster only its instances say whether they have a public address.
    const isPublic =
      cluster.PubliclyAccessible ??
      (writerName === undefined
        ? undefined
        : (await instanceOf(client, sdk, writerName)).PubliclyAccessible);
    const warnings = [
      ...(writer === undefined ? ['the cluster has no writer now'] : []),
      ...ofStatus(cluster.Status),
      ...ofAccess(isPublic),
      ...ofGroups(cluster.VpcSecurityGroups, port),
    ];
    return { host, port, database: cluster.DatabaseName ?? null, warnings };
  });
}

type Sdk = typeof import('@aws-sdk/client-rds');

async function instanceOf(client: RDSClient, sdk: Sdk, name: string): Promise<DBInstance> {
  const command = new sdk.DescribeDBInstancesCommand({ DBInstanceIdentifier: name });
  const { DBInstances: found = [] } = await client.send(command, deadline());
  const [instance] = found;
  if (instance === undefined) throw unknown(name, 'there is no such instance');
  return instance;
}

async function asking(
  name: string,
  { region, profile }: AwsPlace,
  work: (client: RDSClient, sdk: Sdk) => Promise<FoundEndpoint>,
): Promise<FoundEndpoint> {
  const sdk = await import('@aws-sdk/client-rds');
  const client = new sdk.RDSClient({
    ...(region === null ? {} : { region }),
    ...(profile === null ? {} : { profile }),
  });
  try {
    return await work(client, sdk);
  } catch (error) {
    throw error instanceof GatewayError ? error : asUnknown(name, profile, error);
  } finally {
    client.destroy();
  }
}

const deadline = (): { abortSignal: AbortSignal } => ({
  abortSignal: AbortSignal.timeout(TIMEOUT_MS),
});

const unknown = (subject: string, detail: string, cause?: unknown): GatewayError =>
  new GatewayError('MR_ENDPOINT_UNKNOWN', { subject, detail, cause });

function noEndpoint(name: string, status = 'unknown'): GatewayError {
  return unknown(name, `it has no endpoint yet: its status is ${status}`);
}

/** What the SDK said, in words of ours: its own may quote what is in files. */
function asUnknown(name: string, profile: string | null, error: unknown): GatewayError {
  const kind = error instanceof Error ? error.name : 'unknown';
  const text = error instanceof Error ? error.message : '';
  const without = withoutCredentials(error, profile);
  if (without !== null) return unknown(name, without, error);
  if (/^Region\b/.test(text)) {
    return unknown(name, 'no region is known: give --region', error);
  }
  if (kind === 'DBInstanceNotFoundFault' || kind === 'DBClusterNotFoundFault') {
    return unknown(name, 'there is none of this name in that region, for that account', error);
  }
  if (kind === 'AccessDenied' || kind === 'AccessDeniedException') {
    const rights = 'rds:DescribeDBInstances and rds:DescribeDBClusters';
    return unknown(name, `AWS does not allow it: the policy must have ${rights}`, error);
  }
  return unknown(name, `AWS answered with ${kind}`, error);
}

function checkEngine(name: string, engine = 'unknown'): void {
  if (engine.includes('postgres')) return;
  throw unknown(name, `it is no PostgreSQL: its engine is ${engine}`);
}

function ofStatus(status = 'unknown'): string[] {
  return status === 'available' ? [] : [`its status is ${status}`];
}

function ofAccess(isPublic: boolean | undefined): string[] {
  if (isPublic === true) return [];
  const what = isPublic === undefined ? 'it is not told whether it is' : 'it is not';
  return [
    `${what} publicly accessible: the gateway must run inside its VPC, or set Public access to Yes`,
  ];
}

/** The rules themselves are of EC2's, which is not asked. */
function ofGroups(groups: readonly VpcSecurityGroupMembership[] = [], port: number): string[] {
  const active = groups.filter(({ Status: status }) => status === 'active');
  const names = active.map(({ VpcSecurityGroupId: id }) => id).join(', ');
  if (names === '') return ['no security group is active: nobody can connect'];
  return [`an inbound rule of ${names} must allow the gateway to reach port ${port}`];
}
