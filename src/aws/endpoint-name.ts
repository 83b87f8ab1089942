/**
 * The names that AWS gives to endpoints of databases, and what they tell. The grammar follows the
 * user guides of RDS, Aurora and Aurora DSQL; names of one's own (CNAMEs) tell nothing.
 */

export type EndpointKind =
  /** An instance; RDS and Aurora name theirs alike. */
  | 'instance'
  /** The writer of an Aurora cluster, or of a Multi-AZ cluster of RDS. */
  | 'cluster'
  /** Its readers, by turns. */
  | 'reader'
  /** A choice of its instances. */
  | 'custom'
  /** The writer of an Aurora Global Database, in whatever region that is. */
  | 'global'
  /** A shard group of Aurora Limitless. */
  | 'limitless'
  | 'proxy'
  | 'dsql';

/** A separate world of AWS, with accounts and certificate authorities of its own. */
export type Partition = 'aws' | 'aws-cn' | 'aws-us-gov' | 'aws-iso' | 'aws-iso-b' | 'aws-eusc';

export type EndpointName = {
  readonly kind: EndpointKind;
  /** In small letters, without a dot at the end. */
  readonly host: string;
  /** What the owner called it; for `dsql` the cluster's ID. */
  readonly name: string;
  /** What all endpoints of one account and region share; for `dsql` the service's label. */
  readonly domain: string;
  /** Null for `global`, which moves from region to region. */
  readonly region: string | null;
  readonly partition: Partition;
  /** The host of an instance of the same cluster with `?` for its name; null without any. */
  readonly instancePattern: string | null;
  /** The side of a blue/green deployment that the name shows; null for the ordinary name. */
  readonly deployment: 'green' | 'old' | null;
};

/** RFC 1035; and a limit to what is looked at. */
const HOST_LENGTH_MAX = 253;

const REGION = /^[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}$/;
const NAME = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const DOMAIN = /^[a-z0-9]{1,63}$/;
const DSQL_CLUSTER = /^[a-z0-9]{26}$/;
/** `dsql`, or the label that PrivateLink gives, such as `dsql-fnh4`. */
const DSQL_SERVICE = /^dsql(?:-[a-z0-9]{1,32})?$/;

/** The longest prefix first: `cluster-` begins the others. */
const PREFIXES = [
  ['cluster-custom-', 'custom'],
  ['cluster-ro-', 'reader'],
  ['cluster-', 'cluster'],
  ['global-', 'global'],
  ['shardgrp-', 'limitless'],
  ['proxy-', 'proxy'],
] as const satisfies readonly (readonly [string, EndpointKind])[];

/** What a global database has in place of a region. */
const GLOBAL = 'global';

/** Their names do not tell those of instances. */
const WITHOUT_INSTANCES: readonly EndpointKind[] = ['proxy', 'limitless', 'global'];

/** The names that RDS ends its hosts with. */
const SUFFIXES = [
  ['.amazonaws.com.cn', 'aws-cn'],
  ['.amazonaws.com', 'aws'],
  ['.amazonaws.eu', 'aws-eusc'],
  ['.c2s.ic.gov', 'aws-iso'],
  ['.sc2s.sgov.gov', 'aws-iso-b'],
] as const satisfies readonly (readonly [string, Partition])[];

/** What the name of a host tells, or null when it is none that AWS gives to a database. */
export function readEndpointName(host: string): EndpointName | null {
  if (host.length > HOST_LENGTH_MAX) return null;
  const plain = host.toLowerCase().replace(/\.$/, '');
  if (plain.endsWith('.on.aws')) return readDsql(plain);
  const found = SUFFIXES.find(([suffix]) => plain.endsWith(suffix));
  return found === undefined ? null : readRds(plain, found[0], found[1]);
}

/** `<id>.dsql.<region>.on.aws`, or `<id>.dsql-<service>.<region>.on.aws` by PrivateLink. */
function readDsql(host: string): EndpointName | null {
  const [name = '', domain = '', region = '', ...rest] = host.split('.');
  if (rest.length !== 2 || !DSQL_CLUSTER.test(name)) return null;
  if (!DSQL_SERVICE.test(domain) || !REGION.test(region)) return null;
  const partition = partitionOf(region, 'aws');
  const [instancePattern, deployment] = [null, null];
  return { kind: 'dsql', host, name, domain, region, partition, instancePattern, deployment };
}

/**
 * `<name>.[<prefix>]<domain>.<region>.rds<suffix>`; some partitions have `rds` first, and a global
 * database has `global` for the region.
 */
function readRds(host: string, suffix: string, ofSuffix: Partition): EndpointName | null {
  const labels = host.slice(0, -suffix.length).split('.');
  const [last = '', beforeLast = ''] = [labels.pop(), labels.pop()];
  const region = last === 'rds' ? beforeLast : last;
  const middle = labels.pop() ?? '';
  const [prefix, kind] = PREFIXES.find(([text]) => middle.startsWith(text)) ?? ['', 'instance'];
  const isPlace = kind === 'global' ? region === GLOBAL : REGION.test(region);
  if ((last !== 'rds' && beforeLast !== 'rds') || !isPlace) return null;
  const domain = middle.slice(prefix.length);
  const name = labels.shift() ?? '';
  if (!DOMAIN.test(domain) || !NAME.test(name) || !isOwnEndpoint(kind, labels)) return null;
  const order = last === 'rds' ? `${region}.rds` : `rds.${region}`;
  const isOfCluster = !WITHOUT_INSTANCES.includes(kind);
  return {
    kind,
    host,
    name,
    domain,
    region: kind === 'global' ? null : region,
    partition: partitionOf(region, ofSuffix),
    instancePattern: isOfCluster ? `?.${domain}.${order}${suffix}` : null,
    deployment: deploymentOf(name),
  };
}

/** Labels behind the name: a proxy may have further endpoints, `<name>.endpoint.proxy-…`. */
function isOwnEndpoint(kind: EndpointKind, labels: readonly string[]): boolean {
  if (labels.length === 0) return true;
  return kind === 'proxy' && labels.length === 1 && labels[0] === 'endpoint';
}

/** During a blue/green deployment the new side has a suffix, and after it the old one. */
function deploymentOf(name: string): EndpointName['deployment'] {
  if (/-green-[0-9a-z]{6}$/.test(name)) return 'green';
  return /-old\d{1,3}$/.test(name) ? 'old' : null;
}

function partitionOf(region: string, ofSuffix: Partition): Partition {
  if (region.startsWith('us-gov-')) return 'aws-us-gov';
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('eusc-') ? 'aws-eusc' : ofSuffix;
}
