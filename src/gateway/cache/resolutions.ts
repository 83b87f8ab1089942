import { GatewayError } from '../../base/errors.ts';
import { Generations } from '../../base/generations.ts';
import type { Log } from '../../base/log.ts';
import { Habit } from '../../cache/habit.ts';
import { resolvePlainRead } from '../../origin/plain-read.ts';
import { type ResolvedRead, resolveRead } from '../../origin/resolved-read.ts';
import type { OriginRules } from '../../session/origin-rules.ts';
import type { Read } from '../../session/reads/read-cache.ts';
import { Settings } from '../../session/settings.ts';
import { decidesMeaning } from '../../sql/facts/meaning-settings.ts';
import type { SqlParser } from '../../sql/facts/parser.ts';
import { shapeAndKinds } from '../../sql/shape/literal-kinds.ts';
import { LinkQueries } from '../links/link-queries.ts';
import type { Links } from '../links/links.ts';

/** So many texts are remembered, and as many kinds of them. */
const RESOLUTIONS_MAX = 10_000;
const RESOLUTIONS_BYTES_MAX = 8 << 20;
/** A guess at the memory of one beside its key. */
const RESOLUTION_BYTES = 256;
/** So many wait to be looked at, one after the other. */
const WAITING_MAX = 64;
/**
 * At most so many are looked at in a row, and then so many a second: each costs the server some
 * rows of its catalogue that are rolled back.
 */
const BURST_MAX = 50;
const PER_SECOND = 10;

/** Clients come first: an idle link is waited for before the queue is joined. */
const IDLE_WAIT_MS = 250;
const IDLE_LOOK_MS = 10;

/** What PostgreSQL makes of one statement: see `resolved-read.ts`. */
export class Resolution {
  outcome: ResolvedRead | null = null;
  /** Of all reads that it is for. */
  readonly habit = new Habit();
  readonly #waiting: ((outcome: ResolvedRead | null) => void)[] = [];

  /** Calls back when the outcome is known, or with null when it will not be. */
  whenKnown(callback: (outcome: ResolvedRead | null) => void): void {
    if (this.outcome === null) this.#waiting.push(callback);
    else callback(this.outcome);
  }

  end(outcome: ResolvedRead | null): void {
    this.outcome = outcome;
    for (const callback of this.#waiting.splice(0)) callback(outcome);
  }
}

type Task = {
  readonly key: string;
  /** What it has in common with all that differ in the values of literals only; null if nothing. */
  readonly kind: string | null;
  readonly read: Read;
  readonly resolution: Resolution;
  readonly epoch: number;
};

/**
 * Asks the origin about statements until its catalogue changes: once about all that differ only in
 * the values of their literals.
 */
export class Resolutions {
  readonly #links: Links;
  readonly #parser: SqlParser;
  readonly #rules: () => OriginRules;
  readonly #log: Log;
  readonly #texts = new Generations<Resolution>(
    RESOLUTIONS_MAX,
    RESOLUTIONS_BYTES_MAX,
    RESOLUTION_BYTES,
  );
  /** Of texts that differ in literals only: they must not push out what they share. */
  readonly #kinds = new Generations<Resolution>(
    RESOLUTIONS_MAX,
    RESOLUTIONS_BYTES_MAX,
    RESOLUTION_BYTES,
  );
  #tasks: Task[] = [];
  #isAsking = false;
  /** Grows when everything is forgotten: what was begun before counts for nothing. */
  #epoch = 0;
  #tokens = BURST_MAX;
  #filledAtMs = 0;

  constructor(links: Links, parser: SqlParser, rules: () => OriginRules, log: Log) {
    this.#links = links;
    this.#parser = parser;
    this.#rules = rules;
    this.#log = log;
  }

  /** Null when it is not looked at for now. */
  find(read: Read, user: string, nowMs: number): Resolution | null {
    const asked = `${user}\0${read.settings.meaningSignature}\0${read.types.join()}`;
    const key = `${asked}\0${read.text}`;
    // A text with parameters comes again as it is, one with literals as another of its kind.
    const isAgain = read.bound !== null;
    const same = isAgain ? this.#texts.get(key) : undefined;
    if (same !== undefined) return same;
    const shape = read.facts.literalDependent ? null : shapeAndKinds(read.text);
    const kind = shape === null ? null : `${asked}\0\0${shape}`;
    const alike = kind === null ? undefined : this.#kinds.get(kind);
    if (alike !== undefined) {
      if (isAgain) this.#texts.set(key, alike);
      return alike;
    }
    const known = this.#texts.get(key);
    if (known !== undefined) return known;
    if (this.#tasks.length >= WAITING_MAX || !this.#takeToken(nowMs)) return null;
    const resolution = new Resolution();
    this.#texts.set(key, resolution);
    this.#tasks.push({ key, kind, read, resolution, epoch: this.#epoch });
    // The client that asks takes its link first.
    if (!this.#isAsking) queueMicrotask(() => void this.#work());
    this.#isAsking = true;
    return resolution;
  }

  /** The catalogue may have changed. */
  clear(): void {
    this.#epoch++;
    this.#texts.clear();
    this.#kinds.clear();
    const tasks = this.#tasks;
    this.#tasks = [];
    for (const { resolution } of tasks) resolution.end(null);
  }

  #takeToken(nowMs: number): boolean {
    const earned = ((nowMs - this.#filledAtMs) / 1000) * PER_SECOND;
    this.#tokens = Math.min(BURST_MAX, this.#tokens + earned);
    this.#filledAtMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  async #work(): Promise<void> {
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) {
      const outcome = await this.#resolve(task.read);
      if (task.epoch !== this.#epoch) task.resolution.end(null);
      else {
        if (outcome === null) this.#texts.delete(task.key);
        // An error may be that of one literal.
        else if (task.kind !== null && !(outcome.isCacheable === false && outcome.isError)) {
          this.#kinds.set(task.kind, task.resolution);
        }
        task.resolution.end(outcome);
      }
    }
    this.#isAsking = false;
  }

  async #resolve(read: Read): Promise<ResolvedRead | null> {
    let settings = Settings.NONE;
    for (const [name, value] of read.settings.entries()) {
      if (decidesMeaning(name)) settings = settings.with(name, value);
    }
    const text = Buffer.from(read.text, 'latin1').toString();
    for (let waitedMs = 0; this.#links.counts.idle === 0 && waitedMs < IDLE_WAIT_MS; ) {
      await new Promise((resolve) => setTimeout(resolve, IDLE_LOOK_MS));
      waitedMs += IDLE_LOOK_MS;
    }
    try {
      return await LinkQueries.with(
        this.#links,
        (run) =>
          this.#rules().makesTemporaryViews
            ? resolveRead(run, text, read.types)
            : resolvePlainRead(run, this.#parser, text, read.types),
        settings,
      );
    } catch (error) {
      // The statement itself goes on its own way; only nothing is kept of it.
      const reason = error instanceof GatewayError ? error.message : String(error);
      this.#log.debug({ reason }, 'a statement could not be resolved');
      return null;
    }
  }
}
