import type { Socket } from 'node:net';
import { GatewayError } from '../../base/errors.ts';
import { closeGently } from '../../net/closing.ts';
import { encodeGatewayError } from '../../protocol/error-response.ts';
import type { PreparedListeners } from '../listeners.ts';
import type { WorkerProcess } from './worker-process.ts';

/** Connections that wait for a worker, while none is ready or a reload is under way. */
const HELD_MAX = 4_096;

type Held = { readonly listener: string; readonly socket: Socket };

/** The connections of one worker, as far as the primary process knows of them. */
type Load = {
  /** By listener; those included that are on their way. */
  readonly byListener: Map<string, number>;
  total: number;
  /** On their way: this process still holds a copy. */
  readonly sent: Map<number, Held>;
};

/**
 * Which worker gets which connection: the one that has fewest. Connections to a database live
 * long, so they must be even from the beginning.
 */
export class Placement {
  readonly #loads = new Map<WorkerProcess, Load>();
  readonly #held: Held[] = [];
  #listeners: PreparedListeners = new Map();
  #isHolding = false;
  #isClosed = false;
  #lastId = 0;

  setListeners(listeners: PreparedListeners): void {
    this.#listeners = listeners;
  }

  /** Keeps new connections until {@link release}. */
  hold(): void {
    this.#isHolding = true;
  }

  release(): void {
    this.#isHolding = false;
    for (const { listener, socket } of this.#held.splice(0)) this.#place(listener, socket);
  }

  /** A connection was accepted; it is paused and unread. */
  accept(listener: string, socket: Socket): void {
    const limit = this.#listeners.get(listener)?.config.clientsMax ?? Number.POSITIVE_INFINITY;
    if (this.#isClosed) socket.destroy();
    else if (this.#countOf(listener) >= limit || this.#held.length >= HELD_MAX) {
      closeGently(socket, encodeGatewayError(new GatewayError('MR_TOO_MANY_CLIENTS')));
    } else this.#place(listener, socket);
  }

  /** The worker takes connections from now on. */
  add(worker: WorkerProcess): void {
    this.#loads.set(worker, { byListener: new Map(), total: 0, sent: new Map() });
    if (!this.#isHolding) this.release();
  }

  /** The worker has ended. What it had not taken yet goes to another. */
  remove(worker: WorkerProcess): void {
    const load = this.#loads.get(worker);
    if (load === undefined) return;
    this.#loads.delete(worker);
    for (const { listener, socket } of load.sent.values()) this.#place(listener, socket);
  }

  onTaken(worker: WorkerProcess, id: number): void {
    const sent = this.#loads.get(worker)?.sent;
    // The copy goes; the connection is the worker's.
    sent?.get(id)?.socket.destroy();
    sent?.delete(id);
  }

  onEnded(worker: WorkerProcess, listener: string): void {
    const load = this.#loads.get(worker);
    if (load === undefined) return;
    load.total--;
    load.byListener.set(listener, (load.byListener.get(listener) ?? 0) - 1);
  }

  /** Nothing is placed any more. */
  close(): void {
    this.#isClosed = true;
    for (const { socket } of this.#held.splice(0)) socket.destroy();
  }

  #place(listener: string, socket: Socket): void {
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    if (socket.destroyed) return;
    const worker = this.#isHolding ? null : this.#leastLoaded();
    if (worker === null) {
      this.#held.push({ listener, socket });
      return;
    }
    const load = this.#loads.get(worker) as Load;
    const id = ++this.#lastId;
    load.total++;
    load.byListener.set(listener, (load.byListener.get(listener) ?? 0) + 1);
    load.sent.set(id, { listener, socket });
    worker.sendSocket({ kind: 'connection', id, listener }, socket);
  }

  /** One that may hang comes last: what it is sent waits until it goes on, or is killed. */
  #leastLoaded(): WorkerProcess | null {
    let best: WorkerProcess | null = null;
    let least = Number.POSITIVE_INFINITY;
    for (const [worker, { total }] of this.#loads) {
      if (!worker.isReady || worker.isLeaving) continue;
      const load = worker.isLate ? Number.MAX_VALUE : total;
      if (load >= least) continue;
      best = worker;
      least = load;
    }
    return best;
  }

  #countOf(listener: string): number {
    let count = this.#held.filter((held) => held.listener === listener).length;
    for (const { byListener } of this.#loads.values()) count += byListener.get(listener) ?? 0;
    return count;
  }
}
