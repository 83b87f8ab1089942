/** Runs statements that were judged, each in the way that its kind asks for. */
import { TEXT } from '../../protocol/result.ts';
import { DsqlError } from '../dsql-error.ts';
import { encodeQuery, RowSink } from '../server/link-messages.ts';
import type { ReplySink } from '../server/server-link.ts';
import { quoteName, quoteText } from '../sql-text.ts';
import type { Action, Guard, JudgedStatement, Write } from '../statements/judgement.ts';
import { encodeExecution } from '../transactions/execution-messages.ts';
import type { Execution, Transaction } from '../transactions/transaction.ts';
import type { CopyIn } from './copy-in.ts';
import { type Description, describe, EMPTY_DESCRIPTION } from './descriptions.ts';
import { isOwnSetting } from './own-settings.ts';
import { PreparedOnLink, SqlStatements } from './prepared-by-sql.ts';
import { BOOLEAN, parameterStatus, table, warning } from './replies.ts';
import type { Invoker, SessionServices } from './session-context.ts';
import type { SessionSettings } from './session-settings.ts';
import { shown } from './shown.ts';
import type { TransactionBlock } from './transaction-block.ts';

/** How a statement came. */
export type Call = {
  /** OIDs of Parse. */
  readonly parameterTypes: readonly number[];
  /** What Bind says behind the names; null for a simple Query, which is told of its columns too. */
  readonly bind: Buffer | null;
  /** The first column of the result is asked for in binary format. */
  readonly wantsBinary: boolean;
};

type SetAction = Extract<Action, { kind: 'set' }>;

/** A simple Query. */
export const SIMPLE: Call = { parameterTypes: [], bind: null, wantsBinary: false };

/** The endpoint's own queries on a link are not for the client. */
const SILENT: ReplySink = { take: () => {} };

/** Settings that a client hears of when they change, as PostgreSQL names them. */
const TOLD: ReadonlyMap<string, string> = new Map([
  ['application_name', 'application_name'],
  ['datestyle', 'DateStyle'],
  ['intervalstyle', 'IntervalStyle'],
  ['timezone', 'TimeZone'],
]);

export type RunnerOptions = {
  readonly invoker: Invoker;
  readonly block: TransactionBlock;
  readonly settings: SessionSettings;
  readonly copyIn: CopyIn;
  /** Forgets what was prepared by the protocol: one statement, or all. */
  deallocate(name: string | null): boolean;
};

export class StatementRunner {
  readonly #services: SessionServices;
  readonly #options: RunnerOptions;
  readonly #prepared = new SqlStatements();
  readonly #onLink = new PreparedOnLink();

  constructor(services: SessionServices, options: RunnerOptions) {
    this.#services = services;
    this.#options = options;
  }

  /**
   * Runs it, and hands over what the client is to see of it but for its CommandComplete.
   * @returns the command tag; empty for a text without a statement
   * @throws what ends the transaction; see {@link TransactionBlock.fail}
   */
  async run(statement: JudgedStatement, call: Call, sink: ReplySink): Promise<string> {
    const { action, tag } = statement;
    if (action.kind !== 'commit' && action.kind !== 'rollback') {
      this.#options.block.checkUsable();
    }
    const answered = await this.#dispatch(statement, call, sink);
    return tag ?? answered;
  }

  async #dispatch(statement: JudgedStatement, call: Call, sink: ReplySink): Promise<string> {
    const { action, text } = statement;
    const { block } = this.#options;
    switch (action.kind) {
      case 'begin':
        return await this.#begin(action.isReadOnly, sink);
      case 'commit':
        if (!block.isExplicit) sink.take(warning('25P01', 'there is no transaction in progress'));
        return await block.commit();
      case 'rollback':
        if (!block.isExplicit) sink.take(warning('25P01', 'there is no transaction in progress'));
        await block.rollback();
        return 'ROLLBACK';
      case 'set':
        return await this.#set(statement, action, sink);
      case 'show':
        return await this.#show(action.name, statement, call, sink);
      case 'role':
        return await this.#role(statement);
      case 'job':
        return await this.#job(statement, call, sink);
      case 'wait-for-job':
        return await this.#waitForJob(action.jobId, call, sink);
      case 'prepare':
        return await this.#prepare(action.name, action.body, text, sink);
      case 'execute':
        return await this.#execute(action.name, statement, call, sink);
      case 'deallocate':
        return this.#deallocate(action.name);
      case 'ddl':
        return await this.#ddl(text, action.guards, call, sink);
      case 'copy':
        return await this.#copy(action.direction, statement, call, sink);
      case 'write':
        return await this.#runWrite(text, call, action.write, sink);
      default:
        return await this.#runRead(text, call, sink);
    }
  }

  async #begin(isReadOnly: boolean, sink: ReplySink): Promise<string> {
    const { block } = this.#options;
    if (block.isExplicit) {
      sink.take(warning('25001', 'there is already a transaction in progress'));
    } else {
      await block.begin(isReadOnly);
    }
    return 'BEGIN';
  }

  async #runRead(text: string, call: Call, sink: ReplySink): Promise<string> {
    const transaction = await this.#options.block.enter();
    return (await transaction.execute(executionOf(text, call, null), sink)).tag;
  }

  async #runWrite(text: string, call: Call, write: Write, sink: ReplySink): Promise<string> {
    const transaction = await this.#options.block.enter();
    if (write.targets.length > 0) this.#options.block.noteWrite();
    return (await transaction.execute(executionOf(text, call, write), sink)).tag;
  }

  async #ddl(text: string, guards: readonly Guard[], call: Call, sink: ReplySink): Promise<string> {
    const transaction = await this.#options.block.enter();
    this.#options.block.noteDdl();
    await checkGuards(transaction, guards);
    return await pass(transaction, text, call, sink);
  }

  async #copy(
    direction: 'in' | 'out',
    { text }: JudgedStatement,
    call: Call,
    sink: ReplySink,
  ): Promise<string> {
    if (direction === 'out') return await this.#runRead(text, call, sink);
    const { block, copyIn } = this.#options;
    const transaction = await block.enter();
    block.noteWrite();
    const take = (messages: Buffer): void => sink.take(messages);
    const rows = { take, copyIn: () => copyIn.begin(call.bind !== null) };
    try {
      return await pass(transaction, text, call, rows);
    } finally {
      copyIn.end();
    }
  }

  async #set({ text }: JudgedStatement, change: SetAction, sink: ReplySink): Promise<string> {
    const { block, settings } = this.#options;
    const { name, isLocal } = change;
    if (isLocal && !block.isExplicit) {
      sink.take(warning('25P01', 'SET LOCAL can only be used in transaction blocks'));
    }
    const transaction = await block.enter();
    if (name !== null && isOwnSetting(name)) {
      if (!isLocal) settings.change(name, change.value);
      return change.value === null ? 'RESET' : 'SET';
    }
    const shownNames = name === null ? [...TOLD.keys()] : [name];
    const { tag, row } = await transaction.set(this.#textOfSet(text, change, shownNames));
    if (!isLocal) {
      if (name === null) settings.resetAll();
      else
        settings.change(name, change.value === null ? settings.startupValue(name) : (row[0] ?? ''));
    }
    for (const [at, key] of shownNames.entries()) {
      const toldName = TOLD.get(key);
      if (toldName !== undefined) sink.take(parameterStatus(toldName, row[at] ?? ''));
    }
    return tag;
  }

  /** With what a client came with as what RESET goes back to, and the values there are then. */
  #textOfSet(text: string, { name, value }: SetAction, shownNames: readonly string[]): string {
    const steps = [text];
    for (const [key, startup] of this.#options.settings.startup) {
      if (value !== null || (name !== null && name !== key)) continue;
      steps.push(`SELECT pg_catalog.set_config(${quoteText(key)}, ${quoteText(startup)}, false)`);
    }
    const values = shownNames.map((key) => `pg_catalog.current_setting(${quoteText(key)})`);
    steps.push(`SELECT ${values.join(', ')}`);
    return steps.join(';\n');
  }

  async #show(
    name: string,
    { text }: JudgedStatement,
    call: Call,
    sink: ReplySink,
  ): Promise<string> {
    const value = shown(name, this.#options.settings);
    if (value === null) return await this.#runRead(text, call, sink);
    answer(name, value, call, sink);
    return 'SHOW';
  }

  async #role({ action, text }: JudgedStatement): Promise<string> {
    if (action.kind !== 'role') throw new Error('no role statement');
    const { block, invoker } = this.#options;
    await block.enter();
    block.noteDdl();
    const change = await this.#services.roles.prepare(action.role, text, invoker);
    block.defer(change);
    return change.tag;
  }

  async #job({ action, text }: JudgedStatement, call: Call, sink: ReplySink): Promise<string> {
    if (action.kind !== 'job') throw new Error('no job');
    const { block, invoker, settings } = this.#options;
    const transaction = await block.enter();
    block.noteDdl();
    await checkGuards(transaction, action.guards);
    const { committed } = settings;
    const job = await this.#services.jobs.prepare(action.job, text, invoker, committed);
    block.defer(job);
    answer('job_id', job.jobId, call, sink);
    return action.job.type === 'INDEX_BUILD' ? 'CREATE INDEX' : 'ALTER TABLE';
  }

  async #waitForJob(jobId: string, call: Call, sink: ReplySink): Promise<string> {
    const { block } = this.#options;
    // Without need there is no transaction: the job may wait for the end of all snapshots.
    if (block.isExplicit) await block.enter();
    const hasSucceeded = await this.#services.jobs.waitFor(jobId);
    const inText = hasSucceeded ? 't' : 'f';
    const value = call.wantsBinary ? String.fromCharCode(Number(hasSucceeded)) : inText;
    const { description, rows } = table([{ name: 'succeeded', type: BOOLEAN }], [[value]]);
    if (call.bind === null) sink.take(description);
    sink.take(rows);
    return 'CALL';
  }

  async #prepare(
    name: string,
    body: JudgedStatement,
    text: string,
    sink: ReplySink,
  ): Promise<string> {
    this.#prepared.checkFree(name);
    const transaction = await this.#options.block.enter();
    await this.#prepareOnLink(transaction, name, text, sink);
    this.#prepared.set(name, { text, body });
    return 'PREPARE';
  }

  async #execute(
    name: string,
    { text }: JudgedStatement,
    call: Call,
    sink: ReplySink,
  ): Promise<string> {
    const prepared = this.#prepared.get(name);
    const { block } = this.#options;
    const { action } = prepared.body;
    const transaction = await block.enter();
    await this.#prepareOnLink(transaction, name, prepared.text, SILENT);
    this.#onLink.noteExecuted(name);
    const write = action.kind === 'write' ? action.write : null;
    if (write !== null && write.targets.length > 0) block.noteWrite();
    return (await transaction.execute(executionOf(text, call, write), sink)).tag;
  }

  /** Anew for each EXECUTE, as names may mean other tables by now. */
  async #prepareOnLink(
    transaction: Transaction,
    name: string,
    text: string,
    sink: ReplySink,
  ): Promise<void> {
    this.#options.block.notePrepared();
    if (this.#onLink.replaces(transaction, name, text)) {
      await pass(transaction, `DEALLOCATE ${quoteName(name)}`, SIMPLE, SILENT);
    }
    await pass(transaction, text, SIMPLE, sink);
  }

  /** Of EXECUTE, which takes no parameters of the protocol. */
  async describePrepared(name: string): Promise<Description> {
    const { body } = this.#prepared.get(name);
    const { columns } = await describe(await this.#options.block.use(), body.text, []);
    return { ...EMPTY_DESCRIPTION, columns };
  }

  #deallocate(name: string | null): string {
    const isDropped = this.#options.deallocate(name);
    if (name === null) {
      this.#prepared.clear();
      return 'DEALLOCATE ALL';
    }
    if (!this.#prepared.delete(name) && !isDropped) {
      throw new DsqlError('26000', `prepared statement "${name}" does not exist`);
    }
    return 'DEALLOCATE';
  }
}

const executionOf = (text: string, call: Call, write: Write | null): Execution => ({
  text,
  parameterTypes: call.parameterTypes,
  bind: call.bind,
  write,
});

async function pass(
  transaction: Transaction,
  text: string,
  call: Call,
  sink: ReplySink,
): Promise<string> {
  const messages = encodeExecution(executionOf(text, call, null));
  return (await transaction.passThrough(messages, sink)).tag;
}

/** @throws DsqlError in the words of the first guard that has some */
async function checkGuards(transaction: Transaction, guards: readonly Guard[]): Promise<void> {
  for (const { sqlstate, query, parameters } of guards) {
    const sink = new RowSink();
    await transaction.passThrough(encodeQuery(query, parameters), sink);
    const words = sink.rows()[0]?.[0];
    if (words != null) throw new DsqlError(sqlstate, words);
  }
}

/** A row of one text, as SELECT answers it. */
function answer(name: string, value: string, { bind }: Call, sink: ReplySink): void {
  const { description, rows } = table([{ name, type: TEXT }], [[value]]);
  if (bind === null) sink.take(description);
  sink.take(rows);
}
