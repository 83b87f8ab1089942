import { GatewayError } from '../base/errors.ts';
import { type Log, withFields } from '../base/log.ts';
import type { Clock } from '../base/time.ts';
import type { CachingConfig, ConfigurationConfig } from '../config/model.ts';
import type { PoolCounts } from '../pool/pool.ts';
import type { Link } from '../session/link.ts';
import { type OriginRules, originRules } from '../session/origin-rules.ts';
import type { Judgement } from '../session/residue.ts';
import type { Session } from '../session/session.ts';
import type { Readers, SessionHost, Sharing } from '../session/session-host.ts';
import type { Settings } from '../session/settings.ts';
import type { Statement } from '../session/statements/statements.ts';
import type { Facts } from '../sql/facts/facts.ts';
import type { SqlParser } from '../sql/facts/parser.ts';
import { cacheShown } from './cache/cache-shown.ts';
import { DatabaseReads } from './cache/database-reads.ts';
import { DatabaseWrites } from './cache/database-writes.ts';
import type { OriginWrites } from './cache/origin-writes.ts';
import type { OriginWritesTable } from './cache/origin-writes-table.ts';
import type { ClientConnection } from './clients/client-connection.ts';
import { pinRows, pinsShown } from './clients/pins.ts';
import { DatabaseLinks } from './links/database-links.ts';
import { Introduction, type IntroductionResult } from './login/introduction.ts';
import type { PurgeOutcome, PurgeTarget } from './purge.ts';
import { type Shown, shownAnswer, shownText } from './show.ts';
import type { LinkRates, News, PinRow, Siblings } from './siblings.ts';
import type { StatementReader } from './statements/statement-reader.ts';

const LINK_STATEMENTS_MAX = 200;
/** Startup settings that the origin has accepted once are remembered. */
const ACCEPTED_SETTINGS_MAX = 256;
/** There may be thousands of clients: they are looked at only so often. */
const LOOK_MS = 250;

/** What all configurations share. */
export type DatabaseParts = {
  readonly statements: StatementReader;
  readonly parser: SqlParser;
  readonly clock: Clock;
  readonly log: Log;
  /** The other processes that serve the configuration; null when there are none. */
  readonly siblings: Siblings | null;
  readonly writes: OriginWritesTable;
  /** How fast links may be opened. */
  readonly rates: LinkRates;
  /** Clients of the gateway write through other processes than this one. */
  readonly hasOtherWriters: boolean;
};

/** One configuration at work: its links, its clients, and what they share. */
export class Database implements SessionHost {
  readonly log: Log;
  readonly linkStatementsMax = LINK_STATEMENTS_MAX;
  readonly clients = new Set<ClientConnection>();
  readonly #statements: StatementReader;
  readonly #links: DatabaseLinks;
  readonly #siblings: Siblings | null;
  readonly #accepted = new Map<string, Settings>();
  readonly #reads: DatabaseReads;
  readonly #writes: DatabaseWrites;
  #config: ConfigurationConfig;
  #lookedAtMs = 0;
  /** Whether the others have yet to hear of changes of pins. */
  #hasUntoldPins = false;

  constructor(config: ConfigurationConfig, parts: DatabaseParts) {
    const { siblings } = parts;
    this.#config = config;
    this.#siblings = siblings;
    this.log = withFields(parts.log, { configuration: config.name });
    this.#statements = parts.statements;
    this.#links = new DatabaseLinks(this, parts);
    const { writer } = this.#links;
    this.#writes = new DatabaseWrites(this, writer, parts);
    this.#reads = new DatabaseReads(this, writer, { ...parts, log: this.log });
  }

  get config(): ConfigurationConfig {
    return this.#config;
  }

  get rules(): OriginRules {
    return originRules(this.#config.origin.kind);
  }

  get isSessionMode(): boolean {
    return this.#config.poolMode === 'session';
  }

  /** Null in session mode, in which the gateway does not follow what a client does. */
  get readCache(): DatabaseReads | null {
    return this.isSessionMode ? null : this.#reads;
  }

  get caching(): CachingConfig {
    return this.#config.caching;
  }

  get writes(): OriginWrites {
    return this.#writes.origin;
  }

  get clientEncoding(): string | null {
    return this.#links.writer.parameters?.get('client_encoding')?.toUpperCase() ?? null;
  }

  isCatalogueKnown(): boolean {
    return this.#writes.isCatalogueKnown();
  }

  noteWrites(link: Link, facts: Facts | null): void {
    this.#writes.note(link, facts);
  }

  get originUser(): string {
    return this.#links.writer.user;
  }

  get counts(): PoolCounts {
    return this.#links.writer.counts;
  }

  /** What a new client is told about the server; known once a client was introduced. */
  get parameters(): ReadonlyMap<string, string> {
    return this.#links.writer.parameters ?? new Map();
  }

  /**
   * Settles a new client's startup settings with the origin.
   * @throws GatewayError when the origin cannot be asked
   */
  async introduce(asked: Settings): Promise<IntroductionResult> {
    const name = asked.get('application_name') ?? null;
    const key = JSON.stringify([...asked.with('application_name', null).entries()]);
    const known = this.#accepted.get(key);
    if (known !== undefined && this.#links.writer.parameters !== null) {
      return { kind: 'accepted', settings: known.with('application_name', name) };
    }
    const result = await new Promise<IntroductionResult>((resolve, reject) => {
      const checkIn = (link: Link, isDirty: boolean) => this.#links.checkIn(link, isDirty);
      const taker = new Introduction(asked, checkIn, resolve, reject);
      const link = this.#links.writer.checkOut(taker);
      if (link !== null) taker.onLink(link);
    });
    if (result.kind === 'accepted') {
      if (this.#accepted.size >= ACCEPTED_SETTINGS_MAX) this.#accepted.clear();
      this.#accepted.set(key, result.settings);
    }
    return result;
  }

  get sharing(): Sharing | null {
    if (!this.#config.shareLinks || this.isSessionMode) return null;
    return this.isCatalogueChanging ? null : this.#links.shared;
  }

  get readers(): Readers | null {
    return this.isCatalogueChanging ? null : this.#links.readers;
  }

  checkOut(session: Session): Link | null {
    return this.#links.checkOut(session);
  }

  withdraw(session: Session): void {
    this.#links.withdraw(session);
  }

  checkIn(link: Link, isDirty: boolean): void {
    this.#links.checkIn(link, isDirty);
  }

  discard(link: Link, reason: string): void {
    this.#links.discard(link, reason);
  }

  factsOf(chunk: Uint8Array, start: number, end: number, settings: Settings): Facts {
    return this.#statements.factsOf(chunk, start, end, settings);
  }

  statementOf(chunk: Uint8Array, start: number, end: number, settings: Settings): Statement {
    return this.#statements.statementOf(chunk, start, end, settings);
  }

  restate(statement: Statement, signature: string): Statement {
    return this.#statements.restate(statement, signature);
  }

  judge(facts: Facts): Judgement {
    return this.#writes.judge(facts);
  }

  get readsSequences(): boolean {
    return this.#writes.readsSequences;
  }

  get isCatalogueChanging(): boolean {
    return this.#writes.isCatalogueChanging;
  }

  catchUp(): void {
    this.#writes.origin.catchUp();
  }

  get catalogueEpoch(): number {
    return this.#writes.catalogueEpoch;
  }

  customSettingNames(): Iterable<string> {
    return this.#writes.customSettingNames;
  }

  onCatalogueChanged(): void {
    this.#writes.changeCatalogue();
  }

  onNews(news: News): void {
    this.#writes.onNews(news);
  }

  doubtShared(): void {
    this.#links.doubt();
  }

  forgetCatalogue(): void {
    this.#statements.forget();
    this.#reads.forgetCatalogue();
    this.#links.readers?.onCatalogueChanged();
  }

  onResultTypeChanged(): void {
    this.#statements.forget();
  }

  onPins(reasons: readonly string[]): void {
    this.log.debug({ reasons }, 'why a client keeps its link has changed');
    this.#hasUntoldPins = true;
  }

  showText(name: string, session: Session): string | null {
    const shown = this.#shown(name, session);
    return shown === null ? null : shownText(shown);
  }

  showAnswer(name: string, session: Session): Uint8Array | null {
    const shown = this.#shown(name, session);
    return shown === null ? null : shownAnswer(shown);
  }

  #shown(name: string, session: Session): Shown | null {
    if (name === 'pins') return pinsShown(this.#allPins());
    return name === 'sharing'
      ? this.#links.shared.shown
      : cacheShown(name, this.readCache, session);
  }

  *#allPins(): Iterable<PinRow> {
    yield* pinRows(this.clients);
    if (this.#siblings !== null) yield* this.#siblings.pinsElsewhere(this.#config.name);
  }

  /** A client has gone. */
  removeClient(client: ClientConnection): void {
    this.clients.delete(client);
    this.#hasUntoldPins = true;
  }

  /** Forgets answers of the query cache. */
  async purge(target: PurgeTarget): Promise<PurgeOutcome> {
    return this.readCache?.purge(target) ?? { answers: 0, problem: null };
  }

  /** Takes a changed configuration; clients stay. */
  reconfigure(config: ConfigurationConfig, isOriginChanged: boolean): void {
    if (isOriginChanged) this.#writes.moveTo(config.origin);
    this.#config = config;
    this.#links.setLimits();
    this.#reads.reconfigure();
    if (!isOriginChanged) return;
    this.#accepted.clear();
    this.#reads.forgetCatalogue();
    this.#links.renew(new GatewayError('MR_ORIGIN_LOST'));
  }

  /** To be called every now and then: strikes whoever has run into a limit. */
  tick(nowMs: number): void {
    this.#links.tick(nowMs);
    this.#reads.tick(nowMs);
    if (nowMs - this.#lookedAtMs >= LOOK_MS) {
      this.#lookedAtMs = nowMs;
      const { statementTimeoutMs, clientUnreadTimeoutMs } = this.#config.timeouts;
      for (const client of this.clients) {
        client.watch.look(client, statementTimeoutMs, clientUnreadTimeoutMs, nowMs);
      }
    }
    if (this.clients.size > 0) this.#writes.tick(nowMs);
    if (this.#hasUntoldPins) this.#tellPins();
  }

  #tellPins(): void {
    this.#hasUntoldPins = false;
    this.#siblings?.publishPins(this.#config.name, [...pinRows(this.clients)]);
  }

  /** Ends every client and closes all links. */
  close(code: 'MR_SHUTTING_DOWN' | 'MR_CONFIG_REMOVED'): void {
    for (const { session } of this.clients) {
      const detail = session.isOwed ? 'Whether the statement took effect is not known.' : '';
      session.fail(new GatewayError(code, { detail }));
    }
    this.#reads.close();
    this.#links.close(new GatewayError(code));
    this.#tellPins();
    this.#writes.close();
  }
}
