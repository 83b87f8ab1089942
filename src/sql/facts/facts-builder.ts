import { Effect, type Facts, type Name, type RelationUse, type TransactionKind } from './facts.ts';
import { decidesMeaning, decidesReading } from './meaning-settings.ts';

/** `pg_temp` and the numbered schemas behind it. */
export function isTemporarySchema(schema: string): boolean {
  return schema === 'pg_temp' || schema.startsWith('pg_temp_');
}

/** Gathers facts while trees are walked; everything is kept once. */
export class FactsBuilder {
  statements = 0;
  verb = '';
  sequenceState = false;
  exempt = false;
  copiesIn = false;
  holdsCursor = false;
  /** Seen anywhere: a statement that is no SELECT, a locking clause, INTO. */
  doesMore = false;
  ddl = false;
  changesCatalogue = false;
  timeLiteral = false;
  literalDependent = false;
  millraceShow: string | null = null;
  resets: string | null = null;
  changesMeaning = false;
  changesReading = false;
  #deallocates: string | null = null;
  /** Of a PREPARE, whose statement may run when nobody looks at its settings any more. */
  #prepares: string | null = null;
  #transaction: TransactionKind | null = null;
  #effects = 0;
  #reason = '';
  #reasonEffect = 0;
  readonly #settingNames = new Set<string>();
  readonly #preparedNames = new Set<string>();
  readonly #executes = new Set<string>();
  readonly #takesOver = new Set<string>();
  readonly #settingParams = new Set<number>();
  readonly #relations = new Map<string, RelationUse>();
  readonly #functions = new Map<string, Name>();
  readonly #operators = new Map<string, Name>();
  readonly #types = new Map<string, Name>();
  readonly #fields = new Set<string>();

  /** @param isTemporary nobody but the session sees what is made */
  definition(isTemporary: boolean): void {
    this.ddl = true;
    this.changesCatalogue ||= !isTemporary;
  }

  /** `effect` is one bit or several; the reason of the gravest is kept. */
  effect(effect: number, reason: string): void {
    this.#effects |= effect;
    if (effect > this.#reasonEffect) {
      this.#reasonEffect = effect;
      this.#reason = reason;
    }
  }

  /** Whether something runs that may do anything. */
  get isOpaque(): boolean {
    return (this.#effects & Effect.Permanent) !== 0;
  }

  /** Something runs that nobody can read: it may do anything. */
  opaque(reason: string): void {
    this.effect(Effect.Permanent, reason);
    this.sequenceState = true;
  }

  /** A setting changes for the session. Some of them are more than settings. */
  setting(name: string): void {
    const lower = name.toLowerCase();
    if (lower === 'seed') this.effect(Effect.Permanent, 'seed');
    else if (lower === 'role') this.effect(Effect.Session, 'SET ROLE');
    else if (lower === 'session_authorization') {
      this.effect(Effect.Session, 'SET SESSION AUTHORIZATION');
    } else {
      this.#settingNames.add(lower);
      this.effect(Effect.Settings, `SET ${lower}`);
    }
  }

  /** A setting changes until the end of the transaction; null when its name is computed. */
  localSetting(name: string | null): void {
    this.changesMeaning ||= name === null || decidesMeaning(name.toLowerCase());
    this.changesReading ||= name === null || decidesReading(name.toLowerCase());
  }

  /** DEALLOCATE of a prepared statement. */
  deallocates(name: string): void {
    this.#preparedNames.add(name);
    this.#takesOver.add(name);
    this.#deallocates ??= name;
  }

  /** DEALLOCATE ALL, or DISCARD ALL. */
  deallocatesAll(): void {
    this.#deallocates = '';
  }

  prepares(name: string): void {
    this.#prepares = name;
    this.#takesOver.add(name);
  }

  /** EXECUTE of a prepared statement, which may do anything. */
  executes(name: string): void {
    this.#preparedNames.add(name);
    this.#executes.add(name);
  }

  settingParam(number: number): void {
    this.#settingParams.add(number);
    this.effect(Effect.Settings, 'set_config');
  }

  relation(schema: string | null, name: string, writes: boolean): void {
    if (schema !== null && isTemporarySchema(schema)) {
      this.effect(Effect.Session, 'temporary object');
    }
    const key = `${schema ?? ''}\0${name}`;
    const known = this.#relations.get(key);
    if (known === undefined || (writes && !known.writes)) {
      this.#relations.set(key, { schema, name, writes });
    }
  }

  function(name: Name): void {
    this.#functions.set(`${name.schema ?? ''}\0${name.name}`, name);
  }

  operator(name: Name): void {
    this.#operators.set(`${name.schema ?? ''}\0${name.name}`, name);
  }

  type(name: Name): void {
    this.#types.set(`${name.schema ?? ''}\0${name.name}`, name);
  }

  field(name: string): void {
    this.#fields.add(name);
  }

  transaction(kind: TransactionKind): void {
    this.#transaction = this.#transaction === null ? kind : 'mixed';
  }

  #isPlainRead(): boolean {
    return (
      this.statements === 1 &&
      this.verb === 'SelectStmt' &&
      !this.doesMore &&
      this.#effects === Effect.None &&
      !this.literalDependent &&
      ![...this.#relations.values()].some(({ writes }) => writes)
    );
  }

  build(): Facts {
    if (this.#prepares !== null && this.#effects & Effect.Settings) {
      this.effect(Effect.Permanent, 'PREPARE of a statement that sets settings');
    }
    const ownEffects = this.#effects;
    if (this.#executes.size > 0) this.effect(Effect.Session, 'EXECUTE');
    const several = this.statements > 1;
    return {
      statements: this.statements,
      verb: this.verb,
      effects: this.#effects,
      reason: this.#reason,
      settingNames: [...this.#settingNames],
      settingParams: [...this.#settingParams],
      relations: [...this.#relations.values()],
      functions: [...this.#functions.values()],
      operators: [...this.#operators.values()],
      types: [...this.#types.values()],
      fields: [...this.#fields],
      sequenceState: this.sequenceState,
      plainRead: this.#isPlainRead(),
      exempt: this.exempt,
      transaction: this.#transaction !== null && several ? 'mixed' : this.#transaction,
      timeLiteral: this.timeLiteral,
      literalDependent: this.literalDependent,
      millraceShow: several ? null : this.millraceShow,
      // All of them go wherever it is said; one of them can only be told apart on its own.
      deallocates: several && this.#deallocates !== '' ? null : this.#deallocates,
      resets: several ? null : this.resets,
      changesMeaning: this.changesMeaning,
      changesReading: this.changesReading,
      copiesIn: this.copiesIn,
      prepares: this.#prepares !== null,
      holdsCursor: this.holdsCursor,
      preparedNames: [...this.#preparedNames],
      executes: [...this.#executes],
      ownEffects,
      takesOver: several ? [...this.#takesOver] : [],
      preparedAs: several ? null : this.#prepares,
      ddl: this.ddl,
      changesCatalogue: this.changesCatalogue,
      unparsed: false,
    };
  }
}
