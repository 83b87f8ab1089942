/** Looks for the node of a cluster that writes, at all of them at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { OriginConfig } from '../../config/model.ts';
import { instanceOrigin } from './instances.ts';
import { Node } from './node.ts';

/** One look at a node. One that hangs holds up nobody but itself. */
const LOOK_TIMEOUT_MS = 3_000;
/** A node is looked at again after this long, and less often when it takes long. */
const PAUSE_MS = 100;
const PATIENCE_MS = 30_000;
const PAUSE_LATER_MS = 1_000;
/**
 * The endpoint is asked anew where it leads so often, when that is all there is to know; each time
 * is a login.
 */
const REOPEN_MS = 500;
/** A cluster has 16 instances at most, and its endpoint. */
const NODES_MAX = 33;

export type SearchParts = {
  readonly cluster: OriginConfig;
  /** Names of the instances that are known so far. */
  readonly names: readonly string[];
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Every node was looked at, and none writes. Comes again while that stays so. */
  onNone(error: GatewayError): void;
};

/**
 * Visits the endpoint and every instance that any of them knows of, again and again, until one
 * says that it writes.
 * @returns that node, connected; null when the signal came first
 */
export async function findWriter(parts: SearchParts): Promise<Node | null> {
  const search = new Search(parts);
  return await search.run();
}

class Search {
  readonly #parts: SearchParts;
  readonly #over = new AbortController();
  /** Nodes on visit, by host, and what was wrong with each of them last. */
  readonly #failures = new Map<string, GatewayError | null>();
  #found: Node | null = null;

  constructor(parts: SearchParts) {
    this.#parts = parts;
  }

  async run(): Promise<Node | null> {
    const { cluster, names, signal } = this.#parts;
    const isOver = new Promise<void>((resolve) => {
      this.#over.signal.addEventListener('abort', () => resolve());
    });
    const stop = (): void => this.#over.abort();
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    this.#visit(cluster);
    this.#visitAll(names);
    await isOver;
    signal.removeEventListener('abort', stop);
    return this.#found;
  }

  #visitAll(names: readonly string[]): void {
    const { cluster, log } = this.#parts;
    for (const name of names) this.#visit(instanceOrigin(cluster, name, log));
  }

  #visit(origin: OriginConfig): void {
    if (this.#failures.has(origin.host) || this.#failures.size >= NODES_MAX) return;
    this.#failures.set(origin.host, null);
    void this.#look(origin);
  }

  async #look(origin: OriginConfig): Promise<void> {
    const { signal } = this.#over;
    let node: Node | null = null;
    let openedMs = 0;
    const sinceMs = performance.now();
    while (!signal.aborted) {
      try {
        if (node === null) {
          openedMs = performance.now();
          node = await Node.open(origin, LOOK_TIMEOUT_MS, this.#parts.log);
        } else await node.ask(LOOK_TIMEOUT_MS);
        if (signal.aborted) break;
        if (!node.answer.isInRecovery) {
          this.#found = node;
          this.#over.abort();
          return;
        }
        this.#visitAll(node.answer.instances.map(({ name }) => name));
        this.#fail(origin, new GatewayError('MR_ORIGIN_NO_WRITER'));
        // Who knows of no other nodes is not to be asked for ever: its name leads to them.
        const isAlone = node.answer.instances.length === 0;
        if (isAlone && performance.now() - openedMs >= REOPEN_MS) {
          node.close();
          node = null;
        }
      } catch (error) {
        node?.close();
        node = null;
        this.#fail(origin, GatewayError.from(error));
      }
      const pauseMs = performance.now() - sinceMs < PATIENCE_MS ? PAUSE_MS : PAUSE_LATER_MS;
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => {});
    }
    node?.close();
  }

  #fail({ host }: OriginConfig, error: GatewayError): void {
    if (this.#over.signal.aborted) return;
    this.#failures.set(host, error);
    const errors = [...this.#failures.values()];
    if (errors.includes(null)) return;
    // That nodes answer tells more than that others do not; else the endpoint's is the word.
    const told = errors.find((one) => one?.code === 'MR_ORIGIN_NO_WRITER') ?? errors[0];
    this.#parts.onNone(told as GatewayError);
  }
}
