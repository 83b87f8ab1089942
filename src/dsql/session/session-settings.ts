/** What a client has SET, and how that follows its transactions. */

type Change = { readonly name: string; readonly value: string | null };

export class SessionSettings {
  /** What RESET goes back to. */
  readonly #startup: ReadonlyMap<string, string>;
  #current: Map<string, string>;
  /** Of the transaction at hand; they count when it commits. */
  #changes: Change[] = [];

  /** @param startup by name in small letters, with values as PostgreSQL shows them */
  constructor(startup: ReadonlyMap<string, string>) {
    this.#startup = startup;
    this.#current = new Map(startup);
  }

  /** What holds outside any transaction. */
  get committed(): ReadonlyMap<string, string> {
    return this.#current;
  }

  /** In the transaction at hand; null for what is not set. */
  valueOf(name: string): string | null {
    const change = this.#changes.findLast((one) => one.name === name);
    return change === undefined ? (this.#current.get(name) ?? null) : change.value;
  }

  startupValue(name: string): string | null {
    return this.#startup.get(name) ?? null;
  }

  get startup(): ReadonlyMap<string, string> {
    return this.#startup;
  }

  /** SET and RESET of the transaction at hand; null where RESET finds no startup value. */
  change(name: string, value: string | null): void {
    this.#changes.push({ name, value });
  }

  /** RESET ALL. */
  resetAll(): void {
    const names = new Set([...this.#current.keys(), ...this.#startup.keys()]);
    for (const { name } of this.#changes) names.add(name);
    for (const name of names) this.change(name, this.startupValue(name));
  }

  endTransaction(isCommitted: boolean): void {
    const changes = this.#changes;
    this.#changes = [];
    if (!isCommitted) return;
    for (const { name, value } of changes) {
      if (value === null) this.#current.delete(name);
      else this.#current.set(name, value);
    }
  }
}
