import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OriginConfig } from '../../src/config/model.ts';
import { BoardFile } from '../../src/gateway/cache/board-file.ts';
import type { OriginWrites } from '../../src/gateway/cache/origin-writes.ts';
import { OriginWritesTable } from '../../src/gateway/cache/origin-writes-table.ts';
import { WriteBoard } from '../../src/gateway/cache/write-board.ts';
import { LinkWrites } from '../../src/session/link-writes.ts';

const ORIGIN = { host: 'db', port: 5432, database: 'app' } as OriginConfig;
const WORKERS = 3;
const RELATIONS = [1, 2, 3, 4];

type Write = {
  readonly writes: LinkWrites;
  readonly alters: boolean;
  /** The catalogue has changed while it was under way: there may be a trigger now. */
  isAnything: boolean;
  mayCommit: boolean;
};
type Read = { readonly relation: number; readonly time: number; readonly worker: number };

/** Workers at one board, and what a server would know of all they do. */
class World {
  readonly file = BoardFile.create(WORKERS);
  readonly boards: WriteBoard[] = [];
  readonly origins: OriginWrites[] = [];
  readonly writes: Write[] = [];
  /** Answers that are kept, as far as nothing has happened to what they read. */
  fresh: Read[] = [];
  /** The others: nobody may be given them. */
  stale: Read[] = [];
  kept = 0;

  constructor() {
    for (let number = 1; number <= WORKERS; number++) {
      const board = new WriteBoard(this.file, number);
      const subscriber = {
        onOriginCatalogueChanging: () => {},
        onOriginCatalogueChanged: () => {},
        processLook: null,
        lostWriteMs: null,
      };
      this.boards.push(board);
      this.origins.push(new OriginWritesTable(board).join(ORIGIN, subscriber));
    }
  }

  send(worker: number, relation: number, alters: boolean): void {
    const writes = new LinkWrites();
    writes.add(this.origins[worker] as OriginWrites, alters ? 'all' : [relation], alters);
    this.writes.push({ writes, alters, isAnything: false, mayCommit: false });
  }

  /** The transaction of a write is about to be committed. */
  commit(at: number): void {
    const write = this.writes[at % this.writes.length];
    if (write === undefined) return;
    write.mayCommit = true;
    write.writes.noteCommit();
  }

  /** The outcome of a write is known. What alters makes more of all others than was thought. */
  settle(at: number): void {
    const [done] = this.writes.splice(at % this.writes.length, 1);
    if (done === undefined) return;
    this.#age((relation) => done.alters || mayWrite(done, relation));
    if (done.alters) for (const other of this.writes) other.isAnything = true;
    done.writes.settle();
  }

  #age(isMeant: (relation: number) => boolean): void {
    this.stale.push(...this.fresh.filter(({ relation }) => isMeant(relation)));
    this.fresh = this.fresh.filter(({ relation }) => !isMeant(relation));
  }

  /** A worker takes an answer from the server, if it may. */
  read(worker: number, relation: number): void {
    const origin = this.origins[worker] as OriginWrites;
    origin.catchUp();
    const time = origin.versions.readTime([relation]);
    if (this.writes.some((write) => mayWrite(write, relation))) expect(time).toBeNull();
    if (time !== null) this.fresh.push({ relation, time, worker });
  }

  /** A worker is asked for everything that it has. */
  judge(worker: number): void {
    const origin = this.origins[worker] as OriginWrites;
    origin.catchUp();
    const isChanging = this.writes.some(({ alters, mayCommit }) => alters && mayCommit);
    expect(origin.isCatalogueChanging).toBe(isChanging);
    const isGiven = ({ time, relation }: Read) => origin.versions.isCurrent(time, [relation]);
    const mine = (read: Read) => read.worker === worker;
    expect(this.stale.filter(mine).filter(isGiven)).toEqual([]);
    this.kept += this.fresh.filter(mine).filter(isGiven).length;
  }

  close(): void {
    for (const board of this.boards) board.flush();
    this.file.close();
  }
}

function mayWrite({ writes: { relations }, isAnything }: Write, relation: number): boolean {
  return isAnything || relations === 'all' || relations.includes(relation);
}

const step = fc.record({
  do: fc.constantFrom(
    ...([
      'send',
      'send',
      'settle',
      'settle',
      'read',
      'read',
      'judge',
      'say',
      'alter',
      'commit',
    ] as const),
  ),
  worker: fc.nat(WORKERS - 1),
  n: fc.nat(20),
});

describe('workers at one board', () => {
  it('give nothing that any of them has written since, and take nothing that is written', () => {
    let kept = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const world = new World();
        for (const { do: what, worker, n } of steps) {
          const relation = RELATIONS[n % RELATIONS.length] as number;
          if (what === 'send') world.send(worker, relation, false);
          else if (what === 'alter' && n < 5) world.send(worker, relation, true);
          else if (what === 'commit') world.commit(n);
          else if (what === 'settle') world.settle(n);
          else if (what === 'read') world.read(worker, relation);
          else if (what === 'say') world.boards[worker]?.flush();
          else world.judge(worker);
        }
        for (let worker = 0; worker < WORKERS; worker++) world.judge(worker);
        kept += world.kept;
        world.close();
      }),
      { numRuns: 300 },
    );
    // Workers that keep nothing would be right, too.
    expect(kept).toBeGreaterThan(450);
  });
});
