import type { GatewayError } from '../../base/errors.ts';
import { Ring } from '../../base/ring.ts';
import { PARSE_COMPLETE } from '../../protocol/messages.ts';
import { Owed } from '../ledger.ts';
import type { Link, LinkOwner } from '../link.ts';
import { OwnQuery } from '../own-query.ts';
import { type Settings, settingsChange, settingsChangeText } from '../settings.ts';
import { RESERVED_PREFIX } from '../statements/statements.ts';
import { HeldAnswer } from './held-answer.ts';
import { LaneStatements, type LaneStatementsHost } from './lane-statements.ts';
import { isReadersOwn } from './reader-refusal.ts';
import type { SharedUnit, UnitCarrier } from './shared-unit.ts';

const APPLICATION_NAME = 'application_name';

/** What a lane asks of whoever has opened it. */
export type LaneHost = LaneStatementsHost & {
  /** A head that runs for longer is slow. */
  readonly hedgeMs: number;
  /** An answer is complete: what it found may have been changed by somebody else's client. */
  catchUp(): void;
  /** Nothing is outstanding any more: the link is the callee's. */
  onLaneEmpty(lane: Lane): void;
  /** The link is gone. */
  onLaneLost(lane: Lane): void;
  /** These can go no further here. */
  onMoved(units: readonly SharedUnit[]): void;
};

/** A link that several clients' units are written into; see "Shared links" in `SPEC.md`. */
export class Lane implements LinkOwner, UnitCarrier {
  readonly link: Link;
  /** Whether nothing more is written into it. */
  isDraining = false;
  /** Something that was sent may leave something behind. */
  isDoubtful = false;
  /** A cancel was sent for a unit, and may hit the one behind it. */
  wasCancelled = false;
  readonly sinceMs: number;
  /** Since when the head is the head; it is answered next. */
  headSinceMs = 0;
  readonly #host: LaneHost;
  readonly #statements: LaneStatements;
  readonly #units = new Ring<SharedUnit>();
  /** {@link Settings.sharingSignature} of what the link has when the next unit arrives. */
  #signature: string;
  #isPaused = false;
  #isCaughtUp = false;
  /** What has come of the head's. */
  readonly #answer = new HeldAnswer();

  constructor(link: Link, host: LaneHost) {
    this.link = link;
    this.#host = host;
    this.#statements = new LaneStatements(link, host);
    this.sinceMs = host.nowMs();
    this.#signature = link.settings.sharingSignature;
    link.owner = this;
  }

  /** How many units are outstanding. */
  get depth(): number {
    return this.#units.size;
  }

  get head(): SharedUnit | undefined {
    return this.#units.peek();
  }

  /** Whether the link has the settings of the unit, or they can be changed for it. */
  accepts(unit: SharedUnit): boolean {
    if (this.hasSettingsOf(unit)) return true;
    return settingsChange(this.link.settings, this.#settingsFor(unit))?.cannotFail !== false;
  }

  hasSettingsOf(unit: SharedUnit): boolean {
    return unit.settings.sharingSignature === this.#signature;
  }

  send(unit: SharedUnit): void {
    const { link } = this;
    if (this.#units.size === 0) this.headSinceMs = this.#host.nowMs();
    unit.attempts++;
    unit.carrier = this;
    if (!this.hasSettingsOf(unit)) this.#change(unit);
    if (unit.prepared === null) {
      link.unnamed = null;
      this.#oweOneResult();
      link.port.send(unit.chunk, 0, unit.chunk.length);
    } else this.#statements.send(unit, unit.prepared);
    this.#units.push(unit);
    link.port.flush();
  }

  /**
   * A simple Query of one statement that returns rows is answered as its extended form is. Noted so
   * it is held to that: what is one too many, or one too few, would belong to the next client.
   */
  #oweOneResult(): void {
    const { ledger } = this.link;
    ledger.push(Owed.DescribePortal, 0, null);
    ledger.push(Owed.Execute, 0, null);
    ledger.push(Owed.Sync, 0, null);
  }

  /** Nothing more is written; what waits behind the head, and was not cancelled, is taken back. */
  takeBehindHead(): SharedUnit[] {
    this.isDraining = true;
    const taken: SharedUnit[] = [];
    for (let at = 1; at < this.depth; at++) {
      const again = this.#units.at(at)?.again() ?? null;
      if (again !== null) taken.push(again);
    }
    return taken;
  }

  /** The client of the head does not read, or does again: the link is its own from now on. */
  onOwnerBlocked(unit: SharedUnit, isBlocked: boolean): void {
    if (this.head !== unit || this.#isPaused === isBlocked) return;
    if (isBlocked) this.#host.onMoved(this.takeBehindHead());
    this.#isPaused = isBlocked;
    this.link.port.pause(isBlocked);
  }

  /** Nobody waits for the unit's answer any more. */
  leave(unit: SharedUnit): void {
    this.onOwnerBlocked(unit, false);
    unit.owner = null;
  }

  onReply(chunk: Uint8Array, start: number, end: number): void {
    const unit = this.head;
    if (unit === undefined) return;
    if (unit.bytes === 0 && !unit.isAsTold) this.#void(unit);
    unit.bytes += end - start;
    if (unit.owner === null || unit.isVoid) return;
    if (unit.hasBegun) {
      unit.owner.onAnswer(chunk, start, end);
      return;
    }
    if (!this.#answer.keep(chunk, start, end)) this.#begin(unit);
  }

  /** What waits behind an answer must not go on as if that had been harmless when it was not. */
  #catchUp(): void {
    // What else is read now was there when it was looked.
    if (this.#isCaughtUp) return;
    this.#isCaughtUp = true;
    this.#host.catchUp();
  }

  /** Passes on what was kept of the head's answer. */
  #begin(unit: SharedUnit): void {
    const { owner } = unit;
    if (owner === null || unit.isVoid) return;
    unit.hasBegun = true;
    if (unit.isParsed && unit.held?.isReady === true) {
      owner.onAnswer(PARSE_COMPLETE, 0, PARSE_COMPLETE.length);
    }
    this.#answer.giveTo((chunk, start, end) => owner.onAnswer(chunk, start, end));
  }

  onRepliesEnd(): void {
    this.#isCaughtUp = false;
    const unit = this.head;
    if (unit?.hasBegun) unit.owner?.onAnswerPause();
  }

  onUnitEnd(): void {
    const unit = this.head;
    if (unit === undefined) return;
    this.#catchUp();
    if (!unit.hasBegun) this.#begin(unit);
    this.#answer.drop();
    this.#units.shift();
    const nowMs = this.#host.nowMs();
    unit.estimate.noteShared(unit.bytes, nowMs - this.headSinceMs, this.#host.hedgeMs, nowMs);
    this.headSinceMs = nowMs;
    if (this.#isPaused) this.link.port.pause(false);
    this.#isPaused = false;
    const { owner } = unit;
    unit.owner = null;
    if (unit.isVoid) owner?.onUnanswered(unit);
    else owner?.onAnswered(unit);
  }

  onQuiet(): void {
    // What the answers have set free may have written more.
    if (this.#units.size === 0 && this.link.ledger.size === 0) this.#host.onLaneEmpty(this);
  }

  /** The server was told of other settings: nobody knows what the next unit would run under. */
  onParameter(): boolean {
    this.#spoil('its settings have changed by themselves');
    return false;
  }

  /** What the server says while it works on a unit is said of it. */
  takesNotice(isUnasked: boolean): boolean {
    return this.head !== undefined && !isUnasked;
  }

  /** Said of a text, it is for everybody who parses it: none of them may do with our statement. */
  onOwnNotice(): void {
    const unit = this.head;
    if (unit === undefined || unit.held === null || this.link.ledger.headIsOwn) return;
    unit.held.hasNotice = true;
    if (unit.isParsed) unit.estimate.ban(this.#host.nowMs());
  }

  rewriteError(fields: string): string | null {
    const unit = this.head;
    // The link is about to go; its units hear of it from that.
    if (this.link.sawFatal) return '';
    if (this.link.unfit !== null) this.isDraining = true;
    if (unit === undefined || unit.owner === null) return '';
    const isOwn = this.#isOwnError(unit, fields);
    unit.isRefused =
      this.link.onlyReads && !unit.hasBegun && !unit.isCancelled && isReadersOwn(fields);
    if (unit.hasBegun || (isOwn && !unit.isRefused)) {
      return unit.owner.rewriteAnswerError(fields);
    }
    this.#void(unit);
    return '';
  }

  /** Whether the unit would have met with the error alone as well, word for word. */
  #isOwnError(unit: SharedUnit, fields: string): boolean {
    const { held } = unit;
    if (this.link.sawChangedType && held !== null) {
      this.link.statements.discard(held);
      this.#host.onResultTypeChanged();
      return false;
    }
    if (fields.includes('\0C57014\0') && this.wasCancelled) return unit.isCancelled;
    // What the client has parsed may have been gone, or forbidden, before it did.
    if (unit.isParsed && held?.isReady === true && fields.includes('\0C42')) return false;
    return unit.isAsTold && !fields.includes(RESERVED_PREFIX);
  }

  /** The answer is of no use: the unit goes alone when it has come to its end. */
  #void(unit: SharedUnit): void {
    unit.isVoid = true;
    this.#answer.drop();
  }

  onLinkBlocked(): void {}

  onCancelsDone(): void {}

  onLinkLost(error: GatewayError): void {
    const { sawFatal } = this.link;
    const nowMs = this.#host.nowMs();
    this.#host.onLaneLost(this);
    this.#answer.drop();
    for (let unit = this.#units.shift(); unit !== undefined; unit = this.#units.shift()) {
      if (sawFatal) unit.estimate.ban(nowMs);
      const { owner } = unit;
      unit.owner = null;
      if (unit.hasBegun) owner?.onAnswerLost(error);
      else owner?.onUnanswered(unit);
    }
  }

  /** Nothing that is outstanding is to be trusted, but for what was begun. */
  #spoil(reason: string): void {
    this.link.unfit = reason;
    this.isDraining = true;
    this.#answer.drop();
    for (let at = 0; at < this.depth; at++) {
      const unit = this.#units.at(at);
      if (unit?.hasBegun === false) unit.isVoid = true;
    }
  }

  #settingsFor(unit: SharedUnit): Settings {
    const name = this.link.settings.get(APPLICATION_NAME) ?? null;
    return unit.settings.with(APPLICATION_NAME, name);
  }

  #change(unit: SharedUnit): void {
    const settings = this.#settingsFor(unit);
    const change = settingsChange(this.link.settings, settings);
    this.#signature = unit.settings.sharingSignature;
    this.link.settings = settings;
    if (change === null) return;
    const query = new OwnQuery(settingsChangeText(change, this.link.rules));
    query.onDone = () => {
      if (query.error !== null) this.#spoil('it refused the settings of a client');
    };
    this.link.sendOwn(query);
  }
}
