import type { GatewayError } from '../../base/errors.ts';
import type { Link } from '../link.ts';
import type { Settings } from '../settings.ts';
import type { LinkStatement, Statement } from '../statements/statements.ts';
import type { Estimate } from './estimate.ts';
import type { ExtendedParts } from './read-unit.ts';

/** Who has sent a unit, and gets its answer. */
export type UnitOwner = {
  /** Bytes of the answer, owned by the callee from now on. */
  onAnswer(chunk: Uint8Array, start: number, end: number): void;
  /** No more bytes for now. */
  onAnswerPause(): void;
  /** The answer is complete. */
  onAnswered(unit: SharedUnit): void;
  /** The unit is sent anew, as this one. */
  onMoved(unit: SharedUnit): void;
  /** Nothing of the answer was seen, and there will be none: the unit is to go alone. */
  onUnanswered(unit: SharedUnit): void;
  /** The answer broke off. */
  onAnswerLost(error: GatewayError): void;
  /** The fields of an error as the client shall read them; null to leave them be. */
  rewriteAnswerError(fields: string): string | null;
};

/** What the gateway has read in a unit of the extended protocol. */
export type PreparedRead = {
  readonly parts: ExtendedParts;
  /** The client's name for the statement. */
  readonly name: string;
  readonly statement: Statement;
  /** What the client was told of it before, see {@link Statement.described}; null if nothing. */
  readonly told: string | null;
};

/** The lane that a unit was sent through. */
export type UnitCarrier = {
  readonly link: Link;
  /** What is answered next. */
  readonly head: SharedUnit | undefined;
  /** Whether nothing more is written. */
  isDraining: boolean;
  /** Whether a cancel was sent, which may hit another unit than it was meant for. */
  wasCancelled: boolean;
  /** Nobody waits for the unit's answer any more. */
  leave(unit: SharedUnit): void;
  onOwnerBlocked(unit: SharedUnit, isBlocked: boolean): void;
};

/** One unit of a client, on its way over a link with others. */
export class SharedUnit {
  /** All of its bytes, which nobody changes. */
  readonly chunk: Uint8Array;
  /** Null for a simple Query. */
  readonly prepared: PreparedRead | null;
  readonly settings: Settings;
  readonly estimate: Estimate;
  /** Null once nobody waits for the answer any more. */
  owner: UnitOwner | null;
  /** The statement under the link's name. */
  held: LinkStatement | null = null;
  /** Where it was sent; null while it waits for that. */
  carrier: UnitCarrier | null = null;
  /** Bytes of the answer. */
  bytes = 0;
  /** Whether the client has seen some of them. */
  hasBegun = false;
  /** Its client has asked for its end. */
  isCancelled = false;
  /** The answer under way is of no use: it is to be asked for again. */
  isVoid = false;
  /** A server that only reads will not answer it: it is to be asked of the one that writes. */
  isRefused = false;
  /** How often it has been sent. */
  attempts = 0;

  constructor(
    owner: UnitOwner,
    chunk: Uint8Array,
    prepared: PreparedRead | null,
    settings: Settings,
    estimate: Estimate,
  ) {
    this.owner = owner;
    this.chunk = chunk;
    this.prepared = prepared;
    this.settings = settings;
    this.estimate = estimate;
  }

  /** Whether the client parses the unnamed statement in it. */
  get isParsed(): boolean {
    return this.prepared !== null && this.prepared.parts.parseAt >= 0;
  }

  /**
   * Whether the link's statement is what the client was told, and the client would be told no more
   * by parsing it; known once its answer comes.
   */
  get isAsTold(): boolean {
    const { prepared, held } = this;
    if (this.isParsed && held?.hasNotice === true) return false;
    return prepared === null || prepared.told === null || prepared.told === held?.described;
  }

  /** The same to be sent again; this one's answer is dropped. */
  again(): SharedUnit | null {
    const { owner, chunk, prepared, settings, estimate } = this;
    if (owner === null) return null;
    this.owner = null;
    const again = new SharedUnit(owner, chunk, prepared, settings, estimate);
    again.attempts = this.attempts;
    owner.onMoved(again);
    return again;
  }
}
