/**
 * One client of a cluster after its login. Messages are worked on one after the other; what needs
 * PostgreSQL runs in a transaction on a link of the client's role, which is lent for just as long.
 */
import { GatewayError } from '../../base/errors.ts';
import { ClientCode } from '../../protocol/codes.ts';
import { encodeGatewayError } from '../../protocol/error-response.ts';
import { CLOSE_COMPLETE, PARSE_COMPLETE } from '../../protocol/messages.ts';
import { DsqlError, unsupported } from '../dsql-error.ts';
import { accessDenied } from '../login/token-judge.ts';
import { type ReplySink, ServerError } from '../server/server-link.ts';
import { ADMIN } from '../statements/system-entity.ts';
import { decodeQuery } from './client-messages.ts';
import type { ClientPort } from './client-port.ts';
import { CopyIn } from './copy-in.ts';
import { ExtendedQuery } from './extended-query.ts';
import { commandComplete, EMPTY_QUERY, readyForQuery } from './replies.ts';
import type { SessionClient, SessionServices } from './session-context.ts';
import { SessionEnd } from './session-end.ts';
import { SessionSettings } from './session-settings.ts';
import { SIMPLE, StatementRunner } from './statement-runner.ts';
import { TransactionBlock } from './transaction-block.ts';

/** No session gets older. Source: Aurora DSQL User Guide, "Cluster quotas and database limits". */
export const SESSION_MS_MAX = 3_600_000;

export class ClientSession {
  readonly #services: SessionServices;
  readonly #client: SessionClient;
  readonly #port: ClientPort;
  readonly #block: TransactionBlock;
  readonly #runner: StatementRunner;
  readonly #extended: ExtendedQuery;
  readonly #sink: ReplySink;
  readonly #sinceMs: number;
  /** What the session is to end with as soon as no transaction is open. */
  #ending: DsqlError | null = null;
  /** An error has come: nothing counts until Sync. */
  #isSkipping = false;
  #isWorking = false;

  constructor(services: SessionServices, client: SessionClient, port: ClientPort) {
    this.#services = services;
    this.#client = client;
    this.#port = port;
    this.#sinceMs = services.clock.nowMs();
    const { role } = client;
    const settings = new SessionSettings(client.settings);
    this.#block = new TransactionBlock(services, {
      role,
      settings,
      checkEntry: () => this.#checkEntry(),
    });
    const copyIn = new CopyIn(port, () => this.#block.link);
    this.#sink = { take: (messages) => port.send(messages) };
    this.#runner = new StatementRunner(services, {
      invoker: { role, isAdmin: role === ADMIN },
      block: this.#block,
      settings,
      copyIn,
      deallocate: (name) => this.#extended.deallocate(name),
    });
    this.#extended = new ExtendedQuery({
      services,
      port,
      settings,
      block: this.#block,
      runner: this.#runner,
      sink: this.#sink,
    });
    port.onBlocked((isBlocked) => this.#block.link?.pause(isBlocked));
    port.onGone(() => this.#block.abandon());
  }

  /** Serves the client to its end. Never rejects. */
  async run(): Promise<void> {
    let lastWords: Buffer | null = null;
    try {
      await this.#serve();
    } catch (error) {
      lastWords = this.#lastWords(error);
    }
    await this.#block.rollback();
    this.#port.end(lastWords);
  }

  /** Ends the session: at once when no transaction is open, else with the end of that. */
  end(error: DsqlError): void {
    this.#ending ??= error;
    if (!this.#isWorking && this.#block.link === null) this.#port.interrupt(new SessionEnd(error));
  }

  /** Ends the session at once, whatever it does. */
  cut(error: DsqlError): void {
    this.#ending ??= error;
    this.#port.interrupt(new SessionEnd(error));
    this.#block.link?.close();
  }

  async #serve(): Promise<void> {
    for (;;) {
      if (this.#ending !== null && this.#block.link === null) throw new SessionEnd(this.#ending);
      const message = await this.#port.read();
      if (message === null || message.code === ClientCode.Terminate) return;
      this.#isWorking = true;
      this.#port.readAhead();
      await this.#handle(message.code, message.body);
      this.#isWorking = false;
    }
  }

  async #handle(code: number, body: Buffer): Promise<void> {
    if (code === ClientCode.Sync) return await this.#sync();
    // What belongs to a COPY that has failed meanwhile is dropped, as in PostgreSQL.
    if (this.#isSkipping || isCopy(code)) return;
    if (code === ClientCode.Query) return await this.#query(body);
    if (code === ClientCode.Flush) return this.#port.flush();
    try {
      await this.#step(code, body);
    } catch (error) {
      await this.#fail(error);
      this.#isSkipping = true;
    }
  }

  /** A message of the extended protocol. */
  async #step(code: number, body: Buffer): Promise<void> {
    const extended = this.#extended;
    switch (code) {
      case ClientCode.Parse:
        await extended.parse(body);
        return this.#port.send(PARSE_COMPLETE);
      case ClientCode.Bind:
        return extended.bind(body);
      case ClientCode.Describe:
        return extended.describe(body);
      case ClientCode.Execute:
        return await extended.execute(body);
      case ClientCode.Close:
        extended.close(body);
        return this.#port.send(CLOSE_COMPLETE);
      case ClientCode.FunctionCall:
        await this.#fail(unsupported('function call protocol not supported'));
        return this.#ready();
      default:
        throw new SessionEnd(new DsqlError('08P01', `invalid frontend message type ${code}`));
    }
  }

  async #query(body: Buffer): Promise<void> {
    try {
      await this.#runAll(decodeQuery(body));
    } catch (error) {
      await this.#fail(error);
    }
    this.#ready();
  }

  async #runAll(text: string): Promise<void> {
    const { statements, refused } = this.#services.judge(text);
    if (statements.length === 0 && refused === null) this.#port.send(EMPTY_QUERY);
    let last: string | null = null;
    for (const statement of statements) {
      if (last !== null) this.#port.send(commandComplete(last));
      last = await this.#runner.run(statement, SIMPLE, this.#sink);
    }
    if (refused !== null) {
      if (last !== null) this.#port.send(commandComplete(last));
      this.#block.checkUsable();
      throw refused;
    }
    // The end of the transaction comes before the last words of its last statement.
    if (!this.#block.isExplicit) await this.#block.commit();
    if (last !== null) this.#port.send(commandComplete(last));
  }

  async #sync(): Promise<void> {
    this.#isSkipping = false;
    try {
      if (!this.#block.isExplicit) await this.#block.commit();
    } catch (error) {
      await this.#fail(error);
    }
    this.#ready();
  }

  #ready(): void {
    if (this.#block.link === null) this.#extended.endTransaction();
    this.#port.send(readyForQuery(this.#block.state));
    this.#port.flush();
  }

  /** @throws SessionEnd */
  async #fail(error: unknown): Promise<void> {
    if (error instanceof SessionEnd) throw error;
    if (error instanceof GatewayError && error.code === 'MR_PROTOCOL_VIOLATION') throw error;
    const told = await this.#block.fail(error);
    if (told instanceof ServerError) this.#port.send(told.bytes);
    else if (told instanceof DsqlError) this.#port.send(told.encode());
    else throw told;
  }

  /** @throws SessionEnd when the session may begin no more transactions */
  #checkEntry(): void {
    if (this.#ending !== null) throw new SessionEnd(this.#ending);
    if (this.#services.clock.nowMs() - this.#sinceMs >= SESSION_MS_MAX) {
      throw new SessionEnd(sessionTooOld());
    }
    const { role, principal } = this.#client;
    if (role === ADMIN) return;
    if (this.#services.roles.mayLogIn(role, principal.mappedArn) !== 'ok') {
      throw new SessionEnd(accessDenied());
    }
  }

  #lastWords(error: unknown): Buffer | null {
    if (error instanceof SessionEnd) return error.error.encode('FATAL');
    const known = GatewayError.from(error);
    if (known.code === 'MR_CLIENT_LOST') return null;
    if (known.code === 'MR_INTERNAL') {
      this.#services.log.error({ error }, 'a session of the DSQL endpoint failed');
    }
    return encodeGatewayError(known);
  }
}

/** Aurora DSQL documents no words for it. */
export const sessionTooOld = (): DsqlError =>
  new DsqlError('57P01', 'terminating connection: it is 60 minutes old', {
    hint: 'Connect again, with a new token.',
  });

const isCopy = (code: number): boolean =>
  code === ClientCode.CopyData || code === ClientCode.CopyDone || code === ClientCode.CopyFail;
