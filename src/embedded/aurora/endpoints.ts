/** The names of a cluster's endpoints, and where they lead at a moment. */
import type { NameRecord, Zone } from './name-server.ts';

/** As AWS has it: the identifier of an account and region, and the region. */
const DOMAIN = 'abc123def456.us-east-1.rds.amazonaws.com';
/** The region that the names tell, for what is signed. */
export const AURORA_REGION = 'us-east-1';

/** What AWS tells resolvers: <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/>. */
const CLUSTER_TTL_S = 5;
const READER_TTL_S = 1;
const INSTANCE_TTL_S = 5;

export const writerEndpointOf = (cluster: string): string => `${cluster}.cluster-${DOMAIN}`;
export const readerEndpointOf = (cluster: string): string => `${cluster}.cluster-ro-${DOMAIN}`;
export const instanceEndpointOf = (instance: string): string => `${instance}.${DOMAIN}`;

/** What a name server knows of an instance. */
export type NamedInstance = { readonly name: string; readonly address: string };

/**
 * Where the endpoints lead; the later a change of the cluster reaches it, the longer clients are
 * led to an instance that is no writer any more.
 */
export class EndpointZone {
  readonly writerEndpoint: string;
  readonly readerEndpoint: string;
  readonly #addresses = new Map<string, string>();
  #writer: string;
  #readers: readonly string[] = [];
  #turn = 0;

  constructor(cluster: string, instances: readonly NamedInstance[], writer: string) {
    this.writerEndpoint = writerEndpointOf(cluster);
    this.readerEndpoint = readerEndpointOf(cluster);
    for (const { name, address } of instances) {
      this.#addresses.set(instanceEndpointOf(name), address);
    }
    this.#writer = instanceEndpointOf(writer);
  }

  /** Names of instances. Without any reader the reader endpoint leads to the writer. */
  point(writer: string, readers: readonly string[]): void {
    this.#writer = instanceEndpointOf(writer);
    this.#readers = readers.map(instanceEndpointOf);
  }

  readonly answer: Zone = (name) => {
    if (name === this.writerEndpoint) return this.#alias(name, this.#writer, CLUSTER_TTL_S);
    if (name === this.readerEndpoint) {
      const reader = this.#readers[this.#turn++ % Math.max(this.#readers.length, 1)];
      return this.#alias(name, reader ?? this.#writer, READER_TTL_S);
    }
    return this.#instance(name, INSTANCE_TTL_S);
  };

  #alias(name: string, instance: string, ttlS: number): readonly NameRecord[] {
    const alias: NameRecord = { type: 'CNAME', name, data: instance, ttlS };
    return [alias, ...(this.#instance(instance, ttlS) ?? [])];
  }

  #instance(name: string, ttlS: number): readonly NameRecord[] | null {
    const address = this.#addresses.get(name);
    return address === undefined ? null : [{ type: 'A', name, data: address, ttlS }];
  }
}
