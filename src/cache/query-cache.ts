import type { RelationSet } from '../sql/catalogue/write-set.ts';
import { AnswerStore, type DatedAnswer, type StoredAnswer } from './answer-store.ts';
import { Fill, type FillOwner } from './fill.ts';
import type { Habit } from './habit.ts';
import { RecentKeys } from './recent-keys.ts';
import type { RelationVersions } from './relation-versions.ts';

/** How long answers may be given, of one configuration or one statement. */
export type CachePolicy = {
  /** Younger ones are given without further ado. */
  readonly maxAgeMs: number;
  /** For so long afterwards they are given while a new one is fetched. */
  readonly staleWhileRevalidateMs: number;
  /** For so long afterwards they are given when the server cannot be asked. */
  readonly staleIfErrorMs: number;
  /** A longer answer is passed on and not kept. */
  readonly resultBytesMax: number;
};

/** What is asked for, as far as it needs to be known to find an answer. */
export type CacheLook = {
  readonly key: string;
  /** The writes that have passed by; null in mode `ttl`, which does not look at them. */
  readonly versions: RelationVersions | null;
  readonly policy: CachePolicy;
  /** Whether the asker needs a RowDescription. */
  readonly needsDescription: boolean;
};

export type CacheQuestion = CacheLook & {
  /** Null as long as nobody knows: the answer is then taken, and kept once that is known. */
  readonly reads: RelationSet | null;
  /** Of all questions of its kind. */
  readonly habit: Habit;
};

export type CacheReply =
  | { readonly kind: 'hit'; readonly answer: StoredAnswer }
  /** `refresh` is for the gateway to carry out, or null when somebody does already. */
  | { readonly kind: 'stale'; readonly answer: StoredAnswer; readonly refresh: Fill | null }
  /** Somebody is asking the same: {@link Fill.join}. */
  | { readonly kind: 'pending'; readonly fill: Fill }
  /**
   * The asker goes to the server. `fill` takes the answer; null when it must not be kept, because
   * what it reads is being written, or is not worth it. `spare` is to be given if the server cannot
   * be asked.
   */
  | { readonly kind: 'miss'; readonly fill: Fill | null; readonly spare: StoredAnswer | null };

type Flight = { readonly fill: Fill; question: CacheQuestion };

/**
 * Answers to reads (DESIGN §7), one budget for all configurations. Pure: it neither asks servers
 * nor looks at a clock.
 */
export class QueryCache implements FillOwner {
  readonly #store: AnswerStore;
  readonly #flights = new Map<string, Flight>();
  /** Of kinds that are seldom hit; null as long as there are none. */
  #recent: RecentKeys | null = null;
  #bytesMax: number;
  #fillBytes = 0;

  /** @param bytesMax for answers that are kept; those under way may take as much again */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#store = new AnswerStore(bytesMax);
  }

  /** Bytes of answers that are kept. */
  get bytes(): number {
    return this.#store.bytes;
  }

  get answerCount(): number {
    return this.#store.size;
  }

  /** Bytes of answers under way. */
  get fillBytes(): number {
    return this.#fillBytes;
  }

  resize(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#store.resize(bytesMax);
  }

  /** Forgets all answers; those under way are not kept either. */
  clear(): void {
    this.#store.clear();
    // Who hears of it may ask again at once.
    const flights = [...this.#flights.values()];
    for (const { fill } of flights) fill.abandon();
  }

  /**
   * Forgets the answers that are meant; how many. Those under way are not kept if they are meant,
   * which is asked with null as long as nobody knows what they read.
   */
  purge(isMeant: (key: string, reads: RelationSet | null) => boolean): number {
    const purged = this.#store.deleteWhere(isMeant);
    // Who hears of it may ask again at once.
    const flights = [...this.#flights.values()];
    for (const { fill, question } of flights) {
      if (isMeant(fill.key, question.reads)) fill.abandon();
    }
    return purged;
  }

  /** What a fill's answer is read from has become known. */
  learn(fill: Fill, reads: RelationSet): void {
    const flight = this.#flights.get(fill.key);
    if (flight?.fill === fill) flight.question = { ...flight.question, reads };
  }

  /** The answer that is kept and may be given without further ado: a hit. */
  look(look: CacheLook, nowMs: number): StoredAnswer | null {
    const known = this.#known(look);
    if (known === null || nowMs - known.askedAtMs >= look.policy.maxAgeMs) return null;
    known.habit.noteHit();
    return known;
  }

  ask(question: CacheQuestion, nowMs: number): CacheReply {
    const { policy } = question;
    const hit = this.look(question, nowMs);
    if (hit !== null) return { kind: 'hit', answer: hit };
    const known = this.#known(question);
    const age = known === null ? 0 : nowMs - known.askedAtMs;
    const flight = this.#flights.get(question.key);
    if (known !== null && age < policy.maxAgeMs + policy.staleWhileRevalidateMs) {
      question.habit.noteHit();
      const refresh = flight === undefined ? this.#begin(question, nowMs) : null;
      return { kind: 'stale', answer: known, refresh };
    }
    if (flight !== undefined && this.#mayJoin(flight, question)) {
      return { kind: 'pending', fill: flight.fill };
    }
    const isWanted = flight === undefined && (known !== null || this.#isWorthIt(question));
    question.habit.noteMiss();
    const fill = isWanted ? this.#begin(question, nowMs) : null;
    const isSpare = known !== null && age < policy.maxAgeMs + policy.staleIfErrorMs;
    return { kind: 'miss', fill, spare: isSpare ? known : null };
  }

  reserve(bytes: number): boolean {
    if (this.#fillBytes + bytes > this.#bytesMax) return false;
    this.#fillBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#fillBytes -= bytes;
  }

  keep(fill: Fill, answer: DatedAnswer): boolean {
    const flight = this.#flights.get(fill.key);
    if (flight?.fill !== fill || !isCurrent(flight.question, answer.readTime)) return false;
    const { reads, habit } = flight.question;
    if (reads !== null) this.#store.set(fill.key, { ...answer, reads, habit });
    return reads !== null;
  }

  forget(fill: Fill): void {
    if (this.#flights.get(fill.key)?.fill === fill) this.#flights.delete(fill.key);
  }

  /** The answer that is kept, unless it is older than a write or lacks what is needed. */
  #known({ key, versions, needsDescription }: CacheLook): StoredAnswer | null {
    const answer = this.#store.get(key);
    if (answer === undefined) return null;
    const { reads, readTime } = answer;
    if (versions !== null && !versions.isCurrent(readTime, reads)) {
      // While it is being written it may yet turn out that nothing was.
      if (versions.isOutdated(readTime, reads)) this.#store.delete(key);
      return null;
    }
    return needsDescription && answer.description === null ? null : answer;
  }

  /** Of a kind of which hardly anything is asked for twice, only what was asked for before. */
  #isWorthIt({ key, habit }: CacheQuestion): boolean {
    if (!habit.isSeldomHit) return true;
    this.#recent ??= new RecentKeys();
    return this.#recent.note(key);
  }

  /** A fill that was asked for before a write is of no use to who comes after it. */
  #mayJoin({ fill, question: asked }: Flight, question: CacheQuestion): boolean {
    if (question.needsDescription && !asked.needsDescription) return false;
    return asked.reads !== null && isCurrent(question, fill.readTime);
  }

  #begin(question: CacheQuestion, askedAtMs: number): Fill | null {
    const { key, reads, versions, policy } = question;
    // Where nobody knows yet what is read, a write that is under way is found out at the end.
    const readTime = versions === null ? 0 : versions.readTime(reads ?? []);
    if (readTime === null) return null;
    const fill = new Fill(this, { key, readTime, askedAtMs }, policy.resultBytesMax);
    this.#flights.set(key, { fill, question });
    return fill;
  }
}

function isCurrent({ versions, reads }: CacheQuestion, readTime: number): boolean {
  if (reads === null) return false;
  return versions === null || versions.isCurrent(readTime, reads);
}
