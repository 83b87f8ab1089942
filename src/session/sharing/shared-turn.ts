import { byteString } from '../../base/bytes.ts';
import { GatewayError } from '../../base/errors.ts';
import type { Facts } from '../../sql/facts/facts.ts';
import type { Link } from '../link.ts';
import type { Session } from '../session.ts';
import type { Sharing } from '../session-host.ts';
import type { Settings } from '../settings.ts';
import { parameterTypes, type Statement } from '../statements/statements.ts';
import type { Estimate } from './estimate.ts';
import { extendedParts, isWholeQuery } from './read-unit.ts';
import { SharedUnit, type UnitOwner } from './shared-unit.ts';

const PLAN_CACHE_MODE = 'plan_cache_mode';
/** Object ids below this are PostgreSQL's own: FirstNormalObjectId of `transam.h`. */
const FIRST_USER_OID = 16384;

/**
 * A session's part in shared links: it finds out whether what the client has sent may go together
 * with what others send, and takes the answer. See "Shared links" in `SPEC.md`.
 */
export class SharedTurn implements UnitOwner {
  readonly #session: Session;
  #unit: SharedUnit | null = null;
  /** The unit that goes alone for the sake of being measured. */
  #trial: Estimate | null = null;
  #trialSinceMs = 0;
  /** Whether that unit has yet to be sent, over a link that it had to wait for. */
  #isTrialDue = false;
  /** Bytes that have come for the client while it had a link of its own. */
  trialBytes = 0;
  /** Where the unit at hand may be shared. */
  #sharing: Sharing | null = null;
  #mayReadElsewhere = false;
  /** {@link Settings} of the client, and the same with custom plans. */
  #plain: Settings | null = null;
  #custom: Settings | null = null;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Whether a unit of the client's is on its way, or waits for that. */
  get isUnderWay(): boolean {
    return this.#unit !== null;
  }

  /** Whether the server works on it, as far as is known. */
  get isRunning(): boolean {
    return this.#unit !== null && this.#unit.carrier?.head === this.#unit;
  }

  /**
   * Sends the chunk over a shared link, if all of it is one unit that may go there, and nothing of
   * the client's is unfinished.
   */
  attempt(chunk: Uint8Array): boolean {
    const { host, settings, reads, readerTurn } = this.#session;
    const isTriedStill = this.#isTrialDue;
    this.#isTrialDue = false;
    if (!isTriedStill) this.#trial = null;
    if (this.#session.link === null) readerTurn.forget();
    if (!this.#session.isFree) return false;
    this.#sharing = host.sharing;
    this.#mayReadElsewhere = readerTurn.mayServe;
    if (this.#sharing === null && !this.#mayReadElsewhere) return false;
    if (isWholeQuery(chunk)) {
      const passed = reads?.passedFacts ?? null;
      const facts = passed ?? host.factsOf(chunk, 5, chunk.length - 1, settings);
      const estimate = this.#estimateFor(facts, chunk);
      if (estimate === null) return false;
      this.#submit(new SharedUnit(this, chunk, null, settings, estimate), facts);
      return true;
    }
    const parts = extendedParts(chunk);
    if (parts === null) return false;
    const name = byteString(chunk, parts.nameStart, parts.nameEnd);
    const isParsed = parts.parseAt >= 0;
    if (isParsed && name !== '') return false;
    const { statements } = this.#session;
    const statement = isParsed
      ? (reads?.passedStatement ?? host.statementOf(chunk, parts.parseAt, parts.bindAt, settings))
      : statements.find(name);
    if (statement === undefined || !this.#isShareable(statement)) return false;
    const given = name === '' ? this.#withCustomPlans(settings) : settings;
    const estimate = given === null ? null : this.#estimateFor(statement.facts, chunk);
    if (estimate === null || given === null) return false;
    const told = isParsed ? null : statements.describedOf(name);
    const prepared = { parts, name, statement, told };
    this.#submit(new SharedUnit(this, chunk, prepared, given, estimate), statement.facts);
    return true;
  }

  /** The link has come for which the unit on trial had to wait: it is looked at again. */
  beginTrial(): void {
    this.#isTrialDue = this.#trial !== null;
    this.#trialSinceMs = this.#sharing?.nowMs() ?? 0;
  }

  /** The client's link owes nothing more. */
  endTrial(): void {
    const sharing = this.#sharing;
    if (this.#trial === null || sharing === null || this.trialBytes === 0) return;
    const nowMs = sharing.nowMs();
    this.#trial.noteAlone(this.trialBytes, nowMs - this.#trialSinceMs, sharing.hedgeMs, nowMs);
    this.#trial = null;
  }

  /** What is on trial was not answered. */
  dropTrial(): void {
    this.#trial = null;
  }

  /** The client is gone. */
  leave(): void {
    const unit = this.#unit;
    this.#unit = null;
    if (unit === null) return;
    if (unit.carrier === null) unit.owner = null;
    else unit.carrier.leave(unit);
  }

  onClientBlocked(isBlocked: boolean): void {
    const unit = this.#unit;
    unit?.carrier?.onOwnerBlocked(unit, isBlocked);
  }

  /**
   * The unit is to be cancelled. If it has not begun, it is answered here.
   * @returns the link that works on it, and takes nothing more; null when it was answered
   */
  cancel(): Link | null {
    const unit = this.#unit;
    if (unit === null) return null;
    const { carrier } = unit;
    if (carrier !== null && carrier.head === unit) {
      unit.isCancelled = true;
      carrier.isDraining = true;
      carrier.wasCancelled = true;
      return carrier.link;
    }
    this.leave();
    this.#session.reads?.abandon();
    this.#session.port.sendError(new GatewayError('MR_QUERY_CANCELED'));
    this.#session.answerReady();
    this.#session.resumeFromShared(null);
    return null;
  }

  onAnswer(chunk: Uint8Array, start: number, end: number): void {
    this.#session.onReply(chunk, start, end);
  }

  onAnswerPause(): void {
    this.#session.port.flush();
  }

  onAnswered({ prepared, isParsed, held, carrier }: SharedUnit): void {
    this.#unit = null;
    const { statements, readerTurn } = this.#session;
    readerTurn.onAnswered();
    statements.unit++;
    if (prepared !== null && !isParsed) statements.noteUse(prepared.name);
    else if (carrier !== null) {
      const made = held?.isReady === true ? (prepared?.statement ?? null) : null;
      statements.unnamed.settle(made, held?.described ?? null, carrier.link, statements.unit);
    }
    this.#session.resumeFromShared(null);
  }

  onUnanswered(unit: SharedUnit): void {
    this.#unit = null;
    if (unit.isRefused) this.#session.readerTurn.onRefused();
    this.#session.reads?.onReturned();
    this.#session.resumeFromShared(unit.chunk);
  }

  onAnswerLost(error: GatewayError): void {
    this.#unit = null;
    this.#session.fail(error);
  }

  rewriteAnswerError(fields: string): string | null {
    return this.#session.rewriteError(fields);
  }

  /** The unit is sent elsewhere under another object. */
  onMoved(unit: SharedUnit): void {
    this.#unit = unit;
  }

  #submit(unit: SharedUnit, facts: Facts): void {
    this.#unit = unit;
    this.#session.reads?.onPass(facts);
    this.#session.stallForShared();
    this.#sharing?.submit(unit);
  }

  /** The results of the statement, when they are known to be short; else it is measured. */
  #estimateFor(facts: Facts, chunk: Uint8Array): Estimate | null {
    const { host, readerTurn } = this.#session;
    if (!facts.plainRead || !host.judge(facts).isPure) return null;
    if (this.#mayReadElsewhere && readerTurn.take(chunk, facts)) {
      this.#sharing = host.readers?.sharing ?? null;
    }
    if (this.#sharing === null) return null;
    const estimate = this.#sharing.estimateOf(facts);
    const nowMs = this.#sharing.nowMs();
    if (estimate.isShort(nowMs)) return estimate;
    this.#trial = estimate;
    this.#trialSinceMs = nowMs;
    this.trialBytes = 0;
    return null;
  }

  #isShareable(statement: Statement): boolean {
    return (
      statement.facts.plainRead &&
      !statement.facts.timeLiteral &&
      statement.signature !== null &&
      statement.signature === this.#session.tenure.parseSignature &&
      !hasUserTypes(statement)
    );
  }

  /** Null when the client itself has said how plans are to be made. */
  #withCustomPlans(settings: Settings): Settings | null {
    if (this.#plain !== settings) {
      this.#plain = settings;
      const isOwn = settings.get(PLAN_CACHE_MODE) !== undefined;
      // Where it cannot be set, a statement is parsed anew before it gets a generic plan.
      const canSet = this.#session.host.rules.settings === null;
      const custom = canSet ? settings.with(PLAN_CACHE_MODE, 'force_custom_plan') : settings;
      this.#custom = isOwn ? null : custom;
    }
    return this.#custom;
  }
}

const userTypes = new WeakMap<Statement, boolean>();

/** Whether a parameter is of a type of a user's, whose functions run to read it. */
function hasUserTypes(statement: Statement): boolean {
  let known = userTypes.get(statement);
  if (known === undefined) {
    known = parameterTypes(statement.body)?.every((type) => type < FIRST_USER_OID) !== true;
    userTypes.set(statement, known);
  }
  return known;
}
