/**
 * Values by key within limits. Two generations stand in for a list of uses: a full young one
 * becomes the old one, what is asked for there moves back, and what nobody asked for in between is
 * forgotten. Nothing is ever searched for what to forget, which in a large map costs more than all
 * else.
 */
export class Generations<V> {
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  readonly #entryBytes: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  #youngBytes = 0;
  #oldBytes = 0;

  /**
   * @param entriesMax of both together
   * @param bytesMax of both together: of the keys, and of what is estimated for the values
   * @param entryBytes what is estimated for one value
   */
  constructor(entriesMax: number, bytesMax: number, entryBytes: number) {
    this.#entriesMax = Math.max(1, entriesMax >> 1);
    this.#bytesMax = bytesMax / 2;
    this.#entryBytes = entryBytes;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get bytes(): number {
    return this.#youngBytes + this.#oldBytes;
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  /** Nothing is kept of what alone is too large. */
  set(key: string, value: V): void {
    this.delete(key);
    const size = this.#sizeOf(key);
    if (size > this.#bytesMax) return;
    if (this.#young.size >= this.#entriesMax || this.#youngBytes + size > this.#bytesMax) {
      this.#old = this.#young;
      this.#oldBytes = this.#youngBytes;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(key, value);
    this.#youngBytes += size;
  }

  delete(key: string): void {
    if (this.#young.delete(key)) this.#youngBytes -= this.#sizeOf(key);
    else if (this.#old.delete(key)) this.#oldBytes -= this.#sizeOf(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngBytes = 0;
    this.#oldBytes = 0;
  }

  #sizeOf(key: string): number {
    return key.length + this.#entryBytes;
  }
}
