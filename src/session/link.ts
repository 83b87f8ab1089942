import { byteString, indexOfZero } from '../base/bytes.ts';
import { GatewayError } from '../base/errors.ts';
import { ServerCode, TransactionStatus } from '../protocol/codes.ts';
import { Framer, Take } from '../protocol/framer.ts';
import { CLOSE_COMPLETE, PARSE_COMPLETE, SYNC } from '../protocol/messages.ts';
import { type Consequence, Disposition, Ledger, OWN, Owed } from './ledger.ts';
import { LinkWrites } from './link-writes.ts';
import { type OriginRules, postgresRules } from './origin-rules.ts';
import { OwnQuery } from './own-query.ts';
import { TOLD } from './own-unit.ts';
import { Settings } from './settings.ts';
import { Description, isChangedType } from './statements/result-type.ts';
import { sendClose } from './statements/statement-messages.ts';
import { LinkStatements } from './statements/statements.ts';

/** Where a link's bytes go: the socket to the server. */
export type LinkPort = {
  /** Takes `[start, end)`, which nobody changes any more, to be sent in order at the next flush. */
  send(chunk: Uint8Array, start: number, end: number): void;
  flush(): void;
  /** Stops reading from the server, or goes on. */
  pause(isPaused: boolean): void;
};

/** Whoever has a link checked out: a client's session, or one who cleans up after it. */
export type LinkOwner = {
  /** Bytes for the client, owned by the callee from now on. */
  onReply(chunk: Uint8Array, start: number, end: number): void;
  /** No more bytes for now. */
  onRepliesEnd(): void;
  /** ReadyForQuery came, and nothing more is owed. */
  onQuiet(): void;
  /** A ReadyForQuery that is not of a unit of the gateway's own was passed on. */
  onUnitEnd?(): void;
  /**
   * A reported parameter changed, not by a unit of the gateway's own.
   * @returns whether the message passes on
   */
  onParameter(name: string, value: string): boolean;
  /**
   * Whether a notice that came now would be the client's; it is unless said otherwise.
   * @param isUnasked it came before anything that is owed was sent
   */
  takesNotice?(isUnasked: boolean): boolean;
  /** A notice came for a message of the gateway's. */
  onOwnNotice?(): void;
  /**
   * The fields of an ErrorResponse as the client shall read them; null to leave them be, empty when
   * it shall not read of it at all.
   */
  rewriteError(fields: string): string | null;
  /** The server takes no more of what is sent, or does again. */
  onLinkBlocked(isBlocked: boolean): void;
  /** The last cancel request on its way has arrived. */
  onCancelsDone(): void;
  /** The link broke. */
  onLinkLost(error: GatewayError): void;
};

/** What the unnamed statement of a link is, when it is none that we know. */
export const UNKNOWN_STATEMENT: object = Object.freeze({});

/** Why a link is not used again that has lost statements which others believe to be there. */
export const LOST_STATEMENTS = 'it has lost prepared statements';

/** PostgreSQL's own limit on a message. */
const MESSAGE_BYTES_MAX = 0x3fffffff;
/** Errors, notices and notifications above this size pass without a look. */
const INSPECTED_BYTES_MAX = 65_536;

/**
 * The server side machine: one connection to PostgreSQL after its login. It matches what the server
 * says against the ledger and passes on what is the client's. `feed` throws a
 * {@link GatewayError} when the server breaks the protocol; the link is then lost.
 */
export class Link {
  readonly port: LinkPort;
  readonly ledger = new Ledger();
  readonly statements = new LinkStatements();
  /** What its transaction has written, or may have. */
  readonly writes = new LinkWrites();
  readonly rules: OriginRules;
  /** Reported parameters of the fresh link, by lower-case name. */
  readonly baseline: ReadonlyMap<string, string>;
  owner: LinkOwner | null = null;
  /** As the last client left them. */
  settings: Settings = Settings.NONE;
  /** Identity of the unnamed statement that the server has; null when it has none. */
  unnamed: object | null = null;
  /** The last status byte of ReadyForQuery. */
  status: number = TransactionStatus.Idle;
  /** Why this link must not serve anyone else, once its owner is done. */
  unfit: string | null = null;
  /** Whether the server has said goodbye with a FATAL error. */
  sawFatal = false;
  /** Whether its owner's client was told that. */
  hasToldFatal = false;
  /** A statement has run on it that may have drawn from a sequence. */
  mayHaveDrawn = false;
  /** Whether the last error was that a statement would return something else than at first. */
  sawChangedType = false;
  /** It leads to a server that only reads: nothing but a single read is sent there. */
  onlyReads = false;
  /** Whether a statement was refused because it writes; whoever looks at it sets it back. */
  sawReadOnly = false;
  /** Cancel requests on their way: until they have arrived they may hit whatever runs here. */
  cancelsPending = 0;
  readonly #framer: Framer;
  /** Whose answer is being read. */
  #description: Description | null = null;
  /**
   * What is being read now came before anything that was sent since the last answer that was due:
   * it can answer none of that, whoever has the link by now.
   */
  #isBehindQuiet = false;

  constructor(
    port: LinkPort,
    parameters: ReadonlyMap<string, string>,
    rules: OriginRules = postgresRules,
  ) {
    this.port = port;
    this.rules = rules;
    const baseline = new Map<string, string>();
    for (const [name, value] of parameters) baseline.set(name.toLowerCase(), value);
    this.baseline = baseline;
    this.#framer = new Framer(this);
  }

  /** Whether the server owes nothing and is outside a transaction. */
  get isIdle(): boolean {
    const { ledger, status } = this;
    return ledger.size === 0 && status === TransactionStatus.Idle && !ledger.isSkipping;
  }

  /** Bytes from the server, owned by the link from now on. */
  feed(chunk: Uint8Array, start: number, end: number): void {
    this.#framer.feed(chunk, start, end);
    // The beginning of a message came with the others, whenever its end comes.
    this.#isBehindQuiet &&= this.#framer.hasPartial;
    this.answerSynthetic();
    this.owner?.onRepliesEnd();
  }

  /** Sends a simple Query of the gateway's own; its replies go to `query` alone. */
  sendOwn(query: OwnQuery): void {
    this.unnamed = null;
    this.ledger.push(Owed.Query, OWN, query);
    const message = query.message;
    this.port.send(message, 0, message.length);
  }

  /**
   * Closes statements above the number, and all under a client's name; the link must be quiet, so
   * that no portal is open.
   */
  closeExcess(statementsMax: number): void {
    const { statements } = this;
    this.#close([...statements.takeExcess(statementsMax), ...statements.takePlanted()]);
  }

  /** Closes statements above the number for a client that keeps the quiet link. */
  closeOldest(statementsMax: number): void {
    if (this.statements.heldCount <= statementsMax) return;
    this.#close(this.statements.takeExcess(statementsMax));
    this.port.flush();
  }

  #close(names: readonly Uint8Array[]): void {
    for (const name of names) {
      this.ledger.push(Owed.Close, OWN, null);
      sendClose(this.port, name);
    }
    if (names.length > 0) this.sendOwnSync();
  }

  /** Ends a unit of the gateway's own. */
  sendOwnSync(consequence: Consequence | null = null): void {
    this.ledger.push(Owed.Sync, OWN, consequence);
    this.port.send(SYNC, 0, SYNC.length);
  }

  /** Gives the client the answers that no server message stands for, as far as it is their turn. */
  answerSynthetic(): void {
    // The answer before it has come in part only: the rest is due first.
    if (this.#framer.isInsideForward) return;
    while (this.ledger.headIsSynthetic) {
      const isParse = this.ledger.takeSynthetic() === Owed.SyntheticParse;
      this.owner?.onReply(isParse ? PARSE_COMPLETE : CLOSE_COMPLETE, 0, PARSE_COMPLETE.length);
    }
  }

  onHeader(code: number, size: number): Take {
    if (size < 5 || size > MESSAGE_BYTES_MAX) {
      throw violation(`a message of length ${size - 1}`);
    }
    switch (code) {
      case ServerCode.ReadyForQuery:
        if (size !== 6) throw violation('a ReadyForQuery of wrong length');
        return Take.Hold;
      case ServerCode.ParameterStatus:
        if (size > INSPECTED_BYTES_MAX) throw violation('a ParameterStatus that is too long');
        return Take.Hold;
      case ServerCode.ErrorResponse:
        if (size <= INSPECTED_BYTES_MAX) return Take.Hold;
        return this.#onErrorHeader(false);
      case ServerCode.NotificationResponse:
        // It may come between any two messages, also those of a unit of the gateway's own.
        return this.owner === null ? Take.Swallow : Take.Forward;
      case ServerCode.NoticeResponse:
        this.#answerBefore();
        return this.#takesNotice() ? Take.Forward : Take.Swallow;
      default:
        return this.#onReplyHeader(code);
    }
  }

  onWhole(code: number, chunk: Uint8Array, start: number, end: number): Take {
    switch (code) {
      case ServerCode.ReadyForQuery:
        return this.#onReady(chunk[start + 5] as number);
      case ServerCode.ParameterStatus:
        return this.#onParameterStatus(chunk, start, end);
      case ServerCode.ErrorResponse:
        return this.#onError(chunk, start, end);
      default:
        this.#onAnswer(chunk, start, end);
        return Take.Swallow;
    }
  }

  onPrefix(): Take {
    throw new Error('a link holds no prefixes');
  }

  onRun(chunk: Uint8Array, start: number, end: number): void {
    this.owner?.onReply(chunk, start, end);
  }

  /** What the server says belongs behind the answers that are the gateway’s own to give. */
  #answerBefore(): void {
    if (!this.ledger.headIsSynthetic) return;
    this.#framer.flushRun();
    this.answerSynthetic();
  }

  #takesNotice(): boolean {
    const { owner } = this;
    if (this.ledger.headSwallows) owner?.onOwnNotice?.();
    else if (owner !== null) return owner.takesNotice?.(this.#isBehindQuiet) !== false;
    return false;
  }

  #refuseBehindQuiet(): void {
    if (this.#isBehindQuiet) throw violation('an answer before the question');
  }

  #onReplyHeader(code: number): Take {
    this.#refuseBehindQuiet();
    this.#answerBefore();
    const consequence = this.ledger.headConsequence;
    switch (this.ledger.onReply(code)) {
      case Disposition.Forward:
        return Take.Forward;
      case Disposition.Swallow:
        if (consequence instanceof Description) return this.#onDescribed(code, consequence);
        return code === ServerCode.DataRow && consequence instanceof OwnQuery
          ? Take.Hold
          : Take.Swallow;
      default:
        throw violation(`message type ${code} where none such was due`);
    }
  }

  #onDescribed(code: number, description: Description): Take {
    if (code === ServerCode.NoData) {
      description.onNoData();
      return Take.Swallow;
    }
    this.#description = description;
    return Take.Hold;
  }

  /** A message for the gateway itself. */
  #onAnswer(chunk: Uint8Array, start: number, end: number): void {
    const description = this.#description;
    this.#description = null;
    if (description === null) (this.ledger.headConsequence as OwnQuery).onRow(chunk, start, end);
    else if (!description.onMessage(chunk, start, end)) {
      throw violation('a malformed description of a statement');
    }
  }

  #onReady(status: number): Take {
    this.#refuseBehindQuiet();
    this.#answerBefore();
    const disposition = this.ledger.onReply(ServerCode.ReadyForQuery);
    if (disposition === Disposition.Mismatch) throw violation('a ReadyForQuery that was not due');
    this.status = status;
    // Whatever the end of the unit sets free is sent behind what is being read.
    if (this.ledger.size === 0) {
      this.#isBehindQuiet = true;
      if (status === TransactionStatus.Idle) this.writes.settle();
      else this.writes.stayOpen();
    }
    const { owner } = this;
    if (disposition === Disposition.Forward) {
      this.#framer.flushThrough();
      owner?.onUnitEnd?.();
    }
    if (this.ledger.size === 0 && this.owner === owner) owner?.onQuiet();
    return disposition === Disposition.Forward ? Take.Forward : Take.Swallow;
  }

  #onParameterStatus(chunk: Uint8Array, start: number, end: number): Take {
    const nameEnd = indexOfZero(chunk, start + 5, end);
    const valueEnd = nameEnd < 0 ? -1 : indexOfZero(chunk, nameEnd + 1, end);
    if (valueEnd !== end - 1) throw violation('a malformed ParameterStatus');
    const name = byteString(chunk, start + 5, nameEnd);
    const value = byteString(chunk, nameEnd + 1, valueEnd);
    if (this.owner === null) return Take.Swallow;
    this.#answerBefore();
    if (this.ledger.headIsOwn) {
      const query = this.ledger.headConsequence;
      const isTold = query instanceof OwnQuery ? query.isTold : query === TOLD;
      return isTold ? Take.Forward : Take.Swallow;
    }
    return this.owner.onParameter(name, value) ? Take.Forward : Take.Swallow;
  }

  #onErrorHeader(isCopyBroken: boolean): Take {
    // Errors may come unasked: the server is shutting down, or a timeout of its own struck.
    if (this.ledger.size === 0) return this.owner === null ? Take.Swallow : Take.Forward;
    if (this.ledger.headIsSynthetic) {
      this.#framer.flushRun();
      this.answerSynthetic();
      if (this.ledger.size === 0) return Take.Forward;
    }
    const disposition = this.ledger.onReply(ServerCode.ErrorResponse, isCopyBroken);
    return disposition === Disposition.Swallow ? Take.Swallow : Take.Forward;
  }

  #onError(chunk: Uint8Array, start: number, end: number): Take {
    const text = byteString(chunk, start + 5, end);
    // The fields are zero-terminated, each after its letter; V is the severity, never translated.
    if (text.includes('VFATAL\0') || text.includes('VPANIC\0')) this.sawFatal = true;
    else this.#refuseBehindQuiet();
    this.sawChangedType = isChangedType(text);
    if (text.includes('\0C25006\0')) this.sawReadOnly = true;
    if (text.includes('\0C26000\0') && this.statements.hasName(text)) {
      // Something removed it unseen, such as a DEALLOCATE ALL in a function.
      this.statements.clear();
      this.unfit = LOST_STATEMENTS;
    }
    const consequence = this.ledger.headConsequence;
    if (this.ledger.headIsOwn && consequence instanceof OwnQuery) consequence.onError(text);
    const take = this.#onErrorHeader(isBrokenCopy(text));
    const rewritten = take === Take.Forward ? (this.owner?.rewriteError(text) ?? null) : null;
    this.hasToldFatal = this.sawFatal && take === Take.Forward && rewritten !== '';
    if (rewritten === null) return take;
    if (rewritten === '') return Take.Swallow;
    this.#framer.flushRun();
    const message = errorResponse(rewritten);
    this.owner?.onReply(message, 0, message.length);
    return Take.Swallow;
  }
}

/** Whether the fields of an error say that a message came which has no place in a COPY. */
export function isBrokenCopy(fields: string): boolean {
  return fields.includes('\0C08P01\0') && fields.includes('\0RCopyGetData\0');
}

function errorResponse(fields: string): Uint8Array {
  const message = Buffer.allocUnsafe(5 + fields.length);
  message[0] = ServerCode.ErrorResponse;
  message.writeUInt32BE(4 + fields.length, 1);
  message.write(fields, 5, 'latin1');
  return message;
}

function violation(what: string): GatewayError {
  return new GatewayError('MR_ORIGIN_LOST', { detail: `The origin sent ${what}.` });
}
