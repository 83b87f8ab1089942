/**
 * What a client has prepared by PREPARE. Links are lent for a transaction, so such a statement is
 * prepared anew in each transaction that uses it.
 */
import { DsqlError, unsupported } from '../dsql-error.ts';
import type { JudgedStatement } from '../statements/judgement.ts';

/** More are refused: they are kept for as long as the session. */
const STATEMENTS_MAX = 5_000;

export type PreparedBySql = {
  /** The PREPARE itself, as PostgreSQL is to run it. */
  readonly text: string;
  readonly body: JudgedStatement;
};

export class SqlStatements {
  readonly #statements = new Map<string, PreparedBySql>();

  get(name: string): PreparedBySql {
    const found = this.#statements.get(name);
    if (found === undefined) throw missing(name);
    return found;
  }

  /** To be called before PREPARE is run. */
  checkFree(name: string): void {
    if (this.#statements.has(name)) {
      throw new DsqlError('42P05', `prepared statement "${name}" already exists`);
    }
    if (this.#statements.size >= STATEMENTS_MAX) {
      throw new DsqlError('54000', `more than ${STATEMENTS_MAX} prepared statements`);
    }
  }

  set(name: string, statement: PreparedBySql): void {
    this.#statements.set(name, statement);
  }

  has(name: string): boolean {
    return this.#statements.has(name);
  }

  delete(name: string): boolean {
    return this.#statements.delete(name);
  }

  clear(): void {
    this.#statements.clear();
  }
}

/** What the link of a transaction has of them. */
export class PreparedOnLink {
  #transaction: object | null = null;
  readonly #there = new Map<string, { readonly text: string; isExecuted: boolean }>();

  /**
   * Notes that it is prepared now; what it was must be deallocated first when this is true.
   * @throws DsqlError it was another one, whose EXECUTE may have to be run again
   */
  replaces(transaction: object, name: string, text: string): boolean {
    if (transaction !== this.#transaction) this.#there.clear();
    this.#transaction = transaction;
    const before = this.#there.get(name);
    if (before?.isExecuted === true && before.text !== text) {
      const words = `prepared statement "${name}" was another one in this transaction`;
      throw unsupported(words);
    }
    this.#there.set(name, { text, isExecuted: before?.isExecuted ?? false });
    return before !== undefined;
  }

  noteExecuted(name: string): void {
    const there = this.#there.get(name);
    if (there !== undefined) there.isExecuted = true;
  }
}

export const missing = (name: string): DsqlError =>
  new DsqlError('26000', `prepared statement "${name}" does not exist`);
