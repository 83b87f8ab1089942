/** What AWS does with a cluster: decides who writes, and brings back who fell. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { embeddedFailure } from '../failure.ts';
import { killAllIn } from '../processes.ts';
import type { AuroraNode } from './aurora-node.ts';
import { Heartbeat } from './heartbeat.ts';
import { becomesFollower, mostAdvanced, promote, receivedBytes } from './replication.ts';

const CATCH_UP_TIMEOUT_MS = 2_000;
const CATCH_UP_POLL_MS = 20;

export type Change = 'died' | 'promoted' | 'joined' | 'restarted' | 'lost';

/** How long things take at AWS; may be changed at any time. */
export type AuroraDelays = {
  /** From a change of the cluster until the names of its endpoints say so. */
  dnsMs: number;
  /** From the death of the writer until a reader is promoted. */
  promotionMs: number;
  /** From a promotion until the other readers hear of it. */
  repointMs: number;
};

export type ControllerParts = {
  readonly nodes: readonly AuroraNode[];
  readonly writer: AuroraNode;
  readonly port: number;
  readonly delays: Readonly<AuroraDelays>;
  /** Aborted when the cluster is to end: nobody is brought back then. */
  readonly signal: AbortSignal;
  readonly onChange: (change: Change, node: AuroraNode) => void;
};

/** Its methods are called one after the other, but for those that say otherwise. */
export class Controller {
  readonly #parts: ControllerParts;
  readonly #heartbeat: Heartbeat;
  /** Readers that are known to follow the writer. */
  readonly #followers = new Set<AuroraNode>();
  /** Writers of former times that were not shut down: their history may have another end. */
  readonly #stale = new Set<AuroraNode>();
  #writer: AuroraNode;

  constructor(parts: ControllerParts) {
    this.#parts = parts;
    this.#writer = parts.writer;
    const members = parts.nodes.map((node) => ({ node, session: randomUUID() }));
    this.#heartbeat = new Heartbeat(members, parts.writer, parts.port);
  }

  get writer(): AuroraNode {
    return this.#writer;
  }

  /** Waits until all readers follow, and know the topology. */
  async begin(): Promise<void> {
    const readers = this.#parts.nodes.filter((node) => node !== this.#writer);
    for (const reader of readers) await this.#follow(reader);
    await this.#heartbeat.tell(this.#writer);
    for (const reader of readers) await this.#isFollowing(reader);
  }

  /** At any time. */
  stop(): void {
    this.#heartbeat.stop();
  }

  /**
   * Makes a reader the writer, the given one or that which has most, and the writer a reader. A
   * writer without readers is restarted; one that is frozen stays so, and is no writer any more
   * when it thaws.
   */
  async failOver(to: AuroraNode | null): Promise<void> {
    const { nodes, port, onChange } = this.#parts;
    const old = this.#writer;
    const readers = nodes.filter((node) => node !== old && node.isHealthy);
    if (to === old) throw embeddedFailure(`${old.name} is the writer already`);
    if (to !== null && !to.isHealthy) throw embeddedFailure(`${to.name} cannot take over`);
    if (readers.length === 0) {
      if (old.isFrozen) throw embeddedFailure('there is no reader to take over');
      await this.#retire(old);
      await old.start(port);
      await this.#heartbeat.tell(old);
      onChange('restarted', old);
      return;
    }
    const isClean = await this.#retire(old);
    if (to !== null) await this.#catchUp(to, readers);
    await this.#takeOver(to ?? (await this.#best(readers)), isClean);
  }

  /** Brings back a node whose server has ended though nobody asked it to. */
  async recover(node: AuroraNode): Promise<void> {
    const { nodes, port, delays, signal, onChange } = this.#parts;
    await killAllIn(node.home.cluster);
    if (signal.aborted || node.isUp) return;
    if (node !== this.#writer) {
      await this.#join(node);
      return;
    }
    await sleep(delays.promotionMs, undefined, { signal });
    const readers = nodes.filter((other) => other !== node && other.isHealthy);
    if (readers.length > 0) {
      await this.#takeOver(await this.#best(readers), false);
      return;
    }
    await node.start(port);
    await this.#shareCommits();
    await this.#heartbeat.tell(node);
    onChange('restarted', node);
  }

  /** The node does not count any more, from this moment on; at any time. */
  async discount(node: AuroraNode): Promise<void> {
    if (this.#followers.delete(node) && this.#writer.isUp) await this.#shareCommits();
  }

  /** Whether the node was the writer until another took over from it; at any time. */
  isStale(node: AuroraNode): boolean {
    return this.#stale.has(node);
  }

  /** Makes sure that a running reader follows the writer of today. */
  async readmit(node: AuroraNode): Promise<void> {
    if (node !== this.#writer && node.isHealthy) await this.#follow(node);
  }

  /** Ends the writer as far as it can be; whether its history ends where the readers' does. */
  async #retire(old: AuroraNode): Promise<boolean> {
    if (!old.isHealthy) return false;
    // It would wait for those who cannot hear of its end.
    const deaf = this.#parts.nodes.filter((node) => node.isFrozen).map(({ name }) => name);
    if (deaf.length > 0) {
      await old.asSuperuser(this.#parts.port, (client) =>
        client.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_replication
           WHERE application_name = ANY($1)`,
          [deaf],
        ),
      );
    }
    return await old.shutDown();
  }

  async #best(readers: readonly AuroraNode[]): Promise<AuroraNode> {
    const best = await mostAdvanced(readers, this.#parts.port);
    if (best === null) throw embeddedFailure('no reader answers that could take over');
    return best;
  }

  /** Waits until a reader has what the others have: they could not follow it else. */
  async #catchUp(node: AuroraNode, readers: readonly AuroraNode[]): Promise<void> {
    const { port } = this.#parts;
    const most = Math.max(
      ...(await Promise.all(readers.map((reader) => receivedBytes(reader, port).catch(() => 0)))),
    );
    const deadlineMs = performance.now() + CATCH_UP_TIMEOUT_MS;
    while ((await receivedBytes(node, port)) < most && performance.now() < deadlineMs) {
      await sleep(CATCH_UP_POLL_MS);
    }
  }

  async #takeOver(next: AuroraNode, isClean: boolean): Promise<void> {
    const { nodes, port, delays, signal, onChange } = this.#parts;
    const old = this.#writer;
    if (!isClean) this.#stale.add(old);
    await promote(next, port);
    this.#followers.clear();
    this.#writer = next;
    await this.#shareCommits();
    await this.#heartbeat.tell(next);
    onChange('promoted', next);
    const others = nodes.filter((node) => node !== old && node !== next && node.isUp);
    const repoint = async (): Promise<void> => {
      if (delays.repointMs > 0) await sleep(delays.repointMs, undefined, { signal });
      for (const reader of others) await this.#follow(reader);
    };
    await Promise.all([old.isFrozen ? null : this.#join(old), repoint()]);
  }

  /** Starts a node as a reader, from what it has or, where that is of no use, from a copy. */
  async #join(node: AuroraNode): Promise<void> {
    if (this.#parts.signal.aborted) return;
    const { port, onChange } = this.#parts;
    if (!this.#stale.has(node)) {
      await node.setRole({ follows: { address: this.#writer.serverAddress, port } });
      await node.markStandby();
      const isUp = await node.start(port).then(
        () => true,
        () => false,
      );
      if (isUp) await this.#follow(node);
      else await this.#rebuild(node);
    } else await this.#rebuild(node);
    onChange('joined', node);
  }

  /** Points a reader to the writer; its data is made anew when it cannot follow with that. */
  async #follow(reader: AuroraNode): Promise<void> {
    const { port, signal } = this.#parts;
    await reader.setRole({ follows: { address: this.#writer.serverAddress, port } });
    // It reads that when it thaws, and is looked at then.
    if (reader.isFrozen || signal.aborted) return;
    if (await this.#isFollowing(reader)) await this.#admit(reader);
    else if (!signal.aborted && reader.isHealthy) await this.#rebuild(reader);
  }

  #isFollowing(reader: AuroraNode): Promise<boolean> {
    return becomesFollower(reader, this.#writer, this.#parts.port).catch(() => false);
  }

  async #rebuild(node: AuroraNode): Promise<void> {
    const { port } = this.#parts;
    await node.shutDown();
    await killAllIn(node.home.cluster);
    await node.backUpFrom(this.#writer, port);
    await node.setRole({ follows: { address: this.#writer.serverAddress, port } });
    await node.markStandby();
    await node.start(port);
    if (!(await this.#isFollowing(node))) {
      throw embeddedFailure(`${node.name} cannot follow ${this.#writer.name}`);
    }
    this.#stale.delete(node);
    await this.#admit(node);
  }

  async #admit(reader: AuroraNode): Promise<void> {
    this.#followers.add(reader);
    await this.#shareCommits();
  }

  /** Tells the writer of which readers one must have a commit before it is told to clients. */
  async #shareCommits(): Promise<void> {
    const followers = [...this.#followers].filter((node) => node.isHealthy).map(({ name }) => name);
    await this.#writer.setRole({ follows: null, followers });
  }
}
