import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { OriginConfig } from '../../config/model.ts';
import type { EstablishedLink } from '../connect.ts';
import { queryRows } from '../query.ts';
import { type Instance, instanceOrigin } from './instances.ts';
import { Node } from './node.ts';
import { findWriter } from './search.ts';

/** How often the writer is asked whether it still is, and how long it may take to say so. */
const BEAT_MS = 1_000;
const BEAT_TIMEOUT_MS = 3_000;
/** However suspect it is, it is asked no more often. */
const BEAT_MS_MIN = 50;
/** What was told of readers longer ago counts no more. */
const READERS_AGE_MS = 2_500;
/** Nor does what a reader has told the writer longer ago. */
const SILENT_MS_MAX = 5_000;
/** What is known of a reader may be so old. */
export const NEWS_AGE_MS = READERS_AGE_MS + SILENT_MS_MAX;
/** How long an instance may take to be reached by its own name. */
const APPROACH_TIMEOUT_MS = 2_000;

const ROLE_QUERY = 'SELECT pg_catalog.pg_is_in_recovery()';

/** The node that writes. */
export type Writer = {
  readonly origin: OriginConfig;
  /** Another number is another node, as far as anybody can tell. */
  readonly serial: number;
};

export type ClusterEvents = {
  /** The writer is known again, or is another one: links of other serials are of no use. */
  onWriter(writer: Writer): void;
  /** The writer has become a reader: links to it are of no use, whoever writes by now. */
  onDemoted(writer: Writer): void;
  /** The writer has told of the other nodes. */
  onInstances(): void;
};

/** A node that only reads. */
export type Reader = { readonly name: string; readonly origin: OriginConfig };

const isTalking = ({ isWriter, silentMs }: Instance): boolean =>
  !isWriter && silentMs <= SILENT_MS_MAX;

type Waiting = { resolve(writer: Writer): void; reject(error: GatewayError): void };

/**
 * Knows which node of an Aurora cluster writes: finds it, asks it again and again whether it still
 * does, and looks for the next one at all nodes at once when it does not, or says nothing. It never
 * trusts the cluster's endpoint alone, whose name leads to the old writer for some seconds after a
 * failover.
 */
export class Cluster {
  readonly #origin: OriginConfig;
  readonly #events: ClusterEvents;
  readonly #log: Log;
  /** Null while it is looked for. */
  #writer: Writer | null = null;
  /** What tells the last one from others. */
  #identity = '';
  #serial = 0;
  #instances: readonly Instance[] = [];
  /** When the writer last told of them. */
  #notedMs = Number.NEGATIVE_INFINITY;
  readonly #waiting = new Set<Waiting>();
  /** Null while nobody needs to know. */
  #running: AbortController | null = null;
  #isSuspect = false;
  #wake: (() => void) | null = null;
  #hasWarned = false;

  /** @param origin with the cluster's endpoint as its host, and `instanceHostPattern` */
  constructor(origin: OriginConfig, events: ClusterEvents, log: Log) {
    this.#origin = origin;
    this.#events = events;
    this.#log = log;
  }

  /** Readers that are not further behind, as far as the writer has told lately. */
  readers(lagMsMax: number): readonly Reader[] {
    if (!this.isInformed) return [];
    return this.#instances
      .filter((instance) => isTalking(instance) && instance.lagMs <= lagMsMax)
      .map(({ name }) => ({ name, origin: instanceOrigin(this.#origin, name, this.#log) }));
  }

  /** Whether the writer has told of the others lately. */
  get isInformed(): boolean {
    return performance.now() - this.#notedMs <= READERS_AGE_MS;
  }

  /** Whether the writer has heard nothing of the reader for a while: it hangs, or is gone. */
  isSilent(name: string): boolean {
    const found = this.#instances.find((instance) => instance.name === name);
    return found === undefined || found.silentMs > SILENT_MS_MAX;
  }

  /** The writer's serial; 0 while it is looked for. */
  get serial(): number {
    return this.#writer?.serial ?? 0;
  }

  /**
   * The node that writes; waits while it is looked for.
   * @throws GatewayError `MR_ORIGIN_…` when all nodes were asked in vain, or the time is over
   */
  async writer(timeoutMs: number): Promise<Writer> {
    if (this.#running === null) {
      this.#running = new AbortController();
      void this.#run(this.#running.signal);
    }
    if (this.#writer !== null) return this.#writer;
    return await new Promise<Writer>((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
        act();
      };
      const waiting: Waiting = {
        resolve: (writer) => settle(() => resolve(writer)),
        reject: (error) => settle(() => reject(error)),
      };
      const timer = setTimeout(() => {
        waiting.reject(new GatewayError('MR_ORIGIN_NO_WRITER'));
      }, timeoutMs);
      this.#waiting.add(waiting);
    });
  }

  /**
   * Asks a server that was connected to as the writer whether it is one.
   * @throws GatewayError when it is not, or another node is by now
   */
  async confirm({ socket }: EstablishedLink, { serial }: Writer, timeoutMs: number): Promise<void> {
    const [row] = await queryRows(socket, ROLE_QUERY, timeoutMs);
    if (row?.[0] === 'f' && this.serial === serial) return;
    this.suspect();
    throw new GatewayError('MR_ORIGIN_NO_WRITER');
  }

  /** Something looks as if the writer were none any more, or were gone. */
  suspect(): void {
    this.#isSuspect = true;
    this.#wake?.();
  }

  /** Nobody needs to know for now: no connection is left open. */
  rest(): void {
    this.#running?.abort();
    this.#running = null;
    this.#wake?.();
    this.#writer = null;
    for (const waiting of this.#waiting) {
      waiting.reject(new GatewayError('MR_ORIGIN_NO_WRITER'));
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const found = await findWriter({
        cluster: this.#origin,
        names: this.#instances.map(({ name }) => name),
        signal,
        log: this.#log,
        onNone: (error) => {
          for (const waiting of this.#waiting) waiting.reject(error);
        },
      });
      if (found === null) return;
      const node = await this.#approach(found);
      if (!signal.aborted) {
        const writer = this.#become(node);
        const reason = await this.#watch(node, writer, signal);
        if (!signal.aborted) {
          this.#writer = null;
          const { host } = node.origin;
          this.#log.warn({ host, reason }, 'the writer of the cluster is looked for');
        }
      }
      node.close();
    }
  }

  /** The endpoint's name may soon lead elsewhere: the instance is reached by its own if it can. */
  async #approach(found: Node): Promise<Node> {
    const name = found.answer.instance;
    if (name === null || found.origin !== this.#origin) return found;
    const origin = instanceOrigin(this.#origin, name, this.#log);
    try {
      const node = await Node.open(origin, APPROACH_TIMEOUT_MS, this.#log);
      if (!node.answer.isInRecovery) {
        found.close();
        return node;
      }
      node.close();
    } catch (error) {
      const { message } = error as Error;
      if (!this.#hasWarned) {
        this.#log.warn(
          { host: origin.host, cause: message },
          'the instance that writes is not reached by its own name: the endpoint is used',
        );
      }
      this.#hasWarned = true;
    }
    return found;
  }

  #become({ origin, answer }: Node): Writer {
    if (answer.identity !== this.#identity || answer.identity === '') this.#serial++;
    this.#identity = answer.identity;
    this.#note(answer.instances);
    this.#isSuspect = false;
    const writer = { origin, serial: this.#serial };
    this.#writer = writer;
    const readers = this.#instances.filter(({ isWriter }) => !isWriter).length;
    this.#log.info({ host: origin.host, readers }, 'the writer of the cluster is known');
    for (const waiting of this.#waiting) waiting.resolve(writer);
    this.#events.onWriter(writer);
    return writer;
  }

  /** Resolves, with the reason, when the node is not the writer any more, or does not say so. */
  async #watch(node: Node, writer: Writer, signal: AbortSignal): Promise<string> {
    for (;;) {
      await this.#pause(node, signal);
      if (signal.aborted) return 'nobody needs to know';
      try {
        this.#isSuspect = false;
        const { isInRecovery, instances } = await node.ask(BEAT_TIMEOUT_MS);
        if (isInRecovery) {
          this.#events.onDemoted(writer);
          return 'it only reads by now';
        }
        this.#note(instances);
      } catch (error) {
        return error instanceof GatewayError ? error.detail : 'it could not be asked';
      }
    }
  }

  /** What nodes are there is known as long as one of them has said so. */
  #note(instances: readonly Instance[]): void {
    if (instances.length > 0) this.#instances = instances;
    this.#notedMs = performance.now();
    this.#events.onInstances();
  }

  /** Until it is time to ask the node again. */
  async #pause(node: Node, signal: AbortSignal): Promise<void> {
    await sleep(BEAT_MS_MIN, undefined, { signal, ref: false }).catch(() => {});
    if (this.#isSuspect || signal.aborted) return;
    const beat = new AbortController();
    this.#wake = () => beat.abort();
    const timer = setTimeout(this.#wake, BEAT_MS - BEAT_MS_MIN).unref();
    await node.disturbed(beat.signal);
    clearTimeout(timer);
    this.#wake = null;
  }
}
