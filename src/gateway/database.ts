import { GatewayError } from '../base/errors.ts';
import { type Log, withFields } from '../base/log.ts';
import type { Clock } from '../base/time.ts';
import type { ConfigurationConfig } from '../config/model.ts';
import type { LanesLimits } from '../pool/lanes.ts';
import type { PoolCounts } from '../pool/pool.ts';
import type { Link } from '../session/link.ts';
import type { Judgement } from '../session/residue.ts';
import type { Session } from '../session/session.ts';
import type { SessionHost } from '../session/session-host.ts';
import type { Settings } from '../session/settings.ts';
import type { Statement } from '../session/statements/statements.ts';
import type { Facts } from '../sql/facts/facts.ts';
import type { SqlParser } from '../sql/facts/parser.ts';
import type { ClientConnection } from './clients/client-connection.ts';
import { pinRows, pinsShown } from './clients/pins.ts';
import type { LinkConnection } from './links/link-connection.ts';
import { Links, type LinkTaker } from './links/links.ts';
import { SharedLinks } from './links/sharing.ts';
import { Introduction, type IntroductionResult } from './login/introduction.ts';
import { type Shown, shownAnswer, shownText } from './show.ts';
import type { News, PinRow, Siblings } from './siblings.ts';
import { CatalogueWatch } from './statements/catalogue-watch.ts';
import type { StatementReader } from './statements/statement-reader.ts';

const LINK_STATEMENTS_MAX = 200;
/** Startup settings that the origin has accepted once are remembered. */
const ACCEPTED_SETTINGS_MAX = 256;
/** A cancel that meets a statement of the gateway's own is tried again, this often at most. */
const CANCEL_ATTEMPTS_MAX = 100;
const CANCEL_RETRY_MS = 5;
/** There may be thousands of clients: they are looked at only so often. */
const LOOK_MS = 250;

/** One configuration at work: its links, its clients, and what they share. */
export class Database implements SessionHost {
  readonly log: Log;
  readonly linkStatementsMax = LINK_STATEMENTS_MAX;
  readonly clients = new Set<ClientConnection>();
  readonly #statements: StatementReader;
  readonly #catalogue: CatalogueWatch;
  readonly #links: Links;
  readonly #siblings: Siblings | null;
  readonly #shared: SharedLinks;
  readonly #accepted = new Map<string, Settings>();
  #config: ConfigurationConfig;
  #lookedAtMs = 0;
  #readsSequences = false;
  #catalogueEpoch = 0;
  /** Whether the others have yet to hear of changes of pins. */
  #hasUntoldPins = false;

  constructor(
    config: ConfigurationConfig,
    parts: {
      readonly statements: StatementReader;
      readonly parser: SqlParser;
      readonly clock: Clock;
      readonly log: Log;
      readonly siblings: Siblings | null;
    },
  ) {
    const { siblings } = parts;
    this.#config = config;
    this.#siblings = siblings;
    this.#readsSequences = siblings?.hasNews(config.name, 'sequences') ?? false;
    this.log = withFields(parts.log, { configuration: config.name });
    this.#statements = parts.statements;
    const capacity = siblings?.capacityOf(config.name) ?? null;
    this.#links = new Links(() => this.#config, capacity, parts.clock, this.log);
    this.#shared = this.#shareLinks(parts.clock);
    this.#catalogue = new CatalogueWatch(parts.parser, this.#links, parts.clock, this.log);
  }

  #shareLinks(clock: Clock): SharedLinks {
    const host = {
      linkStatementsMax: LINK_STATEMENTS_MAX,
      onResultTypeChanged: () => this.onResultTypeChanged(),
      checkOut: (taker: LinkTaker) => this.#links.checkOut(taker),
      checkIn: (link: Link) => this.#links.checkIn(link, false),
      demand: () => this.#links.demand(),
    };
    return new SharedLinks(host, lanesLimitsOf(this.#config), clock);
  }

  get config(): ConfigurationConfig {
    return this.#config;
  }

  get isSessionMode(): boolean {
    return this.#config.poolMode === 'session';
  }

  get originUser(): string {
    return this.#links.user;
  }

  get counts(): PoolCounts {
    return this.#links.counts;
  }

  /** What a new client is told about the server; known once a client was introduced. */
  get parameters(): ReadonlyMap<string, string> {
    return this.#links.parameters ?? new Map();
  }

  /**
   * Settles a new client's startup settings with the origin.
   * @throws GatewayError when the origin cannot be asked
   */
  async introduce(asked: Settings): Promise<IntroductionResult> {
    const name = asked.get('application_name') ?? null;
    const key = JSON.stringify([...asked.with('application_name', null).entries()]);
    const known = this.#accepted.get(key);
    if (known !== undefined && this.#links.parameters !== null) {
      return { kind: 'accepted', settings: known.with('application_name', name) };
    }
    const result = await new Promise<IntroductionResult>((resolve, reject) => {
      const checkIn = (link: Link, isDirty: boolean) => this.#links.checkIn(link, isDirty);
      const taker = new Introduction(asked, checkIn, resolve, reject);
      const link = this.#links.checkOut(taker);
      if (link !== null) taker.onLink(link);
    });
    if (result.kind === 'accepted') {
      if (this.#accepted.size >= ACCEPTED_SETTINGS_MAX) this.#accepted.clear();
      this.#accepted.set(key, result.settings);
    }
    return result;
  }

  get sharing(): SharedLinks | null {
    return this.#config.shareLinks && !this.isSessionMode ? this.#shared : null;
  }

  checkOut(session: Session): Link | null {
    const link = this.#links.checkOut(session);
    if (link === null) this.#shared.onDemand();
    return link;
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
    const judgement = this.#catalogue.judge(facts);
    if (judgement.readsSequences && !judgement.isDoubtful && !this.#readsSequences) {
      this.#readsSequences = true;
      this.#siblings?.tell(this.#config.name, 'sequences');
    }
    return judgement;
  }

  get readsSequences(): boolean {
    return this.#readsSequences;
  }

  get catalogueEpoch(): number {
    return this.#catalogueEpoch;
  }

  customSettingNames(): Iterable<string> {
    return this.#catalogue.customSettingNames;
  }

  onCatalogueChanged(): void {
    this.onNews('catalogue');
    this.#siblings?.tell(this.#config.name, 'catalogue');
  }

  /** As if it had been noticed here. */
  onNews(news: News): void {
    if (news === 'sequences') {
      this.#readsSequences = true;
      return;
    }
    this.#catalogueEpoch++;
    this.#statements.forget();
    this.#catalogue.invalidate();
  }

  onResultTypeChanged(): void {
    this.#statements.forget();
  }

  onPins(reasons: readonly string[]): void {
    this.log.debug({ reasons }, 'why a client keeps its link has changed');
    this.#hasUntoldPins = true;
  }

  showText(name: string): string | null {
    const shown = this.#shown(name);
    return shown === null ? null : shownText(shown);
  }

  showAnswer(name: string): Uint8Array | null {
    const shown = this.#shown(name);
    return shown === null ? null : shownAnswer(shown);
  }

  #shown(name: string): Shown | null {
    if (name === 'pins') return pinsShown(this.#allPins());
    return name === 'sharing' ? this.#shared.shown : null;
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

  /**
   * Cancels what a client does, and nothing else. Resolves when nothing that the client begins from
   * then on can be hit.
   */
  async cancel(client: ClientConnection): Promise<void> {
    const { session } = client;
    for (let attempt = 0; attempt < CANCEL_ATTEMPTS_MAX && session.isOwed; attempt++) {
      if (session.shared.isUnderWay) {
        const lane = session.shared.cancel();
        if (lane?.cancelsPending === 0) await (lane.port as LinkConnection).cancel();
        return;
      }
      const { link } = session;
      if (session.isWaitingForLink) {
        session.cancelWaiting();
        return;
      }
      if (link !== null && link.ledger.size > 0 && !link.ledger.headIsOwn) {
        if (link.cancelsPending === 0) await (link.port as LinkConnection).cancel();
        return;
      }
      // What runs is the gateway's own; the client's statement is next.
      await new Promise((resolve) => setTimeout(resolve, CANCEL_RETRY_MS));
    }
  }

  /** Takes a changed configuration; clients stay. */
  reconfigure(config: ConfigurationConfig, isOriginChanged: boolean): void {
    this.#config = config;
    this.#links.setLimits();
    this.#shared.setLimits(lanesLimitsOf(config));
    if (!isOriginChanged) return;
    this.#accepted.clear();
    this.#catalogue.invalidate();
    this.#links.renew();
    this.#shared.renew();
  }

  /** To be called every now and then: strikes whoever has run into a limit. */
  tick(nowMs: number): void {
    this.#links.tick(nowMs);
    if (nowMs - this.#lookedAtMs >= LOOK_MS) {
      this.#lookedAtMs = nowMs;
      const { statementTimeoutMs, clientUnreadTimeoutMs } = this.#config.timeouts;
      for (const client of this.clients) {
        client.watch.look(client, statementTimeoutMs, clientUnreadTimeoutMs, nowMs);
      }
    }
    if (this.clients.size > 0) this.#catalogue.refreshIfDue(nowMs);
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
    this.#links.close(new GatewayError(code));
    this.#tellPins();
    this.#catalogue.close();
  }
}

function lanesLimitsOf(config: ConfigurationConfig): LanesLimits {
  return {
    depthMax: config.shareDepth,
    hedgeMs: config.hedgeMs,
    linksMax: config.originConnectionLimit,
  };
}
