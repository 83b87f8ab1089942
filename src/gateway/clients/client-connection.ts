import type { Socket } from 'node:net';
import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { Pause, SocketStream } from '../../net/socket-stream.ts';
import { encodeGatewayError } from '../../protocol/error-response.ts';
import { encodeWelcome } from '../../protocol/startup.ts';
import { Session } from '../../session/session.ts';
import type { SessionPort } from '../../session/session-host.ts';
import { isTrackedParameter, type Settings } from '../../session/settings.ts';
import type { Database } from '../database.ts';
import { ClientWatch } from './client-watch.ts';

const DRAINED: ReadonlySet<string> = new Set(['MR_SHUTTING_DOWN', 'MR_CONFIG_REMOVED']);

/** Who a client is, for people. */
export type ClientIdentity = {
  /** What the client was told as its process ID; unique among all workers. */
  readonly processId: number;
  readonly secretKey: Buffer;
  readonly user: string;
};

/** A client that has logged in: its socket and its session. */
export class ClientConnection implements SessionPort {
  readonly session: Session;
  readonly #log: Log;
  readonly identity: ClientIdentity;
  readonly #stream: SocketStream;
  readonly #onClosed: (connection: ClientConnection) => void;
  readonly watch = new ClientWatch();

  constructor(
    socket: Socket,
    database: Database,
    identity: ClientIdentity,
    settings: Settings,
    onClosed: (connection: ClientConnection) => void,
  ) {
    this.#log = database.log;
    this.identity = identity;
    this.#onClosed = onClosed;
    this.session = new Session(database, this, settings, database.isSessionMode);
    this.#stream = new SocketStream(
      socket,
      {
        onData: (chunk) => this.#feed(chunk),
        onEnd: () => this.session.endInput(),
        onBlocked: (isBlocked) => this.#onBlocked(isBlocked),
        onClose: () => {
          this.session.close();
          this.#onClosed(this);
        },
      },
      false,
    );
  }

  /** Whether more waits for the client than it takes. */
  get isBlocked(): boolean {
    return this.#stream.isBlocked;
  }

  /** See {@link SocketStream.hasStood}. */
  hasStood(): boolean {
    return this.#stream.hasStood();
  }

  /**
   * Tells the client that it is in, and works on what it has already sent.
   * @param accepted what ends its authentication
   */
  welcome(accepted: Buffer, parameters: ReadonlyMap<string, string>, leftover: Buffer): void {
    const { settings } = this.session;
    const toldValue = (name: string, value: string): string =>
      (isTrackedParameter(name) ? settings.get(name.toLowerCase()) : undefined) ?? value;
    const bytes = encodeWelcome(parameters, toldValue, this.identity);
    this.send(accepted, 0, accepted.length);
    this.send(bytes, 0, bytes.length);
    this.flush();
    if (leftover.length > 0) this.#feed(leftover);
  }

  send(chunk: Uint8Array, start: number, end: number): void {
    this.#stream.send(chunk, start, end);
  }

  flush(): void {
    this.#stream.flush();
  }

  resume(): void {
    this.#stream.pause(Pause.Backlog, false);
  }

  pause(isPaused: boolean): void {
    this.#stream.pause(Pause.Sink, isPaused);
  }

  sendError(error: GatewayError): void {
    const bytes = encodeGatewayError(error);
    this.send(bytes, 0, bytes.length);
  }

  fail(error: GatewayError): void {
    const { code, message } = error;
    const fields = { code, client: this.identity.processId, user: this.identity.user };
    // A drain tells of all its clients in one line.
    if (DRAINED.has(code)) this.#log.debug(fields, `client ended: ${message}`);
    else this.#log.info(fields, `client ended: ${message}`);
    this.sendError(error);
    this.end();
  }

  end(): void {
    this.#stream.end();
  }

  /** Closes at once, without a word. */
  destroy(): void {
    this.#stream.destroy();
  }

  #feed(chunk: Buffer): void {
    try {
      this.session.feed(chunk);
    } catch (error) {
      // A mistake of ours must cost this client and its link only.
      this.#log.error({ error }, 'a session failed');
      this.session.fail(new GatewayError('MR_INTERNAL', { cause: error }));
    }
    if (this.session.wantsPause) this.#stream.pause(Pause.Backlog, true);
  }

  /** A client that does not read is not read either, and neither is its link. */
  #onBlocked(isBlocked: boolean): void {
    this.#stream.pause(Pause.Unread, isBlocked);
    this.session.onClientBlocked(isBlocked);
  }
}
