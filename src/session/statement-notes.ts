import { byteString } from '../base/bytes.ts';
import type { Facts } from '../sql/facts.ts';
import type { Link } from './link.ts';
import { OwnQuery } from './own-query.ts';
import type { Session } from './session.ts';
import { bindTextParameter } from './statement-messages.ts';
import type { Statement } from './statements.ts';

/** What statements mean to their session before they are sent. */
export class StatementNotes {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Notes what a statement that is about to run may do to the link. */
  noteStatement(facts: Facts): void {
    const session = this.#session;
    session.residue.note(facts, session.host.judge(facts));
    session.isExempt ||= facts.exempt;
    if (facts.sequenceState) this.#forgetSequences(session.hasOpenUnit);
  }

  /**
   * `currval` and `lastval` outside the transaction of their `nextval` would tell what another
   * client drew on this link. The server is made to forget, and says that there is no value yet.
   */
  #forgetSequences(isOpen: boolean): void {
    const { link, framer, pins } = this.#session;
    // Inside a unit it would end the implicit transaction of what went before.
    if (link === null || !link.isIdle || isOpen || pins.length > 0) return;
    framer.flushRun();
    link.sendOwn(new OwnQuery('DISCARD SEQUENCES'));
  }

  /** Notes that a statement is about to be prepared. */
  noteParse(statement: Statement): void {
    if (statement.facts.sequenceState) this.#forgetSequences(this.#session.hasOpenUnit);
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
      else this.#session.residue.notePermanent('set_config with a computed name');
    }
  }

  /**
   * The text to send instead of the client's, or null when its own is to be sent.
   * @param isUnit whether it is a simple Query
   */
  textFor(facts: Facts, link: Link, isUnit: boolean): string | null {
    const session = this.#session;
    if (facts.millraceShow !== null) return session.host.showText(facts.millraceShow);
    const name = facts.deallocates;
    if (name === null) return null;
    if (name === '') {
      session.statements.clear();
      link.statements.clear();
      return null;
    }
    session.framer.flushRun();
    const signature = session.settings.parseSignature;
    const linkName = session.statements.deallocate(name, link, signature, isUnit);
    return linkName === null ? null : `DEALLOCATE ${byteString(linkName, 0, linkName.length)}`;
  }
}
