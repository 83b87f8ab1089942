import { decidesMeaning, decidesPlan } from '../sql/facts/meaning-settings.ts';
import type { OriginRules } from './origin-rules.ts';

/**
 * A client's settings as far as they differ from those of a fresh link, as an immutable set.
 * Names are lower-case; values are byte strings (latin1 of the bytes PostgreSQL gave), so that they
 * pass unchanged whatever the client's encoding. Sets are compared by reference first: a link that
 * already carries the very set of its next client needs nothing.
 */

/**
 * Settings whose value, once a server of this role has accepted it, every other one accepts too:
 * applying them cannot fail, so the statement that needs them may follow without waiting.
 */
const CANNOT_FAIL: ReadonlySet<string> = new Set([
  'application_name',
  'bytea_output',
  'client_encoding',
  'client_min_messages',
  'datestyle',
  'extra_float_digits',
  'intervalstyle',
  'lock_timeout',
  'plan_cache_mode',
  'standard_conforming_strings',
  'statement_timeout',
  'timezone',
]);

const NAME_ONLY: ReadonlySet<string> = new Set(['application_name']);

/** Settings of which no result of a statement depends that ends without an error. */
const RESULTLESS: ReadonlySet<string> = new Set([
  'application_name',
  'client_min_messages',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'lock_timeout',
  'millrace.cache',
  'statement_timeout',
  'transaction_timeout',
]);

/** What PostgreSQL reports without its being a setting that a session could change. */
const NOT_SETTABLE: ReadonlySet<string> = new Set([
  'in_hot_standby',
  'integer_datetimes',
  'is_superuser',
  'server_encoding',
  'server_version',
  'session_authorization',
]);

export class Settings {
  static readonly NONE = new Settings(new Map());

  readonly #values: ReadonlyMap<string, string>;
  #parseSignature: string | null = null;
  #meaningSignature: string | null = null;
  #sharingSignature: string | null = null;
  #resultSignature: string | null = null;

  private constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  get size(): number {
    return this.#values.size;
  }

  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  names(): IterableIterator<string> {
    return this.#values.keys();
  }

  entries(): IterableIterator<[string, string]> {
    return this.#values.entries();
  }

  /** The set with `name` at `value`, or without it when `value` is null. */
  with(name: string, value: string | null): Settings {
    if (value === null ? !this.#values.has(name) : this.#values.get(name) === value) return this;
    const values = new Map(this.#values);
    if (value === null) values.delete(name);
    else values.set(name, value);
    return values.size === 0 ? Settings.NONE : new Settings(values);
  }

  /** Whether both hold the same values. */
  equals(other: Settings): boolean {
    if (this === other) return true;
    if (this.#values.size !== other.#values.size) return false;
    for (const [name, value] of this.#values) if (other.#values.get(name) !== value) return false;
    return true;
  }

  /**
   * The like of sets that differ in `application_name` only are equal: what a statement on a shared
   * link can see.
   */
  get sharingSignature(): string {
    this.#sharingSignature ??= this.#signatureOf((name) => !NAME_ONLY.has(name));
    return this.#sharingSignature;
  }

  /** Equal for sets under which every statement gives the same bytes; empty for most clients. */
  get resultSignature(): string {
    this.#resultSignature ??= this.#signatureOf((name) => !RESULTLESS.has(name));
    return this.#resultSignature;
  }

  #signatureOf(counts: (name: string) => boolean): string {
    const parts: string[] = [];
    for (const [name, value] of this.#values) {
      if (counts(name)) parts.push(`${name}=${value.length}:${value}`);
    }
    return parts.sort().join('\n');
  }

  /**
   * Equal for sets under which every statement text is parsed and planned the same; empty for most
   * clients.
   */
  get parseSignature(): string {
    this.#parseSignature ??= this.#signatureOf(decidesPlan);
    return this.#parseSignature;
  }

  /** Equal for sets under which every name in a text means the same; empty for most clients. */
  get meaningSignature(): string {
    this.#meaningSignature ??= this.#signatureOf(decidesMeaning);
    return this.#meaningSignature;
  }
}

/** What a link must be told so that its settings become those of a client. */
export type SettingsChange = {
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly reset: readonly string[];
  /** Whether the server cannot refuse it, so that nobody need wait for its answer. */
  readonly cannotFail: boolean;
};

/** The change from what a link has to what a client needs, or null when there is none. */
export function settingsChange(link: Settings, client: Settings): SettingsChange | null {
  if (link === client) return null;
  const set: [string, string][] = [];
  const reset: string[] = [];
  let cannotFail = true;
  for (const [name, value] of client.entries()) {
    if (link.get(name) !== value) {
      set.push([name, value]);
      cannotFail &&= CANNOT_FAIL.has(name);
    }
  }
  for (const name of link.names()) {
    if (client.get(name) === undefined) {
      reset.push(name);
      cannotFail &&= CANNOT_FAIL.has(name);
    }
  }
  return set.length + reset.length === 0 ? null : { set, reset, cannotFail };
}

/**
 * The statements that make the change, for one simple Query, so that all of it happens or nothing.
 * Everything is qualified: the client's search_path may hide what it likes (CVE-2025-12819).
 * The text is a byte string.
 */
export function settingsChangeText(change: SettingsChange, rules: OriginRules): string {
  if (rules.settings !== null) return plainChangeText(change);
  let text = '';
  for (const name of change.reset) text += `RESET ${quoteSettingName(name)};`;
  if (change.set.length > 0) {
    const calls = change.set.map(
      ([name, value]) =>
        `pg_catalog.set_config(${quoteLiteral(name)},${quoteLiteral(value)},false)`,
    );
    text += `SELECT ${calls.join(',')}`;
  }
  return text;
}

/** The like without a function, for servers that have none for it. */
function plainChangeText({ set, reset }: SettingsChange): string {
  const texts: string[] = [];
  for (const name of reset) if (!isOwnSetting(name)) texts.push(`RESET ${quoteSettingName(name)}`);
  for (const [name, value] of set) if (!isOwnSetting(name)) texts.push(plainSetText(name, value));
  return texts.join(';');
}

/** What only the gateway knows, and a server without custom settings would refuse. */
export function isOwnSetting(name: string): boolean {
  return name.startsWith('millrace.');
}

function plainSetText(name: string, value: string): string {
  const parts = name === 'search_path' ? identifiersOf(value) : [value];
  return `SET ${quoteSettingName(name)} TO ${parts.map(quoteLiteral).join(',')}`;
}

/**
 * The names in a list of identifiers, as PostgreSQL splits it: SET quotes what it is given, so a
 * list in one string would become one name. An empty list is one empty name, which no schema has.
 */
function identifiersOf(list: string): string[] {
  const names: string[] = [];
  for (const [, quoted, plain] of list.matchAll(/"((?:[^"]|"")*)"|([^\s",]+)/g)) {
    names.push(quoted === undefined ? (plain ?? '').toLowerCase() : quoted.replaceAll('""', '"'));
  }
  return names.length === 0 ? [''] : names;
}

/**
 * Statements that set those that a RESET has just taken back to the server's default, if it had
 * its effect: what is set in the session is left alone. Qualified for the same reason. A server
 * without `set_config` cannot be asked what is set: there it is for who knows of the RESET.
 */
export function settingsRestoreTexts(
  set: readonly (readonly [string, string])[],
  rules: OriginRules,
): string[] {
  if (rules.settings !== null) {
    return set
      .filter(([name]) => !isOwnSetting(name))
      .map(([name, value]) => plainSetText(name, value));
  }
  return set.map(([name, value]) => {
    const literal = quoteLiteral(name);
    const call = `SELECT pg_catalog.set_config(${literal},${quoteLiteral(value)},false)`;
    if (name.includes('.')) {
      return `${call} WHERE NULLIF(pg_catalog.current_setting(${literal},true),'') IS NULL`;
    }
    return (
      `${call} FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) OPERATOR(pg_catalog.=) ` +
      `${literal} AND source OPERATOR(pg_catalog.<>) 'session'`
    );
  });
}

/** Whether a reported parameter is one that follows a client from link to link. */
export function isTrackedParameter(name: string): boolean {
  return !NOT_SETTABLE.has(name);
}

/** A literal that reads the same whatever `standard_conforming_strings` says. */
export function quoteLiteral(value: string): string {
  return `E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

function quoteSettingName(name: string): string {
  return name
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');
}
