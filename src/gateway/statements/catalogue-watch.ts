import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Clock } from '../../base/time.ts';
import { readCatalogue } from '../../origin/catalogue.ts';
import { dsqlFingerprint } from '../../origin/catalogue-dsql.ts';
import { catalogueFingerprint } from '../../origin/catalogue-fingerprint.ts';
import type { Judgement } from '../../session/residue.ts';
import { CatalogueSnapshot } from '../../sql/catalogue/catalogue.ts';
import type { RelationSet } from '../../sql/catalogue/write-set.ts';
import { Effect, type Facts } from '../../sql/facts/facts.ts';
import type { SqlParser } from '../../sql/facts/parser.ts';
import { LinkQueries } from '../links/link-queries.ts';
import type { Links } from '../links/links.ts';

/** Changes made to the catalogue elsewhere are noticed within this time. */
const REFRESH_MS = 5_000;
/** A catalogue that takes long to read is read less often: this share of the time at most. */
const REFRESH_SHARE_MAX = 0.05;
/** While nobody asks it is read on for so long, and is then no longer relied upon. */
const UNASKED_MS = 60_000;

/**
 * Knows which tables and functions of a configuration's database may change the state of a session.
 * As long as the catalogue is not known, every statement that touches anything is suspected.
 */
export class CatalogueWatch {
  readonly #parser: SqlParser;
  readonly #links: Links;
  readonly #clock: Clock;
  readonly #log: Log;
  #snapshot = CatalogueSnapshot.UNKNOWN;
  #judgements = new WeakMap<Facts, Judgement>();
  #writes = new WeakMap<Facts, RelationSet>();
  /** Of the catalogue when it was read last; null when that is not to be compared. */
  #fingerprint: string | null = null;
  readonly #onChanged: () => void;
  /** Grows with every change that is known of; a reading begun before one is not used. */
  #version = 0;
  #isReading = false;
  #dueMs = Number.NEGATIVE_INFINITY;
  /** Whether anybody has asked since the last look, and since when nobody has. */
  #wasAsked = true;
  #unaskedSinceMs = 0;
  #isClosed = false;

  /** @param onChanged somebody else has changed the catalogue since it was read last */
  constructor(parser: SqlParser, links: Links, clock: Clock, log: Log, onChanged: () => void) {
    this.#onChanged = onChanged;
    this.#clock = clock;
    this.#parser = parser;
    this.#links = links;
    this.#log = log;
  }

  judge(facts: Facts): Judgement {
    this.#wasAsked = true;
    const known = this.#judgements.get(facts);
    if (known !== undefined) return known;
    const judged = this.#snapshot.judge(facts);
    const { effects, reason, readsSequences, isPure } = judged;
    const isUnknown = this.#snapshot === CatalogueSnapshot.UNKNOWN;
    const isDoubtful =
      facts.unparsed || judged.isStrange || (isUnknown && (effects & Effect.Session) !== 0);
    const judgement: Judgement = {
      effects,
      reason,
      isDoubtful,
      readsSequences,
      mayDraw: mayDraw(facts),
      isPure: isPure && !isDoubtful,
    };
    this.#judgements.set(facts, judgement);
    return judgement;
  }

  /** Whether it is known. Who asks wants it to be read on. */
  isKnown(): boolean {
    this.#wasAsked = true;
    return this.#snapshot !== CatalogueSnapshot.UNKNOWN;
  }

  /** See {@link CatalogueSnapshot.writesOf}. */
  writesOf(facts: Facts): RelationSet {
    let writes = this.#writes.get(facts);
    if (writes === undefined) {
      writes = this.#snapshot.writesOf(facts);
      this.#writes.set(facts, writes);
    }
    return writes;
  }

  get customSettingNames(): Iterable<string> {
    return this.#snapshot.customSettingNames;
  }

  /** The catalogue may have changed: what is known of it counts no more. */
  invalidate(): void {
    this.#version++;
    this.#fingerprint = null;
    this.#learn(CatalogueSnapshot.UNKNOWN);
    this.#dueMs = Number.NEGATIVE_INFINITY;
    this.#wasAsked = true;
  }

  /** To be called every now and then. */
  refreshIfDue(nowMs: number): void {
    if (this.#isReading || this.#isClosed || nowMs < this.#dueMs) return;
    if (this.#wasAsked) this.#unaskedSinceMs = nowMs;
    this.#wasAsked = false;
    // An idle database is left alone. What was known of it may be wrong when somebody comes back.
    if (nowMs - this.#unaskedSinceMs >= UNASKED_MS) this.#learn(CatalogueSnapshot.UNKNOWN);
    else void this.#read(nowMs);
  }

  close(): void {
    this.#isClosed = true;
  }

  async #read(nowMs: number): Promise<void> {
    this.#isReading = true;
    const version = this.#version;
    // Until the reading is done: also when it fails, the next one is not at once.
    this.#dueMs = nowMs + REFRESH_MS;
    try {
      const hasAll = this.#links.rules.hasWholeCatalogue;
      const [fingerprint, snapshot] = await LinkQueries.with(this.#links, async (run) => [
        await (hasAll ? catalogueFingerprint(run) : dsqlFingerprint(run)),
        await readCatalogue(run, this.#parser, hasAll),
      ]);
      if (version !== this.#version) return;
      const isChanged = this.#fingerprint !== null && this.#fingerprint !== fingerprint;
      if (isChanged) this.#onChanged();
      this.#fingerprint = fingerprint;
      this.#learn(snapshot);
      const tookMs = this.#clock.nowMs() - nowMs;
      this.#dueMs = nowMs + Math.max(REFRESH_MS, tookMs / REFRESH_SHARE_MAX);
    } catch (error) {
      // Nothing is lost but speed: statements stay suspected, and links are looked at.
      const reason = error instanceof GatewayError ? error.message : String(error);
      this.#log.debug({ reason }, 'the catalogue could not be read');
    } finally {
      this.#isReading = false;
    }
  }

  #learn(snapshot: CatalogueSnapshot): void {
    if (snapshot === this.#snapshot) return;
    this.#snapshot = snapshot;
    this.#judgements = new WeakMap();
    this.#writes = new WeakMap();
  }
}

/** Functions may, also such as nobody suspects of anything else; and a default of a column may. */
function mayDraw({ unparsed, functions, relations }: Facts): boolean {
  return unparsed || functions.length > 0 || relations.some(({ writes }) => writes);
}
