/** What the keys of an origin, and the name of its host, say of AWS. */
import { type EndpointKind, type EndpointName, readEndpointName } from '../aws/endpoint-name.ts';
import type { OriginKind } from '../session/origin-rules.ts';
import type { SslMode } from './model.ts';
import type { ConfigPath, ProblemList } from './problems.ts';
import { rdsRootsOf } from './rds-roots.ts';
import type { FileOrigin } from './schema.ts';

const KIND_OF_ENDPOINT: Readonly<Record<EndpointKind, OriginKind>> = {
  instance: 'rds',
  cluster: 'aurora',
  reader: 'aurora',
  custom: 'aurora',
  global: 'aurora',
  limitless: 'aurora',
  proxy: 'rds-proxy',
  dsql: 'dsql',
};

/** What is known of an origin at AWS; `endpoint` is the name that AWS gave it, if it is known. */
export type AwsOrigin = {
  readonly kind: OriginKind;
  readonly endpoint: EndpointName | null;
  readonly region: string | null;
  /** As `instanceHostPattern` of {@link OriginConfig}. */
  readonly instanceHostPattern: string | null;
  /** Null for the host. */
  readonly tlsServerName: string | null;
};

/** An origin table whose `url` is read. */
export type GivenOrigin = Omit<FileOrigin, 'url'>;

/** Keys of an origin that say where it is. */
type Named = Partial<
  Pick<
    GivenOrigin,
    'host' | 'iam_host' | 'tls_server_name' | 'kind' | 'aws_region' | 'instance_host_pattern'
  >
>;

/** Where what is wrong is told. */
export type Telling = { readonly path: ConfigPath; readonly problems: ProblemList };

export function readAwsOrigin(origin: Named): AwsOrigin {
  const host = origin.host ?? '';
  // Behind a CNAME or a tunnel the name that AWS gave is told by one of the other keys.
  const name = origin.iam_host ?? origin.tls_server_name ?? host;
  const endpoint = readEndpointName(name);
  const kind = origin.kind ?? (endpoint === null ? 'postgres' : KIND_OF_ENDPOINT[endpoint.kind]);
  // Who goes through a tunnel to the endpoint of a cluster has no way to its instances.
  const isWriterEndpoint = endpoint?.kind === 'cluster' && name === host && kind === 'aurora';
  return {
    kind,
    instanceHostPattern:
      origin.instance_host_pattern ?? (isWriterEndpoint ? endpoint.instancePattern : null),
    endpoint,
    region: origin.aws_region ?? endpoint?.region ?? null,
    tlsServerName: origin.tls_server_name ?? origin.iam_host ?? null,
  };
}

/** At AWS nothing less than the name is worth verifying: every customer has valid certificates. */
export function defaultSslMode({ kind }: AwsOrigin): SslMode {
  return kind === 'postgres' ? 'prefer' : 'verify-full';
}

function needsRdsRoots({ kind }: AwsOrigin, sslmode: SslMode): boolean {
  const isVerified = sslmode === 'verify-ca' || sslmode === 'verify-full';
  return isVerified && (kind === 'rds' || kind === 'aurora');
}

/**
 * The authorities to trust where none are given: those of RDS for RDS and Aurora; null for the
 * public ones, which sign for RDS Proxy and Aurora DSQL, and where none are shipped.
 */
export async function shippedRoots(aws: AwsOrigin, sslmode: SslMode): Promise<string | null> {
  return needsRdsRoots(aws, sslmode) && aws.region !== null ? await rdsRootsOf(aws.region) : null;
}

/** The same, and tells when there should be some and are none. */
export async function defaultRoots(
  aws: AwsOrigin,
  sslmode: SslMode,
  { path, problems }: Telling,
): Promise<string | null> {
  const roots = await shippedRoots(aws, sslmode);
  if (roots === null && needsRdsRoots(aws, sslmode)) {
    const what =
      aws.region === null
        ? 'the region of the origin is not known, and so not its certificate authorities'
        : `no certificate authorities are shipped for RDS in ${aws.region}`;
    problems.add(path, what, 'give ca, a PEM file, or aws_region if it is wrong');
  }
  return roots;
}

/** A name of one's own is in no certificate of AWS's, and `verify-full` would never succeed. */
export function checkServerName(
  aws: AwsOrigin,
  sslmode: SslMode,
  origin: GivenOrigin,
  to: Telling,
): void {
  const isGiven = origin.tls_server_name !== undefined || origin.ca !== undefined;
  if (aws.kind === 'postgres' || aws.endpoint !== null || isGiven || sslmode !== 'verify-full')
    return;
  const what = `${origin.host} is not a name that AWS has certificates for`;
  to.problems.add(to.path, what, 'give the name of the endpoint as tls_server_name');
}

/** The names of both sides of a blue/green deployment change, and one of them goes. */
export function checkDeployment({ endpoint }: AwsOrigin, { path, problems }: Telling): void {
  if (endpoint?.deployment === 'green') {
    const what = `${endpoint.host} is of the green side of a blue/green deployment`;
    problems.warn(path, what, 'it loses this name when the sides are switched');
  } else if (endpoint?.deployment === 'old') {
    const what = `${endpoint.host} is what a blue/green deployment has replaced`;
    problems.warn(path, what, 'give the name without -old');
  }
}
