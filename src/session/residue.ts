import { Effect, type Facts } from '../sql/facts.ts';
import { OwnQuery } from './own-query.ts';
import { isTrackedParameter, quoteLiteral, type Settings } from './settings.ts';

/**
 * What a client's statements may have left on its link. Statements only say *that* something may
 * have changed; what really did is asked of the server at the end of the transaction, so that
 * ROLLBACK, SET LOCAL, functions and triggers need no rules of their own.
 */

/** What the catalogue adds to the facts of a statement. */
export type Judgement = {
  /** Bits of {@link Effect}. */
  readonly effects: number;
  /** For people: what in the statement is to blame. */
  readonly reason: string;
};

/** More touched names than this, and everything is asked for. */
const TOUCHED_NAMES_MAX = 64;

/** Settings that end with the transaction, or that are pins and not settings. */
const NOT_FOLLOWED: ReadonlySet<string> = new Set([
  'role',
  'session_authorization',
  'seed',
  'transaction_deferrable',
  'transaction_isolation',
  'transaction_read_only',
]);

export class Residue {
  #effects = 0;
  readonly #touched = new Set<string>();
  #permanent: string | null = null;

  /** Whether the link must be looked at before anyone else may have it. */
  get isSuspected(): boolean {
    return (this.#effects & (Effect.Settings | Effect.Session)) !== 0;
  }

  /** Whether the catalogue may have changed since the last {@link forgetDdl}. */
  get changedCatalogue(): boolean {
    return (this.#effects & Effect.Ddl) !== 0;
  }

  /** What no look can find out and nothing undoes, as a reason for people; or null. */
  get permanent(): string | null {
    return this.#permanent;
  }

  /** Whether the link is as it was when it was checked out. */
  get isClean(): boolean {
    return this.#effects === 0 && this.#permanent === null;
  }

  /** Notes a statement that is about to run. */
  note(facts: Facts, judgement: Judgement): void {
    // A table that this transaction has altered is not the table that the catalogue told of.
    this.#effects |= this.changedCatalogue ? judgement.effects | Effect.Session : judgement.effects;
    if ((judgement.effects & Effect.Permanent) !== 0) this.#permanent ??= judgement.reason;
    for (const name of facts.settingNames) this.touch(name);
  }

  /** A setting of this name may have changed. */
  touch(name: string): void {
    this.#effects |= Effect.Settings;
    if (this.#touched.size < TOUCHED_NAMES_MAX) this.#touched.add(name.toLowerCase());
    else this.#effects |= Effect.Session;
  }

  /** Something that cannot be found out has happened. */
  notePermanent(reason: string): void {
    this.#permanent ??= reason;
  }

  forgetDdl(): void {
    this.#effects &= ~Effect.Ddl;
  }

  /** The query that finds out, and forgets the suspicion: what comes later is a new one. */
  takeProbe(settings: Settings, customNames: Iterable<string>, user: string): Probe {
    const isWhole = (this.#effects & Effect.Session) !== 0;
    const touched = [...this.#touched];
    this.#touched.clear();
    this.#effects &= ~(Effect.Settings | Effect.Session);
    if (!isWhole) return new Probe(namedSettingsText(touched), false);
    const custom = new Set(customNames);
    for (const name of [...touched, ...settings.names()]) if (name.includes('.')) custom.add(name);
    return new Probe(`${STATE_TEXT}${userText(user)}${customText(custom)}`, true);
  }
}

/** Asks a link what its session carries. */
export class Probe extends OwnQuery {
  /** Whether it asked for everything, or only for some settings. */
  readonly isWhole: boolean;

  constructor(text: string, isWhole: boolean) {
    super(text);
    this.isWhole = isWhole;
  }

  /** The client's settings as found, `baseline` being those of a fresh link. */
  settingsFound(before: Settings, baseline: ReadonlyMap<string, string>): Settings {
    let found = before;
    if (this.isWhole) for (const name of before.names()) found = found.with(name, null);
    for (const [kind, rawName, value] of this.rows) {
      if (kind === 'pin' || typeof rawName !== 'string') continue;
      const name = rawName.toLowerCase();
      if (NOT_FOLLOWED.has(name) || !isTrackedParameter(name)) continue;
      const isDefault =
        value === null ||
        value === baseline.get(name) ||
        // A custom setting that was reset on this link, perhaps for somebody else, reads empty.
        (value === '' && name.includes('.') && before.get(name) === undefined);
      found = found.with(name, isDefault ? null : (value as string));
    }
    return found.equals(before) ? before : found;
  }

  /** Why the link must stay with its client, for people; empty when it need not. */
  pinsFound(): string[] {
    const pins = new Set<string>();
    for (const [kind, reason] of this.rows) {
      if (kind === 'pin' && typeof reason === 'string') pins.add(reason);
    }
    return [...pins];
  }
}

function namedSettingsText(names: readonly string[]): string {
  const parts = names.map(
    (name) =>
      `SELECT 'set',${quoteLiteral(name)},pg_catalog.current_setting(${quoteLiteral(name)},true)`,
  );
  return parts.join(' UNION ALL ');
}

function customText(names: Iterable<string>): string {
  let text = '';
  for (const name of names) {
    text += ` UNION ALL SELECT 'set',${quoteLiteral(name)},pg_catalog.current_setting(${quoteLiteral(name)},true)`;
  }
  return text;
}

function userText(user: string): string {
  return (
    " UNION ALL SELECT 'pin','SET SESSION AUTHORIZATION',NULL " +
    `WHERE session_user OPERATOR(pg_catalog.<>) ${quoteLiteral(user)}`
  );
}

/** Everything is qualified, operators too: it runs under the client's search_path. */
const STATE_TEXT = [
  "SELECT 'set',name,setting FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'session'",
  "SELECT 'pin','advisory lock',NULL FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory' AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()",
  "SELECT 'pin','temporary object',NULL FROM pg_catalog.pg_class WHERE relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()",
  "SELECT 'pin','temporary object',NULL FROM pg_catalog.pg_type WHERE typnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()",
  "SELECT 'pin','temporary object',NULL FROM pg_catalog.pg_proc WHERE pronamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()",
  "SELECT 'pin','LISTEN',NULL FROM pg_catalog.pg_listening_channels()",
  "SELECT 'pin','cursor WITH HOLD',NULL FROM pg_catalog.pg_cursors WHERE is_holdable",
  "SELECT 'pin','PREPARE',NULL FROM pg_catalog.pg_prepared_statements WHERE from_sql",
  "SELECT 'pin','SET ROLE',NULL WHERE pg_catalog.current_setting('role') OPERATOR(pg_catalog.<>) 'none'",
].join(' UNION ALL ');
