import type { Facts } from '../../sql/facts/facts.ts';
import type { Session } from '../session.ts';
import type { Settings } from '../settings.ts';
import type { ReadHints } from './read-text.ts';

/** What became of a statement, in the words of Hyperdrive, with two of our own. */
export const CACHE_STATUSES = [
  'hit',
  /** Given although older than `max_age`, while a new one is fetched. */
  'stale',
  /** Given to several who asked while one of them was answered. */
  'coalesced',
  'miss',
  'disabled',
  'uncacheable',
  'volatile',
  'transaction',
  'notaquery',
  'multiplestatements',
  'parseerror',
  'oversizedquery',
  'oversizedresult',
] as const;
export type CacheStatus = (typeof CACHE_STATUSES)[number];

/** What became of one statement, which may turn out only when its answer is there. */
export class StatusNote {
  status: CacheStatus;

  constructor(status: CacheStatus) {
    this.status = status;
  }
}

/** The answer to one statement, as it came over the wire, without what only its sender is told. */
export type Answer = {
  /**
   * RowDescription or NoData as for the portal, whole messages; null when nobody asked for it, so
   * that it cannot be given to one who does.
   */
  readonly description: Uint8Array | null;
  /** DataRow messages and the CommandComplete behind them. Never written to again. */
  readonly rows: Uint8Array;
  /** Of its columns, see `result-type.ts`; null when nobody knows. */
  readonly rowType: string | null;
};

/** Takes an answer while it passes by. The bytes are the caller's. */
export type Capture = {
  /** Nothing more is wanted. */
  readonly isOver: boolean;
  /** RowDescription or NoData, a whole message. */
  describe(chunk: Uint8Array, start: number, end: number): void;
  /** DataRow and CommandComplete messages, or parts of them. */
  append(chunk: Uint8Array, start: number, end: number): void;
  knowRowType(rowType: string): void;
  /** It was all, and the server has confirmed it. */
  complete(): void;
  abandon(): void;
};

/** A statement that came whole, outside of transactions, and behind nothing unfinished. */
export type Read = {
  /** Equal for reads whose answers have the same bytes, as long as the database is the same. */
  readonly key: string;
  /** The text without its comments, as a byte string. */
  readonly text: string;
  /** What the Bind says behind its names, as a byte string; null for a simple Query. */
  readonly bound: string | null;
  /** Types of parameters as the client gave them, 0 for those that it left open. */
  readonly types: readonly number[];
  readonly facts: Facts;
  readonly hints: ReadHints;
  readonly settings: Settings;
  /** A parameter holds a word that PostgreSQL reads as a time of its own clock. */
  readonly hasTimeWord: boolean;
  readonly needsDescription: boolean;
  /** Columns that the client was told of before; null when it has no expectation. */
  readonly rowType: string | null;
};

export type ReadReply =
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** Somebody is asking the same: {@link Session.onReadDone} will be called. */
  | { readonly kind: 'wait' }
  /** The server is to be asked. `spare` may be given when it cannot be. */
  | { readonly kind: 'pass'; readonly capture: Capture | null; readonly spare: Answer | null };

/** The cache as sessions see it. */
export type ReadCache = {
  readonly isOn: boolean;
  /** Whether answers to such a statement may be kept, as far as words and catalogue tell. */
  mayKeep(facts: Facts): boolean;
  /** @param hasWaited it was told to wait, and is not to be told so again */
  ask(session: Session, read: Read, hasWaited: boolean): ReadReply;
  /** The session waits no longer. */
  leave(session: Session): void;
  /** A statement goes to the server that was not asked for. */
  pass(session: Session, facts: Facts): void;
  /** A statement was asked for whose text nobody looked at. */
  note(session: Session, status: CacheStatus): void;
};
