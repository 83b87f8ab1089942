import { Effect, type Facts } from '../facts/facts.ts';
import { type BuiltCatalogue, buildCatalogue } from './catalogue-build.ts';
import { ANY_DDL, EVERYTHING } from './catalogue-graph.ts';
import type { CatalogueRows } from './catalogue-rows.ts';
import type { FunctionReader } from './function-facts.ts';
import { type RelationSet, writesOf } from './write-set.ts';

/** All that a statement may leave on its session, its own words and the catalogue together. */
export type CatalogueJudgement = {
  /** Bits of {@link Effect}; those of the facts are among them. */
  readonly effects: number;
  /** It names what the catalogue does not know, which may do what no look at the session finds. */
  readonly isStrange: boolean;
  /** What is to blame for the gravest, for people; empty without effects. */
  readonly reason: string;
  /**
   * Tells what its session drew from sequences, or may do so: `lastval` and `currval` of its own,
   * and in functions, views, triggers, defaults and the like; and all that nobody could read.
   */
  readonly readsSequences: boolean;
  /**
   * A plain read that runs nothing but what is known to compute and to look at tables: it leaves
   * nothing behind, and tells nothing of the session in which it runs.
   */
  readonly isPure: boolean;
};

/** Whether nothing but PostgreSQL's own syntax is in a statement. */
function namesNothing(facts: Facts): boolean {
  return (
    facts.relations.length === 0 &&
    facts.functions.length === 0 &&
    facts.operators.length === 0 &&
    facts.types.length === 0 &&
    facts.fields.length === 0
  );
}

/**
 * What is known of one database's catalogue at one time. Immutable: a judgement may be kept for as
 * long as the snapshot that gave it.
 */
export class CatalogueSnapshot {
  /** Of a database nobody has looked at: whatever names anything is suspected. */
  static readonly UNKNOWN: CatalogueSnapshot = new CatalogueSnapshot(null);

  readonly #built: BuiltCatalogue | null;

  private constructor(built: BuiltCatalogue | null) {
    this.#built = built;
  }

  static of(rows: CatalogueRows, functions: FunctionReader): CatalogueSnapshot {
    return new CatalogueSnapshot(buildCatalogue(rows, functions));
  }

  /** Custom settings that functions of the database set; `pg_settings` does not show them. */
  get customSettingNames(): readonly string[] {
    return this.#built?.customSettingNames ?? [];
  }

  /** What the statement may write, with all that follows from it. */
  writesOf(facts: Facts): RelationSet {
    return writesOf(facts, this.#built);
  }

  judge(facts: Facts): CatalogueJudgement {
    let effects = facts.effects;
    let reason = facts.reason;
    let readsSequences = facts.sequenceState || facts.unparsed;
    const add = (more: number, why: string): void => {
      if (more > effects) reason = why;
      effects |= more;
    };
    if (this.#built === null) {
      if (!namesNothing(facts)) add(Effect.Session, 'catalogue not read yet');
      readsSequences ||= !namesNothing(facts);
      return { effects, reason, readsSequences, isPure: false, isStrange: !namesNothing(facts) };
    }
    const { graph, resolver, purity } = this.#built;
    const node = (name: string): void => {
      const dirt = graph.dirtOf(name);
      if (dirt !== null) add(dirt.effects, dirt.reason);
      readsSequences ||= graph.isSequenceReader(name);
    };
    let isStrange = false;
    const effect = (more: number, why: string): void => {
      add(more, why);
      isStrange = true;
      readsSequences = true;
    };
    resolver.reach(facts, { node, effect });
    // A cast between types of PostgreSQL's own can be a user's, and names nothing.
    if (facts.statements > 1 || facts.transaction === null) node(EVERYTHING);
    if (facts.ddl && !facts.unparsed) node(ANY_DDL);
    const isPure = effects === Effect.None && !readsSequences && purity.isPure(facts);
    return { effects, reason, readsSequences, isPure, isStrange };
  }
}
