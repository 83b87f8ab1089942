import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Fill } from '../../src/cache/fill.ts';
import { Habit } from '../../src/cache/habit.ts';
import { QueryCache } from '../../src/cache/query-cache.ts';
import { RelationVersions } from '../../src/cache/relation-versions.ts';
import type { RelationSet } from '../../src/sql/catalogue/write-set.ts';

/** Statements by their number, and what they read. */
const READS: readonly RelationSet[] = [[1], [2], [1, 2], [3], 'all'];

const policy = {
  maxAgeMs: 1e9,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 0,
  resultBytesMax: 1000,
};

type Write = { readonly relations: RelationSet; isDone: boolean };
type Read = { readonly statement: number; readonly text: string; readonly fill: Fill | null };

/**
 * A server and its clients: relations have numbers that only grow, a read sees those of the moment
 * in which the server runs it, and its answer arrives later.
 */
class World {
  readonly cache = new QueryCache(1e6);
  readonly habit = new Habit();
  readonly versions = new RelationVersions();
  /** What the server holds, and what clients have been told or have read. */
  readonly server = [0, 0, 0, 0];
  readonly known = [0, 0, 0, 0];
  readonly writes: Write[] = [];
  readonly reads: Read[] = [];
  hits = 0;

  ask(statement: number): void {
    const key = String(statement);
    const reads = READS[statement] as RelationSet;
    const needsDescription = false;
    const reply = this.cache.ask(
      { key, reads, versions: this.versions, policy, needsDescription, habit: this.habit },
      0,
    );
    if (reply.kind === 'hit') {
      this.hits++;
      this.see(statement, Buffer.from(reply.answer.rows).toString());
    } else if (reply.kind === 'pending') {
      const least = [...this.known];
      reply.fill.join({
        onAnswer: ({ rows }) => this.see(statement, Buffer.from(rows).toString(), least),
        onGone: () => {},
      });
    } else if (reply.kind === 'miss') {
      this.reads.push({ statement, text: JSON.stringify(this.server), fill: reply.fill });
    }
  }

  /** A client reads: nothing may be older than what it could know when it asked. */
  see(statement: number, text: string, least: readonly number[] = this.known): void {
    const seen = JSON.parse(text) as number[];
    const reads = READS[statement] as RelationSet;
    for (const relation of reads === 'all' ? [1, 2, 3] : reads) {
      expect(seen[relation]).toBeGreaterThanOrEqual(least[relation] as number);
      this.known[relation] = Math.max(this.known[relation] as number, seen[relation] as number);
    }
  }

  answerRead(at: number): void {
    const [read] = this.reads.splice(at % this.reads.length, 1);
    if (read === undefined) return;
    this.see(read.statement, read.text, [0, 0, 0, 0]);
    read.fill?.append(Buffer.from(read.text), 0, read.text.length);
    read.fill?.complete();
  }

  send(relations: RelationSet): void {
    this.versions.fence(relations);
    this.writes.push({ relations, isDone: false });
  }

  /** The server commits a write; that is known only later. */
  commit(at: number): void {
    const write = this.writes[at % this.writes.length];
    if (write === undefined || write.isDone) return;
    write.isDone = true;
    for (const relation of write.relations === 'all' ? [1, 2, 3] : write.relations) {
      this.server[relation] = (this.server[relation] as number) + 1;
    }
  }

  acknowledge(at: number): void {
    const index = at % this.writes.length;
    const write = this.writes[index];
    if (write === undefined || !write.isDone) return;
    this.writes.splice(index, 1);
    this.versions.lift(write.relations);
    // Whoever asks from now on must see it.
    for (const relation of write.relations === 'all' ? [1, 2, 3] : write.relations) {
      this.known[relation] = this.acknowledged(relation);
    }
  }

  /** What is committed and no longer being acknowledged. */
  acknowledged(relation: number): number {
    const pending = this.writes.filter(
      ({ relations, isDone }) => isDone && (relations === 'all' || relations.includes(relation)),
    ).length;
    return Math.max(this.known[relation] as number, (this.server[relation] as number) - pending);
  }
}

const step = fc.record({
  do: fc.constantFrom(
    ...(['ask', 'ask', 'ask', 'answer', 'answer', 'send', 'commit', 'acknowledge'] as const),
  ),
  n: fc.nat(20),
});

describe('the fence', () => {
  it('lets nobody read what is older than what anybody wrote or read', () => {
    let hits = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const world = new World();
        for (const { do: what, n } of steps) {
          if (what === 'ask') world.ask(n % READS.length);
          else if (what === 'answer') world.answerRead(n);
          else if (what === 'send') world.send(READS[n % READS.length] as RelationSet);
          else if (what === 'commit') world.commit(n);
          else world.acknowledge(n);
        }
        hits += world.hits;
      }),
      { numRuns: 1000 },
    );
    // A cache that answers nothing would be right, too.
    expect(hits).toBeGreaterThan(1000);
  });
});
