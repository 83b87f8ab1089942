/** So many misses are looked at together. */
const WINDOW_MISSES = 4096;
/** With fewer hits meanwhile, a hundredth, keeping answers costs more than it saves. */
const HITS_MIN = 41;

/** How often reads of one kind, which differ in their values only, were answered from memory. */
export class Habit {
  #isSeldomHit = false;
  #misses = 0;
  #hits = 0;

  /** Whether hardly any of the last few thousand were: what is asked for is not asked for again. */
  get isSeldomHit(): boolean {
    return this.#isSeldomHit;
  }

  noteHit(): void {
    this.#hits++;
    // Hits are good news at once, that there are none is known at the end only.
    if (this.#hits === HITS_MIN) this.#isSeldomHit = false;
  }

  noteMiss(): void {
    this.#misses++;
    if (this.#misses < WINDOW_MISSES) return;
    this.#isSeldomHit = this.#hits < HITS_MIN;
    this.#misses = 0;
    this.#hits = 0;
  }
}
