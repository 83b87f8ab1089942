import type { Fill } from '../../cache/fill.ts';
import type { ResolvedRead } from '../../origin/resolved-read.ts';
import type { Capture, StatusNote } from '../../session/reads/read-cache.ts';
import type { CacheCounts } from './cache-counts.ts';
import type { Resolution } from './resolutions.ts';

/**
 * A fill for a client that has asked the server: counts the statement when it is known what became
 * of it, and keeps nothing of which PostgreSQL does not say that it may be kept.
 */
export class CountedCapture implements Capture {
  readonly #fill: Fill;
  readonly #resolution: Resolution;
  readonly #learn: (resolved: ResolvedRead) => boolean;
  readonly #note: StatusNote;
  readonly #counts: CacheCounts;
  #isCounted = false;

  /** @param learn takes what is known of the read; whether its answer may be kept */
  constructor(
    fill: Fill,
    resolution: Resolution,
    learn: (resolved: ResolvedRead) => boolean,
    note: StatusNote,
    counts: CacheCounts,
  ) {
    this.#fill = fill;
    this.#resolution = resolution;
    this.#learn = learn;
    this.#note = note;
    this.#counts = counts;
  }

  get isOver(): boolean {
    return this.#fill.isOver;
  }

  describe(chunk: Uint8Array, start: number, end: number): void {
    this.#fill.describe(chunk, start, end);
    this.#countIfOver();
  }

  append(chunk: Uint8Array, start: number, end: number): void {
    this.#fill.append(chunk, start, end);
    this.#countIfOver();
  }

  knowRowType(rowType: string): void {
    this.#fill.knowRowType(rowType);
  }

  complete(): void {
    this.#resolution.whenKnown((outcome) => {
      if (outcome !== null && this.#learn(outcome)) this.#fill.complete();
      else {
        if (outcome?.isCacheable === false) this.#note.status = outcome.status;
        this.#fill.abandon();
      }
      this.#count();
    });
  }

  abandon(): void {
    this.#fill.abandon();
    this.#count();
  }

  #countIfOver(): void {
    if (!this.#fill.isOver) return;
    if (this.#fill.isOversized) this.#note.status = 'oversizedresult';
    this.#count();
  }

  #count(): void {
    if (this.#isCounted) return;
    this.#isCounted = true;
    this.#counts.add(this.#note.status);
  }
}
