/** The instances of a cluster, and where they are. */
import type { Log } from '../../base/log.ts';
import type { OriginConfig } from '../../config/model.ts';
import { shareLogin } from '../login-sources.ts';

/** An instance, as the cluster tells of it. */
export type Instance = {
  readonly name: string;
  readonly isWriter: boolean;
  /** How far behind the writer it is. */
  readonly lagMs: number;
  /** How long ago it has told that; 0 for the node that was asked. */
  readonly silentMs: number;
};

/** Instances that a cluster has had are remembered: tokens and TLS sessions are kept by them. */
const KNOWN_MAX = 64;

const known = new WeakMap<OriginConfig, Map<string, OriginConfig>>();

/**
 * The instance as an origin of its own: its certificate has its name, and a token is signed for it.
 * The same one each time it is asked for.
 */
export function instanceOrigin(cluster: OriginConfig, name: string, log: Log): OriginConfig {
  const host = (cluster.instanceHostPattern ?? '?').replace('?', name);
  const instances = known.get(cluster) ?? new Map<string, OriginConfig>();
  known.set(cluster, instances);
  let origin = instances.get(host);
  if (origin === undefined) {
    if (instances.size >= KNOWN_MAX) instances.clear();
    const { auth } = cluster;
    origin = {
      ...cluster,
      host,
      tlsServerName: null,
      auth: auth.method === 'rds-iam' ? { ...auth, host, port: cluster.port } : auth,
    };
    // A secret is the same for all of them, and need not be fetched for each.
    if (auth.method !== 'rds-iam') shareLogin(cluster, origin, log);
    instances.set(host, origin);
  }
  return origin;
}
