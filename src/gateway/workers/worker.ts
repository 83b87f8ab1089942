import type { Socket } from 'node:net';
import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { adopt } from '../../net/adopt.ts';
import { BoardFile } from '../cache/board-file.ts';
import { WriteBoard } from '../cache/write-board.ts';
import { Gateway, type PreparedConfig } from '../gateway.ts';
import type { SharedSecrets } from '../shared-secrets.ts';
import {
  BOARD_FD,
  MESSAGES_VERSION,
  type Orders,
  type ToPrimary,
  type ToWorker,
} from './messages.ts';
import { WorkerSiblings } from './worker-siblings.ts';

/** The channel of a child process to its parent. */
export type PrimaryChannel = {
  send(message: ToPrimary): void;
  /** Ends this process. */
  exit(): void;
};

type Start = Extract<ToWorker, { kind: 'start' }>;

/** One worker process: a gateway that is told what to do by the primary process. */
export class Worker {
  readonly #channel: PrimaryChannel;
  readonly #log: Log;
  readonly #gateway: Gateway;
  readonly #siblings: WorkerSiblings;
  #prepared: PreparedConfig | null = null;
  #isEnding = false;

  private constructor(
    channel: PrimaryChannel,
    gateway: Gateway,
    siblings: WorkerSiblings,
    log: Log,
  ) {
    this.#channel = channel;
    this.#gateway = gateway;
    this.#siblings = siblings;
    this.#log = log;
  }

  /** @throws GatewayError when it cannot do what it is told */
  static async start(start: Start, channel: PrimaryChannel, log: Log): Promise<Worker> {
    if (start.version !== MESSAGES_VERSION) {
      const subject = 'it is of another version than the primary process';
      throw new GatewayError('MR_WORKER_FAILED', { subject });
    }
    const send = (message: ToPrimary) => channel.send(message);
    const siblings = new WorkerSiblings({ ...start, send, log });
    const { config, secrets } = ordersOf(start.orders);
    const board = start.hasBoard ? new WriteBoard(new BoardFile(BOARD_FD), start.number) : null;
    // There is no single worker: then no process stands before it.
    const options = { log, siblings, secrets, board, hasOtherWriters: board === null };
    const gateway = await Gateway.start(config, options);
    return new Worker(channel, gateway, siblings, log);
  }

  onMessage(message: ToWorker, socket: Socket | undefined): void {
    if (this.#siblings.onMessage(message)) return;
    if (message.kind === 'connection') {
      this.#receive(message.id, message.listener, socket);
    } else if (message.kind === 'prepare') void this.#prepare(message.id, message.orders);
    else if (message.kind === 'apply') this.#apply(message.id);
    else if (message.kind === 'cancel') void this.#cancel(message);
    else if (message.kind === 'news') this.#gateway.onNews(message.configuration, message.news);
    else if (message.kind === 'ping') this.#channel.send({ kind: 'pong' });
    else if (message.kind === 'status') {
      this.#channel.send({ kind: 'status', id: message.id, rows: this.#gateway.status() });
    } else if (message.kind === 'purge') void this.#purge(message);
    else if (message.kind === 'takeOver') this.#takeOver(message.id, message.worker);
    else if (message.kind === 'drain') void this.end(message.timeoutMs);
    else if (message.kind === 'close') void this.end(0);
  }

  /** Ends all clients, politely if there is time, and then the process. */
  async end(drainTimeoutMs: number): Promise<void> {
    if (this.#isEnding && drainTimeoutMs > 0) return;
    this.#isEnding = true;
    if (drainTimeoutMs > 0) {
      await this.#gateway.drain(drainTimeoutMs);
      await this.#siblings.settle();
    } else await this.#gateway.close();
    this.#log.debug({}, 'worker ends');
    this.#channel.exit();
  }

  /** @param socket missing when its client has left on the way */
  #receive(id: number, listener: string, socket: Socket | undefined): void {
    this.#channel.send({ kind: 'taken', id });
    const onEnded = () => this.#channel.send({ kind: 'ended', listener });
    if (socket === undefined) {
      onEnded();
      return;
    }
    socket.once('close', onEnded);
    this.#gateway.receive(listener, adopt(socket));
  }

  async #prepare(id: number, orders: Orders): Promise<void> {
    try {
      const { config, secrets } = ordersOf(orders);
      this.#prepared = await this.#gateway.prepare(config, secrets);
      this.#channel.send({ kind: 'done', id, problem: null });
    } catch (error) {
      this.#channel.send({ kind: 'done', id, problem: GatewayError.from(error).message });
    }
  }

  #apply(id: number): void {
    if (this.#prepared !== null && !this.#isEnding) this.#gateway.apply(this.#prepared);
    this.#prepared = null;
    this.#channel.send({ kind: 'done', id, problem: null });
  }

  #takeOver(id: number, worker: number): void {
    this.#gateway.takeOver(worker);
    this.#channel.send({ kind: 'done', id, problem: null });
  }

  async #purge({ id, configuration, target }: Extract<ToWorker, { kind: 'purge' }>): Promise<void> {
    const outcome = await this.#gateway.purge(configuration, target);
    this.#channel.send({ kind: 'purged', id, outcome });
  }

  async #cancel(asked: Extract<ToWorker, { kind: 'cancel' }>): Promise<void> {
    const secretKey = Buffer.from(asked.secretKey, 'base64');
    await this.#gateway.cancelHere(asked.processId, secretKey);
    this.#channel.send({ kind: 'cancelled', id: asked.id });
  }
}

function ordersOf({ config, secrets: { mockSecret, ticketSecret } }: Orders) {
  const secrets: SharedSecrets = {
    mockSecret: Buffer.from(mockSecret, 'base64'),
    ticketSecret: Buffer.from(ticketSecret, 'base64'),
  };
  return { config, secrets };
}
