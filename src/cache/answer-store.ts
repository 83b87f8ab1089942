import type { Answer } from '../session/reads/read-cache.ts';
import type { RelationSet } from '../sql/catalogue/write-set.ts';
import { answerBytes } from './answer.ts';

/** An answer with the times that decide how long it may be given. */
export type DatedAnswer = Answer & {
  /** When it was asked for, by the clock of the relations. */
  readonly readTime: number;
  /** When it was asked for, in milliseconds: it is as old as the moment it was true. */
  readonly askedAtMs: number;
};

export type StoredAnswer = DatedAnswer & { readonly reads: RelationSet };

/** Answers within a budget of bytes; what was used longest ago makes room for what comes. */
export class AnswerStore {
  readonly #answers = new Map<string, StoredAnswer>();
  #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that are taken of the budget. */
  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#answers.size;
  }

  /** Marks it as used; undefined when there is none. */
  get(key: string): StoredAnswer | undefined {
    const answer = this.#answers.get(key);
    if (answer === undefined) return undefined;
    // A map keeps the order of insertion: the first key is the one used longest ago.
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    return answer;
  }

  /** False when it alone is larger than the budget. */
  set(key: string, answer: StoredAnswer): boolean {
    this.delete(key);
    const size = answerBytes(key, answer);
    if (size > this.#bytesMax) return false;
    this.#shrinkTo(this.#bytesMax - size);
    this.#answers.set(key, answer);
    this.#bytes += size;
    return true;
  }

  delete(key: string): void {
    const answer = this.#answers.get(key);
    if (answer === undefined) return;
    this.#answers.delete(key);
    this.#bytes -= answerBytes(key, answer);
  }

  /** Forgets those that are meant; how many. */
  deleteWhere(isMeant: (key: string, reads: RelationSet) => boolean): number {
    const before = this.#answers.size;
    for (const [key, { reads }] of this.#answers) if (isMeant(key, reads)) this.delete(key);
    return before - this.#answers.size;
  }

  clear(): void {
    this.#answers.clear();
    this.#bytes = 0;
  }

  /** A smaller budget takes effect at once. */
  resize(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#shrinkTo(bytesMax);
  }

  #shrinkTo(bytes: number): void {
    for (const key of this.#answers.keys()) {
      if (this.#bytes <= bytes) return;
      this.delete(key);
    }
  }
}
