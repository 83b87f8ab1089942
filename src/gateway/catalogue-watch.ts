import { GatewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { readCatalogue } from '../origin/catalogue.ts';
import type { Judgement } from '../session/residue.ts';
import { CatalogueSnapshot } from '../sql/catalogue.ts';
import type { Facts } from '../sql/facts.ts';
import type { SqlParser } from '../sql/parser.ts';
import { LinkQueries } from './link-queries.ts';
import type { Links } from './links.ts';

/** Changes made to the catalogue elsewhere are noticed within this time. */
export const CATALOGUE_REFRESH_MS = 5_000;

/**
 * Knows which tables and functions of a configuration's database may change the state of a session.
 * As long as the catalogue is not known, every statement that touches anything is suspected.
 */
export class CatalogueWatch {
  readonly #parser: SqlParser;
  readonly #links: Links;
  readonly #log: Log;
  #snapshot = CatalogueSnapshot.UNKNOWN;
  #judgements = new WeakMap<Facts, Judgement>();
  /** Grows with every change that is known of; a reading begun before one is not used. */
  #version = 0;
  #isReading = false;
  #readAtMs = Number.NEGATIVE_INFINITY;
  /** Whether anybody has asked since the last reading: an idle database is left alone. */
  #wasAsked = true;
  #isClosed = false;

  constructor(parser: SqlParser, links: Links, log: Log) {
    this.#parser = parser;
    this.#links = links;
    this.#log = log;
  }

  judge(facts: Facts): Judgement {
    const known = this.#judgements.get(facts);
    if (known !== undefined) return known;
    this.#wasAsked = true;
    const judgement = this.#snapshot.judge(facts);
    this.#judgements.set(facts, judgement);
    return judgement;
  }

  get customSettingNames(): Iterable<string> {
    return this.#snapshot.customSettingNames;
  }

  /** The catalogue may have changed: what is known of it counts no more. */
  invalidate(): void {
    this.#version++;
    this.#learn(CatalogueSnapshot.UNKNOWN);
    this.#readAtMs = Number.NEGATIVE_INFINITY;
    this.#wasAsked = true;
  }

  /** To be called every now and then. */
  refreshIfDue(nowMs: number): void {
    if (this.#isReading || this.#isClosed || !this.#wasAsked) return;
    if (nowMs - this.#readAtMs < CATALOGUE_REFRESH_MS) return;
    this.#readAtMs = nowMs;
    void this.#read();
  }

  close(): void {
    this.#isClosed = true;
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    const version = this.#version;
    try {
      const snapshot = await LinkQueries.with(this.#links, (run) =>
        readCatalogue(run, this.#parser),
      );
      if (version !== this.#version) return;
      this.#learn(snapshot);
      this.#wasAsked = false;
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
  }
}
