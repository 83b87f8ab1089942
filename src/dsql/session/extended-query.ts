/** Parse, Bind, Describe, Execute and Close. */
import { ServerCode } from '../../protocol/codes.ts';
import { rowTypeOf } from '../../session/statements/result-type.ts';
import { DsqlError, unsupported } from '../dsql-error.ts';
import type { ReplySink } from '../server/server-link.ts';
import type { JudgedStatement } from '../statements/judgement.ts';
import { decodeBind, decodeExecute, decodeName, decodeParse } from './client-messages.ts';
import type { ClientPort } from './client-port.ts';
import {
  type Description,
  Descriptions,
  describe,
  EMPTY_DESCRIPTION,
  ownDescription,
} from './descriptions.ts';
import { type Portal, Portals, type Prepared, PreparedStatements } from './portals.ts';
import {
  BIND_COMPLETE,
  commandComplete,
  EMPTY_QUERY,
  PORTAL_SUSPENDED,
  withFormats,
} from './replies.ts';
import { RowBuffer } from './row-buffer.ts';
import type { SessionServices } from './session-context.ts';
import type { SessionSettings } from './session-settings.ts';
import type { Call, StatementRunner } from './statement-runner.ts';
import type { TransactionBlock } from './transaction-block.ts';

export type ExtendedOptions = {
  readonly services: SessionServices;
  readonly port: ClientPort;
  readonly settings: SessionSettings;
  readonly block: TransactionBlock;
  readonly runner: StatementRunner;
  /** Where rows go that the client may have at once. */
  readonly sink: ReplySink;
};

export class ExtendedQuery {
  readonly #options: ExtendedOptions;
  readonly #statements = new PreparedStatements();
  readonly #portals = new Portals();
  readonly #descriptions = new Descriptions();

  constructor(options: ExtendedOptions) {
    this.#options = options;
  }

  /** The transaction has ended: its portals are no more. */
  endTransaction(): void {
    this.#portals.clear();
  }

  /** Forgets one statement, or all that have a name. */
  deallocate(name: string | null): boolean {
    return this.#statements.delete(name);
  }

  async parse(body: Buffer): Promise<void> {
    const { name, text, parameterTypes } = decodeParse(body);
    const { services, block } = this.#options;
    this.#statements.checkFree(name);
    const { statements, refused } = services.judge(text);
    const [statement = null, ...more] = statements;
    if (statement !== null && !endsBlock(statement)) block.checkUsable();
    if (refused !== null) {
      block.checkUsable();
      throw refused;
    }
    if (more.length > 0) {
      const words = 'cannot insert multiple commands into a prepared statement';
      throw new DsqlError('42601', words);
    }
    const context = this.#context();
    const description = await this.#describe(statement, parameterTypes);
    this.#statements.set(name, { statement, parameterTypes, description, context });
  }

  bind(body: Buffer): void {
    const bind = decodeBind(body);
    const prepared = this.#statements.get(bind.statement);
    const { statement } = prepared;
    if (statement !== null && !endsBlock(statement)) this.#options.block.checkUsable();
    this.#portals.open(bind, prepared);
    this.#options.port.send(BIND_COMPLETE);
  }

  describe(body: Buffer): void {
    const { kind, name } = decodeName(body, 'Describe');
    const { port } = this.#options;
    if (kind === 'statement') {
      const { parameters, columns } = this.#statements.get(name).description;
      port.send(parameters);
      port.send(columns);
      return;
    }
    const { prepared, bind } = this.#portals.get(name);
    port.send(withFormats(prepared.description.columns, bind.resultFormats));
  }

  async execute(body: Buffer): Promise<void> {
    const { portal: name, rowsMax } = decodeExecute(body);
    const portal = this.#portals.get(name);
    const { port } = this.#options;
    const { statement } = portal.prepared;
    if (statement === null) {
      port.send(EMPTY_QUERY);
      return;
    }
    if (portal.rest !== null || rowsMax > 0) await this.#executePart(portal, statement, rowsMax);
    else {
      checkFresh(portal, name);
      portal.isDone = true;
      const tag = await this.#run(portal, statement, this.#options.sink);
      portal.tag = tag;
      port.send(commandComplete(tag));
    }
  }

  close(body: Buffer): void {
    const { kind, name } = decodeName(body, 'Close');
    if (kind === 'statement') this.#statements.delete(name);
    else this.#portals.close(name);
  }

  /** Runs the whole statement at the first call, and hands out its rows from there on. */
  async #executePart(portal: Portal, statement: JudgedStatement, rowsMax: number): Promise<void> {
    const { port } = this.#options;
    if (portal.rest === null) {
      checkFresh(portal, portal.bind.portal);
      const buffer = new RowBuffer();
      portal.tag = await this.#run(portal, statement, buffer);
      buffer.check();
      for (const message of buffer.others) port.send(message);
      portal.rest = buffer.rows;
      portal.isDone = true;
    }
    const count = rowsMax === 0 ? portal.rest.length : Math.min(rowsMax, portal.rest.length);
    for (const row of portal.rest.splice(0, count)) port.send(row);
    // PostgreSQL, too, knows that there are no more only when it has looked for one.
    if (rowsMax > 0 && count === rowsMax) port.send(PORTAL_SUSPENDED);
    else port.send(commandComplete(partTag(portal.tag, count)));
  }

  async #run(portal: Portal, statement: JudgedStatement, sink: ReplySink): Promise<string> {
    const { prepared, bind } = portal;
    await this.#checkResult(prepared, statement);
    const call: Call = {
      parameterTypes: prepared.parameterTypes,
      bind: bind.content,
      wantsBinary: bind.resultFormats[0] === 1,
    };
    return await this.#options.runner.run(statement, call, sink);
  }

  /** What the description of a statement depends on. */
  #context(): string {
    const { services, settings } = this.#options;
    return `${services.catalogue.number} ${[...settings.committed].join()}`;
  }

  /** As in PostgreSQL a statement returns what it did when it was prepared, or nothing. */
  async #checkResult(prepared: Prepared, statement: JudgedStatement): Promise<void> {
    const context = this.#context();
    if (context === prepared.context) return;
    const now = await this.#describe(statement, prepared.parameterTypes);
    if (resultTypeOf(now) !== resultTypeOf(prepared.description)) {
      throw unsupported('cached plan must not change result type');
    }
    prepared.context = context;
  }

  async #describe(
    statement: JudgedStatement | null,
    parameterTypes: readonly number[],
  ): Promise<Description> {
    if (statement === null) return EMPTY_DESCRIPTION;
    const own = ownDescription(statement, this.#options.settings);
    if (own !== null) return own;
    const { block } = this.#options;
    const { action } = statement;
    if (action.kind === 'execute') return this.#options.runner.describePrepared(action.name);
    const text = statement.text;
    const context = this.#context();
    const key = `${parameterTypes.join()} ${text}`;
    const known = block.isExplicit ? null : this.#descriptions.get(key, context);
    if (known !== null) return known;
    const found = await describe(await block.use(), text, parameterTypes);
    if (!block.isExplicit) this.#descriptions.set(key, found);
    return found;
  }
}

function checkFresh(portal: Portal, name: string): void {
  if (portal.isDone) throw new DsqlError('55000', `portal "${name}" cannot be run`);
}

/** Whether it may stand in a block that has failed. */
const endsBlock = ({ action }: JudgedStatement): boolean =>
  action.kind === 'commit' || action.kind === 'rollback';

/** A SELECT counts the rows of each part, everything else those of the statement. */
const partTag = (tag: string, count: number): string =>
  tag.startsWith('SELECT ') ? `SELECT ${count}` : tag;

/** As far as PostgreSQL compares it; null for a statement that returns no rows. */
const resultTypeOf = ({ columns }: Description): string | null =>
  columns[0] === ServerCode.RowDescription ? rowTypeOf(columns, 0, columns.length) : null;
