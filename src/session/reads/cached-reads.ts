import { byteString, readUint32 } from '../../base/bytes.ts';
import { ServerCode, TransactionStatus } from '../../protocol/codes.ts';
import type { Facts } from '../../sql/facts/facts.ts';
import { holdsTimeWord } from '../../sql/shape/time-words.ts';
import type { Session } from '../session.ts';
import { rowTypeIn } from '../statements/result-type.ts';
import { isReservedName, parameterTypes, type Statement } from '../statements/statements.ts';
import { AnswerTap } from './answer-tap.ts';
import type { Answer, Capture, Read, ReadCache, ReadReply, StatusNote } from './read-cache.ts';
import { extendedKey, simpleKey } from './read-key.ts';
import { type ReadText, readText } from './read-text.ts';
import { DescriptionTap, toldOf } from './statement-descriptions.ts';
import { WholeUnit } from './whole-unit.ts';

/** Longer units are not looked up. */
const UNIT_BYTES_MAX = 65_536;

const PARSE_COMPLETE = Buffer.from([ServerCode.ParseComplete, 0, 0, 0, 4]);
const BIND_COMPLETE = Buffer.from([ServerCode.BindComplete, 0, 0, 0, 4]);
const READY_IDLE = Buffer.from([0x5a, 0, 0, 0, 5, TransactionStatus.Idle]);

type ParsedText = ReadText & {
  readonly types: readonly number[];
  /** The types as they are in the Parse, as a byte string. */
  readonly typed: string;
};

/** Texts of statements that clients prepared, which need not be read again. */
const texts = new WeakMap<Statement, ParsedText | null>();
/** The unit that is looked at; nobody keeps it. */
const unit = new WholeUnit();

/** What a client's reads have to do with the cache: asks it, and gives and takes answers. */
export class CachedReads {
  /** What became of the client's last statement; null before the first. */
  last: StatusNote | null = null;
  /** The last statement was asked for, so that nobody needs to count it again. */
  isAsked = false;
  readonly #session: Session;
  readonly #cache: ReadCache;
  #tap: AnswerTap | null = null;
  #descriptionTap: DescriptionTap | null = null;
  /** Where the client asks what {@link CachedReads.#statement} takes and returns; or -1. */
  #asked = -1;
  /** What to give when the server cannot be asked, and the statement that asks for it. */
  #spare: Answer | null = null;
  #spareStatement: Statement | null = null;
  #isWaiting = false;
  #hasWaited = false;
  /** The statement of the unit at hand, or null for a simple Query. */
  #statement: Statement | null = null;
  #passedFacts: Facts | null = null;
  #passedStatement: Statement | null = null;
  /** Everything goes to the server. */
  #isBypassed = false;

  constructor(session: Session, cache: ReadCache) {
    this.#session = session;
    this.#cache = cache;
  }

  /** The next unit's answer is for `capture`, and no unit is looked up. */
  take(capture: Capture): void {
    this.#isBypassed = true;
    this.#tap = new AnswerTap(capture);
  }

  /** Of the simple Query that was let pass just now, so that its text need not be read again. */
  get passedFacts(): Facts | null {
    return this.#passedFacts;
  }

  /** Of the Parse that was let pass just now, likewise. */
  get passedStatement(): Statement | null {
    return this.#passedStatement;
  }

  /** Whether the client waits for what another one asked for. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Whether an answer that was being taken has come to its end. */
  get isTaken(): boolean {
    return this.#tap === null || this.#tap.isOver;
  }

  /**
   * Answers what it can of a client's bytes, of which nothing came before that is not answered.
   * @returns how many bytes of them are done with
   */
  serve(chunk: Uint8Array): number {
    this.#isWaiting = false;
    this.#forgetPassed();
    if (this.#isBypassed || !this.#cache.isOn) return 0;
    // Readers may be behind: nothing of theirs is kept, and nobody needs what is kept.
    if (this.#session.readerTurn.mayServe) return 0;
    if (chunk.length > 0 && this.#session.isFree) this.#dropTap();
    let at = 0;
    while (at < chunk.length && this.#session.isFree) {
      const read = this.#readAt(chunk, at);
      if (read === null) {
        if (!this.#describe(chunk, at)) return at;
        at = unit.end;
        this.#session.port.flush();
        continue;
      }
      const reply = this.#cache.ask(this.#session, read, this.#hasWaited);
      this.#isWaiting = reply.kind === 'wait';
      this.#hasWaited = this.#isWaiting;
      if (reply.kind !== 'answer') {
        this.#begin(reply, read);
        return at;
      }
      this.#give(reply.answer, this.#statement, chunk);
      this.#forgetPassed();
      at = unit.end;
      // A client that does not take its answers is read no further.
      this.#session.port.flush();
    }
    return at;
  }

  /** A statement is about to go to the server. */
  onPass(facts: Read['facts']): void {
    if (this.isAsked) this.isAsked = false;
    else if (!this.#isBypassed) this.#cache.pass(this.#session, facts);
  }

  /** What was sent over a shared link is to be sent again, alone. */
  onReturned(): void {
    this.isAsked = true;
  }

  /** Bytes for the client. */
  onReply(chunk: Uint8Array, start: number, end: number): void {
    if (this.#descriptionTap !== null) {
      this.#descriptionTap.feed(chunk, start, end);
      if (this.#descriptionTap.isOver) this.#descriptionTap = null;
    }
    if (this.#tap === null) return;
    this.#tap.feed(chunk, start, end);
    if (this.#tap.isOver) this.#tap = null;
    this.#spare = null;
  }

  /**
   * The server cannot be asked: what is kept is given in its place.
   * @returns what is left of the bytes that were held, or null when there is nothing to give
   */
  rescue(held: Uint8Array): Uint8Array | null {
    const spare = this.#spare;
    if (spare === null || !unit.read(held, 0, held.length) || !unit.isRun) return null;
    this.abandon();
    this.#cache.note(this.#session, 'stale');
    this.#give(spare, this.#spareStatement, held);
    return held.subarray(unit.end);
  }

  /** What was under way will not come to its end. */
  abandon(): void {
    if (this.#isWaiting) this.#cache.leave(this.#session);
    this.#isWaiting = false;
    this.isAsked = false;
    this.#spare = null;
    this.#dropTap();
  }

  #forgetPassed(): void {
    this.#passedFacts = null;
    this.#passedStatement = null;
  }

  /** Whatever has been answered past it, the next answer is another one's. */
  #dropTap(): void {
    this.#tap?.abandon();
    this.#tap = null;
    this.#descriptionTap = null;
  }

  /**
   * The client asks what a statement takes and returns: told from memory when it is known, and
   * else noted as it passes by.
   * @returns whether the part of the unit at `at` is done with
   */
  #describe(chunk: Uint8Array, at: number): boolean {
    if (this.#asked !== at) return false;
    const statement = this.#statement as Statement;
    const told = toldOf(statement);
    if (told === null) {
      this.#descriptionTap = new DescriptionTap(statement);
      return false;
    }
    const { port, statements } = this.#session;
    statement.described ??= told.described;
    statements.adopt(this.#parsedName(chunk), statement, told.described);
    port.send(PARSE_COMPLETE, 0, PARSE_COMPLETE.length);
    port.send(told.bytes, 0, told.bytes.length);
    if (!unit.isSynced) return true;
    port.send(READY_IDLE, 0, READY_IDLE.length);
    statements.unit++;
    return true;
  }

  #parsedName(chunk: Uint8Array): string {
    const start = unit.parseAt + 5;
    return byteString(chunk, start, chunk.indexOf(0, start));
  }

  #begin(reply: ReadReply, read: Read): void {
    if (reply.kind !== 'pass') return;
    this.isAsked = true;
    this.#tap?.abandon();
    this.#tap = reply.capture === null ? null : new AnswerTap(reply.capture);
    if (read.rowType !== null) reply.capture?.knowRowType(read.rowType);
    this.#spare = reply.spare;
    this.#spareStatement = this.#statement;
  }

  /** What is asked for at `at`, or null when that is nothing for the cache. */
  #readAt(chunk: Uint8Array, at: number): Read | null {
    this.#statement = null;
    this.#asked = -1;
    const isLong = chunk.length - at >= 5 && readUint32(chunk, at + 1) > UNIT_BYTES_MAX;
    if (!isLong && !unit.read(chunk, at, chunk.length)) return null;
    if (isLong || unit.end - at > UNIT_BYTES_MAX) {
      this.isAsked = true;
      this.#cache.note(this.#session, 'oversizedquery');
      return null;
    }
    if (unit.isSimple) return this.#simple(chunk, at + 5, unit.end - 1);
    if (unit.isRun) return this.#extended(chunk);
    const { parseSignature } = this.#session.tenure;
    const statement = this.#parsed(chunk, this.#parsedName(chunk));
    const isMeant = statement !== undefined && statement.signature === parseSignature;
    if (isMeant && this.#cache.mayKeep(statement.facts)) {
      this.#statement = statement;
      this.#asked = at;
    }
    return null;
  }

  #simple(chunk: Uint8Array, start: number, end: number): Read | null {
    const { host, settings } = this.#session;
    const facts = host.factsOf(chunk, start, end, settings);
    this.#passedFacts = facts;
    if (facts.verb !== 'SelectStmt') return null;
    const known = readText(chunk, start, end);
    if (known === null) return null;
    const { text } = known;
    const keyParts = { role: host.originUser, settings: settings.resultSignature, text };
    return {
      key: simpleKey(keyParts),
      ...known,
      bound: null,
      types: [],
      facts,
      settings,
      hasTimeWord: false,
      needsDescription: true,
      rowType: null,
    };
  }

  #extended(chunk: Uint8Array): Read | null {
    const { host, settings, statements } = this.#session;
    const { parseSignature } = this.#session.tenure;
    const { portalEnd, nameEnd, bindEnd } = unit;
    const name = nameEnd === portalEnd + 1 ? '' : byteString(chunk, portalEnd + 1, nameEnd);
    const isParsed = unit.parseAt >= 0;
    const statement = isParsed ? this.#parsed(chunk, name) : statements.find(name);
    if (statement === undefined) return null;
    if (isParsed) this.#passedStatement = statement;
    // Prepared under other settings it may mean something else.
    const { facts, signature } = statement;
    if (parseSignature === null || signature !== parseSignature) return null;
    if (facts.verb !== 'SelectStmt') return null;
    const asked = unit.describesStatement ? toldOf(statement) : null;
    if (unit.describesStatement && asked === null) {
      if (this.#cache.mayKeep(facts)) this.#descriptionTap = new DescriptionTap(statement);
      return null;
    }
    const known = textOf(statement);
    if (known === null) return null;
    this.#statement = statement;
    const bound = byteString(chunk, nameEnd + 1, bindEnd);
    const told = isParsed ? (asked?.described ?? null) : statements.describedOf(name);
    const { text, hints, types, typed } = known;
    const keyParts = { role: host.originUser, settings: settings.resultSignature, text };
    return {
      key: extendedKey(keyParts, typed, bound),
      text,
      hints,
      bound,
      types,
      facts,
      settings,
      hasTimeWord: holdsTimeWord(chunk, nameEnd + 1, bindEnd),
      needsDescription: unit.isDescribed,
      rowType: told === null ? null : rowTypeIn(told),
    };
  }

  /** The statement of the unit's Parse, when it is for the name and may be had without a server. */
  #parsed(chunk: Uint8Array, name: string): Statement | undefined {
    const { host, settings, statements } = this.#session;
    const start = unit.parseAt + 5;
    const nameEnd = chunk.indexOf(0, start);
    if (nameEnd < 0 || nameEnd >= unit.parseEnd) return undefined;
    if (byteString(chunk, start, nameEnd) !== name) return undefined;
    // A name in use is an error of the server's.
    const isTaken = name !== '' && (isReservedName(name) || statements.find(name) !== undefined);
    return isTaken ? undefined : host.statementOf(chunk, nameEnd, unit.parseEnd, settings);
  }

  #give(answer: Answer, statement: Statement | null, chunk: Uint8Array): void {
    const { port, statements } = this.#session;
    const { description, rows } = answer;
    if (unit.isSimple) statements.unnamed.adopt(null, statements.unit);
    else if (unit.parseAt >= 0) {
      const told = unit.describesStatement ? toldOf(statement as Statement) : null;
      statements.adopt(this.#parsedName(chunk), statement as Statement, told?.described ?? null);
      port.send(PARSE_COMPLETE, 0, PARSE_COMPLETE.length);
      if (told !== null) port.send(told.bytes, 0, told.bytes.length);
      port.send(BIND_COMPLETE, 0, BIND_COMPLETE.length);
    } else port.send(BIND_COMPLETE, 0, BIND_COMPLETE.length);
    if ((unit.isSimple || unit.isDescribed) && description !== null) {
      port.send(description, 0, description.length);
    }
    port.send(rows, 0, rows.length);
    port.send(READY_IDLE, 0, READY_IDLE.length);
    statements.unit++;
  }
}

function textOf(statement: Statement): ParsedText | null {
  let known = texts.get(statement);
  if (known === undefined) {
    known = readBody(statement.body);
    texts.set(statement, known);
  }
  return known;
}

function readBody(body: Uint8Array): ParsedText | null {
  const known = readText(body, 1, Math.max(body.indexOf(0, 1), 1));
  const types = parameterTypes(body);
  if (known === null || types === null) return null;
  return { ...known, types, typed: byteString(body, body.length - types.length * 4, body.length) };
}
