/**
 * What a session of the model PostgreSQL has: its settings, its transaction and what else it holds.
 * Rules from the manual: SET follows ROLLBACK, and an error takes it back at once; SET LOCAL ends with
 * the transaction, rows are seen by others once they are committed, LISTEN begins with the commit.
 */

/** One table of one column, which all sessions of a world share. */
export type ModelTable = string[];

/** Reported to clients, with their values in a fresh session. */
export const REPORTED: ReadonlyMap<string, string> = new Map([
  ['TimeZone', 'UTC'],
  ['application_name', ''],
]);
const DEFAULTS: ReadonlyMap<string, string> = new Map([
  ['timezone', 'UTC'],
  ['application_name', ''],
  ['work_mem', '4MB'],
  ['search_path', 'public'],
]);

/** What a transaction may change of a session. */
type Held = {
  /** By lower-case name, only what was set. */
  settings: Map<string, string>;
  temporary: Set<string>;
};

const copyOf = ({ settings, temporary }: Held): Held => ({
  settings: new Map(settings),
  temporary: new Set(temporary),
});

export class ModelState {
  readonly table: ModelTable;
  /** What RESET goes back to, where it is not the server's own default. */
  readonly #startup: ReadonlyMap<string, string>;
  #held: Held = { settings: new Map(), temporary: new Set() };
  readonly #channels = new Set<string>();
  /** LISTEN of these, or UNLISTEN where it is null, with the commit. */
  #listens: (string | null)[] = [];
  /** As it was when the transaction began; null outside of one. */
  #before: Held | null = null;
  /** SET LOCAL of the transaction. */
  readonly #local = new Map<string, string>();
  #inserted: string[] = [];
  /** Custom settings that were ever set here read as empty afterwards, and not as NULL. */
  readonly #placeholders = new Set<string>();
  /** BEGIN has come: the transaction lasts beyond its unit. */
  isBlock = false;
  isFailed = false;

  constructor(table: ModelTable, startup: ReadonlyMap<string, string>) {
    this.table = table;
    this.#startup = startup;
  }

  get isInTransaction(): boolean {
    return this.#before !== null;
  }

  get settings(): ReadonlyMap<string, string> {
    return this.#held.settings;
  }

  get channels(): ReadonlySet<string> {
    return this.#channels;
  }

  get temporary(): ReadonlySet<string> {
    return this.#held.temporary;
  }

  setting(name: string): string | null {
    const key = name.toLowerCase();
    const set = this.#local.get(key) ?? this.#held.settings.get(key);
    const known = set ?? this.#startup.get(key) ?? DEFAULTS.get(key);
    return known ?? (this.#placeholders.has(key) ? '' : null);
  }

  /** Whether it was set in the session, `LOCAL` or not, and not only asked for at startup. */
  isSet(name: string): boolean {
    const key = name.toLowerCase();
    return this.#local.has(key) || this.#held.settings.has(key);
  }

  /** Every statement runs in a transaction, if need be in one of its own. */
  begin(): void {
    this.#before ??= copyOf(this.#held);
  }

  commit(): void {
    for (const mark of this.#inserted) this.table.push(mark);
    for (const channel of this.#listens) {
      if (channel === null) this.#channels.clear();
      else this.#channels.add(channel);
    }
    this.#end();
  }

  rollback(): void {
    this.#takeBack();
    this.#end();
  }

  /** A statement has failed: what the transaction changed is taken back at once. */
  fail(): void {
    if (!this.isInTransaction) return;
    this.isFailed = true;
    this.#takeBack();
  }

  #takeBack(): void {
    if (this.#before !== null) this.#held = copyOf(this.#before);
    this.#inserted = [];
    this.#listens = [];
    this.#local.clear();
  }

  #end(): void {
    this.#before = null;
    this.#inserted = [];
    this.#listens = [];
    this.#local.clear();
    this.isBlock = false;
    this.isFailed = false;
  }

  set(name: string, value: string, isLocal: boolean): void {
    const key = name.toLowerCase();
    if (key.includes('.')) this.#placeholders.add(key);
    if (isLocal) this.#local.set(key, value);
    else {
      this.#local.delete(key);
      this.#held.settings.set(key, value);
    }
  }

  reset(name: string): void {
    this.#local.delete(name.toLowerCase());
    this.#held.settings.delete(name.toLowerCase());
  }

  resetAll(): void {
    this.#local.clear();
    this.#held.settings.clear();
  }

  insert(marks: readonly string[]): void {
    this.#inserted.push(...marks);
  }

  /** What this session sees of the table. */
  rowsLike(prefix: string): string[] {
    return [...this.table, ...this.#inserted].filter((mark) => mark.startsWith(prefix));
  }

  listen(channel: string): void {
    this.#listens.push(channel);
  }

  unlisten(): void {
    this.#listens.push(null);
  }

  /** False when there is one already. */
  createTemporary(name: string): boolean {
    if (this.#held.temporary.has(name)) return false;
    this.#held.temporary.add(name);
    return true;
  }

  dropTemporary(name: string): boolean {
    return this.#held.temporary.delete(name);
  }

  discardAll(): void {
    this.resetAll();
    this.unlisten();
    this.#held.temporary.clear();
  }
}
