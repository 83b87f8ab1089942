import type { Log } from '../../base/log.ts';
import type { OriginConfig } from '../../config/model.ts';
import { SocketReader } from '../../net/socket-reader.ts';
import { connectOrigin, type EstablishedLink } from '../connect.ts';
import { OriginQueryError, queryRows } from '../query.ts';
import { type NodeAnswer, ROLE_QUERY, readRole, readTopology, TOPOLOGY_QUERY } from './topology.ts';

const APPLICATION_NAME = 'Millrace topology';

/** A connection to one node of a cluster, for asking it who writes. It is in nobody's pool. */
export class Node {
  readonly origin: OriginConfig;
  readonly #established: EstablishedLink;
  readonly #isAurora: boolean;
  /** Something came that was not asked for. */
  #isDisturbed = false;
  /** The last answer. */
  answer: NodeAnswer;

  private constructor(
    origin: OriginConfig,
    established: EstablishedLink,
    isAurora: boolean,
    answer: NodeAnswer,
  ) {
    this.origin = origin;
    this.#established = established;
    this.#isAurora = isAurora;
    this.answer = answer;
  }

  /**
   * Connects and asks.
   * @param timeoutMs over everything
   * @throws GatewayError `MR_ORIGIN_…`; nothing is left open then
   */
  static async open(origin: OriginConfig, timeoutMs: number, log: Log): Promise<Node> {
    const endMs = performance.now() + timeoutMs;
    const established = await connectOrigin(origin, {
      connectTimeoutMs: timeoutMs,
      applicationName: APPLICATION_NAME,
      log,
    });
    try {
      const { socket } = established;
      const rows = await queryRows(socket, ROLE_QUERY, endMs - performance.now());
      const { answer, isAurora } = readRole(rows);
      const node = new Node(origin, established, isAurora, answer);
      if (isAurora) await node.ask(endMs - performance.now());
      return node;
    } catch (error) {
      established.socket.destroy();
      throw error;
    }
  }

  /** @throws OriginQueryError; the node is then to be closed */
  async ask(timeoutMs: number): Promise<NodeAnswer> {
    if (this.#isDisturbed) throw new OriginQueryError('', 'the server has ended the connection');
    const { socket } = this.#established;
    if (this.#isAurora) {
      this.answer = readTopology(await queryRows(socket, TOPOLOGY_QUERY, timeoutMs));
    } else {
      this.answer = readRole(await queryRows(socket, ROLE_QUERY, timeoutMs)).answer;
    }
    return this.answer;
  }

  /**
   * Resolves when the server ends the connection, or says what it was not asked for, which is most
   * likely a goodbye; or when the signal comes.
   */
  async disturbed(signal: AbortSignal): Promise<void> {
    const reader = new SocketReader(this.#established.socket, signal);
    await reader.more().catch(() => {});
    this.#isDisturbed ||= !signal.aborted;
    reader.release();
  }

  close(): void {
    this.#established.socket.destroy();
  }
}
