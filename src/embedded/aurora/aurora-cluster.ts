/**
 * A stand-in for an Aurora PostgreSQL cluster on one machine: real PostgreSQL servers that
 * replicate, at addresses of their own and one port, with the endpoint names, the topology
 * functions, the late DNS and the failovers that Aurora has. What it cannot have is the common
 * storage: readers are behind by what replication takes, and a commit waits until one of them has
 * it.
 */
import { randomBytes } from 'node:crypto';
import type { Log } from '../../base/log.ts';
import { checkRole, type Role } from '../cluster.ts';
import { embeddedFailure, messageOf } from '../failure.ts';
import type { ServerSettings } from '../server-process.ts';
import type { AuroraNode } from './aurora-node.ts';
import { type Built, buildNodes, INSTANCES_MAX, startNodes } from './building.ts';
import { type AuroraDelays, type Change, Controller } from './controller.ts';
import { EndpointZone } from './endpoints.ts';
import type { FrontMaker } from './front.ts';
import { NameServer } from './name-server.ts';

/**
 * As at AWS, where the record of the cluster endpoint changes 15 to 20 seconds after a failover; a
 * reader is promoted sooner than there.
 */
const DELAYS: AuroraDelays = { dnsMs: 15_000, promotionMs: 1_000, repointMs: 0 };

export type AuroraOptions = {
  /** Instances, one of which writes; 3 unless said. */
  readonly instances?: number;
  /** Identifier of the cluster, and the beginning of its instances' names; `demo` unless said. */
  readonly name?: string;
  readonly superuser: Role;
  /** With it there is a plain role of that name, owner of the database `demo`. */
  readonly demo?: Role;
  /** Unless said 15 s for the names, 1 s for a promotion, and none until readers hear of it. */
  readonly delays?: Partial<AuroraDelays>;
  /** Further settings of each server. */
  readonly settings?: ServerSettings;
  /** What is to stand before each instance; nothing unless said. */
  readonly front?: FrontMaker;
  readonly log: Log;
};

export type AuroraInstance = {
  readonly name: string;
  /** The instance endpoint. */
  readonly host: string;
  readonly address: string;
  /** Of its postmaster; null while it is down. */
  readonly processId: number | null;
  readonly isWriter: boolean;
};

/** What happened to an instance; `endpoint-moved` when the cluster endpoint leads to it at last. */
export type AuroraEvent = {
  readonly kind: Change | 'endpoint-moved';
  readonly instance: AuroraInstance;
};

export class AuroraCluster {
  /** PEM text of the root to trust. */
  readonly ca: string;
  /** Path of a file with that text, which is there until the end. */
  readonly caFile: string;
  readonly port: number;
  readonly writerEndpoint: string;
  readonly readerEndpoint: string;
  /** As `dns_servers` of an origin takes it. */
  readonly dnsServer: string;
  readonly superuser: Role;
  readonly delays: AuroraDelays;
  readonly #log: Log;
  readonly #nodes: Built['nodes'];
  readonly #controller: Controller;
  readonly #zone: EndpointZone;
  readonly #names: NameServer;
  readonly #dnsTimers = new Set<NodeJS.Timeout>();
  readonly #listeners: ((event: AuroraEvent) => void)[] = [];
  readonly #stopping = new AbortController();
  #endpointAt: AuroraNode;
  /** What is done to the cluster is done one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  #stopped: Promise<void> | null = null;

  private constructor(options: AuroraOptions, built: Built, port: number, names: NameServer) {
    this.ca = built.ca;
    this.port = port;
    this.superuser = options.superuser;
    this.dnsServer = names.address;
    this.#log = options.log;
    this.#nodes = built.nodes;
    this.#names = names;
    this.delays = { ...DELAYS, ...options.delays };
    const [writer] = built.nodes;
    this.caFile = writer.caFile;
    this.#zone = new EndpointZone(options.name ?? 'demo', built.nodes, writer.name);
    this.#endpointAt = writer;
    this.writerEndpoint = this.#zone.writerEndpoint;
    this.readerEndpoint = this.#zone.readerEndpoint;
    this.#controller = new Controller({
      nodes: built.nodes,
      writer,
      port,
      delays: this.delays,
      signal: this.#stopping.signal,
      onChange: (change, node) => this.#onChange(change, node),
    });
  }

  /**
   * Starts the servers; the first is the writer, and the readers follow it when this resolves. They
   * go on when this process dies without {@link stop}; the next ephemeral server or cluster ends
   * them.
   *
   * @throws GatewayError `MR_EMBEDDED_FAILED`; nothing runs then
   */
  static async start(options: AuroraOptions): Promise<AuroraCluster> {
    checkOptions(options);
    const { instances: count = 3, name = 'demo', superuser, demo = null, settings = {} } = options;
    const { log } = options;
    let cluster: AuroraCluster | null = null;
    const built = await buildNodes({
      cluster: name,
      count,
      superuser,
      demo,
      replicationPassword: randomBytes(18).toString('base64url'),
      settings,
      front: options.front ?? null,
      log,
      onDied: (node) => {
        if (cluster !== null) cluster.#onDied(node);
      },
    });
    let names: NameServer | null = null;
    try {
      const port = await startNodes(built.nodes);
      names = await NameServer.start((asked) =>
        cluster === null ? null : cluster.#zone.answer(asked),
      );
      cluster = new AuroraCluster(options, built, port, names);
      await cluster.#controller.begin();
      cluster.#point();
      log.info({ port }, `the Aurora stand-in is ready, ${count} instances`);
      return cluster;
    } catch (error) {
      if (cluster !== null) cluster.#controller.stop();
      await names?.stop();
      await Promise.all(built.nodes.map((node) => node.close().catch(() => {})));
      throw error;
    }
  }

  get instances(): readonly AuroraInstance[] {
    return this.#nodes.map((node) => this.#describe(node));
  }

  get writer(): AuroraInstance {
    return this.#describe(this.#controller.writer);
  }

  /** Tells what happens from now on. */
  onEvent(listener: (event: AuroraEvent) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * A failover as it is asked for at the API: the writer is restarted as a reader at its address,
   * and the named reader, or that which has most, is promoted. Resolves when all of that is done;
   * the names move later.
   *
   * @throws GatewayError `MR_EMBEDDED_FAILED` when nobody can take over
   */
  failover(to?: string): Promise<void> {
    const node = to === undefined ? null : this.#node(to);
    return this.#enqueue(() => this.#controller.failOver(node));
  }

  /**
   * Ends all processes of an instance without a last word, as the end of its machine does. Resolves
   * when they are gone; what follows is done by itself, and waited for by {@link settled}.
   */
  async crash(name: string): Promise<void> {
    await this.#node(name).kill();
  }

  /** Stops an instance where it is: its connections stay, and it does not answer. */
  async freeze(name: string): Promise<void> {
    const node = this.#node(name);
    await this.#controller.discount(node);
    await node.freeze();
  }

  /** Lets it go on; when another one has become the writer meanwhile, it comes back as a reader. */
  async thaw(name: string): Promise<void> {
    const node = this.#node(name);
    if (!node.isFrozen) return;
    // Aurora's storage takes nothing of a writer that has been replaced; so it must not go on.
    if (this.#controller.isStale(node)) {
      await node.kill();
      return;
    }
    await node.thaw();
    void this.#enqueue(() => this.#controller.readmit(node)).catch((e) => this.#onLost(node, e));
  }

  /** Resolves when nothing is being done to the cluster, but that names may move yet. */
  async settled(): Promise<void> {
    let seen: Promise<unknown>;
    do {
      seen = this.#queue;
      await seen;
    } while (seen !== this.#queue);
  }

  /** Ends everything, and removes the data. Every call waits for the same end. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    for (const timer of this.#dnsTimers) clearTimeout(timer);
    await this.settled();
    this.#controller.stop();
    await this.#names.stop();
    const ends = await Promise.allSettled(this.#nodes.map((node) => node.close()));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => {});
    return done;
  }

  #onDied(node: AuroraNode): void {
    if (this.#stopping.signal.aborted) return;
    this.#onChange('died', node);
    void this.#controller.discount(node).catch(() => {});
    void this.#enqueue(() => this.#controller.recover(node)).catch((e) => this.#onLost(node, e));
  }

  #onLost(node: AuroraNode, error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    this.#log.error({ instance: node.name }, `an instance is lost: ${messageOf(error)}`);
    this.#onChange('lost', node);
  }

  #onChange(change: Change, node: AuroraNode): void {
    this.#emit(change, node);
    if (this.delays.dnsMs === 0) {
      this.#point();
      return;
    }
    const timer = setTimeout(() => {
      this.#dnsTimers.delete(timer);
      this.#point();
    }, this.delays.dnsMs);
    this.#dnsTimers.add(timer.unref());
  }

  /** Makes the names say what is true at this moment. */
  #point(): void {
    const { writer } = this.#controller;
    const readers = this.#nodes.filter((node) => node !== writer && node.isUp);
    this.#zone.point(
      writer.name,
      readers.map(({ name }) => name),
    );
    if (writer === this.#endpointAt) return;
    this.#endpointAt = writer;
    this.#emit('endpoint-moved', writer);
  }

  #emit(kind: AuroraEvent['kind'], node: AuroraNode): void {
    const instance = this.#describe(node);
    this.#log.debug({ instance: instance.name, kind }, 'the Aurora stand-in has changed');
    for (const listener of this.#listeners) listener({ kind, instance });
  }

  #describe(node: AuroraNode): AuroraInstance {
    const { name, host, address, processId } = node;
    return { name, host, address, processId, isWriter: node === this.#controller.writer };
  }

  #node(name: string): AuroraNode {
    const found = this.#nodes.find((node) => node.name === name);
    if (found === undefined) throw embeddedFailure(`no instance is called ${name}`);
    return found;
  }
}

function checkOptions({ instances = 3, name = 'demo', superuser, demo }: AuroraOptions): void {
  if (process.platform !== 'linux') {
    throw embeddedFailure('a cluster needs Linux, which has all addresses of 127.0.0.0/8');
  }
  checkRole(superuser);
  if (demo !== undefined) checkRole(demo);
  if (!/^[a-z][a-z0-9]{0,30}$/.test(name)) {
    throw embeddedFailure('a cluster needs a name of a-z and 0-9');
  }
  if (!Number.isInteger(instances) || instances < 1 || instances > INSTANCES_MAX) {
    throw embeddedFailure(`a cluster has 1 to ${INSTANCES_MAX} instances`);
  }
}
