import type { GatewayError } from '../base/errors.ts';
import type { Facts } from '../sql/facts/facts.ts';
import type { Link } from './link.ts';
import type { OriginRules } from './origin-rules.ts';
import type { ReadCache } from './reads/read-cache.ts';
import type { Judgement } from './residue.ts';
import type { Session } from './session.ts';
import type { Estimate } from './sharing/estimate.ts';
import type { SharedUnit } from './sharing/shared-unit.ts';
import type { Statement } from './statements/statements.ts';

/** Where a session's bytes go: the socket to the client. */
export type SessionPort = {
  /** Takes `[start, end)`, which nobody changes any more, to be sent in order at the next flush. */
  send(chunk: Uint8Array, start: number, end: number): void;
  flush(): void;
  /** Stops reading from the client because the server does not keep up, or goes on. */
  pause(isPaused: boolean): void;
  /** The session can work on more: read from the socket again. */
  resume(): void;
  sendError(error: GatewayError): void;
  /** Sends the error and ends the connection. */
  fail(error: GatewayError): void;
  /** Ends the connection once everything is sent. */
  end(): void;
};

/** Where units go that may share a link. */
export type Sharing = {
  nowMs(): number;
  /** What takes longer is no short result. */
  readonly hedgeMs: number;
  /** What is known of the results of such statements. */
  estimateOf(facts: Facts): Estimate;
  /** The unit is the callee's, who answers it, or gives it back to go alone. */
  submit(unit: SharedUnit): void;
};

/** Where reads may go that need not see everything that was ever written. */
export type Readers = {
  /** Null when every read is to have a link of its own. */
  readonly sharing: Sharing | null;
  nowMs(): number;
  /** Whether there is one, and a client that wrote last at `wroteAtMs` may go there by now. */
  mayServe(wroteAtMs: number): boolean;
  /** Whether such a statement may go there, as none of late has had no answer there. */
  takes(facts: Facts): boolean;
  /** They could not be reached. */
  onRefused(): void;
  /** One has refused such a statement: see `isReadersOwn`. */
  onStatementRefused(facts: Facts): void;
  /** One has answered a statement. */
  onAnswered(): void;
};

/** What a session asks of the configuration that it belongs to. */
export type SessionHost = {
  /** Null when every statement is to have a link of its own. */
  readonly sharing: Sharing | null;
  /** Null when all reads go to the server that writes. */
  readonly readers: Readers | null;
  /** Of the origin that links lead to. */
  readonly rules: OriginRules;
  /** The user that links log in as. */
  readonly originUser: string;
  /** Above this many prepared statements on one link, the least recently used are closed. */
  readonly linkStatementsMax: number;
  /** Null where nothing is kept. */
  readonly readCache: ReadCache | null;
  /** Grows when tables may have changed, by a client. */
  readonly catalogueEpoch: number;
  /** Whether a change of the catalogue was sent that may take effect at any moment. */
  readonly isCatalogueChanging: boolean;
  /** Learns what was sent elsewhere: what a server has worked on may have been judged before it. */
  catchUp(): void;
  /** Whether any client's statements use `lastval` or `currval`. */
  readonly readsSequences: boolean;
  /**
   * A link at once, or null: then the session is queued until `onLink` or `onRefused`. It leads to
   * a reader where `session.readerTurn.isMeant`.
   */
  checkOut(session: Session): Link | null;
  /** The session waits no longer. */
  withdraw(session: Session): void;
  /** @param isDirty the link must be reset before anyone else may have it */
  checkIn(link: Link, isDirty: boolean): void;
  /** The link must not be used again. */
  discard(link: Link, reason: string): void;
  /** Facts of the simple Query whose text lies in `[start, end)`. */
  factsOf(chunk: Uint8Array, start: number, end: number, settings: Session['settings']): Facts;
  /** The statement whose body (see {@link Statement.body}) lies in `[start, end)`. */
  statementOf(
    chunk: Uint8Array,
    start: number,
    end: number,
    settings: Session['settings'],
  ): Statement;
  restate(statement: Statement, signature: string): Statement;
  /** What the catalogue adds to the facts. */
  judge(facts: Facts): Judgement;
  /**
   * A statement is about to be sent on the link: what it may write is written from now on until the
   * end of its transaction. Null for one of which nobody knows what it does.
   */
  noteWrites(link: Link, facts: Facts | null): void;
  /** Custom settings that functions of the database are known to change. */
  customSettingNames(): Iterable<string>;
  /** A statement returns something else than when its text was first prepared. */
  onResultTypeChanged(): void;
  /** A transaction that may have changed the catalogue has ended. */
  onCatalogueChanged(): void;
  /** The reasons why a session keeps its link have changed. */
  onPins(reasons: readonly string[]): void;
  /** The query that answers `SHOW millrace.<name>`, or null when there is no such name. */
  showText(name: string, session: Session): string | null;
  /** The like for a client without a link: the whole answer but for its ReadyForQuery. */
  showAnswer(name: string, session: Session): Uint8Array | null;
};
