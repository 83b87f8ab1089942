import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { OriginConfig } from '../../config/model.ts';
import { Pause, SocketStream } from '../../net/socket-stream.ts';
import { connectOrigin, type EstablishedLink, requestCancel } from '../../origin/connect.ts';
import { ClientCode } from '../../protocol/codes.ts';
import type { ErrorFields } from '../../protocol/error-response.ts';
import { TERMINATE } from '../../protocol/messages.ts';
import { encodeCopyFail, encodeQuery, encodeSimpleQuery, RowSink } from './link-messages.ts';
import { type ReplyEvents, ReplyReader } from './reply-reader.ts';
import {
  type Exchange,
  type ReplySink,
  type Rows,
  ServerError,
  type ServerLink,
  type Status,
} from './server-link.ts';

/** A cancel request that takes longer may still strike: its link is then not used again. */
const CANCEL_TIMEOUT_MS = 5_000;
/** Statements in one Query whose tags are kept. */
const TAGS_MAX = 10_000;
const APPLICATION_NAME = 'Millrace DSQL endpoint';
/** What PostgreSQL says to writes on a standby, and in a transaction that is READ ONLY. */
const READ_ONLY_SQL_TRANSACTION = '25006';

/** As whom to log in. */
export type LinkLogin = {
  readonly role: string;
  /** Null where the server asks for none. */
  readonly password: string | null;
};

export type LinkOptions = {
  /** Over name resolution, TCP, TLS and login together. */
  readonly connectTimeoutMs: number;
  readonly log: Log;
  /** Settings of the session from its start. */
  readonly parameters?: Readonly<Record<string, string>>;
  /**
   * The server may not be the one that takes writes any more: it refused to write, said goodbye, or
   * the connection broke without having been closed here.
   */
  onDoubt?(reason: string): void;
};

/** @throws GatewayError `MR_ORIGIN_…`; nothing is left open then */
export async function openLink(
  origin: OriginConfig,
  { role, password }: LinkLogin,
  options: LinkOptions,
): Promise<PostgresLink> {
  const { log, connectTimeoutMs, parameters = {}, onDoubt = () => {} } = options;
  const own = { ...origin, user: role, password, auth: { method: 'password' } } as const;
  const established = await connectOrigin(own, {
    connectTimeoutMs,
    log,
    applicationName: APPLICATION_NAME,
    parameters,
  });
  return new PostgresLink(own, established, onDoubt);
}

/** What is asked, and what has come of its answer. */
type Asked = {
  readonly sink: ReplySink;
  /** Begun by Parse or Bind rather than as a Query. */
  readonly isExtended: boolean;
  readonly tags: string[];
  error: ServerError | null;
  resolve(exchange: Exchange): void;
  reject(error: Error): void;
};

export class PostgresLink implements ServerLink, ReplyEvents {
  readonly role: string;
  readonly processId: number;
  readonly parameters: Map<string, string>;
  readonly ended: Promise<void>;
  status: Status = 'I';
  /** It refused to write since {@link takeReadOnly} was last asked. */
  #sawReadOnly = false;
  readonly #origin: OriginConfig;
  readonly #established: EstablishedLink;
  readonly #onDoubt: (reason: string) => void;
  readonly #stream: SocketStream;
  readonly #reader = new ReplyReader(this);
  #asked: Asked | null = null;
  #isOpen = true;
  #isDoubted = false;
  /** What the server said as it went. */
  #lastWords = '';
  /** Cancel requests on their way, and whether one may strike later. */
  #cancelsPending = 0;
  #mayBeStruck = false;
  /** Those who wait for room to send. */
  #senders: (() => void)[] = [];

  constructor(
    origin: OriginConfig,
    established: EstablishedLink,
    onDoubt: (reason: string) => void,
  ) {
    this.role = established.user;
    this.processId = established.processId;
    this.parameters = established.parameters;
    this.#origin = origin;
    this.#established = established;
    this.#onDoubt = onDoubt;
    const { socket } = established;
    this.ended = new Promise((resolve) => {
      if (socket.closed) resolve();
      else socket.once('close', () => resolve());
    });
    const events = {
      onData: (chunk: Buffer) => this.#onData(chunk),
      onEnd: () => this.#lose(null),
      onBlocked: (isBlocked: boolean) => this.#onBlocked(isBlocked),
      onClose: () => this.#lose(null),
    };
    this.#stream = new SocketStream(socket, events, true);
    // It may have broken between its login and now: then no event comes any more.
    if (socket.destroyed) this.#lose(null);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get isAsked(): boolean {
    return this.#asked !== null;
  }

  /** Open, outside any transaction, owing nothing, and no cancel request can strike it. */
  get isReusable(): boolean {
    const isIdle = this.#isOpen && this.#asked === null && this.status === 'I';
    return isIdle && this.#cancelsPending === 0 && !this.#mayBeStruck;
  }

  /** Whether the server has refused to write since this was last asked. */
  takeReadOnly(): boolean {
    const saw = this.#sawReadOnly;
    this.#sawReadOnly = false;
    return saw;
  }

  exchange(messages: Uint8Array, sink: ReplySink): Promise<Exchange> {
    if (!this.#isOpen) return Promise.reject(this.#lost(null));
    if (this.#asked !== null) throw new Error('a link has one exchange at a time');
    return new Promise((resolve, reject) => {
      const isExtended = messages[0] !== ClientCode.Query;
      this.#asked = { sink, isExtended, tags: [], error: null, resolve, reject };
      this.#write(messages);
    });
  }

  async send(messages: Uint8Array): Promise<void> {
    if (!this.#isOpen) return;
    this.#write(messages);
    if (!this.#stream.isBlocked) return;
    await new Promise<void>((resolve) => this.#senders.push(resolve));
  }

  async query(text: string, parameters?: readonly (string | null)[]): Promise<Rows> {
    const sink = new RowSink();
    const messages =
      parameters === undefined ? encodeSimpleQuery(text) : encodeQuery(text, parameters);
    const { tags } = await this.exchange(messages, sink);
    return { tag: tags.at(-1) ?? '', rows: sink.rows() };
  }

  pause(isPaused: boolean): void {
    this.#stream.pause(Pause.Sink, isPaused);
  }

  async cancel(): Promise<void> {
    if (!this.#isOpen) return;
    this.#cancelsPending++;
    const outcome = await requestCancel(this.#origin, this.#established, CANCEL_TIMEOUT_MS);
    this.#cancelsPending--;
    if (outcome === 'failed') this.#mayBeStruck = true;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isDoubted = true;
    if (this.#asked !== null) {
      // A server process does not notice that its client has gone before it has something to say.
      void this.cancel();
      this.#lose(null);
      return;
    }
    this.#isOpen = false;
    this.#stream.send(TERMINATE, 0, TERMINATE.length);
    this.#stream.end();
    this.#letGo();
  }

  onMessages(messages: Buffer): void {
    this.#asked?.sink.take(messages);
  }

  onTag(tag: string): void {
    const tags = this.#asked?.tags;
    if (tags !== undefined && tags.length < TAGS_MAX) tags.push(tag);
  }

  onError(fields: ErrorFields, bytes: Buffer): void {
    const { severity, sqlstate, message } = fields;
    if (severity === 'FATAL' || severity === 'PANIC') {
      this.#lastWords = `${sqlstate}: ${message}`;
      this.#lose(null);
      return;
    }
    if (this.#asked === null) {
      throw new GatewayError('MR_PROTOCOL_VIOLATION', { subject: 'an error out of nowhere' });
    }
    this.#asked.error ??= new ServerError(fields, bytes);
    if (sqlstate !== READ_ONLY_SQL_TRANSACTION) return;
    this.#sawReadOnly = true;
    this.#onDoubt(message);
  }

  onParameter(name: string, value: string): void {
    this.parameters.set(name, value);
  }

  onCopyIn(): void {
    const asked = this.#asked as Asked;
    if (asked.sink.copyIn !== undefined) asked.sink.copyIn();
    else this.#write(encodeCopyFail('COPY FROM STDIN is not possible here', asked.isExtended));
  }

  onReady(status: Status): void {
    const { tags, error, resolve, reject } = this.#asked as Asked;
    this.#asked = null;
    this.status = status;
    if (error === null) resolve({ tags, status });
    else reject(error);
  }

  #write(messages: Uint8Array): void {
    this.#stream.send(messages, 0, messages.length);
    this.#stream.flush();
  }

  #onData(chunk: Buffer): void {
    try {
      if (this.#isOpen) this.#reader.feed(chunk);
    } catch (error) {
      this.#lose(error);
    }
  }

  #onBlocked(isBlocked: boolean): void {
    if (!isBlocked) this.#letGo();
  }

  #letGo(): void {
    const senders = this.#senders;
    this.#senders = [];
    for (const resolve of senders) resolve();
  }

  /** The connection has ended, or is of no use any more. */
  #lose(cause: unknown): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stream.destroy();
    const asked = this.#asked;
    this.#asked = null;
    this.#letGo();
    asked?.reject(this.#lost(cause));
    if (this.#isDoubted) return;
    this.#isDoubted = true;
    this.#onDoubt(this.#lastWords === '' ? 'the connection was lost' : this.#lastWords);
  }

  #lost(cause: unknown): GatewayError {
    const detail =
      this.#lastWords === '' && cause instanceof GatewayError ? cause.clientText : this.#lastWords;
    return new GatewayError('MR_ORIGIN_LOST', { detail, ...(cause === null ? {} : { cause }) });
  }
}
