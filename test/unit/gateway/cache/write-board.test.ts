import { afterEach, describe, expect, it, vi } from 'vitest';
import { WriteLog } from '../../../../src/cache/write-log.ts';
import type { OriginConfig } from '../../../../src/config/model.ts';
import { BoardFile, Cells } from '../../../../src/gateway/cache/board-file.ts';
import type { OriginWrites } from '../../../../src/gateway/cache/origin-writes.ts';
import { OriginWritesTable } from '../../../../src/gateway/cache/origin-writes-table.ts';
import { WriteBoard } from '../../../../src/gateway/cache/write-board.ts';
import { LinkWrites } from '../../../../src/session/link-writes.ts';

const ORIGIN = { host: 'db', port: 5432, database: 'app' } as OriginConfig;
const OTHER = { ...ORIGIN, database: 'other' };

/** One worker's side. */
class Side {
  readonly board: WriteBoard;
  readonly table: OriginWritesTable;
  readonly subscriber = {
    onOriginCatalogueChanging: vi.fn(),
    onOriginCatalogueChanged: vi.fn(),
    processLook: null,
    lostWriteMs: null,
  };
  readonly origin: OriginWrites;

  constructor(file: BoardFile, number: number) {
    this.board = new WriteBoard(file, number);
    this.table = new OriginWritesTable(this.board);
    this.origin = this.table.join(ORIGIN, this.subscriber);
  }

  write(relations: readonly number[] | 'all', processId = 7, changesCatalogue = false): LinkWrites {
    const writes = new LinkWrites();
    writes.processId = processId;
    writes.add(this.origin, relations, changesCatalogue);
    return writes;
  }

  /** The time of a read; null while what it reads is written. */
  readTime(relation: number, origin = this.origin): number | null {
    origin.catchUp();
    return origin.versions.readTime([relation]);
  }

  isCurrent(time: number | null, relation: number): boolean {
    this.origin.catchUp();
    return this.origin.versions.isCurrent(time as number, [relation]);
  }

  /** Others hear of lifts with the next turn of the event loop; here, at once. */
  say(): void {
    this.board.flush();
  }
}

let file: BoardFile;

function readCells(from: BoardFile): Cells {
  const cells = new Cells();
  BoardFile.prototype.readCells.call(from, cells);
  return cells;
}

function sides(count = 2): Side[] {
  file = BoardFile.create(count);
  return Array.from({ length: count }, (_, at) => new Side(file, at + 1));
}

afterEach(() => {
  file.close();
});

describe('workers at one board', () => {
  it('see at once what another one writes, and afterwards that it is newer', () => {
    const [one, two] = sides() as [Side, Side];
    const [before, apart] = [two.readTime(5), two.readTime(6)];
    const writes = one.write([5]);
    expect(two.readTime(5)).toBeNull();
    expect(two.isCurrent(apart, 6)).toBe(true);
    writes.settle();
    one.say();
    expect(two.readTime(5)).not.toBeNull();
    expect(two.isCurrent(before, 5)).toBe(false);
    expect(two.isCurrent(apart, 6)).toBe(true);
  });

  it('hear of a lift without anybody saying so', async () => {
    const [one, two] = sides() as [Side, Side];
    one.write([5]).settle();
    await new Promise((resolve) => setImmediate(resolve));
    expect(two.readTime(5)).not.toBeNull();
  });

  it('do not mix up databases', () => {
    const [one, two] = sides() as [Side, Side];
    const other = two.table.join(OTHER, two.subscriber);
    one.write('all');
    expect(two.readTime(5, other)).not.toBeNull();
    expect(two.readTime(5)).toBeNull();
  });

  it('know what stands when they begin', () => {
    const [one] = sides() as [Side];
    one.write([5]);
    for (let n = 0; n < 100_000; n++) one.write([6]).settle();
    one.say();
    const late = new Side(file, 3);
    expect(late.readTime(5)).toBeNull();
    expect(late.readTime(6)).not.toBeNull();
  });

  it('forget everything when they have missed something, and what stands may be anything', () => {
    const [one, two] = sides() as [Side, Side];
    const standing = one.write([5]);
    const before = two.readTime(7);
    for (let n = 0; n < 100_000; n++) one.write([6]).settle();
    one.say();
    expect(two.isCurrent(before, 7)).toBe(false);
    expect(two.subscriber.onOriginCatalogueChanged).toHaveBeenCalledOnce();
    expect(two.readTime(5)).toBeNull();
    // Among what was missed there may have been a change of the catalogue.
    expect(two.readTime(6)).toBeNull();
    standing.settle();
    one.say();
    expect(two.readTime(6)).not.toBeNull();
  });

  it('keep of many relations at once that there are many', () => {
    const [one, two] = sides() as [Side, Side];
    const many = (from: number) => Array.from({ length: 900 }, (_, n) => from + n);
    const all = [1, 2, 3, 4, 5].map((n) => one.write(many(n * 1_000)));
    expect(two.readTime(999_999)).toBeNull();
    for (const writes of all) writes.settle();
    one.say();
    expect(two.readTime(999_999)).not.toBeNull();
  });
});

describe('a change of the catalogue', () => {
  it('makes everything of what any worker has under way', () => {
    const [one, two, three] = sides(3) as [Side, Side, Side];
    const writes = one.write([5]);
    const altering = two.write('all', 8, true);
    altering.settle();
    two.say();
    // The first has not heard of it.
    expect(three.readTime(999)).toBeNull();
    expect(three.subscriber.onOriginCatalogueChanged).toHaveBeenCalledOnce();
    const before = three.origin.versions.readTime([]);
    writes.settle();
    one.say();
    expect(three.readTime(999)).not.toBeNull();
    expect(three.isCurrent(before, 999)).toBe(false);
  });

  it('makes everything of it also for the one who has made it', () => {
    const [one, two] = sides() as [Side, Side];
    const altering = two.write('all', 8, true);
    // The second has not looked since.
    one.write([5]);
    altering.settle();
    expect(two.readTime(999)).toBeNull();
    // Others hear of such a lift at once.
    expect(one.write([6]).relations).toBe('all');
  });

  // Fails when WriteBoard takes in what it has read once.
  it('is not taken in without what came before it, when that was written while it was read', () => {
    const [one, two, three] = sides(3) as [Side, Side, Side];
    const before = readCells(file);
    one.write([5]);
    const altering = two.write('all', 8, true);
    altering.settle();
    vi.spyOn(file, 'readCells').mockImplementationOnce((into) => {
      into.bytes.set(readCells(file).bytes);
      into.take(before, 1);
    });
    three.origin.catchUp();
    expect(three.subscriber.onOriginCatalogueChanged).toHaveBeenCalledOnce();
    expect(three.readTime(999)).toBeNull();
  });

  it('may be everybody’s from when it may be committed, until its outcome is known', () => {
    const [one, two] = sides() as [Side, Side];
    const altering = one.write('all', 7, true);
    two.origin.catchUp();
    expect(two.origin.isCatalogueChanging).toBe(false);
    altering.noteCommit();
    two.origin.catchUp();
    expect(two.origin.isCatalogueChanging).toBe(true);
    expect(two.subscriber.onOriginCatalogueChanging).toHaveBeenCalledOnce();
    // Who begins now has to know it, too.
    const late = new Side(file, 3);
    late.origin.catchUp();
    expect(late.origin.isCatalogueChanging).toBe(true);
    altering.settle();
    two.origin.catchUp();
    expect(two.origin.isCatalogueChanging).toBe(false);
    expect(two.subscriber.onOriginCatalogueChanged).toHaveBeenCalledOnce();
  });

  it('that is committed at once is told of before it is sent', () => {
    const [one, two] = sides() as [Side, Side];
    const altering = new LinkWrites();
    altering.noteCommit();
    altering.add(one.origin, 'all', true);
    two.origin.catchUp();
    expect(two.origin.isCatalogueChanging).toBe(true);
  });

  it('that is made while a write is being judged is noticed before the write is sent', () => {
    const [one, two] = sides() as [Side, Side];
    const altering = two.write('all', 8, true);
    one.origin.catchUp();
    altering.settle();
    two.say();
    // What it writes was judged by the catalogue of before.
    expect(one.write([5]).relations).toBe('all');
    expect(two.readTime(999)).toBeNull();
  });
});

describe('a worker that is no more', () => {
  it('leaves what it was writing to another one', () => {
    const [one, two, three] = sides(3) as [Side, Side, Side];
    one.write([5], 77);
    two.board.takeOver(1, 0);
    new WriteLog(file.storeOf(1)).restart();
    expect(three.readTime(5)).toBeNull();
    // The next one of that number numbers its fences anew.
    const next = new Side(file, 1);
    expect(next.readTime(5)).toBeNull();
    next.write([6]).settle();
    next.say();
    expect(three.readTime(6)).not.toBeNull();
    expect(three.readTime(5)).toBeNull();
    // Nobody can ask for processes here: they are given a minute.
    two.table.tick(59_000);
    expect(three.readTime(5)).toBeNull();
    two.table.tick(60_000);
    two.say();
    expect(three.readTime(5)).not.toBeNull();
  });

  it('leaves it as something that may have changed the catalogue, when it was everything', () => {
    const [one, two, three] = sides(3) as [Side, Side, Side];
    one.write('all', 77);
    two.board.takeOver(1, 0);
    new WriteLog(file.storeOf(1)).restart();
    three.origin.catchUp();
    expect(three.origin.isCatalogueChanging).toBe(true);
    two.table.tick(60_000);
    two.say();
    three.origin.catchUp();
    expect(three.origin.isCatalogueChanging).toBe(false);
    expect(three.subscriber.onOriginCatalogueChanged).toHaveBeenCalledOnce();
  });
});

describe('the file of a board', () => {
  it('is made where there is room for it', () => {
    file = BoardFile.create(1, ['/nowhere', '/dev/shm', '/tmp']);
    expect(file.storeOf(1).count()).toBe(0);
    expect(() => BoardFile.create(1, ['/nowhere'])).toThrow(/ENOENT/);
  });
});
