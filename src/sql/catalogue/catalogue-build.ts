/** Lays the graph of a catalogue out of its rows, and lets it settle. */

import { Effect, type Facts } from '../facts/facts.ts';
import { pureFunctions } from '../facts/pure-builtins.generated.ts';
import { ANY_DDL, CatalogueGraph, EVERYTHING } from './catalogue-graph.ts';
import type { CatalogueFunction, CatalogueImplied, CatalogueRows } from './catalogue-rows.ts';
import type { FunctionReader } from './function-facts.ts';
import { NameResolver } from './name-resolver.ts';
import { Purity } from './purity.ts';

/** Object ids below this belong to PostgreSQL itself: FirstNormalObjectId of `transam.h`. */
const FIRST_USER_OID = 16384;

export type BuiltCatalogue = {
  readonly graph: CatalogueGraph;
  readonly resolver: NameResolver;
  readonly purity: Purity;
  /** Custom settings (`app.tenant`) that functions set under a literal name. */
  readonly customSettingNames: readonly string[];
};

const isUser = (oid: string): boolean => Number(oid) >= FIRST_USER_OID;

export function buildCatalogue(rows: CatalogueRows, functions: FunctionReader): BuiltCatalogue {
  const graph = new CatalogueGraph();
  const resolver = new NameResolver(rows);
  const customSettings = new Set<string>();
  layEdges(rows, graph);
  layImpure(rows, graph);
  for (const implied of rows.implied) layImplied(implied, graph);
  for (const oid of rows.eventTriggers) graph.edge(ANY_DDL, `f${oid}`);
  for (const fn of rows.functions) {
    if (fn.language === '' || rows.trusted.has(`f${fn.oid}`)) continue;
    const facts = functions.read(fn);
    layFunction(fn, facts, graph, resolver);
    for (const name of facts.settingNames) if (name.includes('.')) customSettings.add(name);
  }
  graph.settle();
  const purity = new Purity(rows, graph, resolver);
  return { graph, resolver, purity, customSettingNames: [...customSettings] };
}

/** A function of a user's is never pure, whatever it is declared as. */
function layImpure(rows: CatalogueRows, graph: CatalogueGraph): void {
  for (const { oid } of rows.functions) if (!rows.trusted.has(`f${oid}`)) graph.impure(`f${oid}`);
  for (const { oid, kind } of rows.relations) if (kind === 'f') graph.impure(`r${oid}`);
  for (const { ownerClass, owner, functions, isMore } of rows.uses) {
    if (isMore || !functions.every((name) => pureFunctions.has(name))) {
      graph.impure(`${ownerClass}${owner}`);
    }
  }
}

function layEdges(rows: CatalogueRows, graph: CatalogueGraph): void {
  for (const { oid, name, kind } of rows.relations) {
    // Whatever reading runs, writing runs: rows are read to be written.
    graph.edge(`w${oid}`, `r${oid}`);
    if (kind === 'f') graph.stain(`r${oid}`, Effect.Session, `foreign table ${name}`);
  }
  for (const { mode, ownerClass, owner, refClass, ref } of rows.edges) {
    if (ownerClass !== 'r') {
      graph.edge(`${ownerClass}${owner}`, `${refClass}${ref}`);
      continue;
    }
    if (mode !== 'W') graph.edge(`r${owner}`, `${refClass}${ref}`);
    if (mode !== 'R') graph.edge(`w${owner}`, `${refClass === 'r' ? 'w' : refClass}${ref}`);
  }
  for (const { mode, ownerClass, owner, effects, readsSequences } of rows.unsafe) {
    const node = `${ownerClass === 'r' && mode === 'W' ? 'w' : ownerClass}${owner}`;
    const what = ownerClass === 'r' || ownerClass === 't' ? 'in a stored expression' : 'as a part';
    if (effects !== Effect.None) graph.stain(node, effects, `a built-in function ${what}`);
    if (readsSequences) graph.readsSequences(node);
  }
}

/**
 * Operators, casts and operator classes run without being named: by ORDER BY, by an assignment.
 * Those on a user's type concern what touches the type; those on PostgreSQL's own types,
 * everything.
 */
function layImplied(implied: CatalogueImplied, graph: CatalogueGraph): void {
  const node = `${implied.kind === 'p' ? 'f' : implied.kind}${implied.oid}`;
  const types = [implied.leftType, implied.rightType].filter(isUser);
  for (const type of types) graph.edge(`t${type}`, node);
  if (types.length > 0) return;
  const isNamed = implied.kind === 'o' && !comparisons.has(implied.name);
  if (!isNamed) graph.edge(EVERYTHING, node);
}

/** Operators that PostgreSQL looks up by these names where none is written. */
const comparisons: ReadonlySet<string> = new Set(['=', '<>', '<', '<=', '>', '>=']);

function layFunction(
  fn: CatalogueFunction,
  facts: Facts,
  graph: CatalogueGraph,
  resolver: NameResolver,
): void {
  const node = `f${fn.oid}`;
  if (facts.sequenceState || facts.unparsed) graph.readsSequences(node);
  // Later texts of the transaction are understood in another way than the session's settings say.
  if (facts.changesMeaning) graph.stain(node, Effect.Session, `function ${fn.name}: SET LOCAL`);
  // DDL inside of a function sets event triggers off like any other.
  if (facts.ddl && !facts.unparsed) graph.edge(node, ANY_DDL);
  const stain = (effects: number, reason: string): void => {
    graph.stain(node, effects, `function ${fn.name}: ${reason}`);
  };
  // A setting under a literal name can be found by a probe; a name from a parameter cannot.
  if (facts.settingParams.length > 0) stain(Effect.Permanent, 'set_config of a computed name');
  const effects = facts.effects & Effect.Settings ? facts.effects | Effect.Session : facts.effects;
  const lasting = effects & ~Effect.Settings;
  if (lasting !== 0) stain(lasting, facts.reason);
  resolver.reach(facts, {
    node: (used) => graph.edge(node, used),
    effect: (effects, reason) => {
      stain(effects, reason);
      graph.readsSequences(node);
    },
  });
}
