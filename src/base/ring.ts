/** A first-in first-out queue that neither shifts nor allocates per item. */
export class Ring<T> {
  #items: (T | undefined)[] = new Array<T | undefined>(16).fill(undefined);
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#size === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#size) & (this.#items.length - 1)] = item;
    this.#size++;
  }

  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#items[this.#head];
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#size--;
    return item;
  }

  /** The item with so many before it. */
  at(index: number): T | undefined {
    return index < this.#size
      ? this.#items[(this.#head + index) & (this.#items.length - 1)]
      : undefined;
  }

  #grow(): void {
    const items = new Array<T | undefined>(this.#items.length * 2).fill(undefined);
    for (let n = 0; n < this.#size; n++) {
      items[n] = this.#items[(this.#head + n) & (this.#items.length - 1)];
    }
    this.#items = items;
    this.#head = 0;
  }
}
