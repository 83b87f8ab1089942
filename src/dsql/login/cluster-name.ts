/** Which cluster a client means: by the name that it asked for in TLS, or by an option. */

/** The id, where the name is one of a cluster of this region. */
export function clusterOfName(name: string, region: string): string | null {
  // As the public endpoint has it, or that of AWS PrivateLink with the name of a service.
  const match = /^([a-z0-9]{26})\.dsql(?:-[a-z0-9]+)?\.([a-z0-9-]+)\.on\.aws$/.exec(
    name.toLowerCase(),
  );
  return match !== null && match[2] === region ? (match[1] as string) : null;
}

/** The startup option that names a cluster where the name of the host cannot. */
export const CLUSTER_OPTION = 'amzn-cluster-id';

/**
 * @param serverName of TLS
 * @param option the value of {@link CLUSTER_OPTION}, or null
 * @returns the id, and the names that a token for it may be signed for; null when neither says one
 */
export function clusterAsked(
  serverName: string,
  option: string | null,
  region: string,
): { readonly id: string; readonly hosts: readonly string[] } | null {
  const named = clusterOfName(serverName, region);
  // With both the option counts: the name is then that of an interface endpoint.
  const id = option ?? named;
  if (id === null || !/^[a-z0-9]{26}$/.test(id)) return null;
  const hosts = [`${id}.dsql.${region}.on.aws`];
  if (named === id) hosts.push(serverName.toLowerCase());
  return { id, hosts: [...new Set(hosts)] };
}
