/** A client's transaction: when it begins and ends, and what may stand in it together. */
import { GatewayError } from '../../base/errors.ts';
import { DsqlError, unsupported } from '../dsql-error.ts';
import type { ServerLink } from '../server/server-link.ts';
import type { Transaction } from '../transactions/transaction.ts';
import { schemaChanged } from './catalogue-epoch.ts';
import type { BlockState } from './replies.ts';
import type { Deferred, SessionServices } from './session-context.ts';
import type { SessionSettings } from './session-settings.ts';

/** What there is of a transaction below, while there is one. */
type Open = {
  readonly link: ServerLink;
  readonly transaction: Transaction;
  /** Of the catalogue, when it began. */
  readonly epoch: number;
  statements: number;
  wrote: boolean;
  changesCatalogue: boolean;
  /** What is made when the transaction commits, beside what it holds itself. */
  deferred: Deferred | null;
  /** Statements were prepared by SQL on the link, which must not stay there. */
  hasPrepared: boolean;
};

export type BlockOptions = {
  readonly role: string;
  readonly settings: SessionSettings;
  /** @throws SessionEnd when the session may begin no more transactions */
  checkEntry(): void;
};

export class TransactionBlock {
  readonly #services: SessionServices;
  readonly #options: BlockOptions;
  /** Stands for its session wherever others must not have what is its own. */
  readonly #session = Symbol('session');
  #open: Open | null = null;
  /** Between BEGIN and COMMIT or ROLLBACK. */
  #isExplicit = false;
  #isFailed = false;
  #isReadOnly = false;

  constructor(services: SessionServices, options: BlockOptions) {
    this.#services = services;
    this.#options = options;
  }

  get state(): BlockState {
    if (!this.#isExplicit) return 'idle';
    return this.#isFailed ? 'failed' : 'open';
  }

  get isExplicit(): boolean {
    return this.#isExplicit;
  }

  /** The link of the transaction, null between transactions. */
  get link(): ServerLink | null {
    return this.#open?.link ?? null;
  }

  /** @throws DsqlError `25P02` in a block that an error has ended */
  checkUsable(): void {
    if (this.#isFailed) throw aborted();
  }

  /** BEGIN. */
  async begin(isReadOnly: boolean): Promise<void> {
    this.#isReadOnly = isReadOnly;
    // What an implicit transaction has done by now belongs to the block, as in PostgreSQL.
    await this.use();
    this.#isExplicit = true;
  }

  /** The transaction below, which begins now unless it has. */
  async use(): Promise<Transaction> {
    this.#open ??= await this.#begin();
    return this.#open.transaction;
  }

  /**
   * The same for a statement that is about to run.
   * @throws DsqlError `40001` when the schema has changed since the last one
   */
  async enter(): Promise<Transaction> {
    const transaction = await this.use();
    const open = this.#open as Open;
    if (open.statements > 0 && this.#isStale(open)) throw schemaChanged();
    open.statements++;
    return transaction;
  }

  /** The statement that was entered writes. */
  noteWrite(): void {
    const open = this.#open as Open;
    if (open.changesCatalogue) throw mixed();
    open.wrote = true;
  }

  /** The statement that was entered changes the catalogue. */
  noteDdl(): void {
    const open = this.#open as Open;
    if (open.changesCatalogue) {
      throw unsupported('multiple ddl statements not supported in a transaction');
    }
    if (open.wrote) throw mixed();
    open.changesCatalogue = true;
  }

  defer(deferred: Deferred): void {
    (this.#open as Open).deferred = deferred;
  }

  notePrepared(): void {
    (this.#open as Open).hasPrepared = true;
  }

  /**
   * An error ends the transaction: an explicit block waits for its end, anything else is undone.
   * @returns what the client is to be told
   */
  async fail(error: unknown): Promise<unknown> {
    if (isLost(error)) this.#discard();
    else this.#open?.transaction.fail();
    this.#isFailed = true;
    if (!this.#isExplicit) await this.rollback();
    return isLost(error) ? unavailable() : error;
  }

  /**
   * COMMIT, or the end of what runs without BEGIN.
   * @returns the tag: `ROLLBACK` for a block that had failed
   */
  async commit(): Promise<'COMMIT' | 'ROLLBACK'> {
    const open = this.#open;
    if (open === null || this.#isFailed) {
      const tag = this.#isFailed ? 'ROLLBACK' : 'COMMIT';
      await this.rollback();
      return tag;
    }
    try {
      if (open.statements > 1 && this.#isStale(open)) throw schemaChanged();
      await open.deferred?.commit();
      const tag = await open.transaction.commit();
      if (open.changesCatalogue) this.#services.catalogue.advance();
      await this.#release(open, tag === 'COMMIT');
      return tag;
    } catch (error) {
      // Whatever it was, the transaction is over.
      await this.#undo(open, isLost(error));
      throw isLost(error) ? unavailable() : error;
    } finally {
      this.#reset();
    }
  }

  /** The client has gone: nobody needs what runs for it, and nobody reads what it answers. */
  abandon(): void {
    this.#open?.transaction.abandon();
    this.#open?.link.pause(false);
  }

  /** Never rejects: what cannot be rolled back ends with its link. */
  async rollback(): Promise<void> {
    const open = this.#open;
    if (open !== null) await this.#undo(open, false);
    this.#reset();
  }

  async #begin(): Promise<Open> {
    const { links, adjudicator, catalogue } = this.#services;
    const { role, settings, checkEntry } = this.#options;
    checkEntry();
    const link = await links.checkOut(role).catch((error: unknown) => {
      throw isLost(error) ? unavailable() : error;
    });
    try {
      await links.apply(link, settings.committed, this.#session);
      const epoch = catalogue.number;
      const transaction = await adjudicator.begin(link, { isReadOnly: this.#isReadOnly });
      const none = { statements: 0, wrote: false, changesCatalogue: false, hasPrepared: false };
      return { link, transaction, epoch, deferred: null, ...none };
    } catch (error) {
      links.discard(link);
      throw isLost(error) ? unavailable() : error;
    }
  }

  #isStale(open: Open): boolean {
    return open.epoch !== this.#services.catalogue.number;
  }

  async #undo(open: Open, isLinkLost: boolean): Promise<void> {
    try {
      if (isLinkLost) throw unavailable();
      await open.transaction.rollback();
      await this.#release(open, false);
    } catch {
      this.#discard();
    }
  }

  async #release(open: Open, isCommitted: boolean): Promise<void> {
    const { settings } = this.#options;
    settings.endTransaction(isCommitted);
    this.#open = null;
    // Its next client may well keep up.
    open.link.pause(false);
    try {
      if (open.hasPrepared) await open.link.query('DEALLOCATE ALL');
      this.#services.links.checkIn(open.link, settings.committed);
    } catch {
      this.#services.links.discard(open.link);
    }
  }

  #discard(): void {
    if (this.#open !== null) this.#services.links.discard(this.#open.link);
    this.#options.settings.endTransaction(false);
    this.#open = null;
  }

  #reset(): void {
    this.#open = null;
    this.#isExplicit = false;
    this.#isFailed = false;
    this.#isReadOnly = false;
  }
}

const aborted = (): DsqlError =>
  new DsqlError(
    '25P02',
    'current transaction is aborted, commands ignored until end of transaction block',
  );

/** The server went away in the middle: what was not committed is lost, the session lives on. */
const unavailable = (): DsqlError => new DsqlError('XX000', 'server unavailable');

const mixed = (): DsqlError => unsupported('ddl and dml are not supported in the same transaction');

/** Whether the link, or the server, is gone. */
const isLost = (error: unknown): boolean =>
  error instanceof GatewayError && error.code !== 'MR_INTERNAL';
