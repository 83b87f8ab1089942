import { GatewayError } from '../../base/errors.ts';
import type { Facts } from '../../sql/facts/facts.ts';
import type { Link } from '../link.ts';
import type { Session } from '../session.ts';
import { HeldAnswer } from './held-answer.ts';
import { isReadersOwn } from './reader-refusal.ts';

const DEFAULT_ISOLATION = 'default_transaction_isolation';

/**
 * A session's part in reads that go to servers that only read: which do, and what becomes of one
 * that such a server has no answer to. See "Reads that go to readers" in `SPEC.md`.
 */
export class ReaderTurn {
  readonly #session: Session;
  /**
   * When the client last gave back a link over which it may have written; null when there was
   * nobody then who could tell the time.
   */
  #wroteAtMs: number | null = Number.NEGATIVE_INFINITY;
  /** All bytes of the unit at hand, when it is a read for which such a server will do. */
  #unit: Uint8Array | null = null;
  #facts: Facts | null = null;
  /** How many bytes of it have been read, to be sent to a server over a link of the client's. */
  #readBytes = 0;
  /** It goes over a link to a server that only reads, and its client has seen nothing. */
  #isHolding = false;
  #isRefused = false;
  readonly #answer = new HeldAnswer();

  constructor(session: Session) {
    this.#session = session;
  }

  /** Whether a read of the client's may go to a server that only reads. */
  get mayServe(): boolean {
    const { host, settings, isSessionMode } = this.#session;
    const { readers } = host;
    if (readers === null || isSessionMode) return false;
    this.#wroteAtMs ??= readers.nowMs();
    if (!readers.mayServe(this.#wroteAtMs)) return false;
    // A server that only reads refuses every statement of such a client.
    return settings.get(DEFAULT_ISOLATION)?.toLowerCase() !== 'serializable';
  }

  /** Whether the unit at hand is to go to such a server. */
  get isMeant(): boolean {
    return this.#unit !== null;
  }

  /** Whether the server has refused it. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** The client's link goes back. */
  noteWrites(hasWritten: boolean): void {
    if (hasWritten) this.#wroteAtMs = this.#session.host.readers?.nowMs() ?? null;
  }

  /** Another unit is looked at. */
  forget(): void {
    this.#unit = null;
    this.#facts = null;
    this.#isHolding = false;
    this.#isRefused = false;
    this.#answer.drop();
  }

  /**
   * Where {@link mayServe}: whether this unit goes there, which is a pure read.
   * @param unit all of its bytes, which nobody changes
   */
  take(unit: Uint8Array, facts: Facts): boolean {
    const { host, reads } = this.#session;
    // What is kept for others must not be behind.
    if (reads?.isTaken === false || host.readers?.takes(facts) !== true) return false;
    this.#unit = unit;
    this.#facts = facts;
    this.#readBytes = 0;
    return true;
  }

  /** How far into `rest`, which begins where the last reading ended, the unit at hand goes. */
  endIn(rest: Uint8Array): number {
    if (this.#unit === null) return rest.length;
    return Math.min(this.#unit.length - this.#readBytes, rest.length);
  }

  /** So much of it has been read: whether nothing is read from now on until it is answered. */
  awaits(bytes: number): boolean {
    this.#readBytes += bytes;
    return this.#isUnderWay && this.#session.link !== null;
  }

  /** The client has the link from now on. */
  begin({ onlyReads }: Link): void {
    this.#isHolding = onlyReads && this.#unit !== null;
  }

  /** Bytes for the client: whether they are kept for now, or are for nobody. */
  keeps(chunk: Uint8Array, start: number, end: number): boolean {
    if (this.#isRefused) return true;
    if (!this.#isHolding) return false;
    if (!this.#answer.keep(chunk, start, end)) this.#give();
    return true;
  }

  /** @returns whether the client is not to read of the error, since another server is asked */
  refuses(fields: string, { sawFatal, cancelsPending }: Link): boolean {
    const { isTimedOut } = this.#session;
    // Whoever wants to hear no more of it is told what comes first.
    if (!this.#isHolding || isTimedOut || cancelsPending > 0) return this.#isRefused;
    if (!sawFatal && !isReadersOwn(fields)) return false;
    this.#refuse();
    return true;
  }

  /** The settings of the client were refused: whether another server can be asked in its place. */
  refuseSettings(): boolean {
    if (this.#isHolding) this.#refuse();
    return this.#isRefused;
  }

  /** Nothing is owed any more: what was kept is the client's. */
  onQuiet(): void {
    if (!this.#isUnderWay || this.#isRefused) return;
    this.#give();
    this.#session.host.readers?.onAnswered();
  }

  /** It was answered over a shared link. */
  onAnswered(): void {
    if (this.#unit !== null) this.#session.host.readers?.onAnswered();
    this.forget();
  }

  /** It was refused over a shared link: it goes to the server that writes. */
  onRefused(): void {
    if (this.#facts !== null) this.#session.host.readers?.onStatementRefused(this.#facts);
    this.forget();
  }

  /** There is no link for the unit at hand: whether it was to be one to a reader. */
  leave(): boolean {
    if (this.#unit === null) return false;
    this.#session.host.readers?.onRefused();
    this.forget();
    return true;
  }

  /** The link may have gone back that the unit had for itself, whatever server it was to. */
  goOn(): void {
    const { link, tenure } = this.#session;
    if (link === null) {
      const unanswered = this.#unanswered;
      if (this.#isRefused) this.onRefused();
      else this.forget();
      this.#resume(unanswered);
    } else if (tenure.pins.length > 0) this.#session.fail(new GatewayError('MR_ORIGIN_LOST'));
  }

  /** The link has broken: whether the server that writes is asked in its place. */
  survives(link: Link): boolean {
    const unanswered = this.#unanswered;
    this.forget();
    if (unanswered === null) return false;
    // What was noted on the link is undone before anything is noted on another one.
    link.ledger.clear();
    this.#session.isUnsynced = false;
    this.#resume(unanswered);
    return true;
  }

  /** What was read of the unit and has no answer; null when it has one, or a part of one. */
  get #unanswered(): Uint8Array | null {
    const isUnanswered = this.#isRefused || this.#isHolding;
    return isUnanswered ? (this.#unit?.subarray(0, this.#readBytes) ?? null) : null;
  }

  #resume(unanswered: Uint8Array | null): void {
    if (unanswered !== null) this.#session.reads?.onReturned();
    this.#session.resumeFromShared(unanswered);
  }

  /** Whether all of the unit has been read. */
  get #isUnderWay(): boolean {
    return this.#unit !== null && this.#readBytes === this.#unit.length;
  }

  #refuse(): void {
    this.#isRefused = true;
    this.#isHolding = false;
    this.#answer.drop();
    this.#session.shared.dropTrial();
  }

  #give(): void {
    this.#isHolding = false;
    const { port } = this.#session;
    this.#answer.giveTo((chunk, start, end) => port.send(chunk, start, end));
  }
}
