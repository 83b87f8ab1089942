/** What the gateway knows of a statement before it is sent: the parser's tree, reduced. */

/** Bits of what a statement may leave on the server's session once its transaction has ended. */
export const Effect = {
  None: 0,
  /** Only settings whose names are in the facts: reading them back is enough. */
  Settings: 1,
  /** State that a probe of the session can see: it may be there. */
  Session: 2,
  /** State that can neither be seen nor undone: the link belongs to the client from now on. */
  Permanent: 4,
} as const;

/** A name as written: no schema when the statement leaves it to `search_path`. */
export type Name = { readonly schema: string | null; readonly name: string };

export type RelationUse = Name & {
  /** Rows may be written, so that triggers and rules of the relation can run. */
  readonly writes: boolean;
};

export type TransactionKind =
  | 'begin'
  | 'commit'
  | 'rollback'
  | 'savepoint'
  | 'release'
  | 'rollbackTo'
  | 'prepareTransaction'
  | 'commitPrepared'
  | 'rollbackPrepared'
  /** Several statements in one text, at least one of which controls the transaction. */
  | 'mixed';

export type Facts = {
  /** How many statements the text holds; 0 for an empty one. */
  readonly statements: number;
  /** The parser's name of the first statement's kind (`SelectStmt`); empty when there is none. */
  readonly verb: string;
  /** Bits of {@link Effect} that do not depend on the catalogue. */
  readonly effects: number;
  /** What causes the gravest effect, for people; empty without effects. */
  readonly reason: string;
  /** Lower-cased names set by SET, RESET and `set_config('name', …)`, but for SET LOCAL. */
  readonly settingNames: readonly string[];
  /** Numbers of the parameters that name a setting: `set_config($1, …)`. */
  readonly settingParams: readonly number[];
  readonly relations: readonly RelationUse[];
  readonly functions: readonly Name[];
  readonly operators: readonly Name[];
  readonly types: readonly Name[];
  /** Last parts of dotted names: `(x).f` calls the function `f` when `x` has no such column. */
  readonly fields: readonly string[];
  /**
   * Uses `lastval` or `currval`, which mean something only on the link of their `nextval`, or runs
   * what nobody can read. What functions, views and the like do is in the catalogue's judgement.
   */
  readonly sequenceState: boolean;
  /**
   * One SELECT, VALUES or TABLE that by its words writes nothing, takes no lock on rows and makes
   * no table. What it calls is another matter: see `isPure` of the catalogue's judgement.
   */
  readonly plainRead: boolean;
  /** COPY, DDL and maintenance: no limit of statement time applies. */
  readonly exempt: boolean;
  readonly transaction: TransactionKind | null;
  /**
   * A string of the text holds `now`, `today`, `tomorrow` or `yesterday`, which as a time is that
   * of the moment when the statement is parsed: prepared once, it stays the same for ever.
   */
  readonly timeLiteral: boolean;
  /** The facts hold for this text only, not for others of its shape. */
  readonly literalDependent: boolean;
  /** Lower-cased, what follows `SHOW millrace.`; null when the text is not that alone. */
  readonly millraceShow: string | null;
  /** What a DEALLOCATE names; empty for DEALLOCATE ALL and DISCARD ALL, null otherwise. */
  readonly deallocates: string | null;
  /**
   * Lower-cased, the setting that goes back to its default; empty for RESET ALL and DISCARD ALL,
   * null when there is none or when the text does more.
   */
  readonly resets: string | null;
  /**
   * Sets, until the end of the transaction only, what decides how texts are understood: SET LOCAL,
   * and `set_config` that is local. See `meaning-settings.ts`.
   */
  readonly changesMeaning: boolean;
  /** The like of what decides where the literals of texts end. */
  readonly changesReading: boolean;
  /** The client is asked for data: COPY … FROM STDIN. */
  readonly copiesIn: boolean;
  /** PREPARE: the session has a statement that no message of the protocol has made. */
  readonly prepares: boolean;
  /** Makes a cursor WITH HOLD, which outlives its transaction; beside others too. */
  readonly holdsCursor: boolean;
  /** Prepared statements that the text runs or removes by name: EXECUTE, DEALLOCATE. */
  readonly preparedNames: readonly string[];
  /** Those of them that it runs. */
  readonly executes: readonly string[];
  /** The like of `effects`, but for what comes of running prepared statements. */
  readonly ownEffects: number;
  /** Prepared statements that a text of several statements makes or removes by name. */
  readonly takesOver: readonly string[];
  /** What a PREPARE, which is all of the text, calls its statement; null otherwise. */
  readonly preparedAs: string | null;
  /** The catalogue may be another one afterwards, at least for the session itself. */
  readonly ddl: boolean;
  /** The same for everybody: it is more than making temporary objects. */
  readonly changesCatalogue: boolean;
  /** Nobody read the text: nothing but `effects` and `reason` means anything. */
  readonly unparsed: boolean;
};

/** Facts of a text that was not read. */
export function opaqueFacts(effects: number, reason: string): Facts {
  return {
    statements: 1,
    verb: '',
    effects,
    reason,
    settingNames: [],
    settingParams: [],
    relations: [],
    functions: [],
    operators: [],
    types: [],
    fields: [],
    sequenceState: false,
    plainRead: false,
    exempt: false,
    transaction: null,
    timeLiteral: true,
    literalDependent: false,
    millraceShow: null,
    deallocates: null,
    resets: null,
    changesMeaning: false,
    changesReading: false,
    copiesIn: false,
    prepares: false,
    holdsCursor: false,
    preparedNames: [],
    executes: [],
    ownEffects: effects,
    takesOver: [],
    preparedAs: null,
    ddl: true,
    changesCatalogue: true,
    unparsed: true,
  };
}
