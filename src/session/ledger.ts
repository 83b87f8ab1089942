import { ServerCode } from '../protocol/codes.ts';

/**
 * The reply ledger of one server link: for every message sent to the server, which reply it owes
 * and what becomes of that reply. Replies are matched strictly in order; what does not match is a
 * {@link Disposition.Mismatch}, after which the link must not be used again.
 * Source: PostgreSQL manual, "Message Flow".
 */

/** What was sent, and so what is owed. */
export const Owed = {
  Parse: 1,
  Bind: 2,
  DescribeStatement: 3,
  DescribePortal: 4,
  Execute: 5,
  Close: 6,
  Sync: 7,
  Query: 8,
  FunctionCall: 9,
  /** Nothing was sent: the gateway answers this one by itself when its turn comes. */
  SyntheticParse: 10,
  SyntheticClose: 11,
} as const;
export type Owed = (typeof Owed)[keyof typeof Owed];

/** What becomes of a server message. */
export const Disposition = {
  Forward: 0,
  Swallow: 1,
  Mismatch: 2,
} as const;
export type Disposition = (typeof Disposition)[keyof typeof Disposition];

/** The reply is for the gateway, not for the client. */
export const SWALLOW = 1;
/** Part of a unit of the gateway's own: nothing of it is for the client, not even its error. */
export const OWN = 4;
/** A Sync that the server may have taken for noise because it arrived inside COPY. */
const OPTIONAL = 2;
/** What a Query or FunctionCall has said so far is complete: ReadyForQuery may follow. */
const ANSWERED = 8;

/** What hangs on a reply, beside its bytes. */
export type Consequence = {
  /** The message had its effect. */
  commit(): void;
  /**
   * It had none.
   * @param failed true for the message that failed, false for one skipped behind it
   */
  rollback(failed: boolean): void;
};

/** More messages than this are never outstanding on one link: the client is not read further. */
export const LEDGER_ENTRIES_MAX = 16_384;

const isOfClient = (_: number, flags: number): boolean => (flags & OWN) === 0;
const isOptional = (_: number, flags: number): boolean => (flags & OPTIONAL) !== 0;
const endsUnit = (owed: number, flags: number): boolean =>
  owed >= Owed.Sync && owed <= Owed.FunctionCall && isOfClient(owed, flags);

export class Ledger {
  #owed = new Uint8Array(16);
  #flags = new Uint8Array(16);
  #consequences: (Consequence | null)[] = new Array<Consequence | null>(16).fill(null);
  #head = 0;
  #size = 0;
  /** After an error the server ignores everything up to the next Sync. */
  #skipping = false;
  /** The server reads COPY data: it ignores Sync and Flush. */
  #copyIn = false;
  /** Syncs sent inside a COPY that was known to run. */
  #copySyncs = 0;
  /** How many entries there have been in all, and how many of them are done. */
  #pushed = 0;
  #done = 0;
  /** `#pushed` whenever the client ended COPY data, oldest first: what came later is not in it. */
  #copyEnds: number[] = [];
  /** Number, as of `#pushed`, of the first message inside the COPY without a place there; or -1. */
  #breaker = -1;
  /** After an error inside COPY it is not known which Syncs the server saw. */
  #isAmbiguous = false;

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= LEDGER_ENTRIES_MAX;
  }

  /** Whether the server waits for COPY data from the client. */
  get isCopyIn(): boolean {
    return this.#copyIn;
  }

  /** Whether what is sent next arrives inside the COPY, as far as is known. */
  get takesCopyData(): boolean {
    return this.#copyIn && this.#copyEnds.length === 0 && this.#breaker < 0;
  }

  /** Whether the server will ignore what comes before the next Sync. */
  get isSkipping(): boolean {
    return this.#skipping;
  }

  /** Whether the link may owe a reply that cannot be told: it must be discarded when quiet. */
  get isAmbiguous(): boolean {
    return this.#isAmbiguous;
  }

  /** What the server answers next; 0 when nothing is owed. */
  get headOwed(): number {
    return this.#size === 0 ? 0 : (this.#owed[this.#head] as number);
  }

  /** Whether a unit of the client's is to be answered before the one that it sends now. */
  get owesReady(): boolean {
    return this.#some(endsUnit);
  }

  /** Whether the next reply is for the gateway. */
  get headSwallows(): boolean {
    return this.#size > 0 && ((this.#flags[this.#head] as number) & (SWALLOW | OWN)) !== 0;
  }

  /** Whether what the server works on is the gateway's own. */
  get headIsOwn(): boolean {
    return this.#size > 0 && ((this.#flags[this.#head] as number) & OWN) !== 0;
  }

  /** Whether anything is owed to the client, at once or behind what is the gateway's own. */
  get owesClient(): boolean {
    return this.#some(isOfClient);
  }

  get headConsequence(): Consequence | null {
    return this.#size === 0 ? null : (this.#consequences[this.#head] as Consequence | null);
  }

  /** Whether the next entry is one that the gateway answers by itself. */
  get headIsSynthetic(): boolean {
    return this.headOwed >= Owed.SyntheticParse;
  }

  /** Notes a message that was sent, or that stands in for one. */
  push(owed: Owed, flags: number, consequence: Consequence | null): void {
    if (owed === Owed.Sync) {
      if (this.takesCopyData) {
        this.#copySyncs++;
        return;
      }
      this.#skipping = false;
    } else if (this.#skipping) {
      consequence?.rollback(false);
      return;
    } else if (this.takesCopyData && owed < Owed.SyntheticParse) this.#breaker = this.#pushed;
    if (this.#size === this.#owed.length) this.#grow();
    const at = (this.#head + this.#size) & (this.#owed.length - 1);
    this.#owed[at] = owed;
    this.#flags[at] = flags;
    this.#consequences[at] = consequence;
    this.#size++;
    this.#pushed++;
  }

  /** The client has sent CopyDone or CopyFail: a Sync behind it is no longer part of the data. */
  noteCopyEnd(): void {
    if (this.#size === 0) return;
    this.#copyEnds.push(this.#pushed);
    if (this.#copyEnds.length > LEDGER_ENTRIES_MAX) this.#copyEnds.shift();
  }

  /** Takes the synthetic entry at the head; its reply is the caller's to make. */
  takeSynthetic(): Owed {
    const owed = this.headOwed as Owed;
    this.#pop(true);
    return owed;
  }

  /**
   * Matches a server message that answers what was sent; asynchronous ones are not for here.
   * @param isCopyBroken whether it is the error that tells of a message that has no place in a COPY
   */
  onReply(code: number, isCopyBroken = false): Disposition {
    if (this.#size === 0) {
      return this.#isAmbiguous && code === ServerCode.ReadyForQuery
        ? Disposition.Forward
        : Disposition.Mismatch;
    }
    // The error of a message that we added to a client's unit is the error of that unit.
    const hidden = code === ServerCode.ErrorResponse ? OWN : SWALLOW | OWN;
    const isShown = ((this.#flags[this.#head] as number) & hidden) === 0;
    const owed = this.#owed[this.#head] as number;
    if (!this.#match(code, owed, isCopyBroken)) return Disposition.Mismatch;
    return isShown ? Disposition.Forward : Disposition.Swallow;
  }

  /** Forgets everything owed: the link is gone. */
  clear(): void {
    const mask = this.#owed.length - 1;
    for (let n = this.#size - 1; n >= 0; n--) this.#skip((this.#head + n) & mask, false);
    this.#size = 0;
  }

  #match(code: number, owed: number, isCopyBroken: boolean): boolean {
    switch (code) {
      case ServerCode.DataRow:
        return owed === Owed.Execute || owed === Owed.Query;
      case ServerCode.ReadyForQuery:
        return this.#onReady(owed);
      case ServerCode.CommandComplete:
      case ServerCode.EmptyQueryResponse:
        return this.#onComplete(owed);
      case ServerCode.PortalSuspended:
        return owed === Owed.Execute && this.#pop(true);
      case ServerCode.ParseComplete:
        return owed === Owed.Parse && this.#pop(true);
      case ServerCode.BindComplete:
        return owed === Owed.Bind && this.#pop(true);
      case ServerCode.CloseComplete:
        return owed === Owed.Close && this.#pop(true);
      case ServerCode.ParameterDescription:
        return owed === Owed.DescribeStatement;
      case ServerCode.RowDescription:
      case ServerCode.NoData:
        if (owed === Owed.DescribeStatement || owed === Owed.DescribePortal) return this.#pop(true);
        return owed === Owed.Query && code === ServerCode.RowDescription && this.#answer(false);
      case ServerCode.FunctionCallResponse:
        return owed === Owed.FunctionCall && this.#answer(true);
      case ServerCode.CopyInResponse:
        return this.#onCopyIn(owed);
      case ServerCode.CopyOutResponse:
        return (owed === Owed.Execute || owed === Owed.Query) && this.#answer(false);
      case ServerCode.CopyData:
      case ServerCode.CopyDone:
        return owed === Owed.Execute || owed === Owed.Query;
      case ServerCode.ErrorResponse:
        return this.#onError(owed, isCopyBroken);
      default:
        return false;
    }
  }

  /** Notes of the entry at the head whether ReadyForQuery may come now. */
  #answer(isComplete: boolean): true {
    const flags = this.#flags[this.#head] as number;
    this.#flags[this.#head] = isComplete ? flags | ANSWERED : flags & ~ANSWERED;
    return true;
  }

  #onComplete(owed: number): boolean {
    if (owed !== Owed.Execute && owed !== Owed.Query) return false;
    if (owed === Owed.Execute) this.#pop(true);
    else this.#answer(true);
    if (this.#copyIn) {
      this.#copyIn = false;
      this.#copySyncs = 0;
      this.#copyEnds.shift();
      // The server read everything up to CopyDone as part of the COPY, these Syncs included.
      while (this.#size > 0 && ((this.#flags[this.#head] as number) & OPTIONAL) !== 0) {
        this.#pop(true);
      }
    }
    return true;
  }

  #onCopyIn(owed: number): boolean {
    if (owed !== Owed.Execute && owed !== Owed.Query) return false;
    this.#answer(false);
    this.#copyIn = true;
    this.#breaker = -1;
    // An end noted before this message was sent belongs to an earlier COPY.
    while (this.#copyEnds.length > 0 && (this.#copyEnds[0] as number) <= this.#done) {
      this.#copyEnds.shift();
    }
    const inside = (this.#copyEnds[0] ?? this.#done + this.#size) - this.#done;
    const mask = this.#owed.length - 1;
    for (let n = 1; n < inside; n++) {
      const at = (this.#head + n) & mask;
      if ((this.#owed[at] as number) >= Owed.SyntheticParse) continue;
      if (this.#owed[at] !== Owed.Sync) {
        this.#breaker = this.#done + n;
        break;
      }
      this.#flags[at] = (this.#flags[at] as number) | OPTIONAL;
    }
    return true;
  }

  #onError(owed: number, isCopyBroken: boolean): boolean {
    if (this.#copyIn) {
      this.#copyIn = false;
      if (isCopyBroken && this.#breaker >= 0) this.#dropBehindHead(this.#breaker - this.#done);
      else if (this.#copySyncs > 0 || this.#some(isOptional)) this.#isAmbiguous = true;
      this.#copySyncs = 0;
      this.#copyEnds.shift();
    }
    if (owed === Owed.Query || owed === Owed.FunctionCall) {
      this.#answer(true);
      this.#consequences[this.#head]?.rollback(true);
      this.#consequences[this.#head] = null;
      return true;
    }
    // An error at Sync itself is that of the implicit transaction's commit.
    const mask = this.#owed.length - 1;
    let count = 0;
    while (count < this.#size && this.#owed[(this.#head + count) & mask] !== Owed.Sync) count++;
    // Backwards, so that of several changes to one name the oldest value comes back.
    for (let n = count - 1; n >= 0; n--) this.#skip((this.#head + n) & mask, n === 0);
    this.#head = (this.#head + count) & mask;
    this.#size -= count;
    this.#done += count;
    if (this.#size === 0) this.#skipping = true;
    return true;
  }

  /** The server has read so many messages behind the one at the head, and made nothing of them. */
  #dropBehindHead(count: number): void {
    const mask = this.#owed.length - 1;
    const head = (this.#head + count) & mask;
    for (let n = count; n > 0; n--) this.#skip((this.#head + n) & mask, false);
    this.#owed[head] = this.#owed[this.#head] as number;
    this.#flags[head] = this.#flags[this.#head] as number;
    this.#consequences[head] = this.#consequences[this.#head] as Consequence | null;
    this.#consequences[this.#head] = null;
    this.#head = head;
    this.#size -= count;
    this.#done += count;
  }

  #some(test: (owed: number, flags: number) => boolean): boolean {
    const mask = this.#owed.length - 1;
    for (let n = 0; n < this.#size; n++) {
      const at = (this.#head + n) & mask;
      if (test(this.#owed[at] as number, this.#flags[at] as number)) return true;
    }
    return false;
  }

  #onReady(owed: number): boolean {
    if (owed !== Owed.Sync && owed !== Owed.Query && owed !== Owed.FunctionCall) return false;
    const flags = this.#flags[this.#head] as number;
    if (owed !== Owed.Sync && (flags & ANSWERED) === 0) return false;
    const wasOptional = (flags & OPTIONAL) !== 0;
    this.#pop(true);
    if (wasOptional) {
      // This ReadyForQuery may be that of a later Sync, the others having been lost in the COPY.
      while (this.#headIs(Owed.Sync, OPTIONAL)) this.#pop(true);
      if (this.#headIs(Owed.Sync, 0)) this.#pop(true);
    } else if (owed === Owed.Query) {
      // Sent ahead into its COPY: lost there, or answered beyond what is owed.
      while (this.#headIs(Owed.Sync, OPTIONAL)) this.#pop(true);
    }
    return true;
  }

  #headIs(owed: Owed, flags: number): boolean {
    return (
      this.#size > 0 &&
      this.#owed[this.#head] === owed &&
      ((this.#flags[this.#head] as number) & OPTIONAL) === flags
    );
  }

  /** An entry that will not be answered. */
  #skip(at: number, failed: boolean): void {
    this.#consequences[at]?.rollback(failed);
    this.#consequences[at] = null;
  }

  #pop(committed: true): true {
    const consequence = this.#consequences[this.#head];
    this.#consequences[this.#head] = null;
    this.#head = (this.#head + 1) & (this.#owed.length - 1);
    this.#size--;
    this.#done++;
    consequence?.commit();
    return committed;
  }

  #grow(): void {
    const size = this.#owed.length;
    const owed = new Uint8Array(size * 2);
    const flags = new Uint8Array(size * 2);
    const consequences = new Array<Consequence | null>(size * 2).fill(null);
    for (let n = 0; n < this.#size; n++) {
      const at = (this.#head + n) & (size - 1);
      owed[n] = this.#owed[at] as number;
      flags[n] = this.#flags[at] as number;
      consequences[n] = this.#consequences[at] as Consequence | null;
    }
    this.#owed = owed;
    this.#flags = flags;
    this.#consequences = consequences;
    this.#head = 0;
  }
}
