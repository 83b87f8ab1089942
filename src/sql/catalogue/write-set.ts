/** What a statement may write, as far as its facts and the catalogue tell (DESIGN §7). */
import { Effect, type Facts } from '../facts/facts.ts';
import type { BuiltCatalogue } from './catalogue-build.ts';
import { ANY_DDL } from './catalogue-graph.ts';

/** Which relations a statement reads or writes: their OIDs, or all that there may be. */
export type RelationSet = readonly number[] | 'all';

const NONE: RelationSet = [];

/** Statements that run or do something that is not looked into here. */
const UNKNOWN_WRITERS: ReadonlySet<string> = new Set([
  'CallStmt',
  'DoStmt',
  'ExecuteStmt',
  // With CASCADE it empties relations whose names are nowhere.
  'TruncateStmt',
]);

/** Statements with an effect on the session that have none on relations. */
const SESSION_ONLY: ReadonlySet<string> = new Set([
  'ClosePortalStmt',
  'DeallocateStmt',
  'DeclareCursorStmt',
  'DiscardStmt',
  'ListenStmt',
  'LoadStmt',
  'UnlistenStmt',
  'VacuumStmt',
]);

/** Functions of PostgreSQL with an effect on the session that have none on relations. */
const SESSION_FUNCTION = /^(pg_(try_)?advisory_\w+|set_config|setseed|pg_notify|lastval|currval)$/;

/** Transaction statements whose writes were made elsewhere, or by another session. */
const FOREIGN_COMMITS: ReadonlySet<string> = new Set(['commitPrepared', 'rollbackPrepared']);

/**
 * The relations that a statement may write: those it names, what their triggers, rules and foreign
 * keys write, those above and below them by inheritance, and what functions of users write.
 *
 * @param catalogue null when it is not known
 */
export function writesOf(facts: Facts, catalogue: BuiltCatalogue | null): RelationSet {
  if (mayWriteAnything(facts)) return 'all';
  if (catalogue === null) return usesNothing(facts) && !facts.ddl ? NONE : 'all';
  const { graph, resolver } = catalogue;
  const reached: string[] = [];
  let isUnknown = false;
  // Event triggers hear of temporary objects too.
  if (facts.ddl) reached.push(ANY_DDL);
  resolver.reach(facts, {
    node: (node) => reached.push(node),
    effect: () => {
      isUnknown = true;
    },
  });
  if (isUnknown || reached.some((node) => graph.dirtOf(node) !== null)) return 'all';
  return graph.writtenFrom(reached) ?? 'all';
}

function mayWriteAnything(facts: Facts): boolean {
  const { unparsed, changesCatalogue, verb, effects, transaction } = facts;
  if (unparsed || changesCatalogue) return true;
  if (facts.statements > 1 || facts.preparedNames.length > 0) return true;
  if (UNKNOWN_WRITERS.has(verb)) return true;
  if (transaction !== null) return FOREIGN_COMMITS.has(transaction) || transaction === 'mixed';
  if ((effects & (Effect.Session | Effect.Permanent)) === 0 || SESSION_ONLY.has(verb)) return false;
  return facts.functions.some(({ name }) => !SESSION_FUNCTION.test(name));
}

function usesNothing({ relations, functions, operators, types, fields }: Facts): boolean {
  const uses = [relations, functions, operators, types, fields];
  return uses.every(({ length }) => length === 0);
}
