import { GatewayError } from '../base/errors.ts';
import { TransactionStatus } from '../protocol/codes.ts';
import { Framer } from '../protocol/framer.ts';
import { FLUSH, READY_IDLE } from '../protocol/messages.ts';
import { Backpressure } from './backpressure.ts';
import { MessageReader } from './client-messages.ts';
import { CopyIn } from './copy-in.ts';
import type { Link, LinkOwner } from './link.ts';
import { CachedReads } from './reads/cached-reads.ts';
import type { SessionHost, SessionPort } from './session-host.ts';
import type { Settings } from './settings.ts';
import { ReaderTurn } from './sharing/reader-turn.ts';
import { SharedTurn } from './sharing/shared-turn.ts';
import { Stall } from './stall.ts';
import { STATEMENT_TIMEOUT_FIELDS } from './statement-timeout.ts';
import { ClientStatements } from './statements/client-statements.ts';
import { Tenure } from './tenure.ts';

/** A client that waits is read no further once this much of it is held. */
const HELD_BYTES_MAX = 65_536;
const NOTHING = new Uint8Array(0);

/**
 * One client after its login: takes a link when a message needs one, keeps it to the end of the
 * transaction, or for as long as the link carries state of the client's that cannot follow it, and
 * gives it back clean. In session mode it keeps the link to the end.
 */
export class Session implements LinkOwner {
  readonly host: SessionHost;
  readonly port: SessionPort;
  readonly isSessionMode: boolean;
  readonly statements: ClientStatements;
  readonly copyIn = new CopyIn();
  /** The rest of a cancelled unit is being dropped. */
  isDropping = false;
  isClosed = false;
  /** Extended-protocol messages were sent that no Sync has closed yet. */
  isUnsynced = false;
  /** Messages of the unit at hand were sent before the one that is looked at. */
  hasOpenUnit = false;
  /** What the statements of the unit at hand take back to its default; see {@link Facts.resets}. */
  resets: string | null = null;
  /** The client may have made prepared statements on its link by SQL. */
  mayHavePrepared = false;
  /** The statement under way has no time limit: COPY, DDL, VACUUM. */
  isExempt = false;
  /** Grows with every answer, so that an observer can tell progress from a standstill. */
  unitSerial = 0;
  readonly framer: Framer;
  /** What goes over a link together with what others send. */
  readonly shared = new SharedTurn(this);
  /** What goes to servers that only read. */
  readonly readerTurn = new ReaderTurn(this);
  /** Null where nothing is kept. */
  readonly reads: CachedReads | null;
  /** The time limit has struck the statement under way: its error is ours to word. */
  isTimedOut = false;
  /** What the client has of its link, as long as it has one. */
  readonly tenure: Tenure;
  readonly #backpressure: Backpressure;
  #stall: Stall = Stall.None;
  /** What was read from the client and cannot be worked on yet. */
  #held: Uint8Array = NOTHING;
  #isReading = false;
  /** The client will send nothing more, but may be owed answers. */
  #isEnding = false;
  /** What is fed next has had its turn in the cache and on a shared link. */
  #goesAlone = false;

  /** @param settings what the client asked for at startup, where it differs from a fresh link */
  constructor(host: SessionHost, port: SessionPort, settings: Settings, isSessionMode: boolean) {
    this.host = host;
    this.port = port;
    this.#backpressure = new Backpressure(port);
    this.isSessionMode = isSessionMode;
    this.tenure = new Tenure(host, settings, isSessionMode);
    this.statements = new ClientStatements(host);
    this.framer = new Framer(new MessageReader(this));
    this.reads = host.readCache === null ? null : new CachedReads(this, host.readCache);
  }

  get link(): Link | null {
    return this.tenure.link;
  }

  get settings(): Settings {
    return this.tenure.settings;
  }

  get residue(): Tenure['residue'] {
    return this.tenure.residue;
  }

  /** Whether the client's statement waits for something else than a server's answer to it. */
  get isWaiting(): boolean {
    return this.#stall === Stall.Link || this.#stall === Stall.Read;
  }

  /** Whether nothing of the client's is unfinished, so that its next unit can be answered here. */
  get isFree(): boolean {
    if (this.link !== null || this.isUnsynced || this.isStalled || this.isClosed) return false;
    return !this.isDropping && !this.#backpressure.isClientBlocked && this.framer.isBetweenMessages;
  }

  /** Whether the client waits for an answer. */
  get isOwed(): boolean {
    return this.isStalled || this.link?.ledger.owesClient === true;
  }

  /** Whether the server works on something of the client's, so that a cancel makes sense. */
  get isBusy(): boolean {
    return this.shared.isRunning || (this.link !== null && this.link.ledger.size > 0);
  }

  /**
   * Bytes from the client, owned by the session from now on. Afterwards the caller stops reading
   * from the socket if {@link wantsPause}, until the port is told to resume. A client that only
   * waits is read on, so that its leaving is noticed.
   */
  feed(chunk: Uint8Array): void {
    if (this.isClosed) return;
    if (this.isStalled || this.#isReading) {
      this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
      return;
    }
    const rest = this.#goesAlone ? chunk : this.#serve(chunk);
    if (this.isClosed) return;
    if (this.isStalled) {
      this.#held = rest;
      return;
    }
    if (!this.#goesAlone && this.shared.attempt(rest)) return;
    this.#goesAlone = false;
    this.#isReading = true;
    const stopped = this.framer.feed(rest, 0, this.readerTurn.endIn(rest));
    this.#isReading = false;
    if (this.isClosed) return;
    if (this.readerTurn.awaits(stopped) && !this.isStalled) this.#stall = Stall.Reader;
    this.#held = stopped < rest.length && this.isStalled ? rest.subarray(stopped) : NOTHING;
    this.link?.port.flush();
    this.port.flush();
    this.#finishIfDone();
  }

  /** Answers what it can without a server; what is left. */
  #serve(chunk: Uint8Array): Uint8Array {
    if (this.reads === null) return chunk;
    this.#isReading = true;
    const served = this.reads.serve(chunk);
    this.#isReading = false;
    if (this.reads.isWaiting) this.#stall = Stall.Read;
    return served === 0 ? chunk : chunk.subarray(served);
  }

  /** A unit has gone over a shared link: nothing is read until its answer is complete. */
  stallForShared(): void {
    this.#stall = Stall.Shared;
  }

  /** The unit has been answered, or, when it is given, is worked on alone after all. */
  resumeFromShared(unanswered: Uint8Array | null): void {
    this.#stall = Stall.None;
    this.#goesAlone = unanswered !== null;
    if (unanswered !== null) this.#held = Buffer.concat([unanswered, this.#held]);
    else {
      this.unitSerial++;
      this.isTimedOut = false;
      this.port.flush();
    }
    this.#resume();
  }

  /** The client has said Terminate, or closed its side: what it sent before is still worked on. */
  endInput(): void {
    this.#isEnding = true;
    if (!this.#isReading) this.#finishIfDone();
  }

  #finishIfDone(): void {
    if (!this.#isEnding || this.isClosed || this.isStalled) return;
    // What the client has begun and will not end is not waited for.
    const isHopeless =
      this.isUnsynced || this.framer.isInsideForward || this.link?.ledger.isCopyIn === true;
    if (this.isBusy && !isHopeless) return;
    this.port.end();
    this.close();
  }

  get isStalled(): boolean {
    return this.#stall !== Stall.None;
  }

  get wantsPause(): boolean {
    return this.isStalled && this.#held.length >= HELD_BYTES_MAX;
  }

  /** A link, ready for the client's next message; false when reading must stop. */
  acquire(): boolean {
    const { link } = this;
    if (link !== null) {
      // What the gateway answers by itself may be all there is.
      if (link.ledger.isFull) link.answerSynthetic();
      if (this.tenure.takesMore(link)) return true;
      this.stallForAnswers();
      return false;
    }
    const lent = this.host.checkOut(this);
    if (lent !== null) return this.#attach(lent);
    this.#stall = Stall.Link;
    return false;
  }

  /** The link that the session has waited for. */
  onLink(link: Link): void {
    this.#stall = Stall.None;
    this.shared.beginTrial();
    if (this.#attach(link)) this.#resume();
    else link.port.flush();
  }

  onRefused(error: GatewayError): void {
    this.#stall = Stall.None;
    const left = this.readerTurn.leave() ? this.#held : this.reads?.rescue(this.#held);
    if (left == null) this.fail(error);
    else this.#resume(left);
  }

  /** What another client asked for has been answered, or never will be. */
  onReadDone(): void {
    if (this.#stall !== Stall.Read) return;
    this.#stall = Stall.None;
    this.#resume();
  }

  /** A CancelRequest came while the session waited: the unit is answered as cancelled. */
  cancelWaiting(): void {
    if (!this.isWaiting) return;
    this.#withdraw();
    this.#stall = Stall.None;
    this.isDropping = true;
    this.port.sendError(new GatewayError('MR_QUERY_CANCELED'));
    this.#resume();
  }

  /** Reads nothing more until answers have come, and then the same message again. */
  stallForAnswers(): void {
    this.#stall = Stall.Answers;
    if (!this.isUnsynced || this.link === null) return;
    // The server keeps the answers to an open unit until it is asked for them.
    this.framer.flushRun();
    this.link.port.send(FLUSH, 0, FLUSH.length);
  }

  /** What was asked for, of the pool or of the cache, is wanted no more. */
  #withdraw(): void {
    if (this.#stall === Stall.Link) this.host.withdraw(this);
    this.reads?.abandon();
  }

  /** Answers a Sync for which there is nothing to ask a server. */
  answerReady(): void {
    this.port.send(READY_IDLE, 0, READY_IDLE.length);
  }

  /** Ends the session with a FATAL error for the client. */
  fail(error: GatewayError): void {
    if (this.isClosed) return;
    this.port.fail(error);
    this.close();
  }

  /** The client is gone, or is to go: the link is cleaned or discarded, nothing more is read. */
  close(): void {
    if (this.isClosed) return;
    // What came before whatever ends the session is noted as sent.
    if (this.#isReading) this.framer.flushRun();
    this.isClosed = true;
    this.#held = NOTHING;
    this.#withdraw();
    this.shared.leave();
    this.#backpressure.letGo(this.link);
    this.tenure.abandon(this.framer.isInsideForward || this.isUnsynced);
  }

  /** The link broke under the session. */
  onLinkLost(error: GatewayError): void {
    const { link } = this;
    this.#backpressure.letGo(link);
    this.reads?.abandon();
    this.tenure.lose();
    if (link !== null && !this.#isReading && this.readerTurn.survives(link)) return;
    // The client has then been told the server's own goodbye.
    if (link?.hasToldFatal === true) this.port.end();
    else this.fail(error);
    this.close();
  }

  /** The client's socket takes no more, or does again. */
  onClientBlocked(isBlocked: boolean): void {
    this.#backpressure.onClientBlocked(isBlocked, this.link);
    this.shared.onClientBlocked(isBlocked);
  }

  onLinkBlocked(isBlocked: boolean): void {
    this.#backpressure.onLinkBlocked(isBlocked);
  }

  onReply(chunk: Uint8Array, start: number, end: number): void {
    this.shared.trialBytes += end - start;
    this.reads?.onReply(chunk, start, end);
    if (!this.readerTurn.keeps(chunk, start, end)) this.port.send(chunk, start, end);
  }

  onRepliesEnd(): void {
    this.port.flush();
    this.#retry();
    if (this.#isEnding) this.#finishIfDone();
  }

  onParameter(name: string, value: string): boolean {
    this.tenure.onParameter(name, value);
    return true;
  }

  rewriteError(fields: string): string | null {
    if (this.isTimedOut && fields.includes('\0C57014\0')) return STATEMENT_TIMEOUT_FIELDS;
    if (this.link === null || this.isSessionMode) return null;
    if (this.link.sawChangedType) this.host.onResultTypeChanged();
    if (this.readerTurn.refuses(fields, this.link)) return '';
    return this.copyIn.rewrite(fields) ?? this.statements.withClientNames(fields, this.link);
  }

  onQuiet(): void {
    if (!this.readerTurn.isRefused) this.unitSerial++;
    this.isTimedOut = false;
    // A simple Query has ended the unit in which it was sent, and its transaction.
    if (this.link?.status === TransactionStatus.Idle) this.isUnsynced = false;
    this.shared.endTrial();
    if (!this.tenure.onQuiet() && !this.readerTurn.refuseSettings()) {
      this.fail(new GatewayError('MR_SETTINGS_REFUSED'));
      return;
    }
    if (this.#stall === Stall.Settings && !this.readerTurn.isRefused) {
      this.#stall = Stall.None;
      this.#resume();
      return;
    }
    if (this.#stall === Stall.Settings) this.#stall = Stall.Reader;
    this.readerTurn.onQuiet();
    this.onCancelsDone();
  }

  /** Nothing holds the link up any more, as at the end of an answer. */
  onCancelsDone(): void {
    this.#settle();
    if (this.link === null) this.#retry();
    this.#finishIfDone();
  }

  /** Some answers have come: perhaps those that were waited for. */
  #retry(): void {
    if (this.#stall === Stall.Reader) this.readerTurn.goOn();
    if (this.#stall !== Stall.Answers) return;
    this.#stall = Stall.None;
    this.#resume();
  }

  /** To be called whenever the link may have become free: it goes back if it can. */
  #settle(): void {
    const { link } = this;
    if (link === null || !link.isIdle || this.isUnsynced || this.framer.isInsideForward) return;
    this.isExempt = false;
    if (link.cancelsPending > 0) return;
    // The end of the link's chunk will be told to its next owner.
    this.port.flush();
    this.#backpressure.releaseLink(link);
    this.readerTurn.noteWrites(link.writes.hasWritten);
    if (this.tenure.settle(link)) this.#backpressure.releaseClient();
    else this.#backpressure.attach(link);
  }

  #attach(link: Link): boolean {
    this.statements.forgetCopies();
    this.resets = null;
    this.mayHavePrepared = false;
    this.#backpressure.attach(link);
    this.readerTurn.begin(link);
    this.tenure.begin(link, this);
    if (this.tenure.isApplying) this.#stall = Stall.Settings;
    return !this.tenure.isApplying;
  }

  /** Goes on with what was held, and lets the socket be read again unless that stalls anew. */
  #resume(held = this.#held): void {
    if (this.isClosed || this.#isReading) return;
    this.#held = NOTHING;
    this.feed(held);
    if (!this.wantsPause && !this.isClosed) this.port.resume();
  }
}
