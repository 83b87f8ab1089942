/**
 * One configuration of the simulation: the real sessions, pool and cleaner; what `gateway/links`
 * does with sockets and timers is done here with the model's. Whenever a link goes back to the pool,
 * the server itself is asked whether it is as clean as the gateway believes.
 */
import type { GatewayError } from '../../src/base/errors.ts';
import { canExpire, LinkCleaner } from '../../src/gateway/links/link-cleaner.ts';
import { StatementReader } from '../../src/gateway/statements/statement-reader.ts';
import { loadParser } from '../../src/origin/parser.ts';
import { Pool, type PoolHost, type PoolLimits } from '../../src/pool/pool.ts';
import { TransactionStatus } from '../../src/protocol/codes.ts';
import type { Link } from '../../src/session/link.ts';
import { postgresRules } from '../../src/session/origin-rules.ts';
import type { Judgement } from '../../src/session/residue.ts';
import type { Session } from '../../src/session/session.ts';
import type { SessionHost } from '../../src/session/session-host.ts';
import type { Settings } from '../../src/session/settings.ts';
import type { Statement } from '../../src/session/statements/statements.ts';
import type { Facts } from '../../src/sql/facts/facts.ts';
import { FactsCache } from '../../src/sql/facts/facts-cache.ts';
import type { ModelTable } from './model-state.ts';
import { SimLink } from './sim-link.ts';

const facts = new FactsCache(await loadParser());
/** A client that left may let its statement run for so long. */
const CLEAN_TIMEOUT_MS = 2_000;

/** Protections that a mutant of the simulation's own gateway lacks. */
export type Lacks = { readonly cancelWait?: boolean; readonly reset?: boolean };

export class SimGateway implements SessionHost, PoolHost<Link, Session> {
  readonly rules = postgresRules;
  readonly originUser = 'web';
  readonly linkStatementsMax = 3;
  readonly readsSequences = false;
  catalogueEpoch = 0;
  readonly isCatalogueChanging = false;
  catchUp(): void {}
  nowMs = 0;
  /** Links that the pool waits for. */
  opening = 0;
  readonly links = new Set<SimLink>();
  readonly pool: Pool<Link, Session>;
  /** No world of these shares links. */
  readonly sharing = null;
  /** Nor do they keep answers. */
  readonly readCache = null;
  readonly readers = null;
  readonly #limits: PoolLimits;
  readonly #table: ModelTable;
  readonly #lacks: Lacks;
  readonly #statements = new StatementReader(facts);
  readonly #cleaning = new Map<Link, number>();
  readonly #awaitingCancel = new Map<Link, boolean>();
  #lastNumber = 0;

  constructor(limits: PoolLimits, table: ModelTable, lacks: Lacks) {
    this.#limits = limits;
    this.#table = table;
    this.#lacks = lacks;
    this.pool = new Pool<Link, Session>(this, limits);
  }

  /** One of the links that the pool waits for is there. */
  opened(random: number): void {
    this.opening--;
    const one = new SimLink(++this.#lastNumber, this.#table, {
      onGone: (gone) => this.#forget(gone),
      onCancelsDone: ({ link }) => this.#onCancelsDone(link),
      waitsForCancels: this.#lacks.cancelWait !== true,
    });
    this.links.add(one);
    this.pool.onOpened(one.link, this.nowMs, random);
  }

  openFailed(error: GatewayError): void {
    this.opening--;
    this.pool.onOpenFailed(error, this.nowMs);
  }

  tick(): void {
    this.pool.tick(this.nowMs);
    for (const [link, sinceMs] of this.#cleaning) {
      const isHopeless = link.ledger.isCopyIn;
      if (isHopeless || this.nowMs - sinceMs > CLEAN_TIMEOUT_MS) {
        this.discard(link, 'cleaning it took too long');
      }
    }
  }

  checkOut(session: Session): Link | null {
    return this.pool.checkOut(session, this.nowMs);
  }

  noteWrites(): void {}

  withdraw(session: Session): void {
    this.pool.withdraw(session);
  }

  checkIn(link: Link, dirty: boolean): void {
    const isDirty = dirty && this.#lacks.reset !== true;
    if (link.unfit !== null) {
      this.discard(link, link.unfit);
    } else if (link.cancelsPending > 0) {
      this.#awaitingCancel.set(link, isDirty);
    } else if (link.isIdle && !isDirty && !canExpire(link)) {
      this.#checkClean(link);
      this.pool.checkIn(link, this.nowMs);
    } else {
      this.#cleaning.set(link, this.nowMs);
      new LinkCleaner(link, isDirty, (isClean) => {
        this.#cleaning.delete(link);
        if (isClean) this.checkIn(link, false);
        else this.discard(link, 'it could not be cleaned');
      });
    }
  }

  discard(link: Link, _reason: string): void {
    const one = link.port as SimLink;
    one.close(this.nowMs);
    this.#forget(one);
  }

  openLink(): void {
    this.opening++;
  }

  closeLink(link: Link, reason: string): void {
    this.discard(link, reason);
  }

  grant(session: Session, link: Link): void {
    session.onLink(link);
  }

  refuse(session: Session, error: GatewayError): void {
    session.onRefused(error);
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

  /** The catalogue of the model has nothing in it that changes a session. */
  judge({ effects, reason, unparsed }: Facts): Judgement {
    const isDoubtful = unparsed;
    return { effects, reason, isDoubtful, readsSequences: false, mayDraw: false, isPure: false };
  }

  customSettingNames(): string[] {
    return [];
  }

  onCatalogueChanged(): void {
    this.catalogueEpoch++;
    this.#statements.forget();
  }

  onResultTypeChanged(): void {
    this.#statements.forget();
  }

  onPins(): void {}

  showText(): null {
    return null;
  }

  showAnswer(): null {
    return null;
  }

  /** The books of the pool and the truth must agree, at any time. */
  checkBooks(): void {
    const { idle, checkedOut, opening } = this.pool.counts;
    if (idle + checkedOut !== this.links.size || opening !== this.opening) {
      const books = JSON.stringify(this.pool.counts);
      throw new Error(`the pool counts ${books}, but there are ${this.links.size} links`);
    }
    if (this.links.size + this.opening > this.#limits.linksMax) {
      throw new Error(`more links than allowed: ${this.links.size} and ${this.opening} to come`);
    }
  }

  /** Once nothing happens any more. */
  checkRest(): void {
    const { checkedOut, waiting } = this.pool.counts;
    if (checkedOut + waiting + this.#cleaning.size + this.#awaitingCancel.size > 0) {
      const books = JSON.stringify(this.pool.counts);
      throw new Error(`everybody has gone, and still the pool counts ${books}`);
    }
    for (const { link } of this.links) this.#checkClean(link);
  }

  #checkClean(link: Link): void {
    const { number, server } = link.port as SimLink;
    const { state, prepared } = server;
    const wrong = (what: string): never => {
      throw new Error(`link ${number} goes back to the pool, but ${what}`);
    };
    if (server.isAsleep) wrong('its statement runs on');
    if (state.isInTransaction) wrong('it is in a transaction');
    if (link.ledger.size > 0 || link.status !== TransactionStatus.Idle) wrong('answers are due');
    if (state.channels.size > 0) wrong('it listens');
    if (state.temporary.size > 0) wrong('it has temporary objects');
    if (prepared.size < link.statements.preparedCount) wrong('it lacks prepared statements');
    for (const [name, value] of state.settings) {
      const believed = link.settings.get(name) ?? link.baseline.get(name);
      // A custom setting that was reset reads as an empty one.
      if (value !== (believed ?? ''))
        wrong(`${name} is "${value}" where "${believed}" is believed`);
    }
    for (const [name, value] of link.settings.entries()) {
      if (state.setting(name) !== value) wrong(`${name} is not "${value}" as is believed`);
    }
  }

  #forget(one: SimLink): void {
    this.links.delete(one);
    this.#cleaning.delete(one.link);
    this.#awaitingCancel.delete(one.link);
    this.pool.remove(one.link, this.nowMs);
  }

  #onCancelsDone(link: Link): void {
    const isDirty = this.#awaitingCancel.get(link);
    if (isDirty === undefined) {
      link.owner?.onCancelsDone();
    } else {
      this.#awaitingCancel.delete(link);
      this.checkIn(link, isDirty);
    }
  }
}
