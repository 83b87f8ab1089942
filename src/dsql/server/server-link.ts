/** A connection to the PostgreSQL below the endpoint, logged in as one role. */
import type { ErrorFields } from '../../protocol/error-response.ts';

/** An error that PostgreSQL answered; the link goes on. */
export class ServerError extends Error {
  readonly fields: ErrorFields;
  /** The ErrorResponse as it came, header included, to be relayed. */
  readonly bytes: Buffer;

  constructor(fields: ErrorFields, bytes: Buffer) {
    super(fields.message);
    this.fields = fields;
    this.bytes = bytes;
  }
}

/** Where the answer to a statement goes as it comes; every chunk is whole messages. */
export type ReplySink = {
  /** Owned by the callee from now on. */
  take(messages: Buffer): void;
  /**
   * The server waits for the rows of `COPY … FROM STDIN`: they, and CopyDone or CopyFail, go to
   * {@link ServerLink.send}, and after an Execute a Sync behind them. A sink without it has the
   * COPY fail.
   */
  copyIn?(): void;
};

/** Of ReadyForQuery: idle, in a transaction, in one that has failed. */
export type Status = 'I' | 'T' | 'E';

/** The end of an exchange: up to and including ReadyForQuery, of which the sink gets nothing. */
export type Exchange = {
  /** The command tags, in order, such as `UPDATE 3`. */
  readonly tags: readonly string[];
  readonly status: Status;
};

export type Rows = {
  readonly tag: string;
  /** Column values as text. */
  readonly rows: readonly (readonly (string | null)[])[];
};

export interface ServerLink {
  readonly role: string;
  /** Of the server process itself, for `pg_blocking_pids`. */
  readonly processId: number;
  /** Resolves when the connection has ended, for whatever reason. Never rejects. */
  readonly ended: Promise<void>;
  readonly isOpen: boolean;
  /** Of the last ReadyForQuery. */
  readonly status: Status;
  /** The last ParameterStatus of each name. */
  readonly parameters: ReadonlyMap<string, string>;
  /**
   * Sends messages of which the last is a Sync or which are one Query, and waits for
   * ReadyForQuery. NoticeResponse and ParameterStatus go to the sink too; an ErrorResponse does
   * not, since it is what is thrown. One exchange at a time.
   * @throws ServerError the first error that came, after ReadyForQuery
   * @throws GatewayError `MR_ORIGIN_LOST`: what the messages did is not known. DETAIL has the
   *   server's last words when it said any
   */
  exchange(messages: Uint8Array, sink: ReplySink): Promise<Exchange>;
  /**
   * Sends more of the exchange that is under way: what a COPY stores. Resolves when more can be
   * taken, or when the connection has ended. Never rejects.
   */
  send(messages: Uint8Array): Promise<void>;
  /** A query of the endpoint's own; with parameters (as text) by the extended protocol. */
  query(text: string, parameters?: readonly (string | null)[]): Promise<Rows>;
  /** Stops or goes on reading: the client does not keep up. */
  pause(isPaused: boolean): void;
  /** Asks the server to cancel what it does; resolves when it has been told. Never rejects. */
  cancel(): Promise<void>;
  /** Says Terminate; where something is under way that is cancelled, and the connection cut. */
  close(): void;
}
