/** What `millrace dev --like aurora` tells of its cluster. */
import type {
  AuroraCluster,
  AuroraEvent,
  AuroraInstance,
} from '../../embedded/aurora/aurora-cluster.ts';

/** What happened, as a line of the log. */
export function eventText({ kind, instance }: AuroraEvent): string {
  const { name, processId, isWriter } = instance;
  const process = `process ${processId}`;
  switch (kind) {
    case 'died':
      return `${name}, the ${isWriter ? 'writer' : 'reader'}, has died`;
    case 'promoted':
      return `${name} is the writer now, ${process}`;
    case 'joined':
      return `${name} is back as a reader, ${process}`;
    case 'restarted':
      return `${name} is back as the writer, ${process}`;
    case 'lost':
      return `${name} cannot be brought back`;
    default:
      return `the cluster endpoint leads to ${name} now`;
  }
}

/** The part of `dev --json`. */
export type AuroraReady = {
  readonly writerEndpoint: string;
  readonly readerEndpoint: string;
  readonly port: number;
  readonly dnsServer: string;
  /** Path of the authority of its certificates, in PEM. */
  readonly caFile: string;
  readonly instances: readonly AuroraInstance[];
};

export function auroraReady(cluster: AuroraCluster): AuroraReady {
  const { writerEndpoint, readerEndpoint, port, dnsServer, caFile, instances } = cluster;
  return { writerEndpoint, readerEndpoint, port, dnsServer, caFile, instances };
}

/** The lines for people, the first of which is a title. */
export function auroraText(ready: AuroraReady): readonly [string, ...string[]] {
  const { writerEndpoint, readerEndpoint, port, dnsServer, caFile, instances } = ready;
  const writer = instances.find(({ isWriter }) => isWriter);
  const rows = instances.map(({ name, address, processId, isWriter }) => {
    const role = isWriter ? 'writer' : 'reader';
    return `  ${name}  ${role}  ${address}:${port}  process ${processId}`;
  });
  return [
    'Aurora stand-in',
    `  writer endpoint  ${writerEndpoint}:${port}`,
    `  reader endpoint  ${readerEndpoint}:${port}`,
    `  DNS server that knows these names  ${dnsServer}`,
    `  authority of its certificates  ${caFile}`,
    ...rows,
    '  To see a failover, kill the writer: a reader takes over, the writer comes back as a reader.',
    `  kill -9 ${writer?.processId}`,
  ];
}
