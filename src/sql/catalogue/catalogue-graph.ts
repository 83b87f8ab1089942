/**
 * Which objects of a database can have effects on a session, by what they reach. A node is an
 * object (a relation is two: `r` for reading it, `w` for writing it), an edge leads from what runs
 * to what is run by it, and dirt flows against the edges until nothing changes. So does whether an
 * object tells what its session drew from sequences, and whether it does more than compute.
 */

/** A node on which everything depends that no name in a statement tells of. */
export const EVERYTHING = 'everything';
export const ANY_DDL = 'ddl';

export type Dirt = { readonly effects: number; readonly reason: string };

/** Statements that reach more than this are not followed to the end. */
const REACHED_MAX = 10_000;

export class CatalogueGraph {
  readonly #dirt = new Map<string, Dirt>();
  readonly #sequenceReaders = new Set<string>();
  readonly #impure = new Set<string>();
  /** From a node to those that run it. */
  readonly #users = new Map<string, string[]>();
  /** The other way: from a node to those that it runs. */
  readonly #runs = new Map<string, string[]>();
  readonly #queue: string[] = [];

  /** `user` runs `used`. */
  edge(user: string, used: string): void {
    append(this.#users, used, user);
    append(this.#runs, user, used);
  }

  /** Adds effects to a node; the reason of the gravest stays. */
  stain(node: string, effects: number, reason: string): void {
    const before = this.#dirt.get(node);
    if (before === undefined) {
      this.#dirt.set(node, { effects, reason });
    } else {
      const all = before.effects | effects;
      if (all === before.effects) return;
      this.#dirt.set(node, {
        effects: all,
        reason: effects > before.effects ? reason : before.reason,
      });
    }
    this.#queue.push(node);
  }

  /** The object uses `lastval` or `currval`, or may do so. */
  readsSequences(node: string): void {
    this.#sequenceReaders.add(node);
  }

  /** The object is not known to do nothing but compute: a function of a user's, a foreign table. */
  impure(node: string): void {
    this.#impure.add(node);
  }

  /** Lets dirt flow. Every node is visited at most once for each bit of effect that it gains. */
  settle(): void {
    for (let node = this.#queue.pop(); node !== undefined; node = this.#queue.pop()) {
      const dirt = this.#dirt.get(node) as Dirt;
      for (const user of this.#users.get(node) ?? []) this.stain(user, dirt.effects, dirt.reason);
    }
    for (const marked of [this.#sequenceReaders, this.#impure]) {
      // What is added while a set is walked is walked as well.
      for (const node of marked) {
        for (const user of this.#users.get(node) ?? []) marked.add(user);
      }
    }
  }

  dirtOf(node: string): Dirt | null {
    return this.#dirt.get(node) ?? null;
  }

  isImpure(node: string): boolean {
    return this.#impure.has(node);
  }

  isSequenceReader(node: string): boolean {
    return this.#sequenceReaders.has(node);
  }

  /** OIDs of the relations that are written by what runs these nodes; null when they are many. */
  writtenFrom(nodes: readonly string[]): number[] | null {
    const reached = new Set(nodes);
    // What is added while a set is walked is walked as well.
    for (const node of reached) {
      if (reached.size > REACHED_MAX) return null;
      for (const run of this.#runs.get(node) ?? []) reached.add(run);
    }
    return [...reached].filter((node) => node[0] === 'w').map((node) => Number(node.slice(1)));
  }
}

function append(map: Map<string, string[]>, key: string, value: string): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [value]);
  else known.push(value);
}
