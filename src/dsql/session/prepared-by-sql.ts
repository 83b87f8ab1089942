/**
 * What a client has prepared by PREPARE. Links are lent for a transaction, so such a statement is
 * prepared anew in each transaction that uses it.
 */
import { DsqlError } from '../dsql-error.ts';
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

export const missing = (name: string): DsqlError =>
  new DsqlError('26000', `prepared statement "${name}" does not exist`);
