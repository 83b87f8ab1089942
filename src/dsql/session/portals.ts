/** Statements that a client has prepared and bound by the extended protocol. */
import { DsqlError } from '../dsql-error.ts';
import type { JudgedStatement } from '../statements/judgement.ts';
import type { BindMessage } from './client-messages.ts';
import type { Description } from './descriptions.ts';
import { missing } from './prepared-by-sql.ts';

/** More of each are refused: they are kept for as long as the client likes. */
const STATEMENTS_MAX = 5_000;
const PORTALS_MAX = 1_000;
/** What the Binds of all portals may take in memory. */
const PORTAL_BYTES_MAX = 32 * 1_048_576;

export type Prepared = {
  /** Null for a text without a statement. */
  readonly statement: JudgedStatement | null;
  readonly parameterTypes: readonly number[];
  readonly description: Description;
  /** What the description depended on; see {@link Descriptions.get}. */
  context: string;
};

export type Portal = {
  readonly prepared: Prepared;
  readonly bind: BindMessage;
  /** Rows that no Execute has asked for yet, each a DataRow; null before the first Execute. */
  rest: Buffer[] | null;
  /** Of the whole statement. */
  tag: string;
  isDone: boolean;
};

export class PreparedStatements {
  readonly #statements = new Map<string, Prepared>();

  get(name: string): Prepared {
    const found = this.#statements.get(name);
    if (found === undefined) throw missing(name);
    return found;
  }

  /** To be called before Parse is worked on; the unnamed statement gives way. */
  checkFree(name: string): void {
    if (name === '') return;
    if (this.#statements.has(name)) {
      throw new DsqlError('42P05', `prepared statement "${name}" already exists`);
    }
    if (this.#statements.size >= STATEMENTS_MAX) {
      throw new DsqlError('54000', `more than ${STATEMENTS_MAX} prepared statements`);
    }
  }

  set(name: string, prepared: Prepared): void {
    this.#statements.set(name, prepared);
  }

  /** Null for all that have a name. */
  delete(name: string | null): boolean {
    if (name !== null) return this.#statements.delete(name);
    for (const key of this.#statements.keys()) if (key !== '') this.#statements.delete(key);
    return true;
  }
}

export class Portals {
  readonly #portals = new Map<string, Portal>();
  #bytes = 0;

  get(name: string): Portal {
    const found = this.#portals.get(name);
    if (found === undefined) throw new DsqlError('34000', `portal "${name}" does not exist`);
    return found;
  }

  open(bind: BindMessage, prepared: Prepared): void {
    const name = bind.portal;
    if (name !== '' && this.#portals.has(name)) {
      throw new DsqlError('42P03', `cursor "${name}" already exists`);
    }
    this.close(name);
    this.#bytes += bind.content.length;
    if (this.#portals.size >= PORTALS_MAX || this.#bytes > PORTAL_BYTES_MAX) {
      this.#bytes -= bind.content.length;
      throw new DsqlError('54000', 'too many open portals');
    }
    this.#portals.set(name, { prepared, bind, rest: null, tag: '', isDone: false });
  }

  close(name: string): void {
    const portal = this.#portals.get(name);
    if (portal === undefined) return;
    this.#bytes -= portal.bind.content.length;
    this.#portals.delete(name);
  }

  /** The transaction has ended, and they with it. */
  clear(): void {
    this.#portals.clear();
    this.#bytes = 0;
  }
}
