/** What is known of the catalogue as a whole. */
import type { Clock } from '../../base/time.ts';
import type { ControlLink } from './control-link.ts';

/** How long it counts: others than the endpoint's clients may change the catalogue too. */
const AGE_MS_MAX = 10_000;

export class CatalogueFact {
  readonly #control: Pick<ControlLink, 'query'>;
  readonly #query: string;
  readonly #clock: Clock;
  #known: { readonly holds: boolean; readonly atMs: number } | null = null;
  /** Counts what may have changed it. */
  #epoch = 0;

  /** @param query answers one boolean */
  constructor(control: Pick<ControlLink, 'query'>, query: string, clock: Clock) {
    this.#control = control;
    this.#query = query;
    this.#clock = clock;
  }

  /** True also where it cannot be found out: what is done then is right in any case. */
  async holds(): Promise<boolean> {
    const nowMs = this.#clock.nowMs();
    if (this.#known !== null && nowMs - this.#known.atMs < AGE_MS_MAX) return this.#known.holds;
    const epoch = this.#epoch;
    try {
      const { rows } = await this.#control.query(this.#query);
      const holds = rows[0]?.[0] === 't';
      if (epoch === this.#epoch) this.#known = { holds, atMs: nowMs };
      return holds;
    } catch {
      return true;
    }
  }

  forget(): void {
    this.#known = null;
    this.#epoch++;
  }
}
