import { utf8ByteString } from '../../base/bytes.ts';
import type { Facts } from '../../sql/facts/facts.ts';
import type { Consequence } from '../ledger.ts';
import type { Link } from '../link.ts';
import type { ClientStatements } from './client-statements.ts';
import type { Statement } from './statements.ts';

/** Portals to be remembered: more than so many at once, and the oldest is forgotten. */
const PORTALS_MAX = 64;

/** The one statement that a DEALLOCATE names, as a byte string; null when it is none, or all. */
export function removedName(facts: Facts): string | null {
  const name = facts.deallocates;
  return name === null || name === '' ? null : utf8ByteString(name);
}

/**
 * Whether it matters when a portal of the statement is executed: DEALLOCATE, PREPARE,
 * COPY … FROM STDIN.
 */
export function isRemembered(facts: Facts): boolean {
  return facts.deallocates !== null || facts.preparedAs !== null || facts.copiesIn;
}

/**
 * DEALLOCATE and DISCARD ALL of what was prepared by protocol. They count when they are executed,
 * so what is bound to such a statement is remembered until then.
 */
export class Deallocations {
  readonly #statements: ClientStatements;
  readonly #portals = new Map<string, Statement>();

  constructor(statements: ClientStatements) {
    this.#statements = statements;
  }

  /** Whether an Execute may be one of these at all. */
  get hasPortals(): boolean {
    return this.#portals.size > 0;
  }

  /** A portal is about to be bound. */
  noteBind(portal: string, statement: Statement | undefined): void {
    if (statement === undefined || !isRemembered(statement.facts)) {
      this.#portals.delete(portal);
      return;
    }
    this.#portals.set(portal, statement);
    if (this.#portals.size <= PORTALS_MAX) return;
    for (const oldest of this.#portals.keys()) {
      this.#portals.delete(oldest);
      return;
    }
  }

  /** The portal's statement; undefined when it is known to do nothing special. */
  statementOf(portal: string): Statement | undefined {
    return this.#portals.get(portal);
  }

  /** Whether it must wait for an answer that is still due. */
  isUndecided(facts: Facts, link: Link): boolean {
    const name = removedName(facts);
    return name !== null && this.#statements.isUndecided(name, link);
  }

  /**
   * A statement of these facts is sent next: what hangs on its answer.
   * @param isUnit whether it begins a unit of its own, being a simple Query
   */
  consequenceOf(facts: Facts, link: Link, isUnit: boolean): Consequence | null {
    if (facts.deallocates === '') return this.#statements.removeAll(link, facts.statements === 1);
    const name = removedName(facts);
    return name === null ? null : this.#statements.remove(name, link, isUnit);
  }
}
