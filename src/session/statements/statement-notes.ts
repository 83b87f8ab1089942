import { utf8ByteString } from '../../base/bytes.ts';
import { Effect, type Facts, opaqueFacts } from '../../sql/facts/facts.ts';
import type { Link } from '../link.ts';
import type { Session } from '../session.ts';
import { removedName } from './deallocations.ts';
import { bindTextParameter } from './statement-messages.ts';
import { EVASION, isReservedName, STAND_IN, type Statement } from './statements.ts';

/** What is done by a statement that nobody has read. */
export const UNREAD = opaqueFacts(Effect.Session, 'a statement too large to examine');
/** An EXECUTE that runs an EXECUTE, and so on, is followed so far. */
export const NESTED_EXECUTES_MAX = 8;
const REMOVAL = `DEALLOCATE ${STAND_IN}`;
const COMPUTED_NAME = 'set_config with a computed name';
const TAKEN_OVER = 'a prepared statement that sets settings';
const MISREAD = 'settings that decide how it is read were changing';

const QUOTE = 0x27;
const BACKSLASH = 0x5c;

/** Whether a text is cut into words in the same way under any settings. */
export function readsTheSame(chunk: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = chunk[at] as number;
    if (byte === QUOTE || byte === BACKSLASH || byte >= 0x80) return false;
  }
  return true;
}

/** What statements mean to their session before they are sent. */
export class StatementNotes {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /**
   * Notes what a statement that is about to run may do to the link.
   * @param outer the texts that run it by EXECUTE, outermost first
   */
  noteStatement(text: Facts, outer: readonly Facts[] = []): void {
    const session = this.#session;
    const facts = text.executes.length === 0 ? text : this.#noteExecuted(text, [...outer, text]);
    const judgement = session.host.judge(facts);
    if (judgement.readsSequences) this.#forgetSequences();
    session.residue.note(facts, judgement);
    if (session.link !== null) this.#noteOnLink(session.link, facts, judgement.mayDraw);
    session.reads?.onPass(facts);
    session.isExempt ||= facts.exempt;
    session.mayHavePrepared ||= facts.prepares;
    if (facts.resets !== null) {
      session.resets = session.resets === null ? facts.resets : '';
    } else if (facts.settingNames.length > 0 && session.host.rules.settings !== null) {
      // What is set behind a RESET must not be taken back, and nobody can ask what is set.
      session.resets = null;
    }
  }

  #noteOnLink(link: Link, facts: Facts, mayDraw: boolean): void {
    const { host, residue } = this.#session;
    host.noteWrites(link, facts);
    link.mayHaveDrawn ||= mayDraw;
    if (link.rules.showsState) return;
    // No look would find it, and nobody else must have it.
    if (facts.prepares) residue.notePermanent('PREPARE');
    else if (facts.holdsCursor) residue.notePermanent('cursor WITH HOLD');
  }

  /**
   * Notes what is run by EXECUTE, as far as it is known.
   * @returns what the text does besides
   */
  #noteExecuted(text: Facts, outer: readonly Facts[]): Facts {
    const { statements, residue } = this.#session;
    let isKnown = true;
    for (const name of text.executes) {
      const executed = statements.find(utf8ByteString(name));
      // What runs itself, or so many others, the server may run in part before it refuses to go on.
      const isEndless = executed !== undefined && outer.includes(executed.facts);
      if (executed === undefined || isEndless || outer.length >= NESTED_EXECUTES_MAX) {
        isKnown = false;
      } else {
        this.noteStatement(executed.facts, outer);
        if (executed.facts.settingParams.length > 0) residue.notePermanent(COMPUTED_NAME);
      }
    }
    return isKnown ? { ...text, effects: text.ownEffects } : text;
  }

  /** SQL has the statement: it may run later, when nobody sees which one it is. */
  noteTakenOver({ facts }: Statement): void {
    const { host, residue } = this.#session;
    residue.note(facts, host.judge(facts));
    const setsSettings = (facts.effects & Effect.Settings) !== 0;
    if (setsSettings || facts.settingParams.length > 0) residue.notePermanent(TAKEN_OVER);
    if (!host.rules.showsState) residue.notePermanent('PREPARE');
    this.#session.mayHavePrepared = true;
  }

  /** Before the first statement that reads what others may have drawn, when that can still be. */
  #forgetSequences(): void {
    const { link, framer, tenure, residue, isSessionMode, hasOpenUnit } = this.#session;
    if (link === null || isSessionMode || tenure.pins.length > 0) return;
    // Inside a unit it would end the implicit transaction of what went before.
    if (hasOpenUnit || (residue.mayHaveDrawn && !link.isIdle)) return;
    framer.flushRun();
    tenure.forgetSequences(link);
  }

  /**
   * Whether a text can be read only when answers have come: what decides how it is read may have
   * changed. Changes are reported at the end of a unit, so within one there is nothing to wait for.
   */
  mustWaitToRead(link: Link): boolean {
    const { residue, isUnsynced } = this.#session;
    return residue.mayMisread && !isUnsynced && link.ledger.size > 0;
  }

  /**
   * The statement of a Parse whose body (see {@link Statement.body}) lies in `[start, end)`: one
   * that others may share, unless nobody knows what its text means, or it may mean something else
   * to this client, which has temporary objects.
   */
  statementOf(chunk: Uint8Array, start: number, end: number): Statement {
    const { host, settings, tenure, residue } = this.#session;
    const statement = host.statementOf(chunk, start, end, settings);
    if (!residue.mayMisread) {
      const isAsForAll = tenure.parseSignature !== null && !tenure.mayHoldTemporary;
      const isShared = isAsForAll && !statement.facts.timeLiteral;
      return isShared ? statement : { ...statement, signature: null, described: null };
    }
    const textEnd = chunk.indexOf(0, start + 1);
    const isRead = readsTheSame(chunk, start + 1, textEnd);
    const facts = isRead ? statement.facts : opaqueFacts(Effect.Session, MISREAD);
    return { ...statement, signature: null, described: null, facts };
  }

  /** Notes that a statement is about to be prepared. */
  noteParse(statement: Statement): void {
    if (this.#session.host.judge(statement.facts).readsSequences) this.#forgetSequences();
  }

  /** Notes that a prepared statement is about to run with the parameters in `[start, end)`. */
  noteBind(
    statement: Statement,
    chunk: Uint8Array,
    start: number,
    end: number,
    isWhole: boolean,
  ): void {
    const { facts } = statement;
    this.noteStatement(facts);
    for (const number of facts.settingParams) {
      const name = isWhole ? bindTextParameter(chunk, start, end, number) : null;
      if (name !== null) this.#session.residue.touch(name);
      else this.#session.residue.notePermanent(COMPUTED_NAME);
    }
  }

  /** The text to send instead of the client's, as a byte string; null to send the client's. */
  textFor(facts: Facts): string | null {
    const { host, statements } = this.#session;
    if (facts.millraceShow !== null) return host.showText(facts.millraceShow, this.#session);
    const reserved = facts.preparedNames.find(isReservedName);
    // The server refuses it by that name, as it would without us.
    if (reserved !== undefined) {
      const name = Buffer.from(reserved + EVASION).toString('latin1');
      return `DEALLOCATE "${name.replaceAll('"', '""')}"`;
    }
    const removed = removedName(facts);
    return removed !== null && statements.find(removed) !== undefined ? REMOVAL : null;
  }

  /** A statement as it is to be parsed: the client's, or one that stands for it on this link. */
  parseable(statement: Statement): Statement {
    const { facts } = statement;
    // Which statement bears the name is decided when it is executed, unless it may be one of SQL's.
    const { mayHavePrepared, tenure } = this.#session;
    const maybeOfSql = mayHavePrepared || tenure.pins.includes('PREPARE');
    const isOfProtocol = removedName(facts) !== null && !maybeOfSql;
    const text = this.textFor(facts) ?? (isOfProtocol ? REMOVAL : null);
    if (text === null) return statement;
    const body = Buffer.from(`\0${text}\0\0\0`, 'latin1');
    return { ...statement, signature: null, described: null, body };
  }
}
