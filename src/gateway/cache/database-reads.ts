import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Clock } from '../../base/time.ts';
import type { Fill, Joiner } from '../../cache/fill.ts';
import { type CacheLook, type CachePolicy, QueryCache } from '../../cache/query-cache.ts';
import type { CachingConfig } from '../../config/model.ts';
import { relationName, relationsByName } from '../../origin/relations-by-name.ts';
import type { ResolvedRead } from '../../origin/resolved-read.ts';
import { TransactionStatus } from '../../protocol/codes.ts';
import type {
  Answer,
  CacheStatus,
  Capture,
  Read,
  ReadCache,
  ReadReply,
} from '../../session/reads/read-cache.ts';
import { StatusNote } from '../../session/reads/read-cache.ts';
import { textOfKey } from '../../session/reads/read-key.ts';
import { readText } from '../../session/reads/read-text.ts';
import type { Session } from '../../session/session.ts';
import type { SessionHost } from '../../session/session-host.ts';
import type { RelationSet } from '../../sql/catalogue/write-set.ts';
import type { Facts } from '../../sql/facts/facts.ts';
import type { SqlParser } from '../../sql/facts/parser.ts';
import { LinkQueries, type RunQuery } from '../links/link-queries.ts';
import type { Links } from '../links/links.ts';
import type { PurgeOutcome, PurgeTarget } from '../purge.ts';
import { CacheCounts } from './cache-counts.ts';
import { CountedCapture } from './counted-capture.ts';
import type { OriginWrites } from './origin-writes.ts';
import { isReadable, verdictOf, wishOf } from './read-verdict.ts';
import { Refresher, unitOf } from './refresher.ts';
import { Resolutions } from './resolutions.ts';

/** As Hyperdrive's. */
const RESULT_BYTES_MAX = 50_000_000;
/** No answer takes more than this share of the budget: it would drive out all others. */
const RESULT_SHARE_MAX = 1 / 8;
/** So many wait for one answer; further ones ask the server themselves. */
const JOINERS_MAX = 1_000;
/** Whoever has waited for so long asks the server: nobody is held up by a stranger. */
const JOIN_TIMEOUT_MS = 500;
const REFRESHES_MAX = 4;
const REFRESH_TIMEOUT_MS = 15_000;

type Waiter = { readonly fill: Fill; readonly joiner: Joiner; readonly untilMs: number };

/** What of a database the cache needs. */
export type ReadsHost = SessionHost & {
  readonly caching: CachingConfig;
  readonly writes: OriginWrites;
  /** Whether the catalogue has been looked at since it was last known to change. */
  isCatalogueKnown(): boolean;
  /** In upper case; null as long as nobody knows. */
  readonly clientEncoding: string | null;
};

export type ReadsParts = {
  readonly parser: SqlParser;
  readonly clock: Clock;
  readonly log: Log;
  /** Clients of the same gateway write where this process does not see it. */
  readonly hasOtherWriters: boolean;
};

/** The cache of one configuration: what of its clients' reads is kept, and for whom. */
export class DatabaseReads implements ReadCache {
  readonly counts = new CacheCounts();
  readonly #host: ReadsHost;
  readonly #links: Links;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #hasOtherWriters: boolean;
  readonly #cache: QueryCache;
  readonly #resolutions: Resolutions;
  readonly #waiters = new Map<Session, Waiter>();
  readonly #refreshers = new Set<Refresher>();

  constructor(host: ReadsHost, links: Links, parts: ReadsParts) {
    const { parser, clock, log, hasOtherWriters } = parts;
    this.#host = host;
    this.#links = links;
    this.#log = log;
    this.#clock = clock;
    this.#hasOtherWriters = hasOtherWriters;
    this.#cache = new QueryCache(host.caching.bytesMax);
    this.#resolutions = new Resolutions(links, parser, () => host.rules, log);
  }

  get isOn(): boolean {
    const { disabled, mode } = this.#host.caching;
    return !disabled && (mode === 'ttl' || !this.#hasOtherWriters);
  }

  get answerCount(): number {
    return this.#cache.answerCount;
  }

  get bytes(): number {
    return this.#cache.bytes;
  }

  mayKeep(facts: Facts): boolean {
    return verdictOf(facts) === null && this.#host.judge(facts).effects === 0;
  }

  ask(session: Session, read: Read, hasWaited: boolean): ReadReply {
    const host = this.#host;
    host.writes.catchUp();
    const status =
      verdictOf(read.facts) ??
      wishOf(read) ??
      (isReadable(read, host.clientEncoding) && host.judge(read.facts).effects === 0
        ? null
        : 'uncacheable');
    if (status !== null) return this.#refuse(session, status);
    // Until it is known, nobody can say what writes to what.
    if (!host.isCatalogueKnown()) return this.#refuse(session, 'miss');
    const nowMs = this.#clock.nowMs();
    const look = this.#lookOf(read);
    // What is kept was resolved when it was taken, and is forgotten when that may have changed.
    const hit = this.#cache.look(look, nowMs);
    if (hit !== null) return this.#give(session, read, hit, hasWaited ? 'coalesced' : 'hit');
    const resolution = this.#resolutions.find(read, host.originUser, nowMs);
    if (resolution === null) return this.#refuse(session, 'miss');
    const { outcome } = resolution;
    if (outcome?.isCacheable === false) return this.#refuse(session, outcome.status);
    const { key, versions, policy, needsDescription } = look;
    const reads = outcome?.relations ?? null;
    const { habit } = resolution;
    const question = { key, versions, policy, needsDescription, reads, habit };
    const reply = this.#cache.ask(question, nowMs);
    switch (reply.kind) {
      case 'hit':
        return this.#give(session, read, reply.answer, hasWaited ? 'coalesced' : 'hit');
      case 'stale':
        if (reply.refresh !== null) this.#refresh(session, read, reply.refresh, nowMs);
        return this.#give(session, read, reply.answer, 'stale');
      case 'pending':
        if (hasWaited || reply.fill.joinerCount >= JOINERS_MAX)
          return this.#refuse(session, 'miss');
        this.#join(session, reply.fill, nowMs);
        return { kind: 'wait' };
      default: {
        const { fill, spare } = reply;
        if (fill === null) return { ...this.#refuse(session, 'miss'), spare };
        const note = new StatusNote('miss');
        if (session.reads !== null) session.reads.last = note;
        const user = host.originUser;
        const learn = (resolved: ResolvedRead): boolean => {
          // A rotation may have given it to a link of another user than the key says.
          if (!resolved.isCacheable || host.originUser !== user) return false;
          this.#cache.learn(fill, resolved.relations);
          return true;
        };
        const capture = new CountedCapture(fill, resolution, learn, note, this.counts);
        return { kind: 'pass', capture, spare };
      }
    }
  }

  leave(session: Session): void {
    const waiter = this.#waiters.get(session);
    if (waiter === undefined) return;
    this.#waiters.delete(session);
    waiter.fill.leave(waiter.joiner);
  }

  pass(session: Session, facts: Facts): void {
    if (facts.millraceShow !== null) return;
    if (!this.isOn) this.note(session, 'disabled');
    else if ((session.link?.status ?? TransactionStatus.Idle) !== TransactionStatus.Idle) {
      this.note(session, 'transaction');
    } else this.note(session, verdictOf(facts) ?? 'uncacheable');
  }

  note(session: Session, status: CacheStatus): void {
    this.counts.add(status);
    if (session.reads !== null) session.reads.last = new StatusNote(status);
  }

  /** The configuration has changed. */
  reconfigure(): void {
    this.#cache.resize(this.#host.caching.bytesMax);
    if (!this.isOn) this.#cache.clear();
  }

  /** Forgets the answers that are meant. */
  async purge(target: PurgeTarget): Promise<PurgeOutcome> {
    if (target.kind === 'all') return purged(this.#cache.purge(() => true));
    if (target.kind === 'statement') {
      const bytes = Buffer.from(target.statement);
      const text = readText(bytes, 0, bytes.length)?.text;
      return purged(this.#cache.purge((key) => textOfKey(key) === text));
    }
    const name = relationName(target.table);
    if (name === null) return { answers: 0, problem: 'noSuchTable' };
    try {
      const looksThrough = this.#host.rules.hasWholeCatalogue;
      const find = (run: RunQuery) => relationsByName(run, name, looksThrough);
      const found = await LinkQueries.with(this.#links, find);
      if (found.length === 0) return { answers: 0, problem: 'noSuchTable' };
      const meant = new Set(found);
      const reach = (reads: RelationSet | null): boolean =>
        reads === null || reads === 'all' || reads.some((relation) => meant.has(relation));
      return purged(this.#cache.purge((_key, reads) => reach(reads)));
    } catch (error) {
      const reason = error instanceof GatewayError ? error.message : String(error);
      this.#log.debug({ reason }, 'a table to purge could not be looked up');
      return { answers: 0, problem: 'originAway' };
    }
  }

  /** The catalogue may be another one. */
  forgetCatalogue(): void {
    this.#resolutions.clear();
    this.#cache.clear();
  }

  tick(nowMs: number): void {
    for (const [session, { untilMs }] of this.#waiters) {
      if (nowMs < untilMs) continue;
      this.leave(session);
      session.onReadDone();
    }
    for (const refresher of this.#refreshers) {
      if (nowMs - refresher.sinceMs > REFRESH_TIMEOUT_MS) refresher.close();
    }
  }

  close(): void {
    for (const refresher of this.#refreshers) refresher.close();
    this.forgetCatalogue();
  }

  #lookOf(read: Read): CacheLook {
    const { caching, writes } = this.#host;
    const isTtl = caching.mode === 'ttl';
    const { maxAgeS } = read.hints;
    const policy: CachePolicy = {
      maxAgeMs: maxAgeS === null ? caching.maxAgeMs : maxAgeS * 1000,
      // Who says how old an answer may be means the one that is given.
      staleWhileRevalidateMs: maxAgeS === null ? caching.staleWhileRevalidateMs : 0,
      staleIfErrorMs: isTtl ? caching.staleIfErrorMs : 0,
      resultBytesMax: Math.min(RESULT_BYTES_MAX, caching.bytesMax * RESULT_SHARE_MAX),
    };
    const versions = isTtl ? null : writes.versions;
    const { key, needsDescription } = read;
    return { key, versions, policy, needsDescription };
  }

  #refuse(session: Session, status: CacheStatus): ReadReply & { kind: 'pass' } {
    this.note(session, status);
    return { kind: 'pass', capture: null, spare: null };
  }

  /** Who was told of other columns before must hear of it from the server. */
  #give(session: Session, read: Read, answer: Answer, status: CacheStatus): ReadReply {
    if (read.rowType !== null && read.rowType !== answer.rowType) {
      return this.#refuse(session, 'miss');
    }
    this.note(session, status);
    return { kind: 'answer', answer };
  }

  #join(session: Session, fill: Fill, nowMs: number): void {
    const wake = (): void => {
      if (!this.#waiters.delete(session)) return;
      // What runs now is the answering of somebody else.
      queueMicrotask(() => session.onReadDone());
    };
    const joiner: Joiner = { onAnswer: wake, onGone: wake };
    this.#waiters.set(session, { fill, joiner, untilMs: nowMs + JOIN_TIMEOUT_MS });
    fill.join(joiner);
  }

  #refresh(session: Session, read: Read, capture: Capture, nowMs: number): void {
    if (this.#refreshers.size >= REFRESHES_MAX) {
      capture.abandon();
      return;
    }
    const refresher = new Refresher(this.#host, session.settings, capture, nowMs, (done) =>
      this.#refreshers.delete(done),
    );
    this.#refreshers.add(refresher);
    refresher.ask(unitOf(read));
  }
}

function purged(answers: number): PurgeOutcome {
  return { answers, problem: null };
}
