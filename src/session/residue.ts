import { Effect, type Facts } from '../sql/facts/facts.ts';
import { decidesMeaning, decidesPlan, decidesReading } from '../sql/facts/meaning-settings.ts';
import type { Consequence } from './ledger.ts';
import type { OriginRules } from './origin-rules.ts';
import { OwnQuery } from './own-query.ts';
import { isOwnSetting, isTrackedParameter, quoteLiteral, type Settings } from './settings.ts';
import { type LinkStatements, RESERVED_PREFIX } from './statements/statements.ts';

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
  /**
   * Nobody could tell what the statement reaches. It may have changed a custom setting, and those
   * are seen only by who knows their names: the link must be reset, not only looked at.
   */
  readonly isDoubtful: boolean;
  /** It tells, or may tell, what its session drew from sequences: `lastval`, `currval`. */
  readonly readsSequences: boolean;
  /** It draws from a sequence, or may do so. */
  readonly mayDraw: boolean;
  /** It only computes and looks at tables: see `isPure` of the catalogue's judgement. */
  readonly isPure: boolean;
};

/** Why a link stays whose client has temporary objects. */
export const TEMPORARY_OBJECT = 'temporary object';
/** The reason of a LOAD; see `statement-kinds.ts`. */
const LOAD = 'LOAD';
/** More touched names than this, and everything is asked for. */
const TOUCHED_NAMES_MAX = 64;

/** Statements that leave something in the session, but no setting. */
const SETS_NOTHING: ReadonlySet<string> = new Set([
  'CreateStmt',
  'DeallocateStmt',
  'ListenStmt',
  'PrepareStmt',
  'UnlistenStmt',
]);

/** Whether a statement may change settings that its facts do not name. */
function mayChangeAnySetting(facts: Facts, judgement: Judgement): boolean {
  if ((judgement.effects & Effect.Session) === 0) return false;
  const isOwn = judgement.effects === facts.effects && !judgement.isDoubtful;
  return !(isOwn && facts.statements === 1 && SETS_NOTHING.has(facts.verb));
}

/** Settings that end with the transaction, or that are pins and not settings. */
const NOT_FOLLOWED: ReadonlySet<string> = new Set([
  'role',
  'session_authorization',
  'seed',
  'transaction_deferrable',
  'transaction_isolation',
  'transaction_read_only',
]);

/** A LOAD: the library stays with the link, unless there is none of that name. */
export class LoadedLibrary implements Consequence {
  readonly #residue: Residue;

  constructor(residue: Residue) {
    this.#residue = residue;
  }

  commit(): void {}

  rollback(): void {
    this.#residue.withdrawPermanent(LOAD);
  }
}

export class Residue {
  #effects = 0;
  readonly #touched = new Set<string>();
  #permanent: string | null = null;
  /** A statement has run that may have changed the catalogue, or that nobody could read. */
  #mayDiffer = false;
  #changedCatalogue = false;
  #isDoubtful = false;
  /** Settings that end with the transaction may decide what a text means. */
  #changedMeaning = false;
  #mayHaveDrawn = false;
  /** The last answer is older than a statement that may decide how a text is to be read. */
  #mayMisread = false;

  /** Whether the link must be looked at before anyone else may have it. */
  get isSuspected(): boolean {
    return (this.#effects & (Effect.Settings | Effect.Session)) !== 0;
  }

  /** What no look can find out and nothing undoes, as a reason for people; or null. */
  get permanent(): string | null {
    return this.#permanent;
  }

  /**
   * Whether nobody knows the settings that decide what a text means when it is parsed, because a
   * statement has run that may have changed them.
   */
  get hidesMeaning(): boolean {
    if (this.#changedMeaning || (this.#effects & Effect.Session) !== 0) return true;
    for (const name of this.#touched) if (decidesMeaning(name)) return true;
    return false;
  }

  /** The like of settings that decide how it is planned, which functions of users may read. */
  get hidesPlan(): boolean {
    if (this.hidesMeaning) return true;
    for (const name of this.#touched) if (decidesPlan(name)) return true;
    return false;
  }

  /** Whether a text sent now may be cut into words in a way that we do not know. */
  get mayMisread(): boolean {
    return this.#mayMisread;
  }

  /** Whether `lastval` may be the client's own, drawn in the transaction at hand. */
  get mayHaveDrawn(): boolean {
    return this.#mayHaveDrawn;
  }

  /** Every answer has come: settings that decide how texts are read have been reported. */
  onQuiet(): void {
    this.#mayMisread = false;
  }

  /** Whether there may be more on the link than a look can show. */
  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  /** Whether the link is as it was when it was checked out. */
  get isClean(): boolean {
    return this.#effects === 0 && this.#permanent === null && !this.#isDoubtful;
  }

  /** Notes a statement that is about to run. */
  note(facts: Facts, judgement: Judgement): void {
    this.#effects |= judgement.effects;
    this.#isDoubtful ||= judgement.isDoubtful;
    this.#mayHaveDrawn ||= judgement.mayDraw;
    this.#changedMeaning ||= facts.changesMeaning;
    this.#mayMisread ||= facts.changesReading || mayChangeAnySetting(facts, judgement);
    // A table that this transaction has altered is not the table that the catalogue told of.
    if (this.#mayDiffer) {
      this.#effects |= Effect.Session;
      this.#isDoubtful = true;
    }
    if (facts.ddl) {
      this.#mayDiffer = true;
      this.#changedCatalogue ||= facts.changesCatalogue && !facts.unparsed;
    }
    if ((judgement.effects & Effect.Permanent) !== 0) this.#permanent ??= judgement.reason;
    for (const name of facts.settingNames) this.touch(name);
  }

  /** A transaction has ended: answers whether it may have changed the catalogue. */
  endTransaction(): boolean {
    const changed = this.#changedCatalogue;
    this.#mayDiffer = false;
    this.#mayHaveDrawn = false;
    this.#changedMeaning = false;
    this.#changedCatalogue = false;
    return changed;
  }

  /** A setting of this name may have changed. */
  touch(name: string): void {
    const key = name.toLowerCase();
    if (key === 'seed') this.notePermanent('setseed');
    this.#effects |= Effect.Settings;
    this.#mayMisread ||= decidesReading(key);
    const isFollowed = this.#touched.has(key) || this.#touched.size < TOUCHED_NAMES_MAX;
    if (NOT_FOLLOWED.has(key) || !isFollowed) this.#effects |= Effect.Session;
    else this.#touched.add(key);
    // No look finds a custom setting whose name was forgotten (A4).
    if (!isFollowed && key.includes('.')) this.notePermanent('too many custom settings');
  }

  /** Whether one of these settings may have changed. */
  touchesAny(settings: Settings): boolean {
    for (const name of settings.names()) if (this.#touched.has(name)) return true;
    return false;
  }

  /** The next look is at everything. */
  suspectAll(): void {
    this.#effects |= Effect.Session;
  }

  /** What ran may have been something else than it was judged by. */
  doubt(): void {
    this.suspectAll();
    this.#isDoubtful = true;
  }

  /** The link has gone to be reset: it carries no doubt any more. */
  forgetDoubt(): void {
    this.#isDoubtful = false;
  }

  /** Something that cannot be found out has happened. */
  notePermanent(reason: string): void {
    this.#permanent ??= reason;
  }

  /** What was noted as permanent has failed: a reset of the link undoes what it may have done. */
  withdrawPermanent(reason: string): void {
    if (this.#permanent !== reason) return;
    this.#permanent = null;
    this.#isDoubtful = true;
  }

  /** The query that finds out, and forgets the suspicion: what comes later is a new one. */
  takeProbe(
    settings: Settings,
    customNames: Iterable<string>,
    user: string,
    rules: OriginRules,
  ): Probe {
    const isWhole = (this.#effects & Effect.Session) !== 0;
    const touched = [...this.#touched];
    this.#touched.clear();
    this.#effects &= ~(Effect.Settings | Effect.Session);
    const { settings: allowed } = rules;
    if (allowed !== null && !touched.every((name) => allowed.has(name))) {
      // It was refused, or the server takes more than is known: then nobody follows it.
      this.#isDoubtful = true;
    }
    if (allowed !== null && (isWhole || this.#isDoubtful)) {
      const own = [...settings.names()].filter((name) => !isOwnSetting(name));
      const names = new Set([...allowed.keys(), ...own]);
      const text = `${namedSettingsText([...names])}${userText(user)}${ROLE_TEXT}`;
      return new Probe(text, true, rules);
    }
    if (!isWhole) return new Probe(namedSettingsText(touched), false, rules);
    const custom = new Set(customNames);
    for (const name of [...touched, ...settings.names()]) if (name.includes('.')) custom.add(name);
    return new Probe(`${STATE_TEXT}${userText(user)}${customText(custom)}`, true, rules);
  }
}

/** Asks a link what its session carries. */
export class Probe extends OwnQuery {
  /** Whether it asked for everything, or only for some settings. */
  readonly isWhole: boolean;
  readonly #rules: OriginRules;

  constructor(text: string, isWhole: boolean, rules: OriginRules) {
    super(text);
    this.isWhole = isWhole;
    this.#rules = rules;
  }

  /**
   * The client's settings as found, `baseline` being those of a fresh link. What the client asked
   * for at startup and then SET to the value of a fresh link is kept as that value: only what it
   * has RESET is not there.
   */
  settingsFound(
    before: Settings,
    baseline: ReadonlyMap<string, string>,
    startup: Settings,
  ): Settings {
    let found = before;
    if (this.isWhole) {
      for (const name of before.names()) {
        if (this.#rules.settings === null || !isOwnSetting(name)) found = found.with(name, null);
      }
    }
    for (const [kind, rawName, value] of this.rows) {
      if (kind !== 'set' || typeof rawName !== 'string') continue;
      const name = rawName.toLowerCase();
      if (NOT_FOLLOWED.has(name) || !isTrackedParameter(name)) continue;
      const isDefault =
        value === null ||
        (value === this.#defaultOf(name, baseline) && startup.get(name) === undefined) ||
        // A custom setting that was reset on this link, perhaps for somebody else, reads empty.
        (value === '' && name.includes('.') && before.get(name) === undefined);
      found = found.with(name, isDefault ? null : (value as string));
    }
    return found.equals(before) ? before : found;
  }

  #defaultOf(name: string, baseline: ReadonlyMap<string, string>): string | null {
    return baseline.get(name) ?? this.#rules.settings?.get(name) ?? null;
  }

  /**
   * How many of the statements that are known to lie on the link may be there, which is all under
   * names of the gateway's; null when it was not asked.
   */
  statementsFound(statements: LinkStatements): number | null {
    const row = this.rows.find(([kind]) => kind === 'held');
    if (row === undefined) return null;
    return Number(row[1]) + this.rows.filter((pin) => isKnownPrepare(pin, statements)).length;
  }

  /**
   * Why the link must stay with its client, for people; empty when it need not.
   * @param statements among which the client's own are that are known to lie on the link
   */
  pinsFound(statements: LinkStatements): string[] {
    const pins = new Set<string>();
    for (const row of this.rows) {
      const [kind, reason] = row;
      if (kind !== 'pin' || typeof reason !== 'string') continue;
      if (!isKnownPrepare(row, statements)) pins.add(reason);
    }
    return [...pins];
  }
}

/** Whether the row is of a statement under the client's own name that is followed. */
function isKnownPrepare(row: readonly (string | null)[], statements: LinkStatements): boolean {
  const [kind, reason, name] = row;
  return (
    kind === 'pin' && reason === PREPARE && statements.planted(name ?? '')?.isAwaited === false
  );
}

function namedSettingsText(names: readonly string[]): string {
  return names.map(settingText).join(' UNION ALL ');
}

function settingText(name: string): string {
  const literal = quoteLiteral(name);
  return `SELECT 'set',${literal},pg_catalog.current_setting(${literal},true)`;
}

function customText(names: Iterable<string>): string {
  let text = '';
  for (const name of names) {
    text += ` UNION ALL ${settingText(name)}`;
  }
  return text;
}

function userText(user: string): string {
  return (
    " UNION ALL SELECT 'pin','SET SESSION AUTHORIZATION',NULL " +
    `WHERE session_user ${DIFFERS} ${quoteLiteral(user)}`
  );
}

const EQUALS = 'OPERATOR(pg_catalog.=)';
const ROLE_TEXT =
  " UNION ALL SELECT 'pin','SET ROLE',NULL " +
  'WHERE current_user OPERATOR(pg_catalog.<>) session_user';
const DIFFERS = 'OPERATOR(pg_catalog.<>)';
const TEMPORARY = `${EQUALS} pg_catalog.pg_my_temp_schema()`;
const IN_SCHEMA = `refclassid ${EQUALS} CAST('pg_catalog.pg_namespace' AS pg_catalog.regclass)`;
const MY_LOCK = `locktype ${EQUALS} 'advisory' AND pid ${EQUALS} pg_catalog.pg_backend_pid()`;

/** One row for every row of the source. */
const pin = (reason: string, source: string): string =>
  `SELECT 'pin','${reason}',NULL FROM pg_catalog.${source}`;

const PREPARE = 'PREPARE';
const PREPARED = 'FROM pg_catalog.pg_prepared_statements WHERE';
/** Others are SQL's, or the client's own that were put there for SQL to find. */
const OF_GATEWAY =
  `NOT from_sql AND pg_catalog.left(name, ${RESERVED_PREFIX.length}) ` +
  `${EQUALS} '${RESERVED_PREFIX}'`;

/** Everything is qualified, operators too: it runs under the client's search_path. */
const STATE_TEXT = [
  `SELECT 'set',name,setting FROM pg_catalog.pg_settings WHERE source ${EQUALS} 'session'`,
  pin('advisory lock', `pg_locks WHERE ${MY_LOCK}`),
  // Whatever its kind, an object in a schema depends on the schema.
  pin(TEMPORARY_OBJECT, `pg_depend WHERE ${IN_SCHEMA} AND refobjid ${TEMPORARY}`),
  pin('LISTEN', 'pg_listening_channels()'),
  pin('cursor WITH HOLD', 'pg_cursors WHERE is_holdable'),
  `SELECT 'pin','${PREPARE}',name ${PREPARED} NOT (${OF_GATEWAY})`,
  `SELECT 'held',CAST(pg_catalog.count(*) AS pg_catalog.text),NULL ${PREPARED} ${OF_GATEWAY}`,
  pin('SET ROLE', `current_setting('role') AS role WHERE role ${DIFFERS} 'none'`),
].join(' UNION ALL ');
